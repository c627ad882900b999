/// One try at a run, as the store keeps it. The row is committed before the agent is asked, so that after any crash it is known what may have been started.
package struct Attempt: Hashable, Sendable, Codable {
    package let uid: UID
    /// From 1.
    package let run: Int
    /// From 1 within the run.
    package let number: Int
    /// Keyed hash of uid, run and attempt, 64 hex digits: what the agent knows the attempt by.
    package let token: String
    /// The life of the container that was asked, 32 hex digits. No other life is ever asked under at-most-once.
    package let bootID: String
    package let openedAt: Instant
    /// When the agent confirmed that it has the attempt; `nil` = it may or may not have it.
    package var acknowledgedAt: Instant?
    package var result: AttemptResult?

    package init(uid: UID, run: Int, number: Int, token: String, bootID: String, openedAt: Instant) {
        self.uid = uid
        self.run = run
        self.number = number
        self.token = token
        self.bootID = bootID
        self.openedAt = openedAt
    }

    /// Open: nobody knows yet how it ends.
    package var isOpen: Bool { result == nil }
}

/// How an attempt ended. The first result that is committed wins.
package struct AttemptResult: Hashable, Sendable, Codable {
    package var outcome: AttemptOutcome
    /// As reported by the agent; `nil` when nobody knows.
    package var exitCode: Int?
    package var finishedAt: Instant
    /// A sentence for people, when the outcome needs one.
    package var message: String?

    package init(outcome: AttemptOutcome, exitCode: Int?, finishedAt: Instant, message: String? = nil) {
        self.outcome = outcome
        self.exitCode = exitCode
        self.finishedAt = finishedAt
        self.message = message
    }
}

package enum AttemptOutcome: String, Hashable, Sendable, Codable, CaseIterable {
    /// Exit code 0.
    case succeeded = "Succeeded"
    /// Any other exit code.
    case failed = "Failed"
    /// The command could not be executed (exit code 126 or 127), or the container never came up (no exit code).
    case startFailed = "StartFailed"
    /// Ended by `run.timeoutSeconds`.
    case deadlineExceeded = "DeadlineExceeded"
    /// Never acknowledged, and the container's life that was asked is over: it may have run or not.
    case unknown = "Unknown"
    /// Acknowledged, and the container's life ended before the result was seen.
    case lost = "Lost"
    /// The container had been restarted before it was asked for the first time: nothing was run, and another attempt is safe.
    case refused = "Refused"
}

/// A row committed before an effect on Azure. At most one per record: effects on one site are serial.
package struct Intent: Hashable, Sendable, Codable {
    package enum Kind: String, Hashable, Sendable, Codable {
        case putSite, deleteSite
        /// Our tags are taken off the site, which stays.
        case releaseSite
    }

    package let uid: UID
    package let kind: Kind
    package let siteName: String
    package let openedAt: Instant
    /// The effect's outcome is known. A create intent stays as a settled row: it says that the site may exist.
    package var isSettled: Bool
    /// What Azure works on since it took the call, in the client's own words; it may hold a signed URL and is not shown.
    package var operation: String?

    package init(
        uid: UID, kind: Kind, siteName: String, openedAt: Instant, isSettled: Bool = false, operation: String? = nil
    ) {
        self.uid = uid
        self.kind = kind
        self.siteName = siteName
        self.openedAt = openedAt
        self.isSettled = isSettled
        self.operation = operation
    }
}

/// What remains of a forgotten record, for `lifetime`: a site that turns up late with this uid is ours to delete.
package struct Tombstone: Hashable, Sendable, Codable {
    package let uid: UID
    package let siteName: String
    package let forgottenAt: Instant

    package static let lifetime: Duration = .seconds(30 * 86_400)

    package init(uid: UID, siteName: String, forgottenAt: Instant) {
        self.uid = uid
        self.siteName = siteName
        self.forgottenAt = forgottenAt
    }
}
