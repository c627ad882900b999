import AgentProtocol
import Testing

@Suite struct FrameTests {
    @Test("a header is sixteen bytes, big endian, and comes back") func layout() throws {
        let header = OutputFrameHeader(
            stream: .stderr, payloadBytes: 0x0102, timestampNanoseconds: 0x1122_3344_5566_7788)
        #expect(
            header.encoded == [2, 0, 0, 0, 0, 0, 1, 2, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88])
        #expect(header.encoded.withUnsafeBytes { OutputFrameHeader(decoding: $0) } == header)
    }

    @Test("a gap frame tells how much was lost") func gap() throws {
        let frame = GapFrame.encode(lostBytes: 1 << 40, timestampNanoseconds: 5)
        #expect(frame.count == GapFrame.frameBytes)
        let header = try #require(frame.withUnsafeBytes { OutputFrameHeader(decoding: $0) })
        #expect(header == OutputFrameHeader(stream: .gap, payloadBytes: 8, timestampNanoseconds: 5))
        #expect(Array(frame.suffix(8)).withUnsafeBytes { GapFrame.lostBytes(payload: $0) } == 1 << 40)
    }

    @Test(
        "what is no header is not taken for one",
        arguments: [
            [UInt8](repeating: 0, count: 16), [1, 0, 0], [3, 0, 0, 0, 0, 0, 0, 1] + [UInt8](repeating: 0, count: 8),
            [1, 0, 1, 0, 0, 0, 0, 1] + [UInt8](repeating: 0, count: 8),
            [1, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 8),
            [1, 0, 0, 0, 0, 1, 0, 1] + [UInt8](repeating: 0, count: 8),
            [0xff, 0, 0, 0, 0, 0, 0, 7] + [UInt8](repeating: 0, count: 8),
            [0xfe, 0, 0, 0, 0, 0, 0, 1] + [UInt8](repeating: 0, count: 8),
        ]) func noHeader(bytes: [UInt8])
    {
        #expect(bytes.withUnsafeBytes { OutputFrameHeader(decoding: $0) } == nil)
    }

    @Test("whole frames are counted up to the torn, the limit, or the broken one") func wholeFrames() {
        let one = OutputFrameHeader(stream: .stdout, payloadBytes: 3, timestampNanoseconds: 1).encoded + [1, 2, 3]
        let bytes = one + one + one
        func count(_ bytes: [UInt8], limit: Int = .max) -> (bytes: Int, endsBroken: Bool) {
            bytes.withUnsafeBytes { OutputFrameHeader.wholeFrames(in: $0, limit: limit) }
        }
        #expect(count(bytes) == (57, false))
        #expect(count(bytes.dropLast(1).map { $0 }) == (38, false))
        #expect(count(bytes, limit: 56) == (38, false))
        #expect(count(one + [9] + one) == (19, true))
        #expect(count(one + GapFrame.encode(lostBytes: 1, timestampNanoseconds: 0)) == (19, true))
        #expect(count([]) == (0, false))
    }
}
