extension KQL {
    /// A piece of a query's text.
    struct Token: Equatable, Sendable {
        enum Kind: Equatable, Sendable {
            /// A name or a keyword, also an operator made of letters, such as `has`, `in~` or `!contains`.
            case word(String)
            case string(String)
            case long(Int64)
            case real(Double)
            case timespan(Int64)
            /// A typed literal such as `datetime(2026-01-01)`: the type's name and the text in the parentheses.
            case typed(String, String)
            case symbol(String)
            case end
        }

        var kind: Kind
        /// Where it begins and ends, in bytes of the query.
        var range: Range<Int>
    }

    /// Names that are literals, not calls, before a parenthesis.
    private static let typeNames: Set<String> = [
        "datetime", "date", "timespan", "time", "guid", "dynamic", "long", "int", "real", "double", "decimal", "bool",
        "boolean",
    ]

    /// The tokens of a query, the last one `.end`.
    static func tokens(of text: String) throws(Failure) -> [Token] {
        var lexer = Lexer(bytes: Array(text.utf8))
        guard lexer.bytes.count <= longestQueryBytes else {
            throw Failure(
                kind: .limit, code: "E_QUERY_TOO_LARGE", message: "The query is longer than \(longestQueryBytes) bytes."
            )
        }
        var tokens: [Token] = []
        while let token = try lexer.next() { tokens.append(token) }
        tokens.append(Token(kind: .end, range: lexer.bytes.count..<lexer.bytes.count))
        return tokens
    }

    /// The failure at a place of the query. Wording as in error replies of Log Analytics quoted in public issues.
    static func syntaxFailure(at range: Range<Int>, in bytes: [UInt8]) -> Failure {
        let before = bytes[..<min(range.lowerBound, bytes.count)]
        let line = before.count { $0 == UInt8(ascii: "\n") } + 1
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        let position = range.lowerBound - lineStart
        let token =
            range.isEmpty
            ? "<EOF>" : String(decoding: bytes[range.clamped(to: 0..<bytes.count)].prefix(64), as: UTF8.self)
        return Failure(
            kind: .syntax, code: "SYN0002",
            message: "Query could not be parsed at '\(token)' on line [\(line),\(position)]",
            place: .init(line: line, position: position, token: token))
    }

    private struct Lexer {
        let bytes: [UInt8]
        var offset = 0

        private func at(_ offset: Int) -> UInt8? { offset < bytes.count ? bytes[offset] : nil }
        private func isAt(_ offset: Int, _ character: Unicode.Scalar) -> Bool { at(offset) == UInt8(ascii: character) }

        private static func isDigit(_ byte: UInt8?) -> Bool {
            guard let byte else { return false }
            return byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
        }

        private static func isLetter(_ byte: UInt8?) -> Bool {
            guard let byte else { return false }
            return (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")) || byte == UInt8(ascii: "_")
                || byte == UInt8(ascii: "$")
        }

        private func failure(_ start: Int) -> Failure {
            KQL.syntaxFailure(at: start..<min(start + 1, bytes.count), in: bytes)
        }

        mutating func next() throws(Failure) -> Token? {
            skipSpace()
            guard let byte = at(offset) else { return nil }
            let start = offset
            let kind: Token.Kind
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "'"): kind = .string(try quoted(start))
            case UInt8(ascii: "@") where isQuote(offset + 1):
                offset += 1
                kind = .string(try verbatim(start))
            case UInt8(ascii: "h") where isQuote(offset + 1), UInt8(ascii: "H") where isQuote(offset + 1):
                // Text that Kusto keeps out of its traces.
                offset += 1
                kind = .string(try quoted(start))
            case _ where Self.isDigit(byte): kind = try number()
            case _ where Self.isLetter(byte): kind = try word(start)
            case UInt8(ascii: "!") where Self.isLetter(at(offset + 1)):
                offset += 1
                kind = .word("!" + name())
            default: kind = .symbol(try symbol())
            }
            return Token(kind: kind, range: start..<offset)
        }

        private func isQuote(_ offset: Int) -> Bool { isAt(offset, "\"") || isAt(offset, "'") }

        private mutating func skipSpace() {
            while let byte = at(offset) {
                if byte == UInt8(ascii: "/"), isAt(offset + 1, "/") {
                    while let byte = at(offset), byte != UInt8(ascii: "\n") { offset += 1 }
                } else if byte <= 0x20 {
                    offset += 1
                } else {
                    return
                }
            }
        }

        private mutating func name() -> String {
            let start = offset
            while Self.isLetter(at(offset)) || Self.isDigit(at(offset)) { offset += 1 }
            if isAt(offset, "~"), bytes[start..<offset].elementsEqual("in".utf8) { offset += 1 }
            return String(decoding: bytes[start..<offset], as: UTF8.self)
        }

