import AgentLink
import AgentProtocol
import DesiredState
import NIOCore

/// What the archive may hold of an attempt and the kept log does not: all of it where there is no kept log, and otherwise what was written after it
/// was cut off.
struct ArchivedAttempt: Hashable, Sendable {
    let run: Int
    let token: String
    let from: Instant
    let to: Instant
    let finishedAt: Instant
    /// The container was lost, so that nobody could say that the output was over.
    let isCut: Bool
    /// The daemon did not read the output to its end: what was kept of it is sealed all the same.
    let isUnread: Bool
    /// Of the last frame that was kept: what is not younger is known. `nil` = nothing was kept.
    var keptNanoseconds: UInt64?
    /// Streams of which the last kept line is not over.
    var openStreams: Set<FrameStream> = []

    /// By how much the clocks of daemon, container and platform may differ.
    static let clockMargin: Duration = .seconds(3_600)
    private static let beforeMargin: Duration = .zero - clockMargin

    /// `nil` for attempts that wrote nothing or are still written.
    init?(_ attempt: AttemptStatus, run: Int, of record: FunctionApp, now: Instant) {
        switch attempt.outcome {
        case nil, .refused, .startFailed: return nil
        case .lost, .unknown: isCut = true
        case .succeeded, .failed, .deadlineExceeded: isCut = false
        }
        // An end that the agent did not tell has a sentence about where it was found.
        let isFound = (attempt.outcome == .succeeded || attempt.outcome == .failed) && attempt.message != nil
        isUnread = isCut || isFound
        self.run = run
        token = attempt.token
        from = (attempt.startedAt ?? record.metadata.creationTimestamp) + ArchivedAttempt.beforeMargin
        finishedAt = attempt.finishedAt ?? now
        to = finishedAt + ArchivedAttempt.clockMargin
    }
}

extension Backend {
    /// `nil` where the kept log is whole, or nothing else can be asked.
    func archived(_ key: OutputKey, of record: FunctionApp) async throws -> ArchivedAttempt? {
        guard archive != nil,
            let attempts = record.status.runs.first(where: { $0.number == key.run })?.attempts,
            attempts.indices.contains(key.attempt - 1),
            var attempt = ArchivedAttempt(attempts[key.attempt - 1], run: key.run, of: record, now: clock())
        else { return nil }
        let isSealed = try output.isSealed(key)
        guard attempt.isUnread || !isSealed else { return nil }
        for try await chunk in try output.read(key) {
            attempt.keptNanoseconds = max(attempt.keptNanoseconds ?? 0, chunk.timestampNanoseconds)
            guard let last = chunk.bytes.readableBytesView.last else { continue }
            if last == UInt8(ascii: "\n") {
                attempt.openStreams.remove(chunk.stream)
            } else {
                attempt.openStreams.insert(chunk.stream)
            }
        }
        return attempt
    }
}

/// Reads an attempt's output from the archive, page by page.
struct ArchivedOutput: Sendable {
    let archive: any LogArchive
    let attempt: ArchivedAttempt
    let query: LogQuery

    /// One request of a client asks so often at most: half of what the service allows within 30 s (Azure docs, service-limits, read 2026-02).
    static let mostPages = 100
    /// What is held of an attempt whose last lines are wanted.
    static let mostHeldBytes = 64 << 20
    /// Fewer are not worth asking for.
    private static let fewestRows = 64

    func page(_ side: LogArchiveQuery.Side, rows: Int? = nil) async throws(LogArchiveError) -> LogArchivePage {
        // The platform's time of a line is a little later than the agent's.
        let margin: Duration = .seconds(300)
        let since = query.sinceNanoseconds.map { Instant(nanoseconds: Int64(clamping: $0)) + (.zero - margin) }
        let until = query.untilNanoseconds.map { Instant(nanoseconds: Int64(clamping: $0)) + margin }
        return try await archive.page(
            LogArchiveQuery(
                token: attempt.token, from: max(attempt.from, since ?? attempt.from),
                to: min(attempt.to, until ?? attempt.to), side: side, rows: rows))
    }

    /// Hands over all of it, with a remark wherever lines are missing.
    /// - Parameter first: the first page, if it is there already.
    func read(first: LogArchivePage?, to sink: Backend.OutputSink) async throws {
        var assembly = Assembly(attempt, query)
        var page = first
        var side = LogArchiveQuery.Side.after(0)
        var rows: Int?
        for _ in 0..<ArchivedOutput.mostPages {
            let asked: LogArchivePage
            if let page { asked = page } else { asked = try await self.page(side, rows: rows) }
            page = nil
            rows = asked.rows
            for line in asked.lines {
                for chunk in assembly.add(line) { try await sink(chunk) }
            }
            if let missing = asked.missing { throw incomplete(missing) }
            if asked.isLast {
                if let remark = assembly.finish() { try await sink(remark) }
                return
            }
            side = .after(asked.lines.last?.sequence ?? 0)
        }
        throw LogArchiveError(
            .incomplete,
            "there is more output of run \(attempt.run) in the log workspace than is read at once; name a "
                + "time with --since")
    }

