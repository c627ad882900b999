/// Which credential is used and why each other is not, in the order in which they are asked.
package struct CredentialReport: Sendable, Hashable {
    package enum State: Sendable, Hashable {
        case used
        /// It cannot be used here.
        case unavailable(String)
        /// It can be used here and got no token.
        case failed(String)
        /// It was not asked yet, or one before it is used.
        case notAsked
        /// The operator's choice leaves it out.
        case excluded(String)
    }

    package struct Line: Sendable, Hashable {
        package let kind: CredentialKind
        package let state: State
    }

    package var lines: [Line]

    package var used: CredentialKind? { lines.first { $0.state == .used }?.kind }

    /// What was passed over and why, for the error of a search that found nothing.
    var passedOver: [String] {
        lines.compactMap { line in
            guard case .unavailable(let reason) = line.state else { return nil }
            return "\(line.kind.rawValue): \(reason)"
        }
    }
}
