import DesiredState
import HTTPTypes

/// A refusal in Docker's words. The message is all that Docker's clients show, so it says what is wrong and, where it helps, what to do.
struct DockerError: Error, Hashable, Sendable, CustomStringConvertible {
    let status: HTTPResponse.Status
    let message: String

    init(_ status: HTTPResponse.Status, _ message: String) {
        self.status = status
        self.message = message
    }

    var description: String { message }

    static func badParameter(_ message: String) -> DockerError { DockerError(.badRequest, message) }
    static func notImplemented(_ message: String) -> DockerError { DockerError(.notImplemented, message) }
    static func noSuchContainer(_ reference: String) -> DockerError {
        DockerError(.notFound, "No such container: \(reference)")
    }
    /// For paths and methods that Docker does not know either (moby v28 never answers 405).
    static let pageNotFound = DockerError(.notFound, "page not found")
}

extension DockerError {
    /// `reference` = what the client called the container.
    init(_ error: StoreError, reference: String) {
        switch error.code {
        case .notFound: self = .noSuchContainer(reference)
        case .nameTaken(let name, let uid): self = .nameTaken(name, by: uid)
        case .conflict, .attemptOpen: self.init(.conflict, "\(error); try again")
        case .compacted: self.init(.internalServerError, "\(error)")
        case .inUse, .fenced, .unavailable, .cancelled: self.init(.serviceUnavailable, "\(error)")
        case .damaged: self.init(.internalServerError, "\(error)")
        }
    }

    static func nameTaken(_ name: RecordName, by uid: UID) -> DockerError {
        DockerError(
            .conflict,
            "Conflict. The container name \"/\(name)\" is already in use by container \"\(uid)\". You have to remove (or rename) that container to be able to reuse that name."
        )
    }

    init(_ error: LogArchiveError) {
        let status: HTTPResponse.Status =
            switch error.code {
            case .throttled, .unavailable, .cancelled: .serviceUnavailable
            case .refused, .incomplete: .internalServerError
            }
        self.init(status, "Error grabbing logs: \(error)")
    }

    init(_ error: RunInputError, signal: String, reference: String, uid: UID) {
        switch error.code {
        case .notRunning: self = .notRunning(reference, uid: uid, action: "kill")
        case .invalidSignal: self = .badParameter("invalid signal: \(signal)")
        case .unreachable: self.init(.serviceUnavailable, "cannot kill container: \(reference): \(error)")
        case .gap, .cancelled: self.init(.internalServerError, "cannot kill container: \(reference): \(error)")
        }
    }

    static func notRunning(_ reference: String, uid: UID, action: String) -> DockerError {
        DockerError(.conflict, "cannot \(action) container: \(reference): container \(uid) is not running")
    }

    init(_ error: JSONError) {
        switch error {
        case .empty: self = .badParameter("invalid JSON: got EOF while reading request body")
        case .malformed(let offset): self = .badParameter("invalid JSON: unexpected text at byte \(offset)")
        case .trailing: self = .badParameter("unexpected content after JSON")
        case .tooDeep(let limit): self = .badParameter("invalid JSON: nested deeper than \(limit) levels")
        }
    }
}
