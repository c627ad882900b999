/// Texts and numbers.
extension JSONParser {
    /// A text between quotes; `at` is at the first of them.
    static func string(_ bytes: Span<UInt8>, _ at: inout Int) throws(JSONSyntaxError) -> String {
        at += 1
        let start = at
        while at < bytes.count {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") {
                at += 1
                return try text(bytes.extracting(start..<at - 1), at: start)
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(bytes, &at, from: start) }
            guard byte >= 0x20 else { throw unexpected(at) }
            at += 1
        }
        throw JSONSyntaxError(reason: .ended, offset: at)
    }

    private static func text(_ bytes: Span<UInt8>, at: Int) throws(JSONSyntaxError) -> String {
        do throws(UTF8.ValidationError) {
            return String(copying: try UTF8Span(validating: bytes))
        } catch {
            throw JSONSyntaxError(reason: .notUTF8, offset: at)
        }
    }

    /// The rest of a text that has escapes in it; `at` is at the first one.
    private static func escapedString(
        _ bytes: Span<UInt8>, _ at: inout Int, from start: Int
    ) throws(JSONSyntaxError) -> String {
        var unescaped: [UInt8] = []
        for index in start..<at { unescaped.append(bytes[index]) }
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "\""): return try text(unescaped.span, at: start)
            case UInt8(ascii: "\\"): unescaped += try escape(bytes, &at).utf8
            case ..<0x20: throw unexpected(at - 1)
            default: unescaped.append(byte)
            }
        }
        throw JSONSyntaxError(reason: .ended, offset: at)
    }

    /// What an escape stands for; `at` is behind the backslash.
    private static func escape(_ bytes: Span<UInt8>, _ at: inout Int) throws(JSONSyntaxError) -> Character {
        let byte = try peek(bytes, at)
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Character(Unicode.Scalar(byte))
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return Character(try scalar(bytes, &at))
        default: throw unexpected(at - 1)
        }
    }

    /// The character of one or two groups of hex digits; `at` is behind the first `u`.
    private static func scalar(_ bytes: Span<UInt8>, _ at: inout Int) throws(JSONSyntaxError) -> Unicode.Scalar {
        let first = try hexDigits(bytes, &at)
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"),
            bytes[at + 1] == UInt8(ascii: "u")
        else { return "\u{FFFD}" }
        var ahead = at + 2
        let second = try hexDigits(bytes, &ahead)
        guard (0xDC00..<0xE000).contains(second) else { return "\u{FFFD}" }
        at = ahead
        return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) ?? "\u{FFFD}"
    }

    private static func hexDigits(_ bytes: Span<UInt8>, _ at: inout Int) throws(JSONSyntaxError) -> UInt32 {
        var number: UInt32 = 0
        for _ in 0..<4 {
            let byte = try peek(bytes, at)
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): number = number << 4 + UInt32(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): number = number << 4 + UInt32(byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): number = number << 4 + UInt32(byte - UInt8(ascii: "A") + 10)
            default: throw unexpected(at)
            }
            at += 1
        }
        return number
    }

    /// A number; what cannot begin one is not JSON.
    static func number(_ bytes: Span<UInt8>, _ at: inout Int) throws(JSONSyntaxError) -> JSONValue {
        let start = at
        if try peek(bytes, at) == UInt8(ascii: "-") { at += 1 }
        let integerStart = at
        try digits(bytes, &at)
        guard bytes[integerStart] != UInt8(ascii: "0") || at == integerStart + 1 else { throw unexpected(integerStart) }
        var isWhole = true
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            isWhole = false
            at += 1
            try digits(bytes, &at)
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            isWhole = false
            at += 1
            if at < bytes.count, bytes[at] == UInt8(ascii: "-") || bytes[at] == UInt8(ascii: "+") { at += 1 }
            try digits(bytes, &at)
        }
        let text = try text(bytes.extracting(start..<at), at: start)
        if isWhole, let integer = Int64(text), text != "-0" { return .integer(integer) }
        guard let number = Double(text), number.isFinite else {
            throw JSONSyntaxError(reason: .tooLarge, offset: start)
        }
        return .number(number)
    }

    private static func digits(_ bytes: Span<UInt8>, _ at: inout Int) throws(JSONSyntaxError) {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(try peek(bytes, at)) else { throw unexpected(at) }
        while at < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[at]) { at += 1 }
    }
}
