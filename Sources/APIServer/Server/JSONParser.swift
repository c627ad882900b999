import NIOCore

/// What is wrong with a JSON text.
enum JSONError: Error, Hashable, Sendable {
    case empty
    case malformed(offset: Int)
    case trailing
    case tooDeep(limit: Int)
}

extension JSON {
    /// Reads exactly one value (RFC 8259). The recursion is bounded by `depth`.
    static func parse(_ buffer: ByteBuffer, depth: Int) throws(JSONError) -> JSON {
        var parser = JSONParser(bytes: Array(buffer.readableBytesView), depthLimit: depth)
        return try parser.document()
    }

    static func parse(_ text: String, depth: Int = 64) throws(JSONError) -> JSON {
        try parse(ByteBuffer(string: text), depth: depth)
    }
}

private struct JSONParser {
    private let bytes: [UInt8]
    private let depthLimit: Int
    private var position = 0

    init(bytes: [UInt8], depthLimit: Int) {
        self.bytes = bytes
        self.depthLimit = depthLimit
    }

    mutating func document() throws(JSONError) -> JSON {
        skipSpace()
        guard position < bytes.count else { throw .empty }
        let value = try value(depth: 1)
        skipSpace()
        guard position == bytes.count else { throw .trailing }
        return value
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSON {
        guard depth <= depthLimit else { throw .tooDeep(limit: depthLimit) }
        skipSpace()
        switch peek {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return try number()
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSON {
        position += 1
        var members: [JSON.Member] = []
        skipSpace()
        if take("}") { return .object(members) }
        while true {
            skipSpace()
            guard peek == UInt8(ascii: "\"") else { throw malformed }
            let name = try string()
            skipSpace()
            guard take(":") else { throw malformed }
            members.append(JSON.Member(name: name, value: try value(depth: depth + 1)))
            skipSpace()
            if take("}") { return .object(members) }
            guard take(",") else { throw malformed }
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSON {
        position += 1
        var items: [JSON] = []
        skipSpace()
        if take("]") { return .array(items) }
        while true {
            items.append(try value(depth: depth + 1))
            skipSpace()
            if take("]") { return .array(items) }
            guard take(",") else { throw malformed }
        }
    }

    private mutating func literal(_ text: StaticString, _ value: JSON) throws(JSONError) -> JSON {
        let length = text.utf8CodeUnitCount
        let expected = UnsafeBufferPointer(start: text.utf8Start, count: length)
        guard position + length <= bytes.count, bytes[position..<position + length].elementsEqual(expected) else {
            throw malformed
        }
        position += length
        return value
    }

    private mutating func number() throws(JSONError) -> JSON {
        let start = position
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") { try digits() }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            try digits()
        }
        return .number(String(decoding: bytes[start..<position], as: UTF8.self))
    }

    private mutating func digits() throws(JSONError) {
        let start = position
        while let byte = peek, (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { throw malformed }
    }

    private mutating func string() throws(JSONError) -> String {
        position += 1
        let start = position
        while let byte = peek, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
        if take("\"") { return String(decoding: bytes[start..<position - 1], as: UTF8.self) }
        var units = Array(bytes[start..<position])
        while let byte = peek {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: units, as: UTF8.self)
            case UInt8(ascii: "\\"): units += try escape().utf8
            case 0..<0x20: throw malformed
            default: units.append(byte)
            }
        }
        throw malformed
    }

    private mutating func escape() throws(JSONError) -> String {
        guard let byte = peek else { throw malformed }
        position += 1
        switch byte {
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return String(UnicodeScalar(byte))
        case UInt8(ascii: "u"): return try unicodeEscape()
        default: throw malformed
        }
    }

    /// A lone surrogate becomes U+FFFD, as in Go.
    private mutating func unicodeEscape() throws(JSONError) -> String {
        let first = try hexUnit()
        guard (0xd800..<0xdc00).contains(first), position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        else { return String(decoding: [first], as: UTF16.self) }
        position += 2
        return String(decoding: [first, try hexUnit()], as: UTF16.self)
    }

    private mutating func hexUnit() throws(JSONError) -> UInt16 {
        let digits = bytes[position..<min(position + 4, bytes.count)]
        guard digits.count == 4, digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
            let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw malformed }
        position += 4
        return unit
    }

    // MARK: bytes

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }
    private var malformed: JSONError { .malformed(offset: position) }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard let byte = peek, UInt32(byte) == character.value else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
    }
}
