extension JSON {
    /// Why some bytes are not JSON, with the offset at which this showed.
    struct SyntaxError: Error, Equatable {
        var message: String
        var offset: Int
    }

    /// Reads one JSON value (RFC 8259). A UTF-8 byte order mark in front of it is skipped.
    /// Nesting is bounded at 64 levels: a request may not choose how deep the stack goes.
    init(parsing bytes: [UInt8]) throws(SyntaxError) {
        var parser = Parser(bytes: bytes)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { parser.offset = 3 }
        self = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.offset == bytes.count else { throw parser.error("unexpected text after the value") }
    }
}

private struct Parser {
    let bytes: [UInt8]
    var offset = 0

    func error(_ message: String) -> JSON.SyntaxError { JSON.SyntaxError(message: message, offset: offset) }

    var current: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard current == byte else { return false }
        offset += 1
        return true
    }

    mutating func value(depth: Int) throws(JSON.SyntaxError) -> JSON {
        guard depth < 64 else { throw error("nested too deep") }
        skipSpace()
        switch current {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return try number()
        default: throw error("expected a value")
        }
    }

    mutating func object(depth: Int) throws(JSON.SyntaxError) -> JSON {
        offset += 1
        var members: [JSON.Member] = []
        if take(UInt8(ascii: "}")) { return .object([]) }
        repeat {
            skipSpace()
            guard current == UInt8(ascii: "\"") else { throw error("expected a name") }
            let name = try string()
            guard take(UInt8(ascii: ":")) else { throw error("expected ':'") }
            members.append(JSON.Member(name: name, value: try value(depth: depth + 1)))
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw error("expected ',' or '}'") }
        return .object(members)
    }

    mutating func array(depth: Int) throws(JSON.SyntaxError) -> JSON {
        offset += 1
        var elements: [JSON] = []
        if take(UInt8(ascii: "]")) { return .array([]) }
        repeat { elements.append(try value(depth: depth + 1)) } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw error("expected ',' or ']'") }
        return .array(elements)
    }

    mutating func word(_ text: StaticString, _ result: JSON) throws(JSON.SyntaxError) -> JSON {
        let wanted = Array(text.description.utf8)
        guard bytes[offset...].starts(with: wanted) else { throw error("unknown word") }
        offset += wanted.count
        return result
    }

    mutating func number() throws(JSON.SyntaxError) -> JSON {
        let start = offset
        if current == UInt8(ascii: "-") { offset += 1 }
        let integer = digits()
        guard integer > 0, integer == 1 || bytes[offset - integer] != UInt8(ascii: "0") else {
            throw error("malformed number")
        }
        if current == UInt8(ascii: ".") {
            offset += 1
            guard digits() > 0 else { throw error("malformed number") }
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            offset += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { offset += 1 }
            guard digits() > 0 else { throw error("malformed number") }
        }
        return .number(String(decoding: bytes[start..<offset], as: UTF8.self))
    }

    /// How many digits stand here; they are passed.
    mutating func digits() -> Int {
        let start = offset
        while let byte = current, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { offset += 1 }
        return offset - start
    }

    mutating func string() throws(JSON.SyntaxError) -> String {
        offset += 1
        var text: [UInt8] = []
        while let byte = current {
            offset += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else { throw error("text is not UTF-8") }
                return string
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw error("control character in a string")
            default: text.append(byte)
            }
        }
        throw error("string without an end")
    }

    mutating func escape(into text: inout [UInt8]) throws(JSON.SyntaxError) {
        guard let byte = current else { throw error("string without an end") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var scalar = try hexUnit()
            if (0xD800..<0xDC00).contains(scalar), current == UInt8(ascii: "\\"), bytes.indices.contains(offset + 1),
                bytes[offset + 1] == UInt8(ascii: "u")
            {
                offset += 2
                let low = try hexUnit()
                guard (0xDC00..<0xE000).contains(low) else { throw error("half a surrogate pair") }
                scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let unicode = Unicode.Scalar(scalar) else { throw error("half a surrogate pair") }
            text.append(contentsOf: Character(unicode).utf8)
        default: throw error("unknown escape")
        }
    }

    mutating func hexUnit() throws(JSON.SyntaxError) -> UInt32 {
        guard offset + 4 <= bytes.count else { throw error("string without an end") }
        var unit: UInt32 = 0
        for byte in bytes[offset..<offset + 4] {
            guard let digit = hexDigitValue(byte) else { throw error("malformed \\u escape") }
            unit = unit << 4 | UInt32(digit)
        }
        offset += 4
        return unit
    }
}

/// The value of a hex digit in either case.
func hexDigitValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
