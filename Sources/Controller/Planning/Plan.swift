package import DesiredState

/// All that a decision may depend on. Same input, same plan.
package struct PlanInput: Hashable, Sendable {
    /// The steady time: see ``Moment``.
    package var now: Instant
    /// How far the wall clock is ahead of the steady time.
    package var wallLead: Duration
    package var record: FunctionApp
    /// By run and number.
    package var attempts: [Attempt]
    /// When what is stored happened; `nil` = as if the wall clock had never stepped.
    package var times: StoredTimes?
    package var intent: Intent?
    package var identity: SiteIdentity
    package var site: SiteObservation
    /// About the newest write of the site.
    package var operation: OperationObservation?
    package var agent: AgentObservation
    /// When the container's present boot id was seen first.
    package var bootSeenAt: Instant?
    /// About the open attempt only.
    package var run: RunObservation?
    /// When rows about an attempt must be in the log workspace, counted from its loss; `nil` = there is no log.
    package var runLogSettlesAfter: Duration?
    /// About the open attempt only.
    package var runLog: RunLogObservation?
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

    /// What the wall clock shows: for what is stored.
    package var wall: Instant { now + wallLead }

    package init(
        now: Instant, wall: Instant? = nil, record: FunctionApp, attempts: [Attempt] = [], intent: Intent? = nil,
        identity: SiteIdentity,
        times: StoredTimes? = nil, site: SiteObservation = .unknown, operation: OperationObservation? = nil,
        agent: AgentObservation = .unknown, bootSeenAt: Instant? = nil, run: RunObservation? = nil,
        runLogSettlesAfter: Duration? = nil, runLog: RunLogObservation? = nil,
        inFlight: Set<CallKind> = [], failures: [CallKind: CallFailure] = [:], isListPending: Bool = false,
        isSurelyUnwritten: Bool = false, sentStop: StopRequest? = nil, freeze: Freeze? = nil
    ) {
        self.now = now
        wallLead = wall.map { $0 - now } ?? .zero
        self.record = record
        self.attempts = attempts
        self.times = times
        self.intent = intent
        self.identity = identity
        self.site = site
        self.operation = operation
        self.agent = agent
        self.bootSeenAt = bootSeenAt
        self.run = run
        self.runLogSettlesAfter = runLogSettlesAfter
        self.runLog = runLog
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
    /// The site stays, without our tags.
    case releaseSite
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
    /// Looks for the attempt in the log workspace.
    case readRunLog(token: String)

    package var call: CallKind? {
        switch self {
        case .settleIntent, .setOperation, .finishAttempt, .acknowledgeAttempt, .failRun, .removeFinalizer,
            .markDeleted, .forget:
            nil
        case .putSite: .putSite
        case .deleteSite: .deleteSite
        case .releaseSite: .releaseSite
        case .followOperation: .followOperation
        case .openAttempt, .postRun: .postRun
        case .readSite: .readSite
        case .readDetails: .readDetails
        case .greetAgent: .greetAgent
        case .readContainerLog: .readContainerLog
        case .followRun: .followRun
        case .stopRun: .stopRun
        case .readRunLog: .readRunLog
        }
    }
}

/// Rules in the order in which they are asked; the first that applies decides.
package enum RuleName: String, Hashable, Sendable, CaseIterable {
    case operationInProgress
    case frozen
    case paused
    case forgetting
    case endingRunBeforeDelete
    case releasingSite
    case deletingSite
    case runEnded
    case runRefused
    case runAcknowledged
    case operationAccepted
    case createUnknown
    case adopting
    case foreignOwner
    case attemptUnknown
    case deadline
    case runUnacknowledged
    case stopAsked
    case running
    case unobserved
    case replacing
    case absent
    case drift
    case retryDelayed
    case startFailed
    case starting
    case notInvoked
    case timeToLive
    case steady
}
