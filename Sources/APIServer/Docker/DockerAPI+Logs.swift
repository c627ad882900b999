import AgentLink
import DesiredState
import HTTPTypes
import HummingbirdCore
import NIOConcurrencyHelpers
import NIOCore

extension DockerAPI {
    /// `GET /containers/{id}/logs`: all runs of the container, in order.
    func logs(_ exchange: Exchange, _ reference: String, _ version: DockerVersion) async throws -> Response {
        let query = try LogQuery(exchange.query)
        let record = try await find(reference)
        guard record.keepsLog else { throw DockerError.logNotReadable }
        let framing: StreamFraming = record.spec.tty ? .raw : .multiplexed
        let reply = LogReply(
            backend: backend, record: record, keys: record.outputKeys, query: query, framing: framing)
        do {
            return try await reply.response(exchange, contentType: framing.contentType(version))
        } catch let error as LogArchiveError {
            throw DockerError(error)
        } catch let error as AgentError {
            throw DockerError(.internalServerError, "Error grabbing logs: \(error)")
        }
    }
}

/// The logs of some runs of a record as one stream of frames.
///
/// Each attempt's kept log comes first. Where there is none any more, or where it was cut off, the archive is asked, and no line is ever taken from both.
struct LogReply: Sendable {
    let backend: Backend
    let record: FunctionApp
    let keys: [OutputKey]
    let query: LogQuery
    let framing: StreamFraming

    /// Output in the order in which it is shown.
    fileprivate enum Part: Sendable {
        case kept(OutputKey)
        /// With its first page, if it was asked for already.
        case archived(ArchivedOutput, first: LogArchivePage?)
        case chunks([OutputChunk])
        /// The run that is open.
        case following(run: Int)
    }

    /// What the first look has found: from here on only what is shown is read.
    struct Preparation: Sendable {
        fileprivate let parts: [Part]
        /// Lines to be left out before the last ones.
        fileprivate let skip: Int
    }

    /// Throws `LogArchiveError` before anything is answered, if the archive has to be asked and refuses.
    func response(_ exchange: Exchange, contentType: String) async throws -> Response {
        let preparation = try await prepare()
        return Response(
            status: .ok, headers: [.contentType: contentType],
            body: .init { writer in
                let pieces = LogPieces(exchange)
                do {
                    try await exchange.untilHangUp { try await write(preparation, to: pieces) }
                } catch let error as AgentError {
                    // The head is out: Docker's way to say that the rest is missing.
                    try await pieces.add(framing.encode(.systemError, "Error grabbing logs: \(error)"))
                } catch let error as LogArchiveError where error.code != .cancelled {
                    try await pieces.add(framing.encode(.systemError, "Error grabbing logs: \(error)"))
                }
                try await pieces.flush()
                try await writer.finish(nil)
            })
    }

    private func write(_ preparation: Preparation, to pieces: LogPieces) async throws {
        try await write(
            preparation, to: { try await pieces.add($0) }, endOfChunk: { try await pieces.flush() })
    }

    /// Finds out where the output is. When only the last lines are wanted, these are counted, from the newest attempt back, so that no more needs to be
    /// held or asked for than is shown.
    func prepare() async throws -> Preparation {
        var parts = try await parts()
        guard let tail = query.tail else {
            if let index = parts.firstIndex(where: { if case .archived = $0 { true } else { false } }),
                case .archived(let output, _) = parts[index]
            {
                parts[index] = .archived(output, first: try await output.page(.after(0)))
            }
            return Preparation(parts: parts, skip: 0)
        }
        var last: [Part] = []
        var count = 0
        for part in parts.reversed() where count < tail || last.isEmpty {
            var part = part
            if case .archived(let output, _) = part { part = .chunks(try await output.last(tail)) }
            let counter = LineFilter(query, skip: 0)
            try await readNow(part) { _ = counter.lines($0) }
            _ = counter.finish()
            count += counter.count
            last.insert(part, at: 0)
        }
        return Preparation(parts: last, skip: max(0, count - tail))
    }

