import AgentProtocol
import NIOCore
import SystemPackage

/// The frames of a log, in order.
///
/// The sequence ends at the log's seal, at the end of what there is if the log was removed, when the task is cancelled,
/// or (a snapshot) where the log ended when it was taken. Reading happens on the caller's thread, 256 KiB at a time,
/// from the page cache as a rule.
package struct OutputChunks: AsyncSequence, Sendable {
    package typealias Element = OutputChunk
    package typealias Failure = AgentError

    let log: OutputLog
    let start: UInt64
    /// Where to end even without a seal; nil to follow.
    let limit: UInt64?

    package func makeAsyncIterator() -> Iterator {
        Iterator(log: log, position: start, limit: limit)
    }

    package struct Iterator: AsyncIteratorProtocol {
        private let log: OutputLog
        /// Of the next frame, in the file.
        private var position: UInt64
        private let limit: UInt64?
        private var buffer = ByteBuffer()
        private var isOver = false

        private static let readBytes = 256 << 10

        init(log: OutputLog, position: UInt64, limit: UInt64?) {
            self.log = log
            self.position = position
            self.limit = limit
        }

        package mutating func next() async throws(AgentError) -> OutputChunk? {
            while !isOver, !Task.isCancelled {
                if let frame = StoredFrame(reading: &buffer) {
                    guard var chunk = take(frame) else { continue }
                    chunk.hasNext = holdsChunk
                    return chunk
                }
                let view = try log.view()
                if let descriptor = view.descriptor, try fill(from: descriptor) { continue }
                if limit != nil || view.isRemoved { break }
                // What is left is the beginning of a frame, perhaps one that a crash tore and the next writer cuts off.
                // The memory for reading is given back: those who wait may be many, and for long.
                buffer = ByteBuffer()
                await log.changed(since: view.version)
            }
            isOver = true
            return nil
        }

        package mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(AgentError) -> OutputChunk? {
            try await next()
        }

        private var holdsChunk: Bool {
            var rest = buffer
            guard let next = StoredFrame(reading: &rest) else { return false }
            return next.header.stream != .end
        }

        /// Nil at the end frame.
        private mutating func take(_ frame: StoredFrame) -> OutputChunk? {
            position += UInt64(frame.header.frameBytes)
            if frame.header.stream == .end {
                isOver = true
                return nil
            }
            let isGap = frame.header.stream == .gap
            return OutputChunk(
                stream: frame.header.stream, timestampNanoseconds: frame.header.timestampNanoseconds,
                bytes: isGap ? ByteBuffer() : frame.payload, lostBytes: frame.lostBytes, position: position)
        }

        /// Reads on. False if nothing came: the file holds no more, or what it holds next is no frame.
        private mutating func fill(from descriptor: LogDescriptor) throws(AgentError) -> Bool {
            // A frame is never longer than what one call reads: more than that in hand is not the beginning of one.
            if buffer.readableBytes >= Self.readBytes { return false }
            buffer.discardReadBytes()
            let from = position + UInt64(buffer.readableBytes)
            var wanted = Self.readBytes
            if let limit { wanted = Int(Swift.min(UInt64(wanted), limit > from ? limit - from : 0)) }
            return wanted > 0 ? try OutputFile.read(descriptor, at: from, limit: wanted, into: &buffer) > 0 : false
        }
    }
}
