import AgentProtocol
import Glibc
import NIOCore

/// A run's output, as frames, in unlinked temporary files of a bounded total size: the oldest gives way.
///
/// It is made of segments, each a file of its own that no name leads to, so that the command cannot remove or change
/// it. A frame is never in two segments. Whatever is lost – dropped, or not written for want of space – is a hole
/// between two offsets; reading inside a hole gives what comes behind it.
struct Spool: ~Copyable {
    private var segments: [Segment] = []
    private let boundBytes: Int
    private let segmentBytes: Int
    private var storedBytes = 0
    /// Offset behind the last frame.
    private(set) var endOffset: UInt64 = 0

    private struct Segment {
        let descriptor: Int32
        let startOffset: UInt64
        var sizeBytes = 0

        var endOffset: UInt64 { startOffset + UInt64(sizeBytes) }
    }

    init(boundBytes: Int) {
        self.boundBytes = boundBytes
        segmentBytes = max(boundBytes / 8, OutputFrameHeader.encodedBytes + AgentLimit.framePayloadBytes)
    }

    deinit {
        for segment in segments { close(segment.descriptor) }
    }

    /// Appends one frame for a payload of 1 to 65,536 bytes. One that cannot be stored leaves a hole.
    mutating func append(_ stream: FrameStream, _ payload: ByteBuffer, timestampNanoseconds: UInt64) {
        let header = OutputFrameHeader(
            stream: stream, payloadBytes: payload.readableBytes, timestampNanoseconds: timestampNanoseconds)
        if (segments.last.map { $0.endOffset != endOffset || $0.sizeBytes + header.frameBytes > segmentBytes } ?? true)
        {
            startSegment()
        }
        if let last = segments.indices.last, segments[last].endOffset == endOffset,
            Self.write(header.encoded, payload, to: segments[last])
        {
            segments[last].sizeBytes += header.frameBytes
            storedBytes += header.frameBytes
        }
        endOffset += UInt64(header.frameBytes)
        while storedBytes > boundBytes, segments.count > 1 { dropOldest() }
    }

    /// Whole frames from an offset on, at most 1 MiB.
    ///
    /// - Returns: the offset of the first, which is larger than what was asked for if that is lost, and the frames; no
    ///   frames at the end. Nil for an offset behind the end, or one that is not between two frames.
    func read(from asked: UInt64) -> (offset: UInt64, frames: ByteBuffer)? {
        guard asked <= endOffset else { return nil }
        guard let segment = segments.first(where: { $0.endOffset > asked }) else { return (endOffset, ByteBuffer()) }
        let offset = max(asked, segment.startOffset)
        let count = min(segment.endOffset - offset, UInt64(AgentLimit.replyBodyBytes))
        var frames = ByteBuffer()
        frames.writeWithUnsafeMutableBytes(minimumWritableBytes: Int(count)) { memory in
            max(0, pread(segment.descriptor, memory.baseAddress, Int(count), off_t(offset - segment.startOffset)))
        }
        let (whole, endsBroken) = frames.withUnsafeReadableBytes { OutputFrameHeader.wholeFrames(in: $0) }
        guard whole > 0, !endsBroken else { return nil }
        return (offset, frames.getSlice(at: frames.readerIndex, length: whole) ?? ByteBuffer())
    }

    /// Gives up what is stored; what is yet to come is stored again.
    mutating func clear() {
        while !segments.isEmpty { dropOldest() }
    }

    private mutating func dropOldest() {
        let segment = segments.removeFirst()
        storedBytes -= segment.sizeBytes
        close(segment.descriptor)
    }

    /// Without a file to be had there is no new segment, and the frame is lost.
    private mutating func startSegment() {
        if let last = segments.last, last.sizeBytes == 0 {
            segments.removeLast()
            close(last.descriptor)
        }
        // What could be written before may be full now: then memory has to do. One segment is an eighth of the bound.
        let descriptor = Native.temporaryFile(inMemory: segments.last.map { $0.endOffset != endOffset } ?? false)
        if descriptor >= 0 { segments.append(Segment(descriptor: descriptor, startOffset: endOffset)) }
    }

    private static func write(_ header: [UInt8], _ payload: ByteBuffer, to segment: Segment) -> Bool {
        let position = off_t(segment.sizeBytes)
        return header.withUnsafeBytes { write($0, to: segment.descriptor, at: position) }
            && payload.withUnsafeReadableBytes { write($0, to: segment.descriptor, at: position + off_t(header.count)) }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at position: off_t) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = pwrite(
                descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, position + off_t(done))
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return false }
            done += count
        }
        return true
    }
}
