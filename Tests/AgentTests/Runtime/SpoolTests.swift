import AgentProtocol
import NIOCore
import Testing

@testable import AgentRuntime

@Suite struct SpoolTests {
    @Test("frames come back whole, from any offset between two") func reading() throws {
        var spool = Spool(boundBytes: 1 << 20)
        spool.append(.stdout, ByteBuffer(string: "one"), timestampNanoseconds: 1)
        spool.append(.stderr, ByteBuffer(string: "two2"), timestampNanoseconds: 2)
        let end = spool.endOffset
        #expect(end == 39)
        let all = try read(spool, 0)
        #expect(all.offset == 0)
        #expect(frames(all.frames) == ["1 one", "2 two2"])
        let second = try read(spool, 19)
        #expect(second.offset == 19)
        #expect(frames(second.frames) == ["2 two2"])
        let nothing = try read(spool, 39)
        #expect(nothing.offset == 39)
        #expect(nothing.frames.readableBytes == 0)
        let beyond = spool.read(from: 40)
        #expect(beyond?.offset == nil)
        let between = spool.read(from: 5)
        #expect(between?.offset == nil)
    }

    @Test("the oldest gives way beyond the bound, and readers are told from where on there is output") func bound()
        throws
    {
        let bound = 1 << 20
        var spool = Spool(boundBytes: bound)
        let payload = ByteBuffer(repeating: 7, count: 1000)
        for _ in 0..<5000 { spool.append(.stdout, payload, timestampNanoseconds: 0) }
        let end = spool.endOffset
        #expect(end == 5000 * 1016)
        var (offset, frames) = try read(spool, 0)
        #expect(offset > 0)
        #expect(offset % 1016 == 0)
        let kept = end - offset
        #expect(kept <= bound)
        #expect(kept >= bound * 3 / 4)
        while offset < end {
            #expect(frames.readableBytes > 0)
            #expect(frames.readableBytes % 1016 == 0)
            offset += UInt64(frames.readableBytes)
            let next = try read(spool, offset)
            #expect(next.offset == offset)
            frames = next.frames
        }
    }

    @Test("one reading brings at most a megabyte of whole frames") func readingLimit() throws {
        var spool = Spool(boundBytes: 32 << 20)
        let payload = ByteBuffer(repeating: 7, count: 60000)
        for _ in 0..<40 { spool.append(.stdout, payload, timestampNanoseconds: 0) }
        let (_, frames) = try read(spool, 0)
        #expect(frames.readableBytes == (1 << 20) / 60016 * 60016)
    }

    @Test("what is given up is a hole, and what comes later is there") func clearing() throws {
        var spool = Spool(boundBytes: 1 << 20)
        spool.append(.stdout, ByteBuffer(string: "one"), timestampNanoseconds: 1)
        spool.clear()
        let hole = try read(spool, 0)
        #expect(hole.offset == 19)
        spool.append(.stdout, ByteBuffer(string: "two"), timestampNanoseconds: 1)
        let (offset, rest) = try read(spool, 0)
        #expect(offset == 19)
        #expect(frames(rest) == ["1 two"])
    }

    private func read(_ spool: borrowing Spool, _ offset: UInt64) throws -> (offset: UInt64, frames: ByteBuffer) {
        // Taken first: the macro cannot hold what cannot be copied.
        let result = spool.read(from: offset)
        return try #require(result)
    }

    /// `STREAM PAYLOAD` of each frame.
    private func frames(_ bytes: ByteBuffer) -> [String] {
        var bytes = bytes
        var texts: [String] = []
        while let header = bytes.withUnsafeReadableBytes({ OutputFrameHeader(decoding: $0) }) {
            bytes.moveReaderIndex(forwardBy: OutputFrameHeader.encodedBytes)
            texts.append("\(header.stream.rawValue) \(bytes.readString(length: header.payloadBytes) ?? "torn")")
        }
        return texts
    }
}
