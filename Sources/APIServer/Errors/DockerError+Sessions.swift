import AgentLink
import AgentProtocol
import DesiredState
import HTTPTypes

extension DockerError {
    /// `what` = the thing that was asked for, as the beginning of a sentence.
    static func sessionsOff(_ what: String) -> DockerError {
        .notImplemented(
            "\(what) needs a session with the container's agent, and sessions are off: turn them on in the daemon's configuration, or start another container with docker run"
        )
    }

    /// The agent of the record's container could not be asked, or would not.
    init(_ error: SessionError, _ what: String) {
        let text = "\(what): \(error)"
        switch error.code {
        case .unavailable: self = .notImplemented(text)
        case .unreachable, .busy: self.init(.serviceUnavailable, text)
        case .otherBoot, .ended: self.init(.conflict, text)
        case .refused: self = .badParameter(text)
        case .unknownTask, .cancelled: self.init(.internalServerError, text)
        }
    }

    /// moby v28, `daemon/errors.go`.
    static func containerNotRunning(_ uid: UID) -> DockerError {
        DockerError(.conflict, "container \(uid) is not running")
    }

    static func noSuchExec(_ id: String) -> DockerError {
        DockerError(.notFound, "No such exec instance: \(id)")
    }

    /// A task in a container that failed, for the path that it was about.
    init(_ failure: SessionResult.Failure, _ message: String, path: String? = nil, reference: String) {
        switch failure {
        case .notFound:
            guard let path else {
                self.init(.notFound, message)
                return
            }
            // moby v28, `daemon/errors.go`.
            self.init(.notFound, "Could not find the file \(path) in container \(reference)")
        case .notPermitted: self.init(.forbidden, message)
        case .refused: self.init(.badRequest, message)
        case .failed: self.init(.internalServerError, message)
        }
    }
}

extension ExecResult {
    /// Of a command that nobody can be asked about any more, or that was never begun; `nil` when it is to be asked again.
    init?(_ error: SessionError, wasBegun: Bool, at instant: Instant) {
        switch error.code {
        case .otherBoot: self.init(exitCode: 137, finishedAt: instant, message: "\(error)")
        case .unknownTask, .unavailable, .refused, .ended:
            self.init(exitCode: wasBegun ? 125 : 126, finishedAt: instant, message: "\(error)")
        case .busy:
            if wasBegun { return nil }
            self.init(exitCode: 126, finishedAt: instant, message: "\(error)")
        case .unreachable:
            // Before its beginning was confirmed it is not looked for again: the client is told now, and asking later could begin it late.
            if wasBegun { return nil }
            self.init(exitCode: 125, finishedAt: instant, message: "\(error); nobody knows whether the command ran")
        case .cancelled: return nil
        }
    }
}
