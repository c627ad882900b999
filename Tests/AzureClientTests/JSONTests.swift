import FoundationEssentials
import Testing

@testable import AzureClient

@Suite struct JSONTests {
    static let values: [(String, JSONValue)] = [
        ("null", .null), (" true ", .bool(true)), ("\r\n\tfalse", .bool(false)), ("0", .integer(0)),
        ("-7", .integer(-7)), ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
        ("9223372036854775808", .number(9_223_372_036_854_775_808)), ("1.5e3", .number(1500)), ("1E-2", .number(0.01)),
        ("0.0", .number(0)), (#""""#, .string("")), (#""aé😀""#, .string("aé😀")),
        (#""\"\\\/\b\f\n\r\t\u0041\u00e9\uD83D\uDE00""#, .string("\"\\/\u{8}\u{C}\n\r\tAé😀")),
        (#""\u0000""#, .string("\0")), (#""cut \ud83d""#, .string("cut \u{FFFD}")),
        (#""\ud83d\u0041""#, .string("\u{FFFD}A")), (#""\ude00""#, .string("\u{FFFD}")),
        (#""e\u0301""#, .string("e\u{301}")), ("[]", .array([])), ("{}", .object([:])),
        ("[1,[2,{}],null]", .array([.integer(1), .array([.integer(2), .object([:])]), .null])),
        (#"{"a":1,"b":{"c":"d"},"a":2}"#, .object(["a": .integer(2), "b": .object(["c": .string("d")])])),
        ("\u{FEFF}1", .integer(1)),
    ]

    @Test(arguments: values) func `JSON is read`(_ text: String, _ value: JSONValue) throws {
        #expect(try JSONValue(parsing: text.utf8) == value)
    }

    static let faults: [(String, JSONSyntaxError.Reason, Int)] = [
        ("", .ended, 0), ("  ", .ended, 2), ("nul", .ended, 3), ("nulx", .unexpected, 3), ("True", .unexpected, 0),
        ("01", .unexpected, 0), ("-", .ended, 1), ("+1", .unexpected, 0), ("1.", .ended, 2), (".5", .unexpected, 0),
        ("1e", .ended, 2), ("1e+", .ended, 3), ("NaN", .unexpected, 0), ("1e999", .tooLarge, 0), ("1 2", .trailing, 2),
        ("1x", .trailing, 1), ("\"a", .ended, 2), ("\"a\nb\"", .unexpected, 2), (#""\x""#, .unexpected, 2),
        (#""\u12g4""#, .unexpected, 5), (#""\u12"#, .ended, 5), ("[1,]", .unexpected, 3), ("[1 2]", .unexpected, 3),
        ("[", .ended, 1), ("{", .ended, 1), ("{1:2}", .unexpected, 1), (#"{"a"1}"#, .unexpected, 4),
        (#"{"a":1,}"#, .unexpected, 7), ("{'a':1}", .unexpected, 1), ("[1]]", .trailing, 3),
        ("// c\n1", .unexpected, 0),
    ]

    @Test(arguments: faults) func `what is not JSON is refused, with the place`(
        _ text: String, _ reason: JSONSyntaxError.Reason, _ offset: Int
    ) {
        #expect(throws: JSONSyntaxError(reason: reason, offset: offset)) { try JSONValue(parsing: text.utf8) }
    }

    @Test(
        arguments: [
            [0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0x80],
        ] as [[UInt8]]) func `a text that is not UTF-8 is refused`(_ bytes: [UInt8])
    {
        for text in [[0x22] + bytes + [0x22], [0x22, 0x5C, 0x6E] + bytes + [0x22]] {
            #expect(throws: JSONSyntaxError(reason: .notUTF8, offset: 1)) { try JSONValue(parsing: text) }
        }
        #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: bytes) }
    }

    @Test func `levels are bounded`() throws {
        let deep = JSONParser.mostLevels
        for (open, close) in [("[", "]"), (#"{"a":"#, "}")] {
            let fits = String(repeating: open, count: deep) + "1" + String(repeating: close, count: deep)
            _ = try JSONValue(parsing: fits.utf8)
            let error = #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: ("[" + fits + "]").utf8) }
            #expect(error?.reason == .tooDeep)
            let endless = String(repeating: open, count: 200_000)
            #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: endless.utf8) }
        }
    }

    /// Foundation's decoder judges: what it reads we read alike, and what we write it reads.
    @Test func `random values survive writing and reading`() throws {
        for seed in UInt64(1)...500 {
            var generator = SplitMix(seed: seed)
            let value = Self.value(&generator, depth: 0)
            let text = try JSONEncoder().encode(value)
            #expect(try JSONValue(parsing: text) == value, "seed \(seed)")
            #expect(try JSONDecoder().decode(JSONValue.self, from: text) == value, "seed \(seed)")
        }
    }

    @Test func `changed bytes are read or refused as Foundation does`() throws {
        // Of equal names Foundation takes the first.
        let seeds = Self.values.filter { !$0.0.contains(#""a":1,"b""#) }.map { Array($0.0.utf8) }
        for seed in UInt64(1)...4000 {
            var generator = SplitMix(seed: seed)
            var bytes = seeds.randomElement(using: &generator) ?? []
            for _ in 0...Int.random(in: 0...2, using: &generator) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes.remove(at: place)
                case 1: bytes[place] = Array(#"{}[]":,\u019.eE+-ntf "#.utf8).randomElement(using: &generator) ?? 0
                default: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                }
            }
            // What Foundation reads is in its own words; a refusal of either side is no value here.
            let ours = try? JSONValue(parsing: bytes)
            let theirs = try? JSONDecoder().decode(JSONValue.self, from: Data(bytes))
            if let ours, let theirs { #expect(Self.simplified(ours) == theirs, "seed \(seed)") }
            // Strictness: what Foundation refuses is refused, but for halves of surrogate pairs.
            if theirs == nil, let ours { #expect("\(ours)".contains("\u{FFFD}"), "seed \(seed): \(bytes)") }
        }
    }

    /// With whole numbers in one form, as Foundation gives them.
    static func simplified(_ value: JSONValue) -> JSONValue {
        switch value {
        case .number: value.integer.map { .integer($0) } ?? value
        case .array(let elements): .array(elements.map(simplified))
        case .object(let members): .object(members.mapValues(simplified))
        default: value
        }
    }

    struct Typed: Decodable, Equatable {
        struct Inner: Decodable, Equatable { let flag: Bool }
        enum Word: String, Decodable { case one }
        let text: String
        let count: Int
        let ratio: Double
        let absent: String?
        let null: String?
        let inner: [Inner]
        let word: Word
        let tags: [String: String?]
        let rest: JSONValue
    }

    static let typed = #"""
        {"text":"a","count":3,"ratio":2,"null":null,"inner":[{"flag":true}],"word":"one","tags":{"a":"b","c":null},"rest":{"x":[1.5]},"more":0}
        """#

    @Test func `types are decoded as Foundation decodes them`() throws {
        let ours = try JSONValue(parsing: Self.typed.utf8).decoded(as: Typed.self)
        #expect(try ours == JSONDecoder().decode(Typed.self, from: Data(Self.typed.utf8)))
        #expect(ours.rest["x"] == .array([.number(1.5)]) && ours.tags == ["a": "b", "c": nil])
    }

    @Test(arguments: [
        (#""count":3"#, #""count":"3""#), (#""count":3"#, #""count":3.5"#), (#""count":3"#, #""x":3"#),
        (#""text":"a""#, #""text":null"#), (#""flag":true"#, #""flag":1"#), (#""word":"one""#, #""word":"two""#),
        (#""ratio":2"#, #""ratio":[]"#),
    ]) func `a value of another kind is refused at its place`(_ old: String, _ new: String) throws {
        let value = try JSONValue(parsing: Self.typed.replacing(old, with: new).utf8)
        #expect(throws: DecodingError.self) { try value.decoded(as: Typed.self) }
    }

    static func value(_ generator: inout SplitMix, depth: Int) -> JSONValue {
        switch Int.random(in: 0..<(depth < 4 ? 7 : 5), using: &generator) {
        case 0: .null
        case 1: .bool(.random(using: &generator))
        case 2: .integer(.random(in: .min ... .max, using: &generator))
        case 3: .number(Double(Int.random(in: -1000...1000, using: &generator)) + 0.5)
        case 4: .string(text(&generator))
        case 5: .array((0..<Int.random(in: 0...4, using: &generator)).map { _ in value(&generator, depth: depth + 1) })
        default:
            .object(
                Dictionary(
                    (0..<Int.random(in: 0...4, using: &generator)).map { _ in
                        (text(&generator), value(&generator, depth: depth + 1))
                    }, uniquingKeysWith: { _, last in last }))
        }
    }

    static func text(_ generator: inout SplitMix) -> String {
        let letters: [Character] = ["a", "\"", "\\", "/", "\n", "\u{1}", "é", "😀", "\u{2028}", " ", "\0", "e\u{301}"]
        return String(
            (0..<Int.random(in: 0...20, using: &generator)).map { _ in
                letters.randomElement(using: &generator) ?? "a"
            })
    }
}
