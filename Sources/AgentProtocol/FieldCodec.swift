/// Fields as lines and lengths: `name length`, that many bytes, a line feed. What run requests and most messages of
/// sessions are made of.
struct FieldWriter {
    private(set) var bytes: [UInt8] = []

    /// - Parameter name: visible ASCII without spaces, at most ``FieldReader/nameBytes`` long.
    mutating func append(_ name: String, _ value: String) {
        bytes.append(contentsOf: "\(name) \(value.utf8.count)\n".utf8)
        bytes.append(contentsOf: value.utf8)
        bytes.append(UInt8(ascii: "\n"))
    }

    mutating func append(_ name: String, _ value: some FixedWidthInteger) {
        append(name, String(value))
    }
}

/// Why bytes are no fields. `description` never quotes a value.
struct FieldError: Error {
    let description: String
}

/// Reads fields one after the other.
struct FieldReader {
    static let nameBytes = 64
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// The next field; nil at the end.
    mutating func next() throws(FieldError) -> (name: String, value: String)? {
        guard position < bytes.count else { return nil }
        // Eight digits say more than any message may hold.
        guard let lineEnd = bytes[position...].prefix(Self.nameBytes + 10).firstIndex(of: UInt8(ascii: "\n")) else {
            throw FieldError(description: "a field has no line `name length`")
        }
        let line = bytes[position..<lineEnd].split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard line.count == 2, (1...Self.nameBytes).contains(line[0].count),
            line[0].allSatisfy({ (0x21...0x7e).contains($0) }),
            let length = Int(String(decoding: line[1], as: UTF8.self)), length >= 0
        else { throw FieldError(description: "a field has no line `name length`") }
        let name = String(decoding: line[0], as: UTF8.self)
        let start = lineEnd + 1
        guard length < bytes.count - start, bytes[start + length] == UInt8(ascii: "\n") else {
            throw FieldError(description: "a field is not as long as it says")
        }
        guard let value = String(validating: bytes[start..<start + length], as: UTF8.self) else {
            throw FieldError(description: "a field is not UTF-8")
        }
        position = start + length + 1
        return (name, value)
    }
}
