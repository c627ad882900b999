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
        let framing: StreamFraming = record.spec.tty ? .raw : .multiplexed
        let reply = LogReply(
            backend: backend, record: record, keys: record.outputKeys, query: query, framing: framing)
        return reply.response(exchange, contentType: framing.contentType(version))
    }
}

/// The logs of some runs of a record as one stream of frames.
struct LogReply: Sendable {
    let backend: Backend
    let record: FunctionApp
    let keys: [OutputKey]
    let query: LogQuery
    let framing: StreamFraming

    func response(_ exchange: Exchange, contentType: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: contentType],
            body: .init { writer in
                do {
                    try await exchange.untilHangUp { try await write(to: LogPieces(exchange)) }
                } catch let error as AgentError {
                    // The head is out: Docker's way to say that the rest is missing.
                    try await exchange.write(framing.encode(.systemError, "Error grabbing logs: \(error)"))
                }
                try await writer.finish(nil)
            })
    }

    private func write(to pieces: LogPieces) async throws {
        try await write(to: { try await pieces.add($0) }, endOfChunk: { try await pieces.flush() })
        try await pieces.flush()
    }

    /// Hands over one frame after the other, and tells when there are no more in a chunk of the log. Two passes when only the last lines are wanted: the first one counts, so that nothing needs to be kept.
    func write(
        to frames: @escaping @Sendable (ByteBuffer) async throws -> Void,
        endOfChunk: @escaping @Sendable () async throws -> Void = {}
    ) async throws {
        var skip = 0
        if let tail = query.tail {
            let counter = LineFilter(query, skip: 0)
            for key in keys { try await backend.readOutput(key) { _ = counter.lines($0) } }
            _ = counter.finish()
            skip = max(0, counter.count - tail)
        }
        let filter = LineFilter(query, skip: skip)
        let sink: Backend.OutputSink = { chunk in
            for line in filter.lines(chunk) { try await frames(query.encode(line, framing)) }
            try await endOfChunk()
        }
        let openRun = query.follows && record.hasOpenRun ? record.attachableRun : nil
        for key in keys where key.run != openRun { try await backend.readOutput(key, to: sink) }
        if let openRun { try await backend.followOutput(record.uid, run: openRun, to: sink) }
        for line in filter.finish() { try await frames(query.encode(line, framing)) }
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
