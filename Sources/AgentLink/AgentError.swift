package import AgentProtocol
package import SystemPackage

/// What can go wrong between the daemon and an agent, or the daemon and its logs.
package struct AgentError: Error, Sendable {
    package enum Code: Sendable, Equatable {
        /// No connection, or it broke before a whole reply was read. The request may have been carried out.
        case unreachable
        /// Something answered without the agent's proof: the front end while the site starts, an error page, or the
        /// agent itself (401) to a signature that it did not accept.
        case notReady(httpStatus: Int)
        /// Something answered with a proof that is wrong: not the agent of this secret. Believe nothing it said.
        case notProved
        /// The agent lives another life than the caller knew of. Nothing was carried out.
        case bootChanged(BootID)
        /// The agent, in this life, was never given the token.
        case unknownToken
        /// Another run is open, or too many requests wait for the same input. Nothing was carried out.
        case busy
        /// The agent was told to end and starts nothing more.
        case stopping
        /// The command is over, closed its stdin, or never had one.
        case ended
        /// The agent has taken stdin up to this offset only, which is before the one given.
        case inputGap(acceptedOffset: UInt64)
        /// Refused as malformed, by the agent or before sending; asking again will not help.
        case invalidRequest(String)
        /// Proved, but not what the protocol says: an agent of another version.
        case invalidReply(String)
        /// No whole reply in time. The request may have been carried out.
        case timedOut
        /// The calling task was cancelled.
        case cancelled
        /// A log could not be read or written.
        case storage(Errno)
        /// The log is complete; it takes no more output.
        case logSealed
        /// The log was removed while in use.
        case logRemoved
    }

    package let code: Code
    /// The request line or the action on a log; never a body.
    package let operation: String
    /// What a library below threw, if anything.
    package let cause: (any Error)?

    package init(_ code: Code, operation: String, cause: (any Error)? = nil) {
        self.code = code
        self.operation = operation
        self.cause = cause
    }
}

extension AgentError: CustomStringConvertible {
    package var description: String {
        let what =
            switch code {
            case .unreachable: "the agent cannot be reached"
            case .notReady(let status): "the site answered \(status), but not its agent"
            case .notProved: "the reply is not from the agent of this site"
            case .bootChanged(let boot): "the container was started again (boot \(boot))"
            case .unknownToken: "the agent does not know this run"
            case .busy: "the agent is busy with another run"
            case .stopping: "the agent is ending"
            case .ended: "the command is over or takes no more input"
            case .inputGap(let offset): "input is missing from offset \(offset) on"
            case .invalidRequest(let reason): "the request is not valid: \(reason)"
            case .invalidReply(let reason): "the agent's reply is not valid: \(reason)"
            case .timedOut: "the agent did not answer in time"
            case .cancelled: "cancelled"
            case .storage(let errno): "the log cannot be used: \(errno)"
            case .logSealed: "the log is already complete"
            case .logRemoved: "the log was removed"
            }
        return cause.map { "\(operation): \(what) (\($0))" } ?? "\(operation): \(what)"
    }
}
