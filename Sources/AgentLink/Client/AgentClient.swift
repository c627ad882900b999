package import AgentProtocol
package import AsyncHTTPClient
package import Logging
package import NIOCore
import NIOHTTP1

/// The daemon's end of an agent: one method per request of the protocol (docs/agent-protocol.md).
///
/// Nothing here retries, with one exception that says so: what a failure means depends on what the caller has
/// promised. Every reply is checked to be the agent's own before a word of it is believed. The HTTP client should not
/// follow redirects: a redirected request is unproved in any case.
package struct AgentClient: AgentAPI {
    private let exchange: AgentExchange

    /// How long a request may take that the agent answers at once: the front end's delay, on a plan under load.
    private static let answerTimeout = Duration.seconds(30)

    package init(httpClient: HTTPClient, logger: Logger, clock: any Clock<Duration> = ContinuousClock()) {
        exchange = AgentExchange(httpClient: httpClient, logger: logger, clock: clock)
    }

    /// Asks who is there. Makes the agent prove itself before anything is told to it.
    package func hello(_ endpoint: AgentEndpoint, timeout: Duration) async throws(AgentError) -> AgentHello {
        let path = "/skls/v1/hello"
        let reply = try await exchange.send(.GET, path, endpoint: endpoint, boot: nil, timeout: timeout)
        guard reply.status == 200, let version = reply.header(AgentHeader.version) else {
            throw Self.error(for: reply, operation: "GET \(path)")
        }
        return AgentHello(boot: reply.boot, version: version)
    }

    /// Starts a command, or finds that it was started with this token before: then nothing is done.
    ///
    /// A command that cannot be executed is no error but a report with state `failed`.
    /// - Throws: `bootChanged` and `busy` say for certain that nothing was started.
    package func startRun(
        _ endpoint: AgentEndpoint, boot: BootID, token: RunToken, request: RunRequest
    ) async throws(AgentError) -> RunReport {
        let path = "/skls/v1/runs/\(token)"
        let operation = "POST \(path)"
        do {
            try request.validate()
        } catch {
            throw AgentError(.invalidRequest(error.description), operation: operation)
        }
        let body = ByteBuffer(bytes: request.encoded())
        guard body.readableBytes <= AgentLimit.requestBodyBytes else {
            throw AgentError(.invalidRequest("arguments and environment are longer than 8 MiB"), operation: operation)
        }
        let reply = try await exchange.send(
            .POST, path, endpoint: endpoint, boot: boot, body: body, timeout: Self.answerTimeout)
        guard reply.status == 202 else { throw Self.error(for: reply, operation: operation) }
        return try Self.report(reply, operation: operation)
    }

    /// Reads state and output of a run.
    ///
    /// - Parameters:
    ///   - offset: from where on to read; the sum of what earlier calls brought.
    ///   - wait: how long the agent holds the answer while the command runs and there is no output; whole seconds, at
    ///     most 100.
    /// - Returns: the report, and whole output frames from `report.offset` on.
    package func readRun(
        _ endpoint: AgentEndpoint, boot: BootID, token: RunToken, offset: UInt64, wait: Duration
    ) async throws(AgentError) -> (RunReport, frames: ByteBuffer) {
        let seconds = min(max(wait.components.seconds, 0), Int64(AgentLimit.waitSeconds))
        let path = "/skls/v1/runs/\(token)?offset=\(offset)&wait=\(seconds)"
        let operation = "GET \(path)"
        let reply = try await exchange.send(
            .GET, path, endpoint: endpoint, boot: boot, timeout: .seconds(seconds) + Self.answerTimeout)
        guard reply.status == 200 else { throw Self.error(for: reply, operation: operation) }
        let report = try Self.report(reply, operation: operation)
        let length = reply.body.readableBytes
        let whole = reply.body.withUnsafeReadableBytes { OutputFrameHeader.wholeFrames(in: $0).bytes }
        guard report.offset >= offset, whole == length, UInt64(length) <= report.end - report.offset,
            length > 0 || report.offset == report.end
        else { throw AgentError(.invalidReply("its output does not fit its offsets"), operation: operation) }
        return (report, reply.body)
    }

    /// Sends bytes of the command's stdin, and waits until the command's pipe has taken them.
    ///
    /// May be called before the run was started: the agent holds the bytes for up to 100 s. While the command leaves
    /// its pipe full, this waits, asking the agent again every 100 s, until it is cancelled.
    ///
    /// - Parameters:
    ///   - offset: of the first byte in the whole input. Bytes that the agent already has are skipped, so that
    ///     repeating a call is safe.
    ///   - bytes: at most 8 MiB.
    ///   - endOfInput: closes the command's stdin behind `bytes`.
    /// - Throws: `unknownToken` when no run came; `ended`; `inputGap`; `busy`.
    package func sendInput(
        _ endpoint: AgentEndpoint, boot: BootID, token: RunToken, offset: UInt64, bytes: ByteBuffer, endOfInput: Bool
    ) async throws(AgentError) {
        var offset = offset
        var bytes = bytes
        while true {
            let path = "/skls/v1/runs/\(token)/stdin?offset=\(offset)" + (endOfInput ? "&eof=1" : "")
            let operation = "POST \(path)"
            guard bytes.readableBytes <= AgentLimit.requestBodyBytes else {
                throw AgentError(.invalidRequest("more than 8 MiB of input at once"), operation: operation)
            }
            let reply = try await exchange.send(
                .POST, path, endpoint: endpoint, boot: boot, body: bytes,
                timeout: .seconds(AgentLimit.waitSeconds) + Self.answerTimeout)
            if reply.status == 200 { return }
            guard reply.status == 503, let taken = reply.header(AgentHeader.stdinOffset).flatMap(UInt64.init),
                taken >= offset, taken - offset <= UInt64(bytes.readableBytes)
            else { throw Self.error(for: reply, operation: operation) }
            // The agent has the bytes and the command has not: ask again, without sending them again.
            bytes.moveReaderIndex(forwardBy: Int(taken - offset))
            offset = taken
        }
    }

    /// Sends a signal to the command's process.
    ///
    /// - Parameter signal: a name, with or without `SIG`, or a number.
    package func signal(
        _ endpoint: AgentEndpoint, boot: BootID, token: RunToken, signal: String
    ) async throws(AgentError) {
        let operation = "POST /skls/v1/runs/\(token)/signal"
        let signal = try Self.signalName(signal, operation: operation)
        let path = "/skls/v1/runs/\(token)/signal?signal=\(signal)"
        try await command(path, endpoint: endpoint, boot: boot)
    }

    /// Sends a signal, and makes the agent kill every process of the run `grace` later by its own clock.
    ///
    /// Asking again may only bring the end nearer.
    package func stop(
        _ endpoint: AgentEndpoint, boot: BootID, token: RunToken, signal: String, grace: Duration
    ) async throws(AgentError) {
        let operation = "POST /skls/v1/runs/\(token)/stop"
        let signal = try Self.signalName(signal, operation: operation)
        let path = "/skls/v1/runs/\(token)/stop?signal=\(signal)&grace=\(max(grace.components.seconds, 0))"
        try await command(path, endpoint: endpoint, boot: boot)
    }

    /// Changes the size of the command's terminal.
    package func resize(
        _ endpoint: AgentEndpoint, boot: BootID, token: RunToken, size: TerminalSize
    ) async throws(AgentError) {
        let path = "/skls/v1/runs/\(token)/resize?h=\(size.rows)&w=\(size.columns)"
        try await command(path, endpoint: endpoint, boot: boot)
    }

    private func command(_ path: String, endpoint: AgentEndpoint, boot: BootID) async throws(AgentError) {
        let reply = try await exchange.send(.POST, path, endpoint: endpoint, boot: boot, timeout: Self.answerTimeout)
        guard reply.status == 200 else { throw Self.error(for: reply, operation: "POST \(path)") }
    }

    /// What may stand in a query without further ado, and is a signal's name or number as far as can be seen here.
    private static func signalName(_ signal: String, operation: String) throws(AgentError) -> String {
        guard !signal.isEmpty, signal.utf8.count <= 16,
            signal.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "+-".contains($0)) })
        else { throw AgentError(.invalidRequest("not a signal"), operation: operation) }
        return signal.replacing("+", with: "%2b")
    }

    private static func report(_ reply: AgentExchange.Reply, operation: String) throws(AgentError) -> RunReport {
        guard let report = RunReport(header: reply.header) else {
            throw AgentError(.invalidReply("its status headers are incomplete"), operation: operation)
        }
        return report
    }

    /// The meaning of a proved reply that is not the one hoped for.
    private static func error(for reply: AgentExchange.Reply, operation: String) -> AgentError {
        let code: AgentError.Code =
            switch reply.status {
            case 400:
                .invalidRequest(reply.header(AgentHeader.message).flatMap(PercentEncoding.decode) ?? "refused")
            case 404: .unknownToken
            case 409: conflict(reply)
            case 410: .ended
            default: .invalidReply("status \(reply.status)")
            }
        return AgentError(code, operation: operation)
    }

    private static func conflict(_ reply: AgentExchange.Reply) -> AgentError.Code {
        if let offset = reply.header(AgentHeader.stdinOffset).flatMap(UInt64.init) {
            return .inputGap(acceptedOffset: offset)
        }
        return switch reply.header(AgentHeader.conflict).flatMap(AgentConflict.init(rawValue:)) {
        case .busy: .busy
        case .stopping: .stopping
        case nil: .invalidReply("a conflict without reason")
        }
    }
}
