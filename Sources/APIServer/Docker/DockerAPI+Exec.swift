import AgentLink
import AgentProtocol
import DesiredState
import HTTPTypes
import HummingbirdCore
import NIOCore

extension DockerAPI {
    /// `POST /containers/{id}/exec`: keeps what is to be executed. What cannot be had is refused here, since clients show this message and lose the
    /// one of a refused start.
    func createExec(_ exchange: Exchange, _ reference: String, _ version: DockerVersion) async throws -> Response {
        guard backend.hasSessions else { throw backend.refusal(of: .exec) }
        let body = try await objectBody(exchange)
        let request = try ExecCreateRequest(body: body, version)
        let record = try await find(reference)
        guard let attempt = record.runningAttempt else { throw DockerError.containerNotRunning(record.uid) }
        if let user = request.command.user { try await checkUser(user, of: record, exchange, reference) }
        var generator = SystemRandomNumberGenerator()
        let exec = ExecRecord(
            id: UID(using: &generator).text, uid: record.uid, token: attempt.token, bootID: attempt.bootID,
            createdAt: backend.clock(), command: request.command)
        try await backend.store.commit(
            Transaction(
                origin: .user,
                [.createExec(exec), .addEvent(exec.event("exec_create", of: record, at: exec.createdAt))]))
        return .json(["Id": .string(exec.id)], status: .created)
    }

    /// Throws Docker's refusal of a name that the container's files do not list. Numbers need no look; where the file cannot be read, the agent tells at
    /// the start.
    private func checkUser(
        _ text: String, of record: FunctionApp, _ exchange: Exchange, _ reference: String
    ) async throws {
        for name in NamedUser(text).names {
            let task = ContainerTask(
                backend: backend, task: .archive(path: name.file), what: "exec", reference: reference, path: name.file)
            let archive: ByteBuffer
            do {
                archive = try await exchange.untilHangUp {
                    let channel = try await task.open(record, whileRunning: true)
                    defer { channel.release() }
                    return try await task.bytes(channel)
                }
            } catch is DockerError {
                continue
            }
            guard let list = TarEntry.first(in: archive) else { continue }
            try name.check(in: String(buffer: list))
        }
    }

    /// `GET /exec/{id}/json`.
    func inspectExec(_ id: String) async throws -> Response {
        let exec = try await findExec(id)
        // Begun by an earlier life of the daemon and not found again yet: that is done now, and the answer is what is known.
        if exec.isOpen, let record = try await backend.store.load(exec.uid)?.record {
            backend.execs.look(for: exec, record)
        }
        return .json(exec.json(pid: backend.execs.pid(of: id)))
    }

    /// `POST /exec/{id}/resize`. Clients send it when they have asked for the start, which may not have come this far: the size is used then.
    func resizeExec(_ exchange: Exchange, _ id: String) async throws -> Response {
        let size = try TerminalSize(exchange.query)
        let exec = try await findExec(id)
        guard exec.result == nil else { throw DockerError.badParameter("exec process is not started") }
        do throws(SessionError) {
            try await backend.execs.resizing(id, to: size)?.resize(to: size)
        } catch {
            if error.code == .cancelled { throw CancellationError() }
            throw DockerError(error, "cannot resize")
        }
        return Response(status: .ok)
    }

    /// `POST /exec/{id}/start`: executes the command, once. Attached, the connection leaves HTTP when everything that can be refused was.
    func startExec(_ exchange: Exchange, _ id: String, _ version: DockerVersion) async throws -> Response {
        guard backend.hasSessions else { throw backend.refusal(of: .exec) }
        let body = try await objectBody(exchange)
        let request = try ExecStartRequest(body: body, version)
        let exec = try await findExec(id)
        guard let record = try await backend.store.load(exec.uid)?.record else { throw DockerError.noSuchExec(id) }
        guard record.runningAttempt?.token == exec.token else { throw DockerError.containerNotRunning(record.uid) }
        try await begin(exec, record, request)
        if request.isDetached { return try await detached(exec, exchange) }
        let session = ExecSession(
            backend: backend, exec: exec, exchange: exchange, framing: request.isRaw ? .raw : .multiplexed)
        return try await leavingHTTP(
            exchange, framing: session.framing, version, body: { try await session.run(on: $0) },
            ifGone: { session.leave() })
    }

    private func begin(_ exec: ExecRecord, _ record: FunctionApp, _ request: ExecStartRequest) async throws {
        let isRunning = DockerError(.conflict, "exec command \(exec.id) is already running")
        guard exec.result == nil else {
            throw DockerError(.conflict, "exec command \(exec.id) has already run")
        }
        guard exec.startedAt == nil, backend.execs.claim(exec.id, isRead: !request.isDetached) else { throw isRunning }
        do throws(StoreError) {
            let now = backend.clock()
            try await backend.store.commit(
                Transaction(
                    origin: .user,
                    [.startExec(id: exec.id, at: now), .addEvent(exec.event("exec_start", of: record, at: now))]))
        } catch {
            backend.execs.drop(exec.id)
            if case .conflict = error.code { throw isRunning }
            throw error
        }
        guard let fault = exec.fault else {
            return backend.execs.start(exec, exec.request(for: record, size: request.size))
        }
        backend.execs.drop(exec.id)
        let result = ExecResult(exitCode: fault.exitCode, finishedAt: backend.clock(), message: fault.message)
        try await backend.store.commit(Transaction(origin: .user, [.finishExec(id: exec.id, result)]))
    }

