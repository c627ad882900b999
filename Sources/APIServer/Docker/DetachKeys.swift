import NIOCore

/// The keys by which a client at a terminal leaves without ending the command.
struct DetachKeys: Hashable, Sendable {
    let bytes: [UInt8]

    /// Ctrl-P, Ctrl-Q (moby v28, `daemon/container/stream/attach.go`).
    static let usual = DetachKeys(bytes: [16, 17])

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// `a` or `ctrl-a`, several of them behind commas (moby/term v0.5, `ascii.go`). `nil` when it is something else.
    init?(_ text: String) {
        var bytes: [UInt8] = []
        for key in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let byte = DetachKeys.code(of: key) else { return nil }
            bytes.append(byte)
        }
        self.bytes = bytes
    }

    private static func code(of key: Substring) -> UInt8? {
        if key.utf8.count == 1 { return key.utf8.first }
        guard key.hasPrefix("ctrl-"), key.utf8.count == 6, let character = key.utf8.last else { return nil }
        switch character {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): return character - 0x60
        case UInt8(ascii: "@"): return 0
        case UInt8(ascii: "["): return 27
        case UInt8(ascii: "\\"): return 28
        case UInt8(ascii: "]"): return 29
        case UInt8(ascii: "^"): return 30
        case UInt8(ascii: "_"): return 31
        default: return nil
        }
    }
}

/// Looks for detach keys in a client's input, which comes in pieces of any size.
struct DetachWatch: Hashable, Sendable {
    private let keys: [UInt8]
    /// How many of the keys were pressed one after the other. They are held back until it is known whether the next one follows.
    private var matched = 0

    /// No keys: nothing is looked for.
    init(_ keys: DetachKeys?) {
        self.keys = keys?.bytes ?? []
    }

    /// What is to be handed on, and whether the client detaches behind it.
    mutating func take(_ piece: ByteBuffer) -> (passed: ByteBuffer, isDetached: Bool) {
        guard !keys.isEmpty else { return (piece, false) }
        var passed = ByteBuffer()
        for byte in piece.readableBytesView {
            if byte != keys[matched] {
                passed.writeBytes(keys[..<matched])
                matched = 0
            }
            if byte == keys[matched] {
                matched += 1
                if matched == keys.count { return (passed, true) }
            } else {
                passed.writeInteger(byte)
            }
        }
        return (passed, false)
    }

    /// What was held back when the input has ended.
    mutating func finish() -> ByteBuffer {
        defer { matched = 0 }
        return ByteBuffer(bytes: keys[..<matched])
    }
}
