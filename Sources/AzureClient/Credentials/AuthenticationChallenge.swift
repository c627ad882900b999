/// One challenge of a `WWW-Authenticate` header (RFC 9110, section 11.6.1).
struct AuthenticationChallenge: Equatable {
    /// In lower case.
    var scheme: String
    /// Names in lower case, values unquoted. Empty for a challenge that is a bare token.
    var parameters: [String: String] = [:]

    /// Longer headers are not read; HTTP servers bound all headers together at 8 to 64 KiB.
    static let mostBytes = 32 << 10

    /// The challenges of one header; nil if anything in it is not of the form, or a parameter stands twice: a header
    /// that can be read in two ways is not read.
    static func parse(_ header: String) -> [AuthenticationChallenge]? {
        guard header.utf8.count <= mostBytes else { return nil }
        var scanner = Scanner(bytes: Array(header.utf8))
        var challenges: [AuthenticationChallenge] = []
        scanner.skip(commas: true)
        while !scanner.isAtEnd {
            guard let word = scanner.token() else { return nil }
            let spaces = scanner.spaces()
            if scanner.peek == UInt8(ascii: "="), let challenge = challenges.indices.last {
                // A name and its value, which belong to the challenge before.
                guard !challenges[challenge].parameters.isEmpty, scanner.parameter(word, into: &challenges[challenge])
                else { return nil }
            } else {
                challenges.append(AuthenticationChallenge(scheme: word.lowercased()))
                guard spaces > 0 || scanner.isAtEnd || scanner.peek == UInt8(ascii: ",") else { return nil }
                guard scanner.firstParameter(into: &challenges[challenges.count - 1]) else { return nil }
            }
            guard scanner.isAtEnd || scanner.peek == UInt8(ascii: ",") else { return nil }
            scanner.skip(commas: true)
        }
        return challenges.isEmpty ? nil : challenges
    }
}

private struct Scanner {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { position == bytes.count }
    var peek: UInt8? { isAtEnd ? nil : bytes[position] }

    mutating func spaces() -> Int {
        let start = position
        while let byte = peek, byte == 0x20 || byte == 0x09 { position += 1 }
        return position - start
    }

    mutating func skip(commas: Bool) {
        while let byte = peek, byte == 0x20 || byte == 0x09 || (commas && byte == UInt8(ascii: ",")) { position += 1 }
    }

    mutating func token() -> String? { text { Self.isTokenByte($0) } }

    private mutating func text(where isPart: (UInt8) -> Bool) -> String? {
        let start = position
        while let byte = peek, isPart(byte) { position += 1 }
        return start == position ? nil : String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// What follows a scheme: nothing, a name and its value, or a bare token.
    mutating func firstParameter(into challenge: inout AuthenticationChallenge) -> Bool {
        let start = position
        guard peek != nil, peek != UInt8(ascii: ",") else { return true }
        if let name = token() {
            _ = spaces()
            if peek == UInt8(ascii: "="), parameter(name, into: &challenge) { return true }
        }
        // A bare token ends with its padding, so nothing but the end of the challenge may follow it.
        position = start
        challenge.parameters = [:]
        guard text(where: { Self.isTokenByte($0) || $0 == UInt8(ascii: "/") }) != nil else { return false }
        while peek == UInt8(ascii: "=") { position += 1 }
        _ = spaces()
        return isAtEnd || peek == UInt8(ascii: ",")
    }

    /// `= value` behind a name, the value a token or quoted.
    mutating func parameter(_ name: String, into challenge: inout AuthenticationChallenge) -> Bool {
        position += 1
        _ = spaces()
        guard let value = peek == UInt8(ascii: "\"") ? quoted() : token(),
            challenge.parameters.updateValue(value, forKey: name.lowercased()) == nil
        else { return false }
        _ = spaces()
        return isAtEnd || peek == UInt8(ascii: ",")
    }

    private mutating func quoted() -> String? {
        position += 1
        var value: [UInt8] = []
        while let byte = peek {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: value, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let escaped = peek, escaped >= 0x20 || escaped == 0x09 else { return nil }
                position += 1
                value.append(escaped)
            case 0..<0x20 where byte != 0x09, 0x7F: return nil
            default: value.append(byte)
            }
        }
        return nil
    }

    /// RFC 9110, section 5.6.2.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
