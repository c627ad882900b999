/// Identifies a record for ever: 64 lower-case hex digits, which is also Docker's container id. Never used twice.
package struct UID: Hashable, Sendable, Comparable {
    package let text: String

    /// `nil` unless `text` is 64 lower-case hex digits.
    package init?(_ text: some StringProtocol) {
        guard text.utf8.count == 64, text.utf8.allSatisfy(isLowercaseHexDigit) else { return nil }
        self.text = String(text)
    }

    /// 256 bits drawn from `generator`. The generator is an argument so that a simulation can be replayed.
    package init(using generator: inout some RandomNumberGenerator) {
        text = (0..<4).map { _ in
            let word = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - word.count) + word
        }.joined()
    }

    /// Whether uids may start with this text, without being whole.
    static func isBeginning(_ text: some StringProtocol) -> Bool {
        (1..<64).contains(text.utf8.count) && text.utf8.allSatisfy(isLowercaseHexDigit)
    }

    /// The first 12 digits, as Docker prints ids.
    package var short: Substring { text.prefix(12) }

    package static func < (left: UID, right: UID) -> Bool { left.text < right.text }
}

/// The name a user gives a record; unique among the records that are not being deleted.
/// Docker's grammar for container names (moby v28, `daemon/names`: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`), but that one character is
/// enough, at most 255 bytes.
package struct RecordName: Hashable, Sendable, Comparable {
    package let text: String

    /// `nil` when the text is not in the grammar.
    package init?(_ text: some StringProtocol) {
        let bytes = text.utf8
        guard (1...255).contains(bytes.count), let first = bytes.first, isAlphanumeric(first),
            bytes.allSatisfy({
                isAlphanumeric($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
            })
        else { return nil }
        self.text = String(text)
    }

    package static func < (left: RecordName, right: RecordName) -> Bool { left.text < right.text }
}

/// The store-wide number of a commit; every commit has one, one higher than the last. `metadata.resourceVersion` is the
/// revision of the record's newest write. Written as a string, as Kubernetes does.
package struct Revision: Hashable, Sendable, Comparable {
    package let number: Int64

    package init(_ number: Int64) {
        self.number = number
    }

    /// Before any commit.
    package static let zero = Revision(0)

    package static func < (left: Revision, right: Revision) -> Bool { left.number < right.number }
}

private func isLowercaseHexDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
}

private func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "A")...UInt8(ascii: "Z"):
        true
    default: false
    }
}

// MARK: Codable as plain strings

/// A type that is written as one string.
package protocol TextCodable: Codable {
    init?(codedText: String)
    var codedText: String { get }
}

extension TextCodable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Self(codedText: text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a \(Self.self): \(text)")
        }
        self = value
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(codedText)
    }
}

extension UID: TextCodable, CustomStringConvertible {
    package init?(codedText: String) { self.init(codedText) }
    package var codedText: String { text }
    package var description: String { text }
}

extension RecordName: TextCodable, CustomStringConvertible {
    package init?(codedText: String) { self.init(codedText) }
    package var codedText: String { text }
    package var description: String { text }
}

extension Revision: TextCodable, CustomStringConvertible {
    package init?(codedText: String) {
        guard let number = Int64(codedText), number >= 0 else { return nil }
        self.init(number)
    }
    package var codedText: String { String(number) }
    package var description: String { String(number) }
}
