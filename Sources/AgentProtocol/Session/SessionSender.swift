/// One direction of a channel, at the end that sends: what is not acknowledged is kept, and at most a window of it is
/// under way.
///
/// It takes whatever it is given; who produces should stop while there is no room.
package struct SessionSender: Sendable {
    /// A message to send on the channel.
    package enum Output: Equatable, Sendable {
        case data(SessionStream, offset: UInt64, bytes: [UInt8])
        case end(offset: UInt64)
    }

    /// Pieces of one stream each, at most ``SessionLimit/dataBytes`` long; those before `first` are gone.
    private var chunks: [Chunk] = []
    private var first = 0
    /// Up to here the other end has consumed.
    private var acknowledged: UInt64
    /// Up to here the current connection was given.
    private var sent: UInt64
    /// Behind the last byte.
    private(set) package var endOffset: UInt64
    private(set) package var isEnded = false
    private var isEndSent = false
    private var isConnected = false
    /// The other end wants nothing more.
    private(set) package var isClosed = false

    private struct Chunk {
        let stream: SessionStream
        var offset: UInt64
        var bytes: [UInt8]

        var end: UInt64 { offset + UInt64(bytes.count) }
    }

    /// - Parameter offset: of the first byte.
    package init(offset: UInt64 = 0) {
        acknowledged = offset
        sent = offset
        endOffset = offset
    }

    /// Whether less than a window is waiting to be consumed.
    package var hasRoom: Bool { isClosed || endOffset - acknowledged < SessionLimit.windowBytes }

    /// More bytes. Ignored behind the end, and when nobody wants them.
    package mutating func write(_ stream: SessionStream, _ bytes: [UInt8]) -> [Output] {
        guard !isEnded else { return [] }
        var rest = bytes[...]
        if isClosed { rest = [] }
        while !rest.isEmpty {
            // Small pieces grow together, so that a command which writes bytes does not cost an array for each.
            if chunks.count > first, chunks[chunks.count - 1].stream == stream,
                chunks[chunks.count - 1].bytes.count < SessionLimit.dataBytes
            {
                let part = rest.prefix(SessionLimit.dataBytes - chunks[chunks.count - 1].bytes.count)
                chunks[chunks.count - 1].bytes.append(contentsOf: part)
                endOffset += UInt64(part.count)
                rest = rest.dropFirst(part.count)
            } else {
                let part = rest.prefix(SessionLimit.dataBytes)
                chunks.append(Chunk(stream: stream, offset: endOffset, bytes: Array(part)))
                endOffset += UInt64(part.count)
                rest = rest.dropFirst(part.count)
            }
        }
        return flush()
    }

    /// There will be no more.
    package mutating func end() -> [Output] {
        isEnded = true
        return flush()
    }

    /// The other end has consumed up to an offset, or wants nothing more. Nil for an offset that cannot be: it was
    /// never sent.
    package mutating func acknowledged(_ offset: UInt64) -> [Output]? {
        if offset == SessionLimit.nothingMore {
            close()
            return []
        }
        guard offset <= sent || isClosed else { return nil }
        drop(upTo: offset)
        return flush()
    }

    /// A connection is there, whose other end has everything before `offset`. Nil if that cannot be.
    package mutating func resume(at offset: UInt64) -> [Output]? {
        if offset == SessionLimit.nothingMore { close() }
        isConnected = true
        isEndSent = false
        if isClosed { return [] }
        guard offset >= acknowledged, offset <= endOffset else { return nil }
        sent = offset
        return flush()
    }

    /// Where a reader that has everything before `offset` can go on at the earliest.
    package func earliest(from offset: UInt64) -> UInt64 {
        max(offset, acknowledged)
    }

    /// The first byte's offset, where it is known only after some were written. Not once anything was sent.
    package mutating func begin(at offset: UInt64) {
        for index in chunks.indices { chunks[index].offset += offset }
        acknowledged += offset
        sent += offset
        endOffset += offset
    }

    package mutating func disconnected() {
        isConnected = false
    }

    /// Nothing more is wanted: drops what is there and what is yet to come. The end is not told either.
    package mutating func close() {
        isClosed = true
        chunks = []
        first = 0
        acknowledged = endOffset
        sent = endOffset
    }

    private mutating func drop(upTo offset: UInt64) {
        acknowledged = max(acknowledged, min(offset, endOffset))
        while first < chunks.count, chunks[first].end <= acknowledged {
            chunks[first].bytes = []
            first += 1
        }
        if first == chunks.count || first > 64 {
            chunks.removeFirst(first)
            first = 0
        }
    }

    /// What may be sent now.
    private mutating func flush() -> [Output] {
        guard isConnected, !isClosed else { return [] }
        var outputs: [Output] = []
        var index = chunks[first...].firstIndex { $0.end > sent } ?? chunks.count
        while index < chunks.count {
            let chunk = chunks[index]
            let room = Int(SessionLimit.windowBytes - min(sent - acknowledged, SessionLimit.windowBytes))
            let start = Int(sent - chunk.offset)
            let count = min(room, chunk.bytes.count - start)
            if count == 0 { return outputs }
            let bytes = count == chunk.bytes.count ? chunk.bytes : Array(chunk.bytes[start..<start + count])
            outputs.append(.data(chunk.stream, offset: sent, bytes: bytes))
            sent += UInt64(count)
            if sent == chunk.end { index += 1 }
        }
        if isEnded, !isEndSent, sent == endOffset {
            isEndSent = true
            outputs.append(.end(offset: endOffset))
        }
        return outputs
    }
}
