/// Why the controller does with a record what it does, or waits: for `skls explain`.
package struct Explanation: Hashable, Sendable, Codable {
    /// What was looked at, in the words of the rules.
    package struct Fact: Hashable, Sendable, Codable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// A call that waits for its answer, or is not sent yet.
    package struct OpenCall: Hashable, Sendable, Codable {
        package var call: String
        /// `nil` = nothing was sent.
        package var since: Instant?
        /// Why not.
        package var wait: Wait?

        package init(call: String, since: Instant?, wait: Wait? = nil) {
            self.call = call
            self.since = since
            self.wait = wait
        }
    }

    /// Why a call is not sent yet.
    package struct Wait: Hashable, Sendable, Codable {
        /// What there is too little of.
        package enum Scarcity: String, Hashable, Sendable, Codable {
            case quota = "Quota"
            /// The hosting plan is given as many writes at a time as it takes.
            case plan = "Plan"
            /// All calls that may be under way at a time are.
            case callsUnderWay = "CallsUnderWay"
        }

        package var scarcity: Scarcity
        /// Of Azure's quotas the one that it is paid from: `reads`, `writes` or `deletes`.
        package var quota: String
        /// `user`, `progress`, `drift` or `resync`.
        package var lane: String
        /// Calls that start before it, about.
        package var ahead: Int
        /// How many calls there may be at a time, of what is scarce; `nil` = that is not what is counted.
        package var limit: Int?
        /// When its turn comes, about; `nil` = nothing is known about that.
        package var turnAt: Instant?

        package init(
            scarcity: Scarcity, quota: String, lane: String, ahead: Int, limit: Int? = nil, turnAt: Instant? = nil
        ) {
            self.scarcity = scarcity
            self.quota = quota
            self.lane = lane
            self.ahead = ahead
            self.limit = limit
            self.turnAt = turnAt
        }
    }

    /// Why a kind of call is not made now, or was not at first.
    package struct Backoff: Hashable, Sendable, Codable {
        package var call: String
        /// Failures in a row.
        package var count: Int
        package var notBefore: Instant
        package var message: String
        /// It will not get better by itself.
        package var isTerminal: Bool

        package init(call: String, count: Int, notBefore: Instant, message: String, isTerminal: Bool) {
            self.call = call
            self.count = count
            self.notBefore = notBefore
            self.message = message
            self.isTerminal = isTerminal
        }
    }

    /// An effect on Azure that was begun.
    package struct OpenIntent: Hashable, Sendable, Codable {
        package var kind: String
        package var siteName: String
        package var openedAt: Instant
        /// Its outcome is known.
        package var isSettled: Bool
        /// What Azure works on: a URL without what is secret of it.
        package var operation: String?

        package init(kind: String, siteName: String, openedAt: Instant, isSettled: Bool, operation: String?) {
            self.kind = kind
            self.siteName = siteName
            self.openedAt = openedAt
            self.isSettled = isSettled
            self.operation = operation
        }
    }

    /// What is left of one class of requests to Azure, for all records together.
    package struct Budget: Hashable, Sendable, Codable {
        package var name: String
        package var remaining: Int
        package var burst: Int
        package var waiting: Int
        package var underWay: Int
        /// Azure wants to be left alone until then.
        package var frozenUntil: Instant?

        package init(
            name: String, remaining: Int, burst: Int, waiting: Int, underWay: Int, frozenUntil: Instant?
        ) {
            self.name = name
            self.remaining = remaining
            self.burst = burst
            self.waiting = waiting
            self.underWay = underWay
            self.frozenUntil = frozenUntil
        }
    }

    /// Where the record stands in the controller's round.
    package enum Phase: String, Hashable, Sendable, Codable {
        case resting = "Resting"
        case queued = "Queued"
        case loading = "Loading"
        case committing = "Committing"
        /// The controller has not heard of it yet.
        case unknown = "Unknown"
    }

    package var name: String
    package var uid: UID
    /// All times are of then, by the daemon's clock.
    package var asOf: Instant
    package var generation: Int64
    package var observedGeneration: Int64
    /// One sentence: what it waits for, or that nothing is to be done.
    package var summary: String
    /// What a person can do about it; `nil` = nothing is needed.
    package var advice: String?
    package var rule: String
    package var reason: String
    package var phase: Phase
    /// Of the newest look; 0 = none in this life of the daemon.
    package var reconcileID: UInt64
    package var facts: [Fact]
    package var conditions: [Condition]
    package var openCalls: [OpenCall]
    package var backoffs: [Backoff]
    package var intent: OpenIntent?
    /// When it is looked at again without any news; `nil` = when something changes.
    package var nextLook: Instant?
    package var budgets: [Budget]
    /// Oldest first.
    package var journal: [JournalEntry]

    package init(
        name: String, uid: UID, asOf: Instant, generation: Int64, observedGeneration: Int64, summary: String,
        advice: String?, rule: String, reason: String, phase: Phase, reconcileID: UInt64, facts: [Fact],
        conditions: [Condition], openCalls: [OpenCall], backoffs: [Backoff], intent: OpenIntent?, nextLook: Instant?,
        budgets: [Budget] = [], journal: [JournalEntry] = []
    ) {
        self.name = name
        self.uid = uid
        self.asOf = asOf
        self.generation = generation
        self.observedGeneration = observedGeneration
        self.summary = summary
        self.advice = advice
        self.rule = rule
        self.reason = reason
        self.phase = phase
        self.reconcileID = reconcileID
        self.facts = facts
        self.conditions = conditions
        self.openCalls = openCalls
        self.backoffs = backoffs
        self.intent = intent
        self.nextLook = nextLook
        self.budgets = budgets
        self.journal = journal
    }
}
