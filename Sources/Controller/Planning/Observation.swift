package import DesiredState

/// What is known of a record's site, and since when. "Unknown" is never taken for "absent".
package enum SiteObservation: Hashable, Sendable {
    case unknown
    case absent(asOf: Instant)
    case present(ObservedSite, asOf: Instant)
}

package struct ObservedSite: Hashable, Sendable {
    package var name: String
    package var resourceID: String
    package var hostName: String
    package var tags: [String: String]
    /// Azure's `properties.state`, such as `Running` or `Stopped`.
    package var state: String
    /// Azure's `properties.lastModifiedTimeUtc`, as it was written; only a change of it means something.
    package var lastModified: String?
    /// Azure's region in its short form; `nil` if Azure told none.
    package var location: String?
    package var hosting: HostingKind?

    package init(
        name: String, resourceID: String, hostName: String, tags: [String: String], state: String,
        lastModified: String? = nil, location: String? = nil, hosting: HostingKind? = nil
    ) {
        self.name = name
        self.resourceID = resourceID
        self.hostName = hostName
        self.tags = tags
        self.state = state
        self.lastModified = lastModified
        self.location = location
        self.hosting = hosting
    }

    /// Values of our ownership tags; `nil` where the site does not carry them. Azure keeps the case of tag names but does not tell them apart by it.
    package var instance: String? { tag(SiteTag.instance) }
    package var uid: String? { tag(SiteTag.uid) }
    package var designHash: String? { tag(SiteTag.designHash) }

    func tag(_ name: String) -> String? {
        tags[name] ?? tags.first { $0.key.lowercased() == name }?.value
    }
}

/// What a site runs on: fixed when it is made.
package enum HostingKind: Hashable, Sendable, CaseIterable {
    case plan, managedEnvironment
}

/// Names of our tags, in lower case.
package enum SiteTag {
    package static let prefix = "skls-"
    package static let managedBy = "skls-managed-by"
    package static let instance = "skls-instance"
    package static let uid = "skls-uid"
    package static let designHash = "skls-hash"
    package static let writer = "skls-writer"
    /// Names of the tags that the record declared when the site was written, joined by commas: what is not among them is somebody else's.
    package static let declared = "skls-declared-tags"
}

/// What is known of an operation that Azure works on since it took a write.
package enum OperationObservation: Hashable, Sendable {
    /// Azure named it in its answer.
    case accepted(String)
    /// It has ended, or its end cannot be found out: the site says what came of it.
    case ended(String)
}

/// What is known of the agent in the site's container.
package enum AgentObservation: Hashable, Sendable {
    case unknown
    /// It proved itself with this boot id.
    case live(bootID: String)
    /// It did not answer, or somebody else did.
    case notReady(NotReady)
}

package struct NotReady: Hashable, Sendable {
    /// Since when there was no answer.
    package var since: Instant
    /// When it was asked last.
    package var askedAt: Instant
    package var message: String
    /// What the container's log says about it; `nil` while it was not read for this failure.
    package var diagnosis: StartDiagnosis?

    package init(since: Instant, askedAt: Instant? = nil, message: String, diagnosis: StartDiagnosis? = nil) {
        self.since = since
        self.askedAt = askedAt ?? since
        self.message = message
        self.diagnosis = diagnosis
    }
}

/// Why a container does not start, read from the platform's own log.
package enum StartDiagnosis: Hashable, Sendable {
    /// Nothing in the log says that it cannot.
    case none
    /// The image cannot be had: it does not exist, or the pull was denied.
    case imagePullFailed(message: String)
    /// It runs, and did not answer on its port within the platform's limit.
    case noAnswerOnPort(message: String)
    /// Its first process ended; with the exit code where the log has one.
    case containerExited(code: Int?, message: String)
}

/// What the agent said last about the open attempt.
package enum RunObservation: Hashable, Sendable {
    /// The first request of this attempt was refused because the container had been restarted before: nothing was run, and no other request was sent.
    case refused(bootID: String)
    /// The agent has the attempt.
    case acknowledged(at: Instant)
    case ended(AttemptResult)
}

/// What the log workspace tells of an attempt.
package enum RunLogFinding: Hashable, Sendable {
    /// No row names it.
    case nothing
    /// Its command was about to be executed.
    case began
    /// Its command ended.
    case exited(code: Int)
}

package struct RunLogObservation: Hashable, Sendable {
    package var finding: RunLogFinding
    /// When it was asked for.
    package var asOf: Instant

    package init(finding: RunLogFinding, asOf: Instant) {
        self.finding = finding
        self.asOf = asOf
    }
}

/// Calls of one record that may be in flight; at most one of each kind.
package enum CallKind: String, Hashable, Sendable, CaseIterable, Comparable {
    case putSite, followOperation, readSite, readDetails, deleteSite, releaseSite, readContainerLog, greetAgent,
        postRun,
        followRun, stopRun, readRunLog

    package static func < (left: CallKind, right: CallKind) -> Bool { left.rawValue < right.rawValue }

    /// Calls that change the site: while one is in flight nothing is decided about the site.
    package var changesSite: Bool { self == .putSite || self == .deleteSite || self == .releaseSite }
}

/// The newest failure of a kind of call, kept until a call of that kind succeeds or the record gets a new generation.
package struct CallFailure: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// May succeed by itself.
        case transient
        /// Held back by Azure's rate limit or by our own part of it: nothing is wrong with the request.
        case throttled
        /// Whether it took effect is not known.
        case outcomeUnknown
        /// Stays so until somebody changes the record or Azure; tried again all the same, in the slowest lane.
        case terminal(reason: String)
    }

    package var kind: Kind
    package var message: String
    /// How often in a row.
    package var count: Int
    /// Not called again before.
    package var notBefore: Instant
    /// Not a failure: Azure works on it, and said when to ask again.
    package var isProgress: Bool

    package init(kind: Kind, message: String, count: Int, notBefore: Instant, isProgress: Bool = false) {
        self.kind = kind
        self.message = message
        self.count = count
        self.notBefore = notBefore
        self.isProgress = isProgress
    }
}

/// What the record's site should be: its name, and the hash that its tag carries when it is as declared.
package struct SiteIdentity: Hashable, Sendable {
    package var name: String
    package var designHash: String
    package var instance: String
    /// Region and hosting are fixed when a site is made; `nil` = whatever it has.
    package var location: String?
    package var hosting: HostingKind?

    package init(
        name: String, designHash: String, instance: String, location: String? = nil, hosting: HostingKind? = nil
    ) {
        self.name = name
        self.designHash = designHash
        self.instance = instance
        self.location = location
        self.hosting = hosting
    }
}
