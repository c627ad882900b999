import DesiredState

/// A record's life in Docker's terms.
struct ContainerState: Hashable, Sendable {
    enum Status: String, Hashable, Sendable {
        case created, running, exited, removing
    }

    let status: Status
    /// 0 unless a run has ended.
    let exitCode: Int
    /// A sentence when the last run ended in an unusual way; else empty.
    let error: String
    let startedAt: Instant?
    let finishedAt: Instant?

    /// What is asked for but not confirmed does not show: between `start` and the agent's word the container is what it was before.
    init(_ record: FunctionApp) {
        let attempts = record.status.runs.compactMap(\.decidingAttempt)
        let shown = attempts.last { $0.startedAt != nil || $0.outcome != nil }
        startedAt = shown?.startedAt
        finishedAt = shown?.finishedAt
        let result = shown.flatMap { RunResult($0, spec: record.spec) }
        exitCode = result?.exitCode ?? 0
        error = result?.explanation ?? ""
        if record.isBeingDeleted {
            status = .removing
        } else if let shown {
            switch shown.outcome {
            case nil, .refused: status = .running
            // A command that could not be started leaves the container as created (moby v28, `daemon/start.go`).
            case .startFailed where attempts.allSatisfy({ $0.outcome == .startFailed }): status = .created
            case .startFailed, .succeeded, .failed, .deadlineExceeded, .unknown, .lost: status = .exited
            }
        } else {
            status = .created
        }
    }

    var isRunning: Bool { status == .running }
}

/// How a run ended, as Docker's clients are told.
struct RunResult: Hashable, Sendable {
    let exitCode: Int
    /// What the exit code alone would not tell; `nil` for ordinary ends.
    let explanation: String?
    /// The exit code is the command's own, or the known reason for which there is none.
    let isKnown: Bool

    /// Docker's exit code for "the engine cannot say" (`docker run --help`, exit status 125).
    static let unknownExitCode = 125

    /// `nil` while the attempt is open.
    init?(_ attempt: AttemptStatus, spec: FunctionAppSpec) {
        guard let outcome = attempt.outcome, outcome != .refused else { return nil }
        let message = attempt.message.flatMap { $0.isEmpty ? nil : $0 }
        switch outcome {
        case .succeeded:
            (exitCode, explanation, isKnown) = (attempt.exitCode ?? 0, message, true)
        case .failed:
            (exitCode, explanation, isKnown) = (attempt.exitCode ?? 1, message, true)
        case .startFailed:
            // 128: moby's code for a start that failed for another reason than the command (v28, `daemon/start.go`).
            let code = attempt.exitCode ?? 128
            (exitCode, explanation, isKnown) = (code, RunResult.startFailure(code: code, message), true)
        case .deadlineExceeded:
            let text = "the run was ended by its time limit of \(spec.run.timeoutSeconds) seconds"
            (exitCode, explanation, isKnown) = (attempt.exitCode ?? 137, message ?? text, true)
        case .unknown, .refused:
            let text =
                "nobody knows whether the command ran: the container was replaced before it confirmed the run, and it is not started twice"
            (exitCode, explanation, isKnown) = (RunResult.unknownExitCode, message ?? text, false)
        case .lost:
            let text =
                "the command was started, but the container ended before its result was seen; it is not started again"
            (exitCode, explanation, isKnown) = (RunResult.unknownExitCode, message ?? text, false)
        }
    }

    /// The CLI turns "executable file not found" into exit code 127 and "permission denied" into 126 (docker/cli v28, `container/run.go`), so these
    /// words must be in the text.
    private static func startFailure(code: Int, _ message: String?) -> String {
        let message = message ?? "the container did not start"
        let known = message.contains("executable file not found") || message.contains("no such file or directory")
        if code == 127, !known { return message + ": executable file not found" }
        // Docker's code for this one is 125.
        let isUserMissing = message.hasPrefix("unable to find user")
        if code == 126, !isUserMissing, !message.contains("permission denied") {
            return message + ": permission denied"
        }
        return message
    }
}
