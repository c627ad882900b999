import AgentProtocol
import Testing

@Suite struct ConsoleLineTests {
    private static let mark = "0123456789abcdef"

    private func roundTrip(_ bytes: [UInt8], endsLine: Bool = true) throws -> ConsoleLine {
        let line = ConsoleLine(
            sequence: 7, timestampNanoseconds: 1_763_757_600_123_456_789,
            content: .output(.stderr, bytes, endsLine: endsLine))
        let encoded = line.encoded(mark: Self.mark)
        #expect(encoded.count <= ConsoleLine.maximumBytes)
        #expect(encoded.last == UInt8(ascii: "\n") && encoded.dropLast().allSatisfy { $0 != UInt8(ascii: "\n") })
        let row = try #require(String(validating: encoded.dropLast(), as: UTF8.self), "a log holds text")
        #expect(ConsoleLine(parsing: row, mark: Self.mark) == line)
        return line
    }

    @Test(arguments: ["", "hello", "a b  c", "ü 🐋", "back\\slash", "skls-output: 0123456789abcdef 9 o 1 x", "\\x20"])
    func `text comes back`(text: String) throws {
        _ = try roundTrip(Array(text.utf8))
        _ = try roundTrip(Array(text.utf8), endsLine: false)
    }

    @Test func `any bytes come back`() throws {
        var generator = Generator(state: 20261121)
        for _ in 0..<300 {
            let range: ClosedRange<UInt8> = Bool.random(using: &generator) ? 0...255 : 0x20...0x7e
            let bytes = (0..<Int.random(in: 0...900, using: &generator)).map { _ in
                UInt8.random(in: range, using: &generator)
            }.filter { $0 != UInt8(ascii: "\n") }
            _ = try roundTrip(bytes)
        }
        for bytes: [UInt8] in [[0x20], [0x61, 0x20], [0x09], [0x0d], [0, 0], [0xff], [0xe2, 0x82]] {
            _ = try roundTrip(bytes)
        }
    }

    @Test func `a text stands as it is, and what logs may spoil does not`() {
        func text(_ bytes: String) -> String {
            let line = ConsoleLine(
                sequence: 1, timestampNanoseconds: 35, content: .output(.stdout, Array(bytes.utf8), endsLine: true))
            return String(decoding: line.encoded(mark: Self.mark), as: UTF8.self)
        }
        #expect(text("hällo \\n") == "skls-output: 0123456789abcdef 1 o z hällo \\n\n")
        #expect(text("red\u{1b}[0m \\ ü ") == "skls-output: 0123456789abcdef 1 ox z red\\x1b[0m \\\\ ü\\x20\n")
    }

    @Test func `the longest pieces fit, and no character is cut`() throws {
        for text in [
            String(repeating: "x", count: 9_000), String(repeating: "€", count: 3_000),
            " €\u{1}" + String(repeating: "🐋", count: 3_000),
        ] {
            var rest = Array(text.utf8)[...]
            var pieces = 0
            while !rest.isEmpty {
                let count = ConsoleLine.payloadCount(of: rest)
                let piece = rest.prefix(count)
                #expect(String(validating: piece, as: UTF8.self) != nil)
                _ = try roundTrip(Array(piece), endsLine: false)
                rest = rest.dropFirst(count)
                pieces += 1
            }
            #expect(pieces <= 5)
        }
        let noText = [UInt8](repeating: 0x80, count: 5_000)
        #expect(ConsoleLine.payloadCount(of: noText[...]) == 975)
        _ = try roundTrip(Array(noText.prefix(975)))
    }

    @Test func `what the platform adds or takes away does no harm`() throws {
        let end = ConsoleLine(sequence: 3, timestampNanoseconds: 1, content: .end)
        let dropped = ConsoleLine(sequence: 4, timestampNanoseconds: 2, content: .dropped(lines: 12))
        func read(_ row: String) -> ConsoleLine? { ConsoleLine(parsing: row, mark: Self.mark) }
        #expect(read("2026-11-21T20:00:00.1Z skls-output: 0123456789abcdef 3 z 1 \r\n") == end)
        #expect(read("skls-output: 0123456789abcdef 3 z 1") == end)
        #expect(read("skls-output: 0123456789abcdef 4 d 2 12") == dropped)
        #expect(read("skls-output: 0123456789abcdef 5 o 2")?.content == .output(.stdout, [], endsLine: true))
    }

    @Test(
        arguments: [
            "", "hello", "skls-output:", "skls-output: 0123456789abcde0 1 o 1 x", "skls-output: 0123456789abcdef",
            "skls-output: 0123456789abcdef 0 o 1 x", "skls-output: 0123456789abcdef +1 o 1 x",
            "skls-output: 0123456789abcdef 1 q 1 x", "skls-output: 0123456789abcdef 1 o+x 1 x",
            "skls-output: 0123456789abcdef 1 ox 1 \\x2", "skls-output: 0123456789abcdef 1 ox 1 \\q",
            "skls-output: 0123456789abcdef 1 ox 1 \\x+1", "skls-output: 0123456789abcdef 1 o ! x",
            "skls-output: 0123456789abcdef 1 d 1 x",
            "skls-output: 0000000000000000 1 o 1 skls-output: 0123456789abcdef 1 o 1 forged",
        ])
    func `nothing else is taken for a line`(row: String) {
        #expect(ConsoleLine(parsing: row, mark: Self.mark) == nil)
    }

    /// SplitMix64.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }
}
