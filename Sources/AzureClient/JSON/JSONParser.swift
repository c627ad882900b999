/// Where a text stops being JSON. Never holds any of the text.
package struct JSONSyntaxError: Error, Equatable {
    package enum Reason: String, Sendable {
        case unexpected = "an unexpected character"
        case ended = "an early end"
        case tooDeep = "too many levels"
        case notUTF8 = "bytes that are not UTF-8"
        case tooLarge = "a number that no Double holds"
        case trailing = "something behind the value"
    }

    package let reason: Reason
    /// In bytes from the start.
    package let offset: Int
}

extension JSONValue {
    /// The value of a JSON text (RFC 8259), strictly: one value and only white space around it.
    ///
    /// Made for lists of thousands of sites, which Foundation's decoder takes some six times as long for. Of equal names
    /// in an object the last one counts. Whole numbers beyond 64 bits and all others are Doubles. Half of a surrogate
    /// pair is replaced by U+FFFD, as a text that was cut in the middle has one. A byte order mark is skipped.
    /// - Throws: also for more than ``JSONParser/mostLevels`` levels.
    package init(parsing bytes: some Sequence<UInt8>) throws(JSONSyntaxError) {
        let bytes = Array(bytes)
        self = try JSONParser.value(of: bytes.span)
    }
}

/// Reads JSON out of bytes. The functions take the place to read at and move it behind what they have read.
enum JSONParser {
    /// As many as Foundation's decoder takes: more than any service nests, and little enough for the stack of a thread.
    static let mostLevels = 512

    static func value(of bytes: Span<UInt8>) throws(JSONSyntaxError) -> JSONValue {
        var at = bytes.count >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF ? 3 : 0
        let value = try value(bytes, &at, level: 0)
        skipSpace(bytes, &at)
        guard at == bytes.count else { throw JSONSyntaxError(reason: .trailing, offset: at) }
        return value
    }

    private static func value(
        _ bytes: Span<UInt8>, _ at: inout Int, level: Int
    ) throws(JSONSyntaxError) -> JSONValue {
        skipSpace(bytes, &at)
        switch try peek(bytes, at) {
        case UInt8(ascii: "\""): return .string(try string(bytes, &at))
        case UInt8(ascii: "{"): return try object(bytes, &at, level: level + 1)
        case UInt8(ascii: "["): return try array(bytes, &at, level: level + 1)
        case UInt8(ascii: "n"): return try word("null", .null, bytes, &at)
        case UInt8(ascii: "t"): return try word("true", .bool(true), bytes, &at)
        case UInt8(ascii: "f"): return try word("false", .bool(false), bytes, &at)
        default: return try number(bytes, &at)
        }
    }

    private static func object(
        _ bytes: Span<UInt8>, _ at: inout Int, level: Int
    ) throws(JSONSyntaxError) -> JSONValue {
        guard level <= mostLevels else { throw JSONSyntaxError(reason: .tooDeep, offset: at) }
        at += 1
        var members: [(name: String, value: JSONValue)] = []
        skipSpace(bytes, &at)
        if try peek(bytes, at) == UInt8(ascii: "}") {
            at += 1
            return .object([:])
        }
        while true {
            skipSpace(bytes, &at)
            guard try peek(bytes, at) == UInt8(ascii: "\"") else { throw unexpected(at) }
            let name = try string(bytes, &at)
            skipSpace(bytes, &at)
            guard try peek(bytes, at) == UInt8(ascii: ":") else { throw unexpected(at) }
            at += 1
            members.append((name, try value(bytes, &at, level: level)))
            skipSpace(bytes, &at)
            switch try peek(bytes, at) {
            case UInt8(ascii: ","): at += 1
            case UInt8(ascii: "}"):
                at += 1
                return .object(dictionary(members))
            default: throw unexpected(at)
            }
        }
    }

    /// Made at its full size: growing one costs more than keeping the members aside.
    private static func dictionary(_ members: [(name: String, value: JSONValue)]) -> [String: JSONValue] {
        var dictionary = [String: JSONValue](minimumCapacity: members.count)
        for member in members { dictionary[member.name] = member.value }
        return dictionary
    }

    private static func array(
        _ bytes: Span<UInt8>, _ at: inout Int, level: Int
    ) throws(JSONSyntaxError) -> JSONValue {
        guard level <= mostLevels else { throw JSONSyntaxError(reason: .tooDeep, offset: at) }
        at += 1
        var elements: [JSONValue] = []
        skipSpace(bytes, &at)
        if try peek(bytes, at) == UInt8(ascii: "]") {
            at += 1
            return .array(elements)
        }
        while true {
            elements.append(try value(bytes, &at, level: level))
            skipSpace(bytes, &at)
            switch try peek(bytes, at) {
            case UInt8(ascii: ","): at += 1
            case UInt8(ascii: "]"):
                at += 1
                return .array(elements)
            default: throw unexpected(at)
            }
        }
    }

    private static func word(
        _ word: StaticString, _ value: JSONValue, _ bytes: Span<UInt8>, _ at: inout Int
    ) throws(JSONSyntaxError) -> JSONValue {
        for expected in word.description.utf8 {
            guard try peek(bytes, at) == expected else { throw unexpected(at) }
            at += 1
        }
        return value
    }

    static func skipSpace(_ bytes: Span<UInt8>, _ at: inout Int) {
        while at < bytes.count {
            let byte = bytes[at]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            at += 1
        }
    }

    static func peek(_ bytes: Span<UInt8>, _ at: Int) throws(JSONSyntaxError) -> UInt8 {
        guard at < bytes.count else { throw JSONSyntaxError(reason: .ended, offset: at) }
        return bytes[at]
    }

    static func unexpected(_ at: Int) -> JSONSyntaxError {
        JSONSyntaxError(reason: .unexpected, offset: at)
    }
}
