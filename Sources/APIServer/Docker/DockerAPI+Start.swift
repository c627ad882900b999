import DesiredState
import HTTPTypes
import HummingbirdCore

extension DockerAPI {
    /// `POST /containers/{id}/start`: asks for one more run, and answers when the agent has confirmed it, or with the reason why it cannot. There is no
    /// time limit but the client's patience; a client that hangs up cancels nothing.
    func start(_ exchange: Exchange, _ reference: String) async throws -> Response {
        // moby v28, `container_routes.go`: an empty object has been sent by old clients.
        guard (exchange.request.headers[.contentLength].flatMap { Int($0) } ?? 0) <= 7,
            exchange.request.headers[.transferEncoding] == nil
        else {
            throw DockerError.badParameter(
                "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24")
        }
        let uid = try await find(reference).uid
        return try await exchange.untilHangUp { try await start(uid, reference) }
    }

    func start(_ uid: UID, _ reference: String) async throws -> Response {
        let asked = try await backend.update(uid) { record in
            guard !record.isBeingDeleted else {
                throw DockerError(.conflict, "container is marked for removal and cannot be started")
            }
            if record.hasOpenRun { return ([], (run: record.attachableRun, isNew: false)) }
            let (changed, run) = record.requestingRun()
            return ([.replace(changed, ifRevision: record.metadata.resourceVersion)], (run: run, isNew: true))
        }
        let (run, isNew) = asked.result
        let verdict = try await backend.wait(for: uid) { record in
            if let record { return StartVerdict(record, run: run) }
            guard let last = try await backend.lastForm(of: uid, since: asked.revision) else {
                throw DockerError.noSuchContainer(reference)
            }
            return StartVerdict(last, run: run) ?? .refused(.removedBeforeStart)
        }
        switch verdict {
        case .started: if isNew { try await setTerminalSize(uid, run: run) }
        case .refused(let error): throw error
        case .stuck(let error):
            // What a manifest asks for stays asked for.
            if isNew { try await withdraw(run, of: uid) }
            throw error
        }
        return Response(status: isNew ? .noContent : .notModified)
    }
}

extension DockerAPI {
    /// Gives a new terminal the size that the client told at create. It is for show, so nothing fails with it.
    private func setTerminalSize(_ uid: UID, run: Int) async throws {
        guard let record = try await backend.store.load(uid)?.record, record.spec.tty,
            let size = DockerConfiguration(record).consoleSize, let attempt = record.lastAttempt(ofRun: run)
        else { return }
        do throws(RunInputError) {
            try await backend.input.resize(uid: uid, token: attempt.token, to: size)
        } catch {
            if error.code == .cancelled { throw CancellationError() }
        }
    }

    /// A start that was refused must not happen later, when somebody mends what was in its way: the run is not asked for any more, unless it began
    /// meanwhile. A container that removes itself is removed, as by moby (v28, `daemon/start.go`): the CLI waits for it.
    private func withdraw(_ run: Int, of uid: UID) async throws {
        try await backend.update(uid) { record in
            guard record.lastAttempt(ofRun: run) == nil, !record.isBeingDeleted else { return ([], ()) }
            let revision = record.metadata.resourceVersion
            if record.spec.run.ttlSecondsAfterFinished == 0 {
                return ([.require(uid, revision), .markDeleted(uid, at: backend.clock())], ())
            }
            var changed = record
            changed.spec.invocations = record.lastRunNumber
            return ([.replace(changed, ifRevision: revision)], ())
        }
    }
}

/// What became of a requested run.
enum StartVerdict: Hashable, Sendable {
    case started
    /// The run is over, or the container is.
    case refused(DockerError)
    /// The run has not begun and will not.
    case stuck(DockerError)

    /// `nil` while it is not decided.
    init?(_ record: FunctionApp, run: Int) {
        guard let attempt = record.lastAttempt(ofRun: run) else {
            if record.lastRunNumber > run { return nil }
            if record.isBeingDeleted {
                self = .refused(.removedBeforeStart)
            } else if record.status.observedGeneration >= record.metadata.generation,
                let stalled = record.status[.stalled], stalled.status == .true
            {
                self = .stuck(.cannotStart(stalled, record))
            } else {
                return nil
            }
            return
        }
        switch attempt.outcome {
        case .startFailed:
            let text = RunResult(attempt, spec: record.spec)?.explanation ?? "the container did not start"
            self = .refused(.badParameter(text))
        case .unknown, .lost:
            let text = RunResult(attempt, spec: record.spec)?.explanation ?? "the run's outcome is unknown"
            self = .refused(DockerError(.internalServerError, text))
        case .succeeded, .failed, .deadlineExceeded: self = .started
        case nil, .refused:
            guard attempt.startedAt != nil else { return nil }
            self = .started
        }
    }
}

extension DockerError {
    static let removedBeforeStart = DockerError(.conflict, "the container was removed before it was started")

    /// The condition that says most: why the site is not there or not ready, else why nothing happens.
    static func cannotStart(_ stalled: Condition, _ record: FunctionApp) -> DockerError {
        let blocking = [ConditionType.provisioned, .ready].compactMap { record.status[$0] }.first {
            $0.status == .false && !$0.message.isEmpty
        }
        let message = stalled.message.isEmpty ? blocking?.message ?? stalled.reason : stalled.message
        return DockerError(.internalServerError, message)
    }
}