    private func parts() async throws -> [Part] {
        let openRun = query.follows && record.hasOpenRun ? record.attachableRun : nil
        var parts: [Part] = []
        for key in keys where key.run != openRun {
            parts.append(.kept(key))
            if let archive = backend.archive, let attempt = try await backend.archived(key, of: record) {
                parts.append(.archived(ArchivedOutput(archive: archive, attempt: attempt, query: query), first: nil))
            }
        }
        return parts + (openRun.map { [.following(run: $0)] } ?? [])
    }

    /// What there is of a part, without waiting for more.
    private func readNow(_ part: Part, to sink: Backend.OutputSink) async throws {
        switch part {
        case .kept(let key): try await backend.readOutput(key, to: sink)
        case .archived(let output, let first): try await output.read(first: first, to: sink)
        case .chunks(let chunks): for chunk in chunks { try await sink(chunk) }
        case .following(let run): for key in keys where key.run == run { try await backend.readOutput(key, to: sink) }
        }
    }

    /// Hands over one frame after the other, and tells when there are no more for now.
    func write(
        _ preparation: Preparation, to frames: @escaping @Sendable (ByteBuffer) async throws -> Void,
        endOfChunk: @escaping @Sendable () async throws -> Void = {}
    ) async throws {
        let filter = LineFilter(query, skip: preparation.skip)
        let lines: Backend.OutputSink = { chunk in
            for line in filter.lines(chunk) { try await frames(query.encode(line, framing)) }
        }
        for part in preparation.parts {
            if case .following(let run) = part {
                try await backend.followOutput(record.uid, run: run) { chunk in
                    try await lines(chunk)
                    if !chunk.hasNext { try await endOfChunk() }
                }
            } else {
                try await readNow(part, to: lines)
            }
            for line in filter.finish() { try await frames(query.encode(line, framing)) }
            try await endOfChunk()
        }
    }
}

/// The frames of a log, put together: a frame is a line, and a write for each would take most of the time. Used by one task at a time, and locked because
/// that task may change.
private final class LogPieces: Sendable {
    private let exchange: Exchange
    private let piece = NIOLockedValueBox(ByteBuffer())

    /// What a socket takes at once.
    private static let pieceBytes = 64 << 10

    init(_ exchange: Exchange) {
        self.exchange = exchange
    }

    func add(_ frame: ByteBuffer) async throws {
        let count = piece.withLockedValue { piece in
            piece.writeImmutableBuffer(frame)
            return piece.readableBytes
        }
        if count >= LogPieces.pieceBytes { try await flush() }
    }

    func flush() async throws {
        let full = piece.withLockedValue { piece in
            defer { piece = ByteBuffer() }
            return piece
        }
        if full.readableBytes > 0 { try await exchange.write(full) }
    }
}

/// Chooses lines. Used by one task at a time, and locked because that task may change.
private final class LineFilter: Sendable {
    private struct State {
        var assembler = LineAssembler()
        var count = 0
    }

    private let query: LogQuery
    private let skip: Int
    private let state = NIOLockedValueBox(State())

    init(_ query: LogQuery, skip: Int) {
        self.query = query
        self.skip = skip
    }

    /// Lines that matched, the skipped ones included.
    var count: Int { state.withLockedValue { $0.count } }

    func lines(_ chunk: OutputChunk) -> [LogLine] {
        guard let stream = query.selection.stream(of: chunk) else { return [] }
        return state.withLockedValue { state in
            let lines = state.assembler.add(
                query.selection.payload(of: chunk), stream, at: chunk.timestampNanoseconds)
            return select(lines, &state)
        }
    }

    func finish() -> [LogLine] {
        state.withLockedValue { state in select(state.assembler.finish(), &state) }
    }

    private func select(_ lines: [LogLine], _ state: inout State) -> [LogLine] {
        lines.filter { line in
            guard query.contains(line) else { return false }
            state.count += 1
            return state.count > skip
        }
    }
}
