import DesiredState
import HTTPTypes
import HummingbirdCore

extension DockerAPI {
    /// Docker's default (moby v28, `container/container.go`).
    private static let defaultGraceSeconds = 10
    /// Bound of a grace period, a day: a record's stop request has no "for ever".
    private static let maximumGraceSeconds = 86_400

    /// `POST /containers/{id}/stop`: writes the wish and waits for the run's end.
    func stop(_ exchange: Exchange, _ reference: String) async throws -> Response {
        let request = try StopQuery(exchange.query)
        let uid = try await find(reference).uid
        let wasRunning = try await exchange.untilHangUp { try await stop(uid, reference, request) }
        return Response(status: wasRunning ? .noContent : .notModified)
    }

    func restart(_ exchange: Exchange, _ reference: String) async throws -> Response {
        let request = try StopQuery(exchange.query)
        let uid = try await find(reference).uid
        return try await exchange.untilHangUp {
            _ = try await stop(uid, reference, request)
            // "Already running" means that somebody else started it in between, which is what was asked for.
            _ = try await start(uid, reference)
            if let record = try await backend.store.load(uid)?.record { try await backend.tell("restart", of: record) }
            return Response(status: .noContent)
        }
    }

    /// False if there was nothing to stop.
    private func stop(_ uid: UID, _ reference: String, _ request: StopQuery) async throws -> Bool {
        let asked = try await backend.update(uid) { record in
            guard record.hasOpenRun else { return ([], Int?.none) }
            let docker = DockerConfiguration(record)
            let signal = try Signal.parse(request.signal ?? docker.stopSignal ?? "TERM")
            let wanted = request.graceSeconds ?? docker.stopTimeoutSeconds ?? DockerAPI.defaultGraceSeconds
            // Docker's -1 stands for "no KILL at all".
            let grace = wanted < 0 ? DockerAPI.maximumGraceSeconds : min(wanted, DockerAPI.maximumGraceSeconds)
            let changed = record.requestingStop(signal: signal, graceSeconds: grace)
            // Asked the same before: another write would change nothing, and wait for its own end all the same.
            let isNew = changed.spec.stop != record.spec.stop
            guard isNew else { return ([], .some(grace)) }
            let event = EngineEvent(at: backend.clock(), "kill", of: record, ["signal": Signal.number(of: signal)])
            return ([.replace(changed, ifRevision: record.metadata.resourceVersion), .addEvent(event)], .some(grace))
        }
        guard let grace = asked.result else { return false }
        let limit = Duration.seconds(grace) + backend.configuration.limits.stopMargin
        let ended = try await backend.wait(for: uid, atMost: limit) { record in
            record.map { !$0.hasOpenRun } ?? true ? true : nil
        }
        guard ended != nil else {
            throw DockerError(
                .internalServerError,
                "cannot stop container: \(reference): it did not end within \(limit.components.seconds) seconds; it is still asked to"
            )
        }
        return true
    }

    /// `POST /containers/{id}/kill`: the signal goes straight to the agent. KILL is answered after the run's end, since clients look at the state then.
    func kill(_ exchange: Exchange, _ reference: String) async throws -> Response {
        let text = exchange.query["signal"].flatMap { $0.isEmpty ? nil : $0 } ?? "KILL"
        let signal: String
        let record: FunctionApp
        do {
            signal = try Signal.parse(text)
            record = try await find(reference)
        } catch let error as DockerError {
            throw DockerError(error.status, "cannot kill container: \(reference): \(error)")
        }
        guard let attempt = record.status.runs.last?.decidingAttempt, attempt.outcome == nil, attempt.startedAt != nil
        else { throw DockerError.notRunning(reference, uid: record.uid, action: "kill") }
        return try await exchange.untilHangUp {
            // Told before it is sent, as the command may end of it at once, and a client that is told of the end was told of the signal.
            try await backend.tell("kill", of: record, ["signal": Signal.number(of: signal)])
            do throws(RunInputError) {
                try await backend.input.signal(uid: record.uid, token: attempt.token, signal: signal)
            } catch {
                if error.code == .cancelled { throw CancellationError() }
                throw DockerError(error, signal: text, reference: reference, uid: record.uid)
            }
            if signal == "KILL" || signal == "9" {
                let run = record.lastRunNumber
                try await backend.wait(for: record.uid) { record in
                    record?.lastAttempt(ofRun: run).map { $0.outcome != nil } ?? true ? () : nil
                }
            }
            return Response(status: .noContent)
        }
    }
}

/// The query of stop and restart.
struct StopQuery: Hashable, Sendable {
    let signal: String?
    let graceSeconds: Int?

    init(_ query: RequestTarget.Query) throws(DockerError) {
        signal = query["signal"].flatMap { $0.isEmpty ? nil : $0 }
        if let text = query["t"], !text.isEmpty {
            guard let seconds = Int(text) else { throw .badParameter("invalid time-out: \(text)") }
            graceSeconds = seconds
        } else {
            graceSeconds = nil
        }
    }
}

/// Linux's signals, as names without `SIG` or numbers.
enum Signal {
    private static let names: Set<String> = Set(inOrder).union(["IOT"])
    /// Their numbers are their places, from 1 (signal(7), x86-64).
    private static let inOrder = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS",
    ]

    /// As events tell it. `signal` as `parse` returned it.
    static func number(of signal: String) -> String {
        if signal == "IOT" { return "6" }
        return inOrder.firstIndex(of: signal).map { String($0 + 1) } ?? signal
    }

    /// Throws Docker's refusal (moby v28, `daemon/kill.go`).
    static func parse(_ text: String) throws(DockerError) -> String {
        if let number = Int(text) {
            if number == 0 { throw .badParameter("invalid signal: \(text)") }
            guard (1...64).contains(number) else {
                throw .badParameter("the linux daemon does not support signal \(number)")
            }
            return String(number)
        }
        let upper = text.uppercased()
        let name = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
        guard names.contains(name) else { throw .badParameter("invalid signal: \(text)") }
        return name
    }
}
