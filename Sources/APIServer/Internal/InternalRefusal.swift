import HTTPTypes
import HummingbirdCore

/// Refusals in the words of Sockerless' error types (its API-003): the body is always `{"message":"…"}`.
enum InternalRefusal {
    /// The same refusal in the internal API's words; `subject` = what a bad parameter is called when the refusal does not say.
    static func translate(_ error: DockerError, operation: String, subject: String) -> DockerError {
        switch error.status {
        case .badRequest:
            let message = error.message
            return message.hasPrefix("invalid parameter ")
                ? error : DockerError(.badRequest, "invalid parameter \(subject): \(message)")
        case .conflict:
            // Docker's own begins with the same word.
            let prefixes = ["Conflict. ", "Conflict: "]
            let reason = prefixes.first { error.message.hasPrefix($0) }.map { error.message.dropFirst($0.count) }
            return DockerError(.conflict, "Conflict: \(reason ?? error.message[...])")
        case .notImplemented:
            return error.message.hasPrefix("This backend (")
                ? error : DockerError(.notImplemented, "\(operation) is not implemented")
        default: return error
        }
    }

    static func response(_ error: DockerError) -> Response {
        // Not modified has no body on the wire.
        if error.status == .notModified { return Response(status: .notModified) }
        return .json(["message": .string(error.message)], status: error.status)
    }
}

extension DockerError {
    static func invalidParameter(_ name: String, _ reason: String) -> DockerError {
        DockerError(.badRequest, "invalid parameter \(name): \(reason)")
    }
}
