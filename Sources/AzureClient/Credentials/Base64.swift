import FoundationEssentials

/// Base 64 (RFC 4648) as tokens, challenges and HTTP headers use it.
enum Base64 {
    /// The standard alphabet, padded.
    static func encoded(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

    /// The alphabet for URLs, without padding.
    static func urlEncoded(_ bytes: some Sequence<UInt8>) -> String {
        String(
            encoded(Array(bytes)).compactMap { character in
                switch character {
                case "+": "-"
                case "/": "_"
                case "=": nil
                default: character
                }
            })
    }

    /// Either alphabet, padded or not; nil for anything else.
    static func decoded(_ text: some StringProtocol) -> [UInt8]? {
        let bare = text.reversed().drop(while: { $0 == "=" }).reversed()
        guard text.count - bare.count <= 2, bare.count % 4 != 1 else { return nil }
        let standard = String(bare.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
        return Data(base64Encoded: standard + String(repeating: "=", count: (4 - standard.count % 4) % 4)).map(
            Array.init)
    }
}
