import NIOCore

/// Any JSON value, with members in the order in which they were written.
///
/// Our own and not Foundation's: Docker's bodies must be kept as they came, parsed to a bounded depth, and both ways quickly.
enum JSON: Hashable, Sendable {
    struct Member: Hashable, Sendable {
        let name: String
        let value: JSON
    }

    case null
    case bool(Bool)
    /// As written.
    case number(String)
    case string(String)
    case array([JSON])
    case object([Member])

    /// The member's value; absent and not-an-object give `nil`. Names are compared as Go's decoder does, without regard to ASCII case.
    subscript(name: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name == name }?.value ?? members.last { $0.name.equalsIgnoringCase(name) }?.value
    }

    var isNull: Bool { self == .null }

    var integer: Int64? {
        guard case .number(let text) = self else { return nil }
        return Int64(text)
    }

    /// What the user would call it.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "bool"
        case .number: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }

    /// Null, false, 0 and everything empty: what Go writes for a field that was not set.
    var isZero: Bool {
        switch self {
        case .null: true
        case .bool(let value): !value
        case .number(let text): Double(text) == 0
        case .string(let text): text.isEmpty
        case .array(let items): items.isEmpty
        case .object(let members): members.isEmpty
        }
    }

    func removing(_ names: Set<String>) -> JSON {
        guard case .object(let members) = self else { return self }
        return .object(members.filter { !names.contains($0.name) })
    }

    /// The object with these members in place of its own of the same names.
    func merging(_ other: JSON) -> JSON {
        guard case .object(let members) = self, case .object(let new) = other else { return other }
        let names = Set(new.map(\.name))
        return .object(members.filter { !names.contains($0.name) } + new)
    }
}

extension String {
    fileprivate func equalsIgnoringCase(_ other: String) -> Bool {
        utf8.count == other.utf8.count
            && zip(utf8, other.utf8).allSatisfy { left, right in
                left == right || (left | 0x20 == right | 0x20 && (0x61...0x7a).contains(left | 0x20))
            }
    }
}

// MARK: building

extension JSON: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    init(stringLiteral value: String) { self = .string(value) }
    init(booleanLiteral value: Bool) { self = .bool(value) }
    init(integerLiteral value: Int64) { self = .number(String(value)) }
    init(nilLiteral: ()) { self = .null }
    init(arrayLiteral elements: JSON...) { self = .array(elements) }
    init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(elements.map { Member(name: $0.0, value: $0.1) })
    }

    static func number(_ value: some BinaryInteger) -> JSON { .number(String(value)) }
    static func strings(_ values: some Sequence<String>) -> JSON { .array(values.map(JSON.string)) }
    /// Sorted by name, so that the same record always gives the same text.
    static func stringMap(_ values: [String: String]) -> JSON {
        .object(values.sorted { $0.key < $1.key }.map { Member(name: $0.key, value: .string($0.value)) })
    }
}

// MARK: writing

extension JSON {
    /// On one line, without spaces.
    func write(to buffer: inout ByteBuffer) {
        switch self {
        case .null: buffer.writeStaticString("null")
        case .bool(let value): buffer.writeString(value ? "true" : "false")
        case .number(let text): buffer.writeString(text)
        case .string(let text): JSON.write(text, to: &buffer)
        case .array(let items):
            buffer.writeStaticString("[")
            for (index, item) in items.enumerated() {
                if index > 0 { buffer.writeStaticString(",") }
                item.write(to: &buffer)
            }
            buffer.writeStaticString("]")
        case .object(let members):
            buffer.writeStaticString("{")
            for (index, member) in members.enumerated() {
                if index > 0 { buffer.writeStaticString(",") }
                JSON.write(member.name, to: &buffer)
                buffer.writeStaticString(":")
                member.value.write(to: &buffer)
            }
            buffer.writeStaticString("}")
        }
    }

    var buffer: ByteBuffer {
        var buffer = ByteBuffer()
        write(to: &buffer)
        return buffer
    }

    var text: String { String(buffer: buffer) }

    private static func write(_ text: String, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("\"")
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x22 && $0 != 0x5c }) {
            buffer.writeString(text)
        } else {
            for byte in text.utf8 { writeEscaped(byte, to: &buffer) }
        }
        buffer.writeStaticString("\"")
    }

    private static func writeEscaped(_ byte: UInt8, to buffer: inout ByteBuffer) {
        switch byte {
        case 0x22: buffer.writeStaticString("\\\"")
        case 0x5c: buffer.writeStaticString("\\\\")
        case 0x0a: buffer.writeStaticString("\\n")
        case 0x0d: buffer.writeStaticString("\\r")
        case 0x09: buffer.writeStaticString("\\t")
        case 0..<0x20:
            buffer.writeStaticString("\\u00")
            buffer.writeString((byte < 16 ? "0" : "") + String(byte, radix: 16))
        default: buffer.writeInteger(byte)
        }
    }
}
