import AgentProtocol
import NIOCore
import SystemPackage

/// What a writer knows of a log: where it ends, in the file and in the agent's offsets. It decides what arriving frames
/// mean; it writes nothing.
struct OutputTail: Equatable {
    /// Length of the whole frames in the file.
    var size: UInt64 = 0
    /// The agent's offset behind what the log holds.
    var nextOffset: UInt64 = 0
    /// Of the last frame; the time of what has none of its own.
    var lastTimestampNanoseconds: UInt64 = 0
    var isSealed = false

    init() {}

    /// Reads a log's headers. Whatever follows the last whole frame was torn by a crash and does not count.
    init(scanning descriptor: LogDescriptor) throws(AgentError) {
        var buffer = ByteBuffer()
        while !isSealed {
            let read = try OutputFile.read(
                descriptor, at: size + UInt64(buffer.readableBytes), limit: 1 << 20, into: &buffer)
            if read == 0 { return }
            while !isSealed, let frame = StoredFrame(reading: &buffer) { add(frame) }
            buffer.discardReadBytes()
        }
    }

    private mutating func add(_ frame: StoredFrame) {
        size += UInt64(frame.header.frameBytes)
        lastTimestampNanoseconds = frame.header.timestampNanoseconds
        switch frame.header.stream {
        case .stdout, .stderr: nextOffset += UInt64(frame.header.frameBytes)
        case .gap: nextOffset += frame.lostBytes ?? 0
        case .end: isSealed = true
        }
    }

    /// Takes frames that begin at an agent's offset.
    ///
    /// - Returns: what to append to the file: nothing for what is known, a gap frame first where output is missing.
    ///   The value then stands behind these bytes.
    /// - Throws: `logSealed` if there is anything to append to a sealed log; `invalidReply` if the frames are not whole,
    ///   or what is known ends inside one of them.
    mutating func accept(_ frames: ByteBuffer, at offset: UInt64) throws(AgentError) -> ByteBuffer {
        let operation = "append to log"
        var frames = frames
        var result = ByteBuffer()
        if offset < nextOffset {
            let known = min(Int(clamping: nextOffset - offset), frames.readableBytes)
            let skipped = frames.withUnsafeReadableBytes { OutputFrameHeader.wholeFrames(in: $0, limit: known).bytes }
            guard skipped == known else {
                throw AgentError(.invalidReply("frames overlap at an offset inside a frame"), operation: operation)
            }
            frames.moveReaderIndex(forwardBy: known)
        }
        let whole = frames.withUnsafeReadableBytes { OutputFrameHeader.wholeFrames(in: $0).bytes }
        guard whole == frames.readableBytes else {
            throw AgentError(.invalidReply("frames are not whole"), operation: operation)
        }
        let isGap = offset > nextOffset
        if !isGap && whole == 0 { return result }
        if isSealed { throw AgentError(.logSealed, operation: operation) }
        if isGap {
            let first = frames.withUnsafeReadableBytes { OutputFrameHeader(decoding: $0) }
            lastTimestampNanoseconds = first?.timestampNanoseconds ?? lastTimestampNanoseconds
            result.writeBytes(
                GapFrame.encode(lostBytes: offset - nextOffset, timestampNanoseconds: lastTimestampNanoseconds))
            nextOffset = offset
        }
        var rest = frames
        while let frame = StoredFrame(reading: &rest) { lastTimestampNanoseconds = frame.header.timestampNanoseconds }
        nextOffset += UInt64(whole)
        result.writeBuffer(&frames)
        size += UInt64(result.readableBytes)
        return result
    }

    /// The end frame, unless it was written before.
    mutating func seal() -> ByteBuffer {
        if isSealed { return ByteBuffer() }
        let end = OutputFrameHeader(
            stream: .end, payloadBytes: 0, timestampNanoseconds: lastTimestampNanoseconds)
        isSealed = true
        size += UInt64(end.frameBytes)
        return ByteBuffer(bytes: end.encoded)
    }
}

/// One whole frame, as it is in a log.
struct StoredFrame {
    let header: OutputFrameHeader
    let payload: ByteBuffer

    /// Takes the next frame off `buffer`. Nil, and nothing taken, when it is not whole or not a frame.
    init?(reading buffer: inout ByteBuffer) {
        guard let header = buffer.withUnsafeReadableBytes({ OutputFrameHeader(decoding: $0) }),
            buffer.readableBytes >= header.frameBytes
        else { return nil }
        buffer.moveReaderIndex(forwardBy: OutputFrameHeader.encodedBytes)
        guard let payload = buffer.readSlice(length: header.payloadBytes) else { return nil }
        self.header = header
        self.payload = payload
    }

    /// Of a gap frame.
    var lostBytes: UInt64? {
        header.stream == .gap ? payload.withUnsafeReadableBytes { GapFrame.lostBytes(payload: $0) } : nil
    }
}
