/// A line of a run's output as the agent copies it to the console of the container, where a platform's log takes it: one line of text that says which
/// run it is of, where it belongs, and when it was read. Whatever bytes the command wrote can be had back from it.
///
/// `skls-output: MARK SEQUENCE FLAGS TIME TEXT`, see docs/agent-protocol.md.
package struct ConsoleLine: Hashable, Sendable {
    package enum Content: Hashable, Sendable {
        /// Bytes of a line, without its line feed. A line that is not over is continued by the stream's next one.
        case output(FrameStream, [UInt8], endsLine: Bool)
        /// So many of the lines before this one were dropped, since the console was too slow for them.
        case dropped(lines: UInt64)
        /// The output is over: this is its last line.
        case end
    }

    /// From 1 on, without a gap in what the agent has made.
    package var sequence: UInt64
    /// When the agent read its first byte, by the container's wall clock, since 1970.
    package var timestampNanoseconds: UInt64
    package var content: Content

    package init(sequence: UInt64, timestampNanoseconds: UInt64, content: Content) {
        self.sequence = sequence
        self.timestampNanoseconds = timestampNanoseconds
        self.content = content
    }

    /// What a line begins with, and no other line of the agent's: a command cannot write it in that place.
    package static let prefix = "skls-output:"
    /// The most bytes of a line with its line feed: what a pipe takes whole or not at all, so that lines of several writers do not mix (pipe(7),
    /// PIPE_BUF, read 2026-11).
    package static let maximumBytes = 4_096
    /// The most bytes of output in one line. Escaped, each may take four; what stands before takes 90 at most.
    package static let maximumPayloadBytes = 3_900
    private static let maximumEscapedBytes = 975

    /// The digits of a token that name a run in its lines: enough that no two runs of a workspace share them by chance.
    package static func mark(of token: String) -> String { String(token.prefix(16)) }

    /// How much of the bytes one line takes: all, or up to where a character of UTF-8 ends.
    package static func payloadCount(of bytes: ArraySlice<UInt8>) -> Int {
        let count = boundary(in: bytes, limit: maximumPayloadBytes)
        return needsEscapes(bytes.prefix(count)) ? boundary(in: bytes, limit: maximumEscapedBytes) : count
    }

    private static func boundary(in bytes: ArraySlice<UInt8>, limit: Int) -> Int {
        guard bytes.count > limit else { return bytes.count }
        // A character has four bytes at most; where there is none, anywhere is as good.
        return (limit - 3...limit).last { bytes[bytes.startIndex + $0] & 0xc0 != 0x80 } ?? limit
    }

    // MARK: as text

    /// With its line feed.
    package func encoded(mark: String) -> [UInt8] {
        var flags: String
        var text: [UInt8] = []
        switch content {
        case .output(let stream, let bytes, let endsLine):
            flags = stream == .stderr ? "e" : "o"
            if Self.needsEscapes(bytes[...]) {
                flags += "x"
                text = Self.escaped(bytes)
            } else {
                text = bytes
            }
            if !endsLine { flags += "+" }
        case .dropped(let lines):
            flags = "d"
            text = Array(String(lines).utf8)
        case .end: flags = "z"
        }
        let time = String(timestampNanoseconds, radix: 36)
        return Array("\(Self.prefix) \(mark) \(sequence) \(flags) \(time) ".utf8) + text + [UInt8(ascii: "\n")]
    }

    /// Reads the text of a log's row, whatever the platform put before the line or took from its end. Nil for lines of another kind, of another mark,
    /// or that are damaged.
    package init?(parsing row: String, mark: String) {
        let bytes = Array(row.utf8)
        let beginning = Array("\(Self.prefix) \(mark) ".utf8)
        // Only the first one counts: what stands behind it is the command's.
        guard let start = Self.index(of: Array(Self.prefix.utf8), in: bytes),
            bytes[start...].starts(with: beginning)
        else { return nil }
        let fields = bytes[(start + beginning.count)...].split(
            separator: UInt8(ascii: " "), maxSplits: 3, omittingEmptySubsequences: false)
        guard fields.count >= 3, let sequence = Self.number(fields[0], radix: 10), sequence > 0,
            let time = Self.number(fields[2], radix: 36)
        else { return nil }
        var text = fields.count > 3 ? fields[3] : []
        while let last = text.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") { text.removeLast() }
        guard let content = Content(flags: fields[1], text: text) else { return nil }
        self.init(sequence: sequence, timestampNanoseconds: time, content: content)
    }

    private static func index(of part: [UInt8], in bytes: [UInt8]) -> Int? {
        guard bytes.count >= part.count else { return nil }
        return (0...(bytes.count - part.count)).first { bytes[$0...].starts(with: part) }
    }

    fileprivate static func number(_ digits: ArraySlice<UInt8>, radix: Int) -> UInt64? {
        // A sign is no digit.
        guard let first = digits.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-") else { return nil }
        return UInt64(String(decoding: digits, as: UTF8.self), radix: radix)
    }

    // MARK: escapes

    /// Control characters, bytes that are no UTF-8, and a blank at the end, which not every log keeps.
    private static func needsEscapes(_ bytes: ArraySlice<UInt8>) -> Bool {
        if bytes.last == UInt8(ascii: " ") || bytes.last == UInt8(ascii: "\t") { return true }
        var isASCII = true
        for byte in bytes {
            if byte < 0x20 && byte != UInt8(ascii: "\t") || byte == 0x7f { return true }
            if byte >= 0x80 { isASCII = false }
        }
        return !isASCII && String(validating: bytes, as: UTF8.self) == nil
    }

    private static func escaped(_ bytes: [UInt8]) -> [UInt8] {
        let isText = String(validating: bytes, as: UTF8.self) != nil
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        for (index, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "\\"): text += [byte, byte]
            case 0x20 where index < bytes.count - 1, 0x21...0x7e: text.append(byte)
            case 0x80... where isText: text.append(byte)
            default: text += [UInt8(ascii: "\\"), UInt8(ascii: "x"), digit(byte >> 4), digit(byte & 15)]
            }
        }
        return text
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    fileprivate static func unescaped(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "\\"): bytes.append(UInt8(ascii: "\\"))
            case UInt8(ascii: "x"):
                guard rest.count >= 2, let value = number(rest.prefix(2), radix: 16) else { return nil }
                bytes.append(UInt8(value))
                rest = rest.dropFirst(2)
            default: return nil
            }
        }
        return bytes
    }
}

extension ConsoleLine.Content {
    fileprivate init?(flags: ArraySlice<UInt8>, text: ArraySlice<UInt8>) {
        switch String(decoding: flags, as: UTF8.self) {
        case "z": self = .end
        case "d":
            guard let lines = ConsoleLine.number(text, radix: 10) else { return nil }
            self = .dropped(lines: lines)
        case let flags:
            guard let first = flags.first, first == "o" || first == "e",
                ["", "x", "+", "x+"].contains(flags.dropFirst())
            else { return nil }
            guard let bytes = flags.contains("x") ? ConsoleLine.unescaped(text) : Array(text) else { return nil }
            self = .output(first == "e" ? .stderr : .stdout, bytes, endsLine: !flags.contains("+"))
        }
    }
}
