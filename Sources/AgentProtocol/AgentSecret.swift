/// The key that daemon and agent of one site share: 32 bytes, written as 64 lower-case hex digits.
///
/// It travels once, in the settings of the site when that is created. It never prints: every textual form but
/// ``revealedHex`` is a fixed word.
package struct AgentSecret: Sendable, Equatable {
    private let bytes: [UInt8]

    /// Nil unless `hex` is 64 lower-case hex digits.
    package init?(hex: String) {
        guard let bytes = Hex.decode(hex), bytes.count == 32 else { return nil }
        self.bytes = bytes
    }

    /// A secret for a given key, for derivations that end in 32 bytes. Nil for any other length.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.bytes = bytes
    }

    private init(drawn bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// A new one, from the system's random numbers.
    package static func random() -> AgentSecret {
        AgentSecret(drawn: randomBytes(32))
    }

    /// The digits, for the one place that hands them to a site. Never log them.
    package var revealedHex: String { Hex.encode(bytes) }

    package static func == (left: AgentSecret, right: AgentSecret) -> Bool {
        equalInConstantTime(left.bytes, right.bytes)
    }

    /// HMAC-SHA256 under this secret over fields joined by line feeds.
    func code(_ fields: [String]) -> [UInt8] {
        HMACSHA256.code(key: bytes, message: Array(fields.joined(separator: "\n").utf8))
    }
}

extension AgentSecret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "AgentSecret(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
