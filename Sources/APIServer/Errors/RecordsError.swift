import DesiredState
import HTTPTypes

/// A refusal of the records API, in the form of Kubernetes' `Status`.
struct RecordsError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One CamelCase word for programs.
    enum Reason: String, Hashable, Sendable {
        case badRequest = "BadRequest"
        case notFound = "NotFound"
        case methodNotAllowed = "MethodNotAllowed"
        case alreadyExists = "AlreadyExists"
        case conflict = "Conflict"
        /// A condition of the request's headers does not hold.
        case preconditionFailed = "PreconditionFailed"
        /// The watched revision, or the list that is gone on with, is too old: list again.
        case expired = "Expired"
        case tooLarge = "RequestEntityTooLarge"
        case invalid = "Invalid"
        case internalError = "InternalError"
        case unavailable = "ServiceUnavailable"
    }

    let reason: Reason
    let message: String
    /// Goes on with an expired list in spite of what was missed.
    var continueToken: String?

    init(_ reason: Reason, _ message: String) {
        self.reason = reason
        self.message = message
    }

    var description: String { message }

    var status: HTTPResponse.Status {
        switch reason {
        case .badRequest: .badRequest
        case .notFound: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .alreadyExists, .conflict: .conflict
        case .preconditionFailed: .preconditionFailed
        case .expired: .gone
        case .tooLarge: .contentTooLarge
        case .invalid: .unprocessableContent
        case .internalError: .internalServerError
        case .unavailable: .serviceUnavailable
        }
    }

    var json: JSON {
        let status: JSON = [
            "apiVersion": .string(FunctionApp.apiVersion), "kind": "Status", "status": "Failure",
            "reason": .string(reason.rawValue), "message": .string(message), "code": .number(status.code),
        ]
        guard let continueToken else { return status }
        return status.merging(["metadata": ["continue": .string(continueToken)]])
    }
}

extension RecordsError {
    init(_ error: LogArchiveError) {
        switch error.code {
        case .throttled, .unavailable, .cancelled: self.init(.unavailable, "\(error)")
        case .refused, .incomplete: self.init(.internalError, "\(error)")
        }
    }

    init(_ error: StoreError) {
        let reason: Reason =
            switch error.code {
            case .notFound: .notFound
            case .conflict, .attemptOpen: .conflict
            case .nameTaken: .alreadyExists
            case .compacted: .expired
            case .inUse, .fenced, .unavailable, .cancelled: .unavailable
            case .damaged: .internalError
            }
        self.init(reason, error.description)
    }

    static func noSuchRecord(_ name: String) -> RecordsError {
        RecordsError(.notFound, "functionapps \"\(name)\" not found")
    }
}
