/// What was observed, written by the controller only.
package struct FunctionAppStatus: Hashable, Sendable {
    /// The newest generation that the conditions take into account.
    package var observedGeneration: Int64
    package var conditions: [Condition]
    package var site: SiteStatus?
    /// The newest runs, oldest first; at most `maximumRuns`.
    package var runs: [RunStatus]
    package var nextAction: NextAction?
    /// The newest findings of drift, oldest first; at most `maximumDriftFindings`.
    package var driftHistory: [DriftFinding]

    /// Bound of `driftHistory`: a week of daily repairs.
    package static let maximumDriftFindings = 8
    /// Bound of `runs`: enough to see a pattern, small enough for every reader of the record.
    package static let maximumRuns = 16

    package init(
        observedGeneration: Int64 = 0, conditions: [Condition] = [], site: SiteStatus? = nil, runs: [RunStatus] = [],
        nextAction: NextAction? = nil, driftHistory: [DriftFinding] = []
    ) {
        self.observedGeneration = observedGeneration
        self.conditions = conditions
        self.site = site
        self.runs = runs
        self.nextAction = nextAction
        self.driftHistory = driftHistory
    }

    package subscript(type: ConditionType) -> Condition? {
        conditions.first { $0.type == type }
    }

    package func isTrue(_ type: ConditionType) -> Bool {
        self[type]?.status == .true
    }
}

package enum ConditionType: String, Hashable, Sendable, Codable, CaseIterable {
    /// The site exists as declared.
    case provisioned = "Provisioned"
    /// The agent in the site's container answered and proved itself.
    case ready = "Ready"
    /// A run is open.
    case running = "Running"
    /// The last asked-for run ended with exit code 0.
    case succeeded = "Succeeded"
    /// The last asked-for run ended otherwise, or its outcome cannot be known.
    case failed = "Failed"
    /// The site differs from the record.
    case drifted = "Drifted"
    /// Nothing will happen until the record or Azure is changed by somebody.
    case stalled = "Stalled"
}

package enum ConditionStatus: String, Hashable, Sendable, Codable {
    case `true` = "True"
    case `false` = "False"
    case unknown = "Unknown"
}

package struct Condition: Hashable, Sendable, Codable {
    package var type: ConditionType
    package var status: ConditionStatus
    /// One CamelCase word for programs.
    package var reason: String
    /// A sentence for people; may be empty.
    package var message: String
    package var lastTransitionTime: Instant

    package init(
        type: ConditionType, status: ConditionStatus, reason: String, message: String, lastTransitionTime: Instant
    ) {
        self.type = type
        self.status = status
        self.reason = reason
        self.message = message
        self.lastTransitionTime = lastTransitionTime
    }
}

package struct SiteStatus: Hashable, Sendable, Codable {
    package var name: String
    package var resourceID: String
    package var hostName: String
    /// Azure's time of change when the site was known last, in Azure's words: right after our own last write, or when its
    /// details were read since. Another one now means that somebody wrote. `nil` where Azure told none.
    package var lastModified: String?
    /// The tags with the design's hash and the writer, as our last write left them. `nil` = written by an older release.
    package var designHash: String?
    package var writer: String?

    package init(
        name: String, resourceID: String, hostName: String, lastModified: String? = nil, designHash: String? = nil,
        writer: String? = nil
    ) {
        self.name = name
        self.resourceID = resourceID
        self.hostName = hostName
        self.lastModified = lastModified
        self.designHash = designHash
        self.writer = writer
    }
}

package struct RunStatus: Hashable, Sendable, Codable {
    /// From 1.
    package var number: Int
    package var attempts: [AttemptStatus]

    package init(number: Int, attempts: [AttemptStatus]) {
        self.number = number
        self.attempts = attempts
    }
}

package struct AttemptStatus: Hashable, Sendable, Codable {
    package var token: String
    package var bootID: String
    /// When the agent confirmed the run; `nil` before.
    package var startedAt: Instant?
    package var finishedAt: Instant?
    package var exitCode: Int?
    package var outcome: AttemptOutcome?
    package var message: String?

    package init(
        token: String, bootID: String, startedAt: Instant? = nil, finishedAt: Instant? = nil, exitCode: Int? = nil,
        outcome: AttemptOutcome? = nil, message: String? = nil
    ) {
        self.token = token
        self.bootID = bootID
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.exitCode = exitCode
        self.outcome = outcome
        self.message = message
    }
}

/// A time when the site was found to differ from the record.
package struct DriftFinding: Hashable, Sendable, Codable {
    package enum Answer: String, Hashable, Sendable, Codable {
        /// The site was written again.
        case repaired = "Repaired"
        /// The record's policy is to tell only.
        case reported = "Reported"
        /// Repairs have stopped for a while: they do not last.
        case suspended = "Suspended"
    }

    /// Why repairs do not last.
    package enum Cause: String, Hashable, Sendable, Codable {
        /// Another writer undoes them again and again.
        case driftFight = "DriftFight"
        /// Nobody wrote since: Azure itself does not keep what is written.
        case notConverging = "NotConverging"
    }

    package var foundAt: Instant
    /// Paths of the fields that differ, such as `siteConfig.linuxFxVersion` or `appSettings.NAME`; sorted.
    package var fields: [String]
    /// Who wrote the site last, as far as Azure tells: a tag's writer or the name in the activity; `nil` = not known.
    package var writer: String?
    package var answer: Answer
    /// Of `suspended` only.
    package var cause: Cause?
    /// The record's when it was found. A new one lets repairs begin anew.
    package var generation: Int64?

    package init(
        foundAt: Instant, fields: [String], writer: String? = nil, answer: Answer, cause: Cause? = nil,
        generation: Int64? = nil
    ) {
        self.foundAt = foundAt
        self.fields = fields
        self.writer = writer
        self.answer = answer
        self.cause = cause
        self.generation = generation
    }
}

/// Why the controller does what it does next, or waits.
package struct NextAction: Hashable, Sendable, Codable {
    /// Name of the rule that decided.
    package var rule: String
    package var reason: String
    /// When the record is looked at again without any news; `nil` = when something changes.
    package var at: Instant?

    package init(rule: String, reason: String, at: Instant?) {
        self.rule = rule
        self.reason = reason
        self.at = at
    }
}

extension FunctionAppStatus: Codable {
    private enum CodingKeys: String, CodingKey {
        case observedGeneration, conditions, site, runs, nextAction, driftHistory
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            observedGeneration: try container.decodeIfPresent(Int64.self, forKey: .observedGeneration) ?? 0,
            conditions: try container.decodeIfPresent([Condition].self, forKey: .conditions) ?? [],
            site: try container.decodeIfPresent(SiteStatus.self, forKey: .site),
            runs: try container.decodeIfPresent([RunStatus].self, forKey: .runs) ?? [],
            nextAction: try container.decodeIfPresent(NextAction.self, forKey: .nextAction),
            driftHistory: try container.decodeIfPresent([DriftFinding].self, forKey: .driftHistory) ?? [])
    }
}
