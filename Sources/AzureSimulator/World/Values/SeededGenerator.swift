/// SplitMix64: every identifier that the World draws comes from one seed, so that a script can be replayed.
/// Not for secrets: tokens are protected by a key that is given to the World, never drawn by it.
struct SeededGenerator: RandomNumberGenerator, Sendable, Codable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// `count` lower-case hex digits.
    mutating func hex(_ count: Int) -> String {
        var digits: [UInt8] = []
        digits.reserveCapacity(count)
        while digits.count < count {
            var word = next()
            for _ in 0..<min(16, count - digits.count) {
                digits.append(hexDigits[Int(word & 15)])
                word >>= 4
            }
        }
        return String(decoding: digits, as: UTF8.self)
    }

    /// A GUID of the random kind (version 4).
    mutating func guid() -> String {
        var digits = Array(hex(32).utf8)
        digits[12] = UInt8(ascii: "4")
        digits[16] = hexDigits[8 + Int(next() & 3)]
        for position in [20, 16, 12, 8] { digits.insert(UInt8(ascii: "-"), at: position) }
        return String(decoding: digits, as: UTF8.self)
    }
}

let hexDigits = Array("0123456789abcdef".utf8)

/// Lower-case hex of some bytes.
func hexString(_ bytes: some Sequence<UInt8>) -> String {
    var digits: [UInt8] = []
    for byte in bytes {
        digits.append(hexDigits[Int(byte >> 4)])
        digits.append(hexDigits[Int(byte & 15)])
    }
    return String(decoding: digits, as: UTF8.self)
}