    /// Answers when the command has a process, or with the reason why it has none.
    private func detached(_ exec: ExecRecord, _ exchange: Exchange) async throws -> Response {
        try await exchange.untilHangUp {
            if let channel = try await backend.execs.opened(exec.id) {
                if channel.processID != nil { return Response(status: .ok) }
                try await backend.execs.ended(exec.id)
            }
            guard let result = try await backend.store.exec(exec.id)?.result, let message = result.message else {
                return Response(status: .ok)
            }
            let failure = ExecSession.startFailure(result.exitCode, message)
            throw failure.map(DockerError.badParameter) ?? DockerError(.serviceUnavailable, message)
        }
    }

    private func findExec(_ id: String) async throws -> ExecRecord {
        guard let exec = try await backend.store.exec(id) else { throw DockerError.noSuchExec(id) }
        return exec
    }
}

/// One client at one executed command.
struct ExecSession: Sendable {
    let backend: Backend
    let exec: ExecRecord
    let exchange: Exchange
    let framing: StreamFraming

    /// The words of moby v28 with runc 1.2 (recorded 2026-11-21), since clients look for some of them; `nil` for what is no failure to start.
    static func startFailure(_ exitCode: Int, _ message: String) -> String? {
        switch exitCode {
        case 126, 127: "OCI runtime exec failed: exec failed: unable to start container process: \(message)"
        case 128: "OCI runtime exec failed: exec failed: \(message)"
        default: nil
        }
    }

    /// The client is gone before anything was read.
    func leave() {
        backend.execs.leave(exec.id)
    }

    /// Returns when the output has ended and the command's end is written down, so that who inspects next sees it; or when the client left.
    func run(on connection: RawConnection) async throws {
        defer { leave() }
        do {
            try await exchange.untilHangUp { try await carry(connection) }
        } catch is CancellationError {
            // The client hung up or the daemon stops: the command goes on.
        }
    }

    private func carry(_ connection: RawConnection) async throws {
        if let channel = try await backend.execs.opened(exec.id) {
            defer { if !backend.execs.leave(exec.id) { channel.release() } }
            if try await copy(channel, connection) { return }
            try await backend.execs.ended(exec.id)
        }
        guard let result = try await backend.store.exec(exec.id)?.result, let message = result.message else { return }
        let failure = ExecSession.startFailure(result.exitCode, message)
        try await connection.write(
            framing.encode(failure == nil ? .standardError : .standardOutput, (failure ?? message) + "\r\n"))
    }

    /// True when the client's detach keys ended it, false at the end of the output.
    private func copy(_ channel: any SessionChannel, _ connection: RawConnection) async throws -> Bool {
        try await withThrowingTaskGroup(of: Bool?.self) { group in
            if exec.command.attachesStdin {
                group.addTask { try await pumpInput(connection.inbound, channel) ? true : nil }
            }
            group.addTask {
                try await copyOutput(channel, connection)
                return false
            }
            defer { group.cancelAll() }
            while let ended = try await group.next() {
                if let ended { return ended }
            }
            return false
        }
    }

    private func copyOutput(_ channel: any SessionChannel, _ connection: RawConnection) async throws {
        do throws(SessionError) {
            while let output = try await channel.read() {
                let stream: StreamFrame.Stream = output.stream == .stderr ? .standardError : .standardOutput
                let isWanted =
                    stream == .standardError ? exec.command.attachesStderr : exec.command.attachesStdout
                if isWanted { await connection.tryWrite(framing.encode(stream, output.bytes)) }
            }
        } catch {
            // The output breaks off; what is known of the command's end is told behind it.
            if error.code == .cancelled { throw CancellationError() }
        }
    }

    /// True when the client detached. The end of the client's input is the end of the command's.
    private func pumpInput(_ inbound: RawConnection.Inbound, _ channel: any SessionChannel) async throws -> Bool {
        var watch = DetachWatch(exec.command.hasTerminal ? exec.command.keys : nil)
        do {
            for try await bytes in inbound {
                let (passed, isDetached) = watch.take(bytes)
                if passed.readableBytes > 0 { try await channel.write(passed) }
                if isDetached { return true }
            }
            try Task.checkCancellation()
            let rest = watch.finish()
            if rest.readableBytes > 0 { try await channel.write(rest) }
            try await channel.endInput()
        } catch is SessionError {
            // Nobody reads the input any more, or the connection is lost, which the output's side tells.
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            // A broken connection ends the input like a closed one; the agent may have ended it already.
            do throws(SessionError) { try await channel.endInput() } catch {}
        }
        return false
    }
}

extension ExecRecord {
    /// `action` with the command behind it (moby v28, `daemon/exec.go`).
    fileprivate func event(_ action: String, of record: FunctionApp, at instant: Instant) -> EngineEvent {
        EngineEvent(
            at: instant, "\(action): \(command.arguments.joined(separator: " "))", of: record, ["execID": id])
    }
}

extension ExecCommand {
    fileprivate var keys: DetachKeys { detachKeys.isEmpty ? .usual : DetachKeys(bytes: detachKeys) }
}