    /// At least its last lines, as many as are asked for, and what belongs to them.
    func last(_ count: Int) async throws(LogArchiveError) -> [OutputChunk] {
        var lines: [ConsoleLine] = []
        var bytes = 0
        var ended = 0
        var rows: Int? = max(ArchivedOutput.fewestRows, count < 1_000 ? count * 2 : .max)
        var side = LogArchiveQuery.Side.before(nil)
        while true {
            let page = try await self.page(side, rows: rows)
            if let missing = page.missing { throw incomplete(missing) }
            rows = page.rows
            lines = page.lines + lines
            for line in page.lines {
                guard case .output(let stream, let payload, let endsLine) = line.content, isWanted(line, stream) else {
                    continue
                }
                bytes += payload.count
                if endsLine { ended += 1 }
            }
            // One more, since the first one may have begun before.
            if page.isLast || ended > count { break }
            guard bytes <= ArchivedOutput.mostHeldBytes else {
                throw LogArchiveError(
                    .incomplete, "the last \(count) lines in the log workspace are too many to be held; ask for fewer")
            }
            side = .before(page.lines.first?.sequence)
        }
        var assembly = Assembly(attempt, query, isWhole: false)
        var chunks = lines.flatMap { assembly.add($0) }
        if let remark = assembly.finish() { chunks.append(remark) }
        return chunks
    }

    private func isWanted(_ line: ConsoleLine, _ stream: FrameStream) -> Bool {
        (stream == .stdout ? query.selection.standardOutput : query.selection.standardError)
            && line.timestampNanoseconds > attempt.keptNanoseconds ?? 0
            && line.timestampNanoseconds >= query.sinceNanoseconds ?? 0
            && line.timestampNanoseconds <= query.untilNanoseconds ?? .max
    }

    private func incomplete(_ why: String) -> LogArchiveError {
        LogArchiveError(.incomplete, "the log workspace's answer is not whole: \(why)")
    }

    /// Makes chunks of lines, and sees what is missing. Pure.
    struct Assembly {
        private let attempt: ArchivedAttempt
        private let asksForEnd: Bool
        /// The number that comes next; `nil` before the first line, where earlier ones are not looked for.
        private var expected: UInt64?
        private var openStreams: Set<FrameStream>
        private var lastNanoseconds: UInt64
        private var isEmpty = true
        private var hasEnd = false

        /// - Parameter isWhole: lines come from the first one on.
        init(_ attempt: ArchivedAttempt, _ query: LogQuery, isWhole: Bool = true) {
            self.attempt = attempt
            asksForEnd = query.untilNanoseconds == nil && !attempt.isCut
            expected = isWhole && query.sinceNanoseconds == nil && attempt.keptNanoseconds == nil ? 1 : nil
            openStreams = attempt.openStreams
            lastNanoseconds = UInt64(max(0, attempt.finishedAt.nanoseconds))
        }

        mutating func add(_ line: ConsoleLine) -> [OutputChunk] {
            let missing = expected.map { line.sequence > $0 ? line.sequence - $0 : 0 } ?? 0
            expected = line.sequence + 1
            if let kept = attempt.keptNanoseconds, line.timestampNanoseconds <= kept {
                isEmpty = false
                if line.content == .end { hasEnd = true }
                return []
            }
            isEmpty = false
            lastNanoseconds = line.timestampNanoseconds
            var chunks: [OutputChunk] = []
            if missing > 0 { chunks.append(remark("\(missing) lines are not in the log workspace (yet)")) }
            switch line.content {
            case .output(let stream, var bytes, let endsLine):
                if openStreams.remove(stream) != nil { bytes.insert(UInt8(ascii: "\n"), at: 0) }
                if endsLine { bytes.append(UInt8(ascii: "\n")) }
                chunks.append(
                    OutputChunk(
                        stream: stream, timestampNanoseconds: line.timestampNanoseconds,
                        bytes: ByteBuffer(bytes: bytes)))
            case .dropped(let lines):
                chunks.append(remark("\(lines) lines were lost here: the container's console was too slow"))
            case .end: hasEnd = true
            }
            return chunks
        }

        /// What there is to be said of the end.
        func finish() -> OutputChunk? {
            if hasEnd || !asksForEnd { return nil }
            if isEmpty {
                return remark("the kept log of run \(attempt.run) is gone, and the log workspace has none of it (yet)")
            }
            return remark("the end of run \(attempt.run) is not in the log workspace (yet)")
        }

        private func remark(_ text: String) -> OutputChunk {
            OutputChunk(
                stream: .stderr, timestampNanoseconds: lastNanoseconds, bytes: ByteBuffer(string: "[skls: \(text)]\n"))
        }
    }
}
