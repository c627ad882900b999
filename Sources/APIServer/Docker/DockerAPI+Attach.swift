import AgentLink
import AsyncAlgorithms
import DesiredState
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore

extension DockerAPI {
    /// `POST /containers/{id}/attach`: the connection leaves HTTP and carries the run that is open, or the next one, both ways until that run's output has
    /// ended. Everything that can be refused is refused before: clients lose the message of anything but a 101.
    func attach(_ exchange: Exchange, _ reference: String, _ version: DockerVersion) async throws -> Response {
        guard backend.configuration.sessions != .off else { throw backend.refusal(of: .attach) }
        guard (exchange.request.headers[.contentLength] ?? "0") == "0",
            exchange.request.headers[.transferEncoding] == nil
        else { throw DockerError.badParameter("attach takes no request body") }
        let query = exchange.query
        let streams = AttachStreams(
            input: query.flag("stdin"), output: query.flag("stdout"), error: query.flag("stderr"))
        let session = try await attachSession(exchange, reference, streams, isFramed: true)
        return try await leavingHTTP(
            exchange, framing: session.framing, version,
            body: { connection in
                defer { session.releaseInput() }
                try await session.run(on: AttachConnection(connection))
            }, ifGone: { session.releaseInput() })
    }

    /// `GET /containers/{id}/attach/ws`: the same over a WebSocket, whose messages are bytes of the streams without Docker's frames (moby v28,
    /// `wsContainersAttach`). Before 1.42 all streams were attached, whatever was asked for.
    func attachSocket(_ exchange: Exchange, _ reference: String, _ version: DockerVersion) async throws -> Response {
        guard backend.configuration.sessions != .off else { throw backend.refusal(of: .attach) }
        let query = exchange.query
        let streams =
            version < .consoleSize
            ? AttachStreams(input: true, output: true, error: true)
            : AttachStreams(input: query.flag("stdin"), output: query.flag("stdout"), error: query.flag("stderr"))
        try WebSocketConnection.check(exchange)
        let session = try await attachSession(exchange, reference, streams, isFramed: false)
        let input = AsyncThrowingChannel<ByteBuffer, any Error>()
        do {
            return try await WebSocketConnection.response(exchange, hearing: input) { connection in
                defer { session.releaseInput() }
                try await session.run(on: AttachConnection(connection, input: input))
            }
        } catch {
            session.releaseInput()
            throw error
        }
    }

    private struct AttachStreams {
        let input: Bool
        let output: Bool
        let error: Bool
    }

    /// Refuses what can be refused, and claims the input if it is wanted: then whoever gets the session releases it.
    private func attachSession(
        _ exchange: Exchange, _ reference: String, _ streams: AttachStreams, isFramed: Bool
    ) async throws -> AttachSession {
        let query = exchange.query
        let record = try await find(reference)
        guard !record.isBeingDeleted else {
            throw DockerError(.conflict, "container is marked for removal and cannot be attached to")
        }
        var keys = DetachKeys.usual
        if let text = query["detachKeys"], !text.isEmpty {
            guard let parsed = DetachKeys(text) else {
                throw DockerError.badParameter("Invalid detach keys (\(text)) provided")
            }
            keys = parsed
        }
        // What is not kept cannot be shown; dockerd does not refuse it either.
        let withEarlierOutput = query.flag("logs") && record.keepsLog
        let session = AttachSession(
            backend: backend, record: record, exchange: exchange,
            start: try await backend.attachStart(record, withEarlierOutput: withEarlierOutput),
            selection: StreamSelection(standardOutput: streams.output, standardError: streams.error),
            framing: isFramed && !record.spec.tty ? .multiplexed : .raw,
            isLive: query.flag("stream"), withEarlierOutput: withEarlierOutput,
            feedsInput: streams.input && query.flag("stream") && record.spec.stdin,
            detachKeys: record.spec.tty ? keys : nil)
        guard !session.feedsInput || backend.inputClaims.claim(record.uid) else {
            throw DockerError(.conflict, "another client is attached to the container's standard input")
        }
        do {
            try await backend.tell("attach", of: record)
        } catch {
            session.releaseInput()
            throw error
        }
        return session
    }
}

