/// What the sweep knows: sites and shares of this installation that no record knows.
package struct LeakReport: Hashable, Sendable, Codable {
    package struct Leak: Hashable, Sendable, Codable {
        package enum Kind: String, Hashable, Sendable, Codable {
            case site = "Site"
            case share = "Share"
        }

        package enum State: String, Hashable, Sendable, Codable {
            /// Seen, and not yet old enough.
            case suspected = "Suspected"
            case quarantined = "Quarantined"
            /// Not surely ours: only shown.
            case reported = "Reported"
        }

        package var name: String
        package var kind: Kind
        package var state: State
        package var uid: UID?
        package var firstSeenAt: Instant
        package var lastSeenAt: Instant
        package var quarantinedAt: Instant?
        /// Deleted then at the earliest; `nil` = not by itself.
        package var deletionDueAt: Instant?

        package init(
            name: String, kind: Kind, state: State, uid: UID?, firstSeenAt: Instant, lastSeenAt: Instant,
            quarantinedAt: Instant? = nil, deletionDueAt: Instant? = nil
        ) {
            self.name = name
            self.kind = kind
            self.state = state
            self.uid = uid
            self.firstSeenAt = firstSeenAt
            self.lastSeenAt = lastSeenAt
            self.quarantinedAt = quarantinedAt
            self.deletionDueAt = deletionDueAt
        }
    }

    package var items: [Leak]
    /// `delete` or `report`.
    package var mode: String
    package var freeze: Freeze?

    package init(items: [Leak], mode: String, freeze: Freeze?) {
        self.items = items
        self.mode = mode
        self.freeze = freeze
    }
}

/// What `skls recover` would do, or has done: all of it in one commit.
package struct RecoveryPlan: Hashable, Sendable, Codable {
    /// A run that may have happened: it ends as Unknown and is never begun again by itself.
    package struct GivenUpRun: Hashable, Sendable, Codable {
        package var uid: UID
        package var name: RecordName
        package var run: Int
        package var attempt: Int
        /// The attempt is open in the store; else it was never begun as far as the store knows.
        package var isOpen: Bool

        package init(uid: UID, name: RecordName, run: Int, attempt: Int, isOpen: Bool) {
            self.uid = uid
            self.name = name
            self.run = run
            self.attempt = attempt
            self.isOpen = isOpen
        }
    }

    package struct SuspendedRecord: Hashable, Sendable, Codable {
        package var uid: UID
        package var name: RecordName
        package var reason: String

        package init(uid: UID, name: RecordName, reason: String) {
            self.uid = uid
            self.name = name
            self.reason = reason
        }
    }

    package struct AdoptedSite: Hashable, Sendable, Codable {
        package var siteName: String
        package var uid: UID
        /// Of the record that is made for it.
        package var name: RecordName

        package init(siteName: String, uid: UID, name: RecordName) {
            self.siteName = siteName
            self.uid = uid
            self.name = name
        }
    }

    /// Why the store counts as behind its sites; `nil` = it is not behind.
    package var reason: String?
    /// Writers of sites that the store does not know, and accepts.
    package var writers: [String]
    /// The store's revision is above this one afterwards.
    package var revision: Revision
    package var runs: [GivenUpRun]
    package var suspended: [SuspendedRecord]
    package var adopted: [AdoptedSite]
    /// Sites of ours that cannot be adopted, each with the reason.
    package var leftAlone: [String]
    /// Names this very plan: it is done as shown, or not at all.
    package var digest: String

    package init(
        reason: String? = nil, writers: [String] = [], revision: Revision = .zero, runs: [GivenUpRun] = [],
        suspended: [SuspendedRecord] = [], adopted: [AdoptedSite] = [], leftAlone: [String] = [], digest: String = ""
    ) {
        self.reason = reason
        self.writers = writers
        self.revision = revision
        self.runs = runs
        self.suspended = suspended
        self.adopted = adopted
        self.leftAlone = leftAlone
        self.digest = digest
    }

    /// Nothing would be changed.
    package var isEmpty: Bool {
        reason == nil && writers.isEmpty && runs.isEmpty && suspended.isEmpty && adopted.isEmpty
    }
}
