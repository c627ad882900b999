package import DesiredState

/// All that a decision may depend on. Same input, same plan.
package struct PlanInput: Hashable, Sendable {
    /// The steady time: see ``Moment``.
    package var now: Instant
    /// What the wall clock shows: for what is stored.
    package var wall: Instant
    package var record: FunctionApp
    /// By run and number.
    package var attempts: [Attempt]
    package var intent: Intent?
    package var identity: SiteIdentity
    package var site: SiteObservation
    /// About the newest write of the site.
    package var operation: OperationObservation?
    package var agent: AgentObservation
    /// About the open attempt only.
    package var run: RunObservation?
    package var inFlight: Set<CallKind>
    package var failures: [CallKind: CallFailure]
    /// A list of all sites is under way that will say what is there: single sites are not read meanwhile.
    package var isListPending: Bool
    /// Every write that was ever tried for this record has failed for certain: there is no site and there will be none.
    package var isSurelyUnwritten: Bool
    /// The run that a stop was sent for, and how: not sent twice.
    package var sentStop: StopRequest?
    /// How the site differed from its design when it was read in full last.
    package var details: DetailsObservation? = nil
    /// When the site is to be read in full even if nobody seems to have changed it.
    package var detailsDue: Instant? = nil
    /// The store is behind its sites: nothing is written to Azure.
    package var freeze: Freeze?

    package init(
        now: Instant, wall: Instant? = nil, record: FunctionApp, attempts: [Attempt] = [], intent: Intent? = nil,
        identity: SiteIdentity,
        site: SiteObservation = .unknown, operation: OperationObservation? = nil,
        agent: AgentObservation = .unknown, run: RunObservation? = nil,
        inFlight: Set<CallKind> = [], failures: [CallKind: CallFailure] = [:], isListPending: Bool = false,
        isSurelyUnwritten: Bool = false, sentStop: StopRequest? = nil, freeze: Freeze? = nil
    ) {
        self.now = now
        self.wall = wall ?? now
        self.record = record
        self.attempts = attempts
        self.intent = intent
        self.identity = identity
        self.site = site
        self.operation = operation
        self.agent = agent
        self.run = run
        self.inFlight = inFlight
        self.failures = failures
        self.isListPending = isListPending
        self.isSurelyUnwritten = isSurelyUnwritten
        self.sentStop = sentStop
        self.freeze = freeze
    }
}

/// What to do now, and when to look again.
package struct Plan: Hashable, Sendable {
    package var rule: RuleName
    /// A sentence for people.
    package var reason: String
    /// In this order. What an action commits is committed before anything is called.
    package var actions: [Action]
    package var status: FunctionAppStatus
    package var nextLook: NextLook
}

package enum NextLook: Hashable, Sendable {
    case at(Instant)
    /// Nothing but news can make a difference.
    case onChange
}

package enum Action: Hashable, Sendable {
    // Commits.
    case settleIntent
    /// Keeps what is to be followed, or `nil` once it need not be any more.
    case setOperation(String?)
    case finishAttempt(token: String, AttemptResult)
    case acknowledgeAttempt(token: String, at: Instant)
    /// Ends a run that could not be begun.
    case failRun(number: Int, message: String)
    case removeFinalizer(Finalizer)
    case markDeleted
    case forget

    // Calls; the first three and `openAttempt` commit an intent or attempt before.
    case putSite
    case deleteSite
    /// Asks once about what Azure works on.
    case followOperation(String)
    /// Opens the attempt for this boot id and asks the agent to run it.
    case openAttempt(run: Int, number: Int, bootID: String)
    /// Asks the agent again for an attempt that is open: safe, since the same life of the container runs a token once.
    case postRun(token: String)
    case readSite
    /// Reads the site in full, and who changed it last if that is wanted and it differs.
    case readDetails(namesWriter: Bool)
    case greetAgent
    case readContainerLog
    case followRun(token: String)
    case stopRun(token: String, StopRequest)

    package var call: CallKind? {
        switch self {
        case .settleIntent, .setOperation, .finishAttempt, .acknowledgeAttempt, .failRun, .removeFinalizer,
            .markDeleted, .forget:
            nil
        case .putSite: .putSite
        case .deleteSite: .deleteSite
        case .followOperation: .followOperation
        case .openAttempt, .postRun: .postRun
        case .readSite: .readSite
        case .readDetails: .readDetails
        case .greetAgent: .greetAgent
        case .readContainerLog: .readContainerLog
        case .followRun: .followRun
        case .stopRun: .stopRun
        }
    }
}

/// Rules in the order in which they are asked; the first that applies decides.
package enum RuleName: String, Hashable, Sendable, CaseIterable {
    case operationInProgress
    case frozen
    case forgetting
    case endingRunBeforeDelete
    case deletingSite
    case runEnded
    case runRefused
    case runAcknowledged
    case suspended
    case operationAccepted
    case createUnknown
    case foreignOwner
    case attemptLost
    case runUnacknowledged
    case stopAsked
    case running
    case unobserved
    case absent
    case drift
    case startFailed
    case starting
    case notInvoked
    case timeToLive
    case steady
}
