import AgentLink
import DesiredState
import NIOCore

/// One line of a log, or a piece of a very long one.
struct LogLine: Hashable, Sendable {
    let stream: StreamFrame.Stream
    /// Of its first bytes, by the container's clock.
    let timestampNanoseconds: UInt64
    /// With its line feed, if it has one.
    let bytes: ByteBuffer
}

/// Puts chunks together to lines, for each stream apart.
struct LineAssembler: Sendable {
    /// Longer lines come in pieces (moby v28's log drivers do the same, `daemon/logger/copier.go`).
    static let maximumLineBytes = 16 << 10

    private struct Partial: Sendable {
        var timestampNanoseconds: UInt64
        var bytes: ByteBuffer
    }

    private var partials: [StreamFrame.Stream: Partial] = [:]

    mutating func add(_ payload: ByteBuffer, _ stream: StreamFrame.Stream, at timestampNanoseconds: UInt64) -> [LogLine]
    {
        var lines: [LogLine] = []
        var rest = payload
        while rest.readableBytes > 0 {
            var partial =
                partials[stream] ?? Partial(timestampNanoseconds: timestampNanoseconds, bytes: ByteBuffer())
            let room = LineAssembler.maximumLineBytes - partial.bytes.readableBytes
            let window = rest.readableBytesView.prefix(room)
            let newline = window.firstIndex(of: UInt8(ascii: "\n"))
            let count = newline.map { $0 - window.startIndex + 1 } ?? window.count
            if var piece = rest.readSlice(length: count) { partial.bytes.writeBuffer(&piece) }
            if newline != nil || partial.bytes.readableBytes >= LineAssembler.maximumLineBytes {
                lines.append(
                    LogLine(
                        stream: stream, timestampNanoseconds: partial.timestampNanoseconds, bytes: partial.bytes))
                partials[stream] = nil
            } else {
                partials[stream] = partial
            }
        }
        return lines
    }

    /// What is left when the log has ended.
    mutating func finish() -> [LogLine] {
        defer { partials = [:] }
        return partials.sorted { $0.value.timestampNanoseconds < $1.value.timestampNanoseconds }.map {
            LogLine(
                stream: $0.key, timestampNanoseconds: $0.value.timestampNanoseconds, bytes: $0.value.bytes)
        }
    }
}

/// Which lines of a container's logs a client wants, and how.
struct LogQuery: Hashable, Sendable {
    var selection: StreamSelection
    var follows = false
    var withTimestamps = false
    /// Docker puts the attributes that log options ask for before each line, and a space behind them; there are none here.
    var withDetails = false
    /// `nil` = all.
    var tail: Int?
    var sinceNanoseconds: UInt64?
    var untilNanoseconds: UInt64?

    init(selection: StreamSelection = .both) {
        self.selection = selection
    }

    /// Docker's query. Throws its refusals.
    init(_ query: RequestTarget.Query) throws(DockerError) {
        selection = StreamSelection(standardOutput: query.flag("stdout"), standardError: query.flag("stderr"))
        guard selection.standardOutput || selection.standardError else {
            throw .badParameter("Bad parameters: you must choose at least one stream")
        }
        follows = query.flag("follow")
        withTimestamps = query.flag("timestamps")
        withDetails = query.flag("details")
        tail = LogQuery.tail(query["tail"])
        sinceNanoseconds = try LogQuery.nanoseconds(query["since"], name: "since")
        untilNanoseconds = try LogQuery.nanoseconds(query["until"], name: "until")
    }

    /// Anything but a number is "all", as moby has it.
    static func tail(_ text: String?) -> Int? {
        text.flatMap { Int($0) }.flatMap { $0 < 0 ? nil : $0 }
    }

    /// `SECONDS[.FRACTION]` since 1970, or RFC 3339; empty and 0 are no bound.
    static func nanoseconds(_ text: String?, name: String) throws(DockerError) -> UInt64? {
        guard let text, !text.isEmpty, text != "0" else { return nil }
        if let instant = Instant(rfc3339: text) { return UInt64(max(0, instant.nanoseconds)) }
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let fraction = parts.count > 1 ? parts[1].prefix(9) : ""
        let digits = String(fraction) + String(repeating: "0", count: 9 - fraction.count)
        guard let seconds = UInt64(parts[0]), seconds < UInt64.max / 2_000_000_000, let nanoseconds = UInt64(digits)
        else { throw .badParameter("invalid value for \"\(name)\": \(text)") }
        return seconds * 1_000_000_000 + nanoseconds
    }

    func contains(_ line: LogLine) -> Bool {
        line.timestampNanoseconds >= sinceNanoseconds ?? 0
            && line.timestampNanoseconds <= untilNanoseconds ?? .max
    }

    func encode(_ line: LogLine, _ framing: StreamFraming) -> ByteBuffer {
        guard withTimestamps || withDetails else { return framing.encode(line.stream, line.bytes) }
        var payload = ByteBuffer()
        if withTimestamps {
            let instant = Instant(nanoseconds: Int64(clamping: line.timestampNanoseconds))
            payload.writeString(instant.rfc3339(fractionDigits: 9) + " ")
        }
        if withDetails { payload.writeStaticString(" ") }
        payload.writeImmutableBuffer(line.bytes)
        return framing.encode(line.stream, payload)
    }
}