/// A client's end of an attached run.
struct AttachConnection<Input: AsyncSequence<ByteBuffer, any Error> & Sendable>: Sendable {
    /// What the client sends, up to its end. For one reader.
    let input: Input
    /// Returns when the socket took it. Throws when the client is gone.
    let write: @Sendable (ByteBuffer) async throws -> Void
    /// Nothing more is wanted of the client.
    let endInput: @Sendable () -> Void
    /// As if the client had hung up.
    let hangUp: @Sendable () async -> Void
}

extension AttachConnection<RawConnection.Inbound> {
    init(_ connection: RawConnection) {
        self.init(
            input: connection.inbound, write: { try await connection.write($0) }, endInput: {},
            hangUp: { connection.channel.close(promise: nil) })
    }
}

extension AttachConnection<AsyncThrowingChannel<ByteBuffer, any Error>> {
    init(_ connection: WebSocketConnection, input: AsyncThrowingChannel<ByteBuffer, any Error>) {
        self.init(
            input: input, write: { try await connection.send(.binary, $0) }, endInput: { input.finish() },
            hangUp: { await connection.hangUp() })
    }
}

/// One client attached to one run.
struct AttachSession: Sendable {
    let backend: Backend
    let record: FunctionApp
    let exchange: Exchange
    /// Where the output of the run begins for this client.
    let start: (attempt: Int, position: UInt64)
    let selection: StreamSelection
    let framing: StreamFraming
    let isLive: Bool
    let withEarlierOutput: Bool
    let feedsInput: Bool
    /// `nil`: the client is not at a terminal, and leaves by hanging up.
    let detachKeys: DetachKeys?

    /// Bound of one piece of input: what a pipe takes at once is 64 KiB, and half of it never waits long.
    static let inputPieceBytes = 32 << 10
    /// Between two tries to send a piece, doubled each time.
    static let firstInputPause: Duration = .milliseconds(50)
    static let longestInputPause: Duration = .seconds(5)

    func releaseInput() {
        if feedsInput { backend.inputClaims.release(record.uid) }
    }