        private mutating func word(_ start: Int) throws(Failure) -> Token.Kind {
            let name = name()
            guard KQL.typeNames.contains(name), isAt(offset, "(") else { return .word(name) }
            offset += 1
            let inner = offset
            var depth = 1
            while let byte = at(offset) {
                switch byte {
                case UInt8(ascii: "("): depth += 1
                case UInt8(ascii: ")"): depth -= 1
                case UInt8(ascii: "\""), UInt8(ascii: "'"):
                    _ = try quoted(offset)
                    continue
                default: break
                }
                offset += 1
                if depth == 0 {
                    return .typed(name, String(decoding: bytes[inner..<(offset - 1)], as: UTF8.self))
                }
            }
            throw failure(start)
        }

        private mutating func number() throws(Failure) -> Token.Kind {
            let start = offset
            while Self.isDigit(at(offset)) { offset += 1 }
            var isReal = false
            if isAt(offset, "."), Self.isDigit(at(offset + 1)) {
                isReal = true
                offset += 1
                while Self.isDigit(at(offset)) { offset += 1 }
            }
            if isAt(offset, "e") || isAt(offset, "E") {
                let sign = isAt(offset + 1, "-") || isAt(offset + 1, "+") ? 1 : 0
                if Self.isDigit(at(offset + 1 + sign)) {
                    isReal = true
                    offset += 1 + sign
                    while Self.isDigit(at(offset)) { offset += 1 }
                }
            }
            let digits = String(decoding: bytes[start..<offset], as: UTF8.self)
            if Self.isLetter(at(offset)) {
                guard let value = Double(digits), let unit = KQL.units[name().lowercased()],
                    let nanoseconds = KQL.whole(value * unit)
                else { throw failure(start) }
                return .timespan(nanoseconds)
            }
            if !isReal, let value = Int64(digits) { return .long(value) }
            guard let value = Double(digits) else { throw failure(start) }
            return .real(value)
        }

        private mutating func symbol() throws(Failure) -> String {
            for symbol in ["==", "!=", "=~", "!~", "<=", ">=", "<>", ".."]
            where bytes[offset...].starts(with: symbol.utf8) {
                offset += 2
                return symbol
            }
            guard let byte = at(offset), "|,()[]{}=<>+-*/%.;:".utf8.contains(byte) else { throw failure(offset) }
            offset += 1
            return String(decoding: [byte], as: UTF8.self)
        }

        // MARK: Strings

        /// Between quotes, with escapes by backslash. A line break ends no string: it is an error.
        private mutating func quoted(_ start: Int) throws(Failure) -> String {
            let quote = bytes[offset]
            offset += 1
            var text: [UInt8] = []
            while let byte = at(offset), byte != UInt8(ascii: "\n"), byte != UInt8(ascii: "\r") {
                offset += 1
                if byte == quote { return String(decoding: text, as: UTF8.self) }
                if byte == UInt8(ascii: "\\") { try escape(into: &text, start) } else { text.append(byte) }
            }
            throw failure(start)
        }

        private mutating func escape(into text: inout [UInt8], _ start: Int) throws(Failure) {
            guard let byte = at(offset) else { throw failure(start) }
            offset += 1
            let simple: [UInt8: UInt8] = [
                UInt8(ascii: "n"): 10, UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9, UInt8(ascii: "a"): 7,
                UInt8(ascii: "b"): 8, UInt8(ascii: "f"): 12, UInt8(ascii: "v"): 11, UInt8(ascii: "0"): 0,
                UInt8(ascii: "\\"): 92, UInt8(ascii: "\""): 34, UInt8(ascii: "'"): 39,
            ]
            if let value = simple[byte] {
                text.append(value)
                return
            }
            let lengths = [UInt8(ascii: "x"): 2, UInt8(ascii: "u"): 4, UInt8(ascii: "U"): 8]
            guard let length = lengths[byte], offset + length <= bytes.count,
                let number = UInt32(String(decoding: bytes[offset..<(offset + length)], as: UTF8.self), radix: 16),
                let scalar = Unicode.Scalar(number)
            else { throw failure(start) }
            offset += length
            text.append(contentsOf: String(Character(scalar)).utf8)
        }

        /// Between quotes behind `@`: backslashes mean themselves, and a quote is doubled.
        private mutating func verbatim(_ start: Int) throws(Failure) -> String {
            let quote = bytes[offset]
            offset += 1
            var text: [UInt8] = []
            while let byte = at(offset) {
                offset += 1
                if byte == quote {
                    guard at(offset) == quote else { return String(decoding: text, as: UTF8.self) }
                    offset += 1
                }
                text.append(byte)
            }
            throw failure(start)
        }
    }
}
