package import AgentProtocol
package import NIOCore

/// One frame of a log.
package struct OutputChunk: Sendable, Equatable {
    /// `stdout`, `stderr` or `gap`.
    package let stream: FrameStream
    /// When the agent read it, by the container's wall clock, since 1970. For a gap: about then.
    package let timestampNanoseconds: UInt64
    /// What the command wrote; empty for a gap.
    package let bytes: ByteBuffer
    /// For a gap: how many bytes of the agent's frames are missing here. Else nil.
    package let lostBytes: UInt64?
    /// Position in the log behind this chunk: from where to go on.
    package let position: UInt64
    /// The next chunk is in hand already: whoever writes this one may put it together with that.
    package var hasNext = false

    init(
        stream: FrameStream, timestampNanoseconds: UInt64, bytes: ByteBuffer, lostBytes: UInt64?, position: UInt64
    ) {
        self.stream = stream
        self.timestampNanoseconds = timestampNanoseconds
        self.bytes = bytes
        self.lostBytes = lostBytes
        self.position = position
    }

    /// What was read elsewhere than in a log, where it has no position.
    package init(stream: FrameStream, timestampNanoseconds: UInt64, bytes: ByteBuffer) {
        self.init(
            stream: stream, timestampNanoseconds: timestampNanoseconds, bytes: bytes, lostBytes: nil, position: 0)
    }
}
