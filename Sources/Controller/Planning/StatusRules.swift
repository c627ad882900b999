import DesiredState

/// The status that says what is true once the decision's commits are made.
func status(_ facts: Facts, after decision: Decision, by rule: RuleName) -> FunctionAppStatus {
    let attempts = projected(facts, decision)
    var status = facts.record.status
    status.observedGeneration = max(status.observedGeneration, facts.record.metadata.generation)
    status.site = siteStatus(facts, decision)
    status.driftHistory = driftHistory(facts, decision)
    status.runs = runs(of: attempts)
    let moment = Moment(wall: facts.input.wall, steady: facts.now)
    let at: Instant? = if case .at(let instant) = decision.nextLook { moment.wall(at: instant) } else { nil }
    status.nextAction = NextAction(rule: rule.rawValue, reason: decision.reason, at: at)
    let findings =
        [provisioned(facts, decision), ready(facts, decision)].compactMap(\.self)
        + runFindings(facts, attempts: attempts)
        + [drifted(facts, decision, status.driftHistory), stalled(facts, decision, status.driftHistory)]
        .compactMap(\.self)
    for finding in findings { status.set(finding, at: facts.input.wall) }
    return status
}

/// A condition before it is known when it became so.
struct Finding {
    let type: ConditionType
    let status: ConditionStatus
    let reason: String
    var message = ""
}

extension FunctionAppStatus {
    /// Keeps the transition time unless the condition's status changes; conditions stay in the order of `ConditionType`.
    fileprivate mutating func set(_ finding: Finding, at now: Instant) {
        let previous = self[finding.type]
        let transition = previous?.status == finding.status ? previous?.lastTransitionTime ?? now : now
        conditions.removeAll { $0.type == finding.type }
        conditions.append(
            Condition(
                type: finding.type, status: finding.status, reason: finding.reason, message: finding.message,
                lastTransitionTime: transition))
        let order = ConditionType.allCases
        conditions.sort { (order.firstIndex(of: $0.type) ?? 0) < (order.firstIndex(of: $1.type) ?? 0) }
    }
}

// MARK: site

/// `nil` = as before: what is not known now does not make untrue what was seen.
private func provisioned(_ facts: Facts, _ decision: Decision) -> Finding? {
    if let foreign = facts.foreignSite {
        return Finding(
            type: .provisioned, status: .false, reason: "ForeignOwner",
            message: "the name \(foreign.name) is used by another site")
    }
    if let failure = facts.failure(.putSite) {
        let reason = if case .terminal(let reason) = failure.kind { reason } else { "WriteFailed" }
        return Finding(type: .provisioned, status: .false, reason: reason, message: failure.message)
    }
    if decision.actions.contains(.putSite) {
        return Finding(type: .provisioned, status: .false, reason: facts.hasOwnSite ? "Updating" : "Creating")
    }
    if let site = facts.ownSite, site.designHash == facts.input.identity.designHash {
        return Finding(type: .provisioned, status: .true, reason: "AsDeclared")
    }
    if facts.record.status[.provisioned] == nil {
        return Finding(type: .provisioned, status: .unknown, reason: "NotObserved")
    }
    return nil
}

private func ready(_ facts: Facts, _ decision: Decision) -> Finding? {
    if decision.actions.contains(.putSite) || decision.actions.contains(.deleteSite) {
        return Finding(
            type: .ready, status: .false, reason: decision.actions.contains(.putSite) ? "Starting" : "Deleting")
    }
    // What the agent said before a write says nothing of the container after it.
    if facts.input.inFlight.contains(where: \.changesSite) { return nil }
    switch facts.input.agent {
    case .live: return Finding(type: .ready, status: .true, reason: "AgentAnswered")
    case .notReady(let notReady):
        if case .imagePullFailed(let message) = notReady.diagnosis {
            return Finding(type: .ready, status: .false, reason: "ImagePullFailed", message: message)
        }
        return Finding(type: .ready, status: .false, reason: "AgentDoesNotAnswer", message: notReady.message)
    case .unknown:
        return facts.record.status[.ready] == nil ? Finding(type: .ready, status: .unknown, reason: "NotObserved") : nil
    }
}

private func stalled(_ facts: Facts, _ decision: Decision, _ history: [DriftFinding]) -> Finding? {
    decision.stalledReason.map { Finding(type: .stalled, status: .true, reason: $0, message: decision.reason) }
        ?? repairsStalled(facts, history) ?? Finding(type: .stalled, status: .false, reason: "MakingProgress")
}

// MARK: runs

private func runFindings(_ facts: Facts, attempts: [Attempt]) -> [Finding] {
    let last = attempts.last
    let isPending = facts.record.spec.invocations > (last?.run ?? 0) || last?.result?.outcome == .refused
    let isOpen = last?.isOpen == true
    let running = Finding(
        type: .running, status: isOpen && last?.acknowledgedAt != nil ? .true : isOpen ? .unknown : .false,
        reason: isOpen
            ? (last?.acknowledgedAt == nil ? "NotConfirmed" : "RunOpen") : isPending ? "NotBegun" : "NoRunOpen")
    guard !isPending, !isOpen, let result = last?.result else {
        let reason = isPending || isOpen ? "RunNotEnded" : "NeverRan"
        return [
            running, Finding(type: .succeeded, status: .unknown, reason: reason),
            Finding(type: .failed, status: .unknown, reason: reason),
        ]
    }
    let isSuccess = result.outcome == .succeeded
    let message = result.message ?? result.exitCode.map { "exit code \($0)" } ?? ""
    return [
        running,
        Finding(
            type: .succeeded, status: isSuccess ? .true : .false, reason: result.outcome.rawValue, message: message),
        Finding(type: .failed, status: isSuccess ? .false : .true, reason: result.outcome.rawValue, message: message),
    ]
}

/// The attempts as they are once the decision's commits are made.
func projected(_ facts: Facts, _ decision: Decision) -> [Attempt] {
    var attempts = facts.input.attempts
    for action in decision.actions {
        switch action {
        case .finishAttempt(let token, let result):
            for index in attempts.indices where attempts[index].token == token && attempts[index].isOpen {
                attempts[index].result = result
            }
        case .acknowledgeAttempt(let token, let instant):
            for index in attempts.indices where attempts[index].token == token && attempts[index].acknowledgedAt == nil
            {
                attempts[index].acknowledgedAt = instant
            }
        case .openAttempt, .failRun, .settleIntent, .setOperation, .removeFinalizer, .markDeleted, .forget, .putSite,
            .followOperation, .deleteSite, .postRun,
            .readSite, .readDetails, .greetAgent, .readContainerLog, .followRun, .stopRun:
            continue
        }
    }
    return attempts
}

private func runs(of attempts: [Attempt]) -> [RunStatus] {
    var runs: [RunStatus] = []
    for attempt in attempts {
        let status = AttemptStatus(
            token: attempt.token, bootID: attempt.bootID, startedAt: attempt.acknowledgedAt,
            finishedAt: attempt.result?.finishedAt, exitCode: attempt.result?.exitCode,
            outcome: attempt.result?.outcome,
            message: attempt.result?.message)
        if runs.last?.number == attempt.run {
            runs[runs.count - 1].attempts.append(status)
        } else {
            runs.append(RunStatus(number: attempt.run, attempts: [status]))
        }
    }
    return Array(runs.suffix(FunctionAppStatus.maximumRuns))
}
