/// HMAC-SHA256 (RFC 2104), for keys of any length.
package struct HMACSHA256: Sendable {
    private var inner: SHA256
    private let outerKey: [UInt8]

    package init(key: [UInt8]) {
        var block = key.count > SHA256.blockBytes ? SHA256.digest(key) : key
        block.append(contentsOf: repeatElement(0, count: SHA256.blockBytes - block.count))
        inner = SHA256()
        inner.update(block.map { $0 ^ 0x36 })
        outerKey = block.map { $0 ^ 0x5c }
    }

    package static func code(key: [UInt8], message: [UInt8]) -> [UInt8] {
        var hmac = HMACSHA256(key: key)
        hmac.update(message)
        return hmac.finalize()
    }

    package mutating func update(_ bytes: [UInt8]) {
        inner.update(bytes)
    }

    /// The 32 bytes of the code. Ends this computation: it consumes the value.
    package consuming func finalize() -> [UInt8] {
        let innerDigest = inner.finalize()
        var outer = SHA256()
        outer.update(outerKey)
        outer.update(innerDigest)
        return outer.finalize()
    }
}

/// Compares without stopping at the first difference, so that the time tells nothing about a secret code.
/// The lengths are not secret.
func equalInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for index in left.indices { difference |= left[index] ^ right[index] }
    return difference == 0
}
