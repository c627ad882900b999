/// What a caller does about a failed call. One pure table for the whole project.
package enum Disposition: Sendable, Equatable {
    /// The same call may succeed later: not before the duration, where there is one, else by the caller's back-off.
    case retryAfter(Duration?)
    /// Something outside the record must change first (a role, a lock, a registration); look again slowly.
    case waitForChange
    /// The call may have been applied: read before doing anything else.
    case outcomeUnknown
    /// The record asks for something that is refused; only a new generation helps. The reason names the condition.
    case stop(conditionReason: String)
    /// We were told to stop; the intent stays open.
    case cancelled

    /// The wait before a busy site, plan or webspace is asked again if Azure names none.
    /// Azure Verified Modules retry these conflicts every 10 s (read 2026-02).
    static let busyWait = Duration.seconds(10)

    package init(_ error: AzureError) {
        self =
            switch error.code {
            case .cancelled: .cancelled
            case _ where error.effectIsUnknown: .outcomeUnknown
            case .throttled, .pendingDelete, .conflict, .serverFault, .timedOut, .connection, .malformedReply:
                .retryAfter(error.retryAfter)
            case .conflictBusy: .retryAfter(error.retryAfter ?? Self.busyWait)
            case .notFound, .scopeNotFound, .unauthorized, .forbidden, .missingRegistration, .locked, .quotaExceeded:
                .waitForChange
            case .nameTaken, .invalid, .policyDenied, .other: .stop(conditionReason: error.code.rawValue)
            }
    }
}
