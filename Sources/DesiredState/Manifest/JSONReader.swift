/// Reads one JSON value (RFC 8259) with the places of its parts. Duplicate members are kept, for the decoder to tell.
struct JSONReader {
    private let bytes: [UInt8]
    private let source: String?
    private var position = 0
    private var nodes = 0
    /// Of `position`, in whose direction they follow it.
    private var line = 1
    private var column = 1
    private var counted = 0

    private init(bytes: [UInt8], source: String?) {
        self.bytes = bytes
        self.source = source
    }

    /// Throws the first fault.
    static func read(_ text: ManifestText, source: String?) throws(ManifestFault) -> DocumentNode {
        var reader = JSONReader(bytes: Array(text.text.utf8), source: source)
        let value = try reader.value(depth: 1)
        reader.skipSpace()
        guard reader.position == reader.bytes.count else { throw reader.fault("something stands after the value") }
        return value
    }

    private mutating func value(depth: Int) throws(ManifestFault) -> DocumentNode {
        skipSpace()
        locate()
        var node = DocumentNode(content: .null, line: line, column: column)
        nodes += 1
        guard nodes <= DocumentNode.maximumNodes else {
            throw fault("the document has more than \(DocumentNode.maximumNodes) values")
        }
        guard depth <= DocumentNode.maximumDepth else {
            throw fault("nested deeper than \(DocumentNode.maximumDepth) levels")
        }
        guard let first = peek else { throw fault("the text ends where a value should stand") }
        switch first {
        case UInt8(ascii: "{"): node.content = try object(depth: depth)
        case UInt8(ascii: "["): node.content = try array(depth: depth)
        case UInt8(ascii: "\""): node.content = .string(try string())
        case UInt8(ascii: "t"): node.content = try literal("true", .bool(true))
        case UInt8(ascii: "f"): node.content = try literal("false", .bool(false))
        case UInt8(ascii: "n"): node.content = try literal("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): node.content = try number()
        default: throw fault("no value begins like this")
        }
        return node
    }

    private mutating func object(depth: Int) throws(ManifestFault) -> DocumentNode.Content {
        position += 1
        var entries: [(key: DocumentNode, value: DocumentNode)] = []
        skipSpace()
        if take("}") { return .mapping(entries) }
        while true {
            skipSpace()
            locate()
            guard peek == UInt8(ascii: "\"") else { throw fault("a member's name in double quotes should stand here") }
            var key = DocumentNode(content: .null, line: line, column: column)
            key.content = .string(try string())
            skipSpace()
            guard take(":") else { throw fault("a colon should stand here") }
            entries.append((key, try value(depth: depth + 1)))
            skipSpace()
            if take("}") { return .mapping(entries) }
            guard take(",") else { throw fault("a comma or } should stand here") }
        }
    }

    private mutating func array(depth: Int) throws(ManifestFault) -> DocumentNode.Content {
        position += 1
        var items: [DocumentNode] = []
        skipSpace()
        if take("]") { return .sequence(items) }
        while true {
            items.append(try value(depth: depth + 1))
            skipSpace()
            if take("]") { return .sequence(items) }
            guard take(",") else { throw fault("a comma or ] should stand here") }
        }
    }

    private mutating func literal(
        _ text: String, _ content: DocumentNode.Content
    ) throws(ManifestFault) -> DocumentNode.Content {
        guard bytes[position...].starts(with: text.utf8) else { throw fault("no value begins like this") }
        position += text.utf8.count
        return content
    }

    private mutating func number() throws(ManifestFault) -> DocumentNode.Content {
        let start = position
        _ = take("-")
        if !take("0") { try digits() }
        var isWhole = true
        if take(".") {
            isWhole = false
            try digits()
        }
        if take("e") || take("E") {
            isWhole = false
            if !take("+") { _ = take("-") }
            try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isWhole, let value = Int(text) { return .int(value) }
        return .other(text, name: "the number \(text)")
    }

    private mutating func digits() throws(ManifestFault) {
        let start = position
        while let byte = peek, (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { throw fault("a digit should stand here") }
    }

    private mutating func string() throws(ManifestFault) -> String {
        position += 1
        var units: [UInt8] = []
        while let byte = peek {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: units, as: UTF8.self)
            case UInt8(ascii: "\\"): units += try escape().utf8
            case 0..<0x20:
                position -= 1
                throw fault("a control character in a string; write it as an escape")
            default: units.append(byte)
            }
        }
        throw fault("the text ends inside a string")
    }

    private mutating func escape() throws(ManifestFault) -> String {
        guard let byte = peek else { throw fault("the text ends inside a string") }
        position += 1
        switch byte {
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return String(UnicodeScalar(byte))
        case UInt8(ascii: "u"): return try unicodeEscape()
        default:
            position -= 2
            throw fault("JSON knows no such escape")
        }
    }

    /// A lone surrogate becomes U+FFFD, as in Go.
    private mutating func unicodeEscape() throws(ManifestFault) -> String {
        let first = try hexUnit()
        guard (0xd800..<0xdc00).contains(first), bytes[position...].starts(with: "\\u".utf8) else {
            return String(decoding: [first], as: UTF16.self)
        }
        position += 2
        return String(decoding: [first, try hexUnit()], as: UTF16.self)
    }

    private mutating func hexUnit() throws(ManifestFault) -> UInt16 {
        let digits = bytes[position..<min(position + 4, bytes.count)]
        guard digits.count == 4, digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
            let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw fault("four hex digits should stand here") }
        position += 4
        return unit
    }

    // MARK: bytes and places

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard let byte = peek, UInt32(byte) == character.value else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
    }

    /// Counts on to `position`; no byte is looked at twice.
    private mutating func locate() {
        while counted < position {
            let byte = bytes[counted]
            if byte == UInt8(ascii: "\n") {
                (line, column) = (line + 1, 1)
            } else if byte & 0xc0 != 0x80 {
                column += 1
            }
            counted += 1
        }
    }

    private mutating func fault(_ message: String) -> ManifestFault {
        position = min(position, bytes.count)
        locate()
        return ManifestFault(source: source, line: line, column: column, message: "not JSON: \(message)")
    }
}
