/// One life of an agent process: drawn at its start, 32 lower-case hex digits.
///
/// It is the only thing that tells one life of a container from the next, and so what makes "start this, but
/// only if you are still the one I spoke to" possible.
package struct BootID: Hashable, Sendable, CustomStringConvertible {
    /// The 32 digits.
    package let hex: String

    /// Nil unless `hex` is 32 lower-case hex digits.
    package init?(_ hex: String) {
        guard hex.utf8.count == 32, Hex.decode(hex) != nil else { return nil }
        self.hex = hex
    }

    /// A new one, from the system's random numbers.
    package static func random() -> BootID {
        BootID(bytes: randomBytes(16))
    }

    private init(bytes: [UInt8]) {
        hex = Hex.encode(bytes)
    }

    package var description: String { hex }
}

/// Bytes from the system's cryptographically secure generator (getrandom(2) on Linux).
func randomBytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
}
