import DesiredState

/// Decides what to do about one record.
///
/// Pure, total and quick: rules are asked in the order of `rules`, and the first that applies decides. The plan's actions are safe to decide twice:
/// each is idempotent, or guarded by an attempt or an intent that is committed before it.
package func plan(_ input: PlanInput) -> Plan {
    let facts = Facts(input: input)
    for rule in rules {
        guard let decision = rule.decide(facts) else { continue }
        return made(decision, by: rule.name, facts)
    }
    return made(Decision(reason: "nothing to do", nextLook: .onChange), by: .steady, facts)
}

private func made(_ decision: Decision, by rule: RuleName, _ facts: Facts) -> Plan {
    // The status does not tell when details are read beside what was decided: it would change daily for nothing.
    let whole = decision.alsoReadingDetails(facts)
    return Plan(
        rule: rule, reason: decision.reason, actions: whole.actions, status: status(facts, after: decision, by: rule),
        nextLook: whole.nextLook)
}

/// Bounds and periods of the planner.
enum PlannerConstants {
    /// A create whose outcome is unknown counts as failed when the site is absent so long after (DESIGN: an hour).
    static let createSettlesAfter: Duration = .seconds(3600)
    /// What Azure works on is followed for so long; then the site itself is read. Locks of Functions on Container Apps were
    /// seen to stay for hours (azure-functions-on-container-apps issues 34 and 88, read 2026-11).
    static let operationGivenUpAfter: Duration = .seconds(3600)
    /// An open attempt whose agent has not been reached for so long is given up: its container cannot come back with the same boot id.
    static let attemptGivenUpAfter: Duration = .seconds(900)
    /// A deletion does not wait longer than this for an agent that does not answer.
    static let deleteWaitsForAgent: Duration = .seconds(30)
    /// A log that cannot be read so often in a row is not waited for any longer.
    static let maximumRunLogFailures = 6
    /// What a run may take beyond `run.timeoutSeconds` before the controller itself has it ended: the agent ends it by its own clock with TERM, 10 s
    /// later KILL, and its output has to be read.
    static let deadlineGrace: Duration = .seconds(60)
    /// Between the controller's own KILL and giving the attempt up.
    static let deadlineGivenUpAfter: Duration = .seconds(300)
    /// Between attempts of an at-least-once run: doubled for each (Kubernetes Jobs wait alike, 10 s to 10 min).
    static let firstRetryDelay: Duration = .seconds(10)
    static let longestRetryDelay: Duration = .seconds(600)
    /// Bound of attempts that a restarting container may refuse before the run counts as failed.
    static let maximumRefusals = 8
    /// How long a container may take to answer its first ping before the run counts as failed to start: Azure's own limit is 230 s
    /// (App Service environment variables reference, WEBSITES_CONTAINER_START_TIME_LIMIT, read 2026-02), plus time to pull the image.
    static let startLimit: Duration = .seconds(600)
    /// A container that exits is started again by the platform, at once and then with growing pauses: so long it may yet come up.
    static let exitPatience: Duration = .seconds(60)
    /// Between two looks at a container that failed to start and has nothing to run.
    static let startProbePeriod: Duration = .seconds(300)
}

/// What a rule makes of the facts.
struct Decision: Hashable, Sendable {
    var reason: String
    var actions: [Action] = []
    var nextLook: NextLook = .onChange
    /// Set when nothing will get better by itself: becomes the condition Stalled.
    var stalledReason: String?

    /// The call, or the wait until its back-off is over; nothing while it is in flight.
    static func call(_ action: Action, _ facts: Facts, reason: String) -> Decision {
        guard let kind = action.call else { return Decision(reason: reason, actions: [action]) }
        if facts.isInFlight(kind) { return Decision(reason: reason) }
        let failure = facts.failure(kind)
        var decision = Decision(reason: reason)
        if let failure {
            let isThrottled = failure.kind == .throttled
            decision.reason += (isThrottled ? "; waiting for Azure's rate limit: " : "; last try: ") + failure.message
        }
        if case .terminal(let why) = failure?.kind { decision.stalledReason = why }
        if let instant = facts.waitUntil(kind) {
            decision.nextLook = .at(instant)
        } else {
            decision.actions = [action]
        }
        return decision
    }
}

/// One row of the table.
struct Rule: Sendable {
    let name: RuleName
    /// `nil` when the rule does not apply.
    let decide: @Sendable (Facts) -> Decision?
}

let rules: [Rule] = [
    Rule(name: .operationInProgress, decide: operationInProgress),
    Rule(name: .frozen, decide: frozen),
    Rule(name: .paused, decide: paused),
    Rule(name: .forgetting, decide: forgetting),
    Rule(name: .endingRunBeforeDelete, decide: endingRunBeforeDelete),
    Rule(name: .releasingSite, decide: releasingSite),
    Rule(name: .deletingSite, decide: deletingSite),
    Rule(name: .runEnded, decide: runEnded),
    Rule(name: .runRefused, decide: runRefused),
    Rule(name: .runAcknowledged, decide: runAcknowledged),
    Rule(name: .operationAccepted, decide: operationAccepted),
    Rule(name: .createUnknown, decide: createUnknown),
    Rule(name: .adopting, decide: adopting),
    Rule(name: .foreignOwner, decide: foreignOwner),
    Rule(name: .attemptUnknown, decide: attemptUnknown),
    Rule(name: .deadline, decide: deadline),
    Rule(name: .runUnacknowledged, decide: runUnacknowledged),
    Rule(name: .stopAsked, decide: stopAsked),
    Rule(name: .running, decide: running),
    Rule(name: .unobserved, decide: unobserved),
    Rule(name: .replacing, decide: replacing),
    Rule(name: .absent, decide: absent),
    Rule(name: .drift, decide: drift),
    Rule(name: .retryDelayed, decide: retryDelayed),
    Rule(name: .startFailed, decide: startFailed),
    Rule(name: .starting, decide: starting),
    Rule(name: .notInvoked, decide: notInvoked),
    Rule(name: .timeToLive, decide: timeToLive),
]
