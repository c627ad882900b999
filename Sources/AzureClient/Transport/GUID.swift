/// A GUID in Azure's usual spelling, 8-4-4-4-12 lower-case hex digits.
package struct GUID: Sendable, Hashable, CustomStringConvertible {
    package let description: String

    /// Nil unless the text is a GUID in the usual spelling, in either case.
    package init?(_ text: String) {
        let groups = text.split(separator: "-", omittingEmptySubsequences: false)
        guard groups.map(\.utf8.count) == [8, 4, 4, 4, 12],
            groups.allSatisfy({ $0.allSatisfy { $0.isASCII && $0.isHexDigit } })
        else { return nil }
        description = text.lowercased()
    }

    /// A random GUID (version 4).
    package static func random(using generator: inout some RandomNumberGenerator) -> GUID {
        let high = (generator.next() & 0xFFFF_FFFF_FFFF_0FFF) | 0x4000
        let low = (generator.next() & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000
        let digits = Self.hex(high) + Self.hex(low)
        return GUID(
            unchecked: "\(digits.prefix(8))-\(digits.dropFirst(8).prefix(4))-\(digits.dropFirst(12).prefix(4))"
                + "-\(digits.dropFirst(16).prefix(4))-\(digits.dropFirst(20))")
    }

    private init(unchecked text: String) {
        description = text
    }

    private static func hex(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
