import Testing

@testable import AzureClient
@testable import AzureSimulator

@Suite(.timeLimit(.minutes(1))) struct KQLLiteralTests {
    @Test(arguments: [
        ("plain", #""plain""#), (#"a"b\c"#, #""a\"b\\c""#), ("x\ny\r\tz", #""x\ny\r\tz""#),
        ("\u{0}\u{85}", #""\u0000\u0085""#),
        ("", #""""#), ("grüße 🎈", #""grüße 🎈""#),
    ])
    func `text is written as Kusto writes it`(text: String, literal: String) {
        #expect(KQLLiteral.string(text) == literal)
    }

    /// Read back by the simulator's parser, which knows nothing of the function under test.
    @Test func `any text survives as the text and nothing else`() throws {
        var random = SeededGenerator(seed: 11)
        let pieces = [
            "\"", "\\", "'", "\n", "\r\n", "|", ";", "//", "`", "@\"", "drop", "\u{0}", "\u{1F}", "\u{7F}", "\u{2028}",
            "ä", "🎈", "e\u{301}",
            "a", " ", "\\\"", "\\n", "{", "]",
        ]
        for _ in 0..<3_000 {
            var text = ""
            for _ in 0..<Int.random(in: 0...12, using: &random) { text += pieces.randomElement(using: &random) ?? "" }
            let query = "print v = \(KQLLiteral.string(text)), after = 1"
            let result = try KQL.run(query, at: Instant(nanoseconds: 0)) { _ in nil }
            #expect(result.table.values("v") == [.string(text)] && result.table.values("after") == [.long(1)])
            let isIn = "print \(KQLLiteral.string(text)) in (\(KQLLiteral.list([text, "other"])))"
            #expect(
                try KQL.run(isIn, at: Instant(nanoseconds: 0)) { _ in nil }.table.rows.first?.values == [.bool(true)])
        }
    }

    @Test func `a member is named by a literal`() {
        #expect(KQLLiteral.member("managed-by", of: "tags") == #"tags["managed-by"]"#)
    }
}