    /// Returns when the run's output has ended, the client hung up, or the daemon stops.
    func run<Input>(on connection: AttachConnection<Input>) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            if feedsInput {
                group.addTask {
                    defer { connection.endInput() }
                    do throws(RunInputError) {
                        let isDetached = try await pumpInput(connection.input)
                        // The command's input stays open.
                        if isDetached { await connection.hangUp() }
                    } catch {
                        guard error.code != .cancelled else { return }
                        exchange.logger.warning(
                            "standard input is lost", metadata: ["key": "\(record.uid)", "error": "\(error)"])
                        // The client may be gone as well, which the output's side notices.
                        try? await connection.write(framing.encode(.standardError, "[skls: \(error)]\n"))
                    }
                }
            } else {
                connection.endInput()
            }
            do {
                try await exchange.untilHangUp { try await copyOutput(to: connection) }
                group.cancelAll()
            } catch is CancellationError {
                // After a hang-up the input's end still goes to the command, as if the client had closed it; a stopping daemon lets go of everything.
                if exchange.channel.isActive { group.cancelAll() }
            }
            try await group.waitForAll()
        }
    }

    // MARK: output

    private func copyOutput<Input>(to connection: AttachConnection<Input>) async throws {
        let run = record.attachableRun
        let sink: Backend.OutputSink = { chunk in
            guard let stream = selection.stream(of: chunk) else { return }
            try await connection.write(framing.encode(stream, selection.payload(of: chunk)))
        }
        if withEarlierOutput {
            for key in record.outputKeys where key.run < run || !isLive {
                try await backend.readOutput(key, to: sink)
            }
        }
        guard isLive else { return }
        try await backend.followOutput(
            record.uid, run: run, fromAttempt: start.attempt, position: start.position, to: sink)
    }

    // MARK: input

    /// Nothing is read from the client before the run is confirmed; what it sends meanwhile waits in the socket. True when the client detached.
    private func pumpInput<Input>(
        _ inbound: Input
    ) async throws(RunInputError) -> Bool where Input: AsyncSequence<ByteBuffer, any Error> & Sendable {
        guard let token = try await openToken() else { return false }
        var offset = try await startOffset(token)
        var watch = DetachWatch(detachKeys)
        do {
            for try await received in inbound {
                let (passed, isDetached) = watch.take(received)
                var bytes = passed
                while let piece = bytes.readSlice(
                    length: min(bytes.readableBytes, AttachSession.inputPieceBytes)), piece.readableBytes > 0
                {
                    guard try await send(piece, at: &offset, token, isEnd: false) else { return false }
                }
                if isDetached { return true }
            }
        } catch let error as RunInputError {
            throw error
        } catch is CancellationError {
            throw RunInputError(.cancelled)
        } catch {
            // A broken connection ends the input like a closed one.
        }
        // A terminal stays open for the next client (moby v28, `daemon/container/stream/attach.go`).
        guard !Task.isCancelled, !record.spec.tty, DockerConfiguration(record).closesInputWithClient else {
            return false
        }
        _ = try await send(ByteBuffer(), at: &offset, token, isEnd: true)
        backend.inputClaims.setOffset(nil, of: token)
        return false
    }

    /// Sends until it is accepted, which is harmless to repeat since bytes have offsets. False when the command takes no
    /// more input.
    private func send(
        _ piece: ByteBuffer, at offset: inout UInt64, _ token: String, isEnd: Bool
    ) async throws(RunInputError) -> Bool {
        do throws(RunInputError) {
            try await reachingAgent { () async throws(RunInputError) in
                try await backend.input.sendInput(
                    uid: record.uid, token: token, offset: offset, bytes: piece, endOfInput: isEnd)
            }
        } catch {
            guard error.code == .notRunning else { throw error }
            backend.inputClaims.setOffset(nil, of: token)
            return false
        }
        offset += UInt64(piece.readableBytes)
        backend.inputClaims.setOffset(offset, of: token)
        return true
    }

    /// Tries until the agent answers: a connection can break, and a command may not read for a while. Giving up would
    /// leave the command waiting for input for ever. It ends with `notRunning` at the latest when the run does.
    private func reachingAgent(_ send: () async throws(RunInputError) -> Void) async throws(RunInputError) {
        var pause = AttachSession.firstInputPause
        while true {
            do throws(RunInputError) {
                return try await send()
            } catch {
                guard error.code == .unreachable else { throw error }
            }
            do {
                try await Task.sleep(for: pause)
            } catch {
                throw RunInputError(.cancelled)
            }
            pause = min(pause * 2, AttachSession.longestInputPause)
        }
    }

    /// The token of the run once the agent has confirmed it; `nil` when it will not take input any more.
    private func openToken() async throws(RunInputError) -> String? {
        let run = record.attachableRun
        do {
            return try await backend.wait(for: record.uid) { record -> String?? in
                guard let record, record.lastRunNumber <= run else { return .some(nil) }
                guard let attempt = record.lastAttempt(ofRun: run) else { return nil }
                if attempt.outcome != nil { return .some(nil) }
                return attempt.startedAt == nil ? nil : .some(attempt.token)
            }
        } catch is CancellationError {
            throw RunInputError(.cancelled)
        } catch {
            throw RunInputError(.unreachable, "\(error)")
        }
    }

    /// Where the input goes on. When an earlier daemon may have sent some, the agent is asked: an empty piece far beyond the end is refused with the
    /// offset that would be right.
    private func startOffset(_ token: String) async throws(RunInputError) -> UInt64 {
        if let known = backend.inputClaims.offset(of: token) { return known }
        guard record.lastAttempt(ofRun: record.attachableRun)?.token == token else { return 0 }
        do throws(RunInputError) {
            try await reachingAgent { () async throws(RunInputError) in
                try await backend.input.sendInput(
                    uid: record.uid, token: token, offset: UInt64(Int64.max), bytes: ByteBuffer(), endOfInput: false)
            }
            return 0
        } catch {
            guard case .gap(let expected) = error.code else { throw error }
            return expected
        }
    }
}
