/// Names one attempt of one run: 32 to 64 lower-case hex digits that the daemon derives from record, run and
/// attempt. An agent executes a token at most once in its life.
package struct RunToken: Hashable, Sendable, CustomStringConvertible {
    /// The digits.
    package let hex: String

    /// Nil unless `hex` is an even number of 32 to 64 lower-case hex digits.
    package init?(_ hex: String) {
        guard (32...64).contains(hex.utf8.count), Hex.decode(hex) != nil else { return nil }
        self.hex = hex
    }

    package var description: String { hex }
}
