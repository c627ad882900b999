import DesiredState

/// The status that says what is true once the decision's commits are made.
func status(_ facts: Facts, after decision: Decision, by rule: RuleName) -> FunctionAppStatus {
    let attempts = projected(facts, decision)
    var status = facts.record.status
    status.observedGeneration = max(status.observedGeneration, facts.record.metadata.generation)
    status.site = siteStatus(facts, decision)
    status.driftHistory = driftHistory(facts, decision)
    status.runs = runs(of: attempts, facts, decision)
    let moment = Moment(wall: facts.input.wall, steady: facts.now)
    let at: Instant? = if case .at(let instant) = decision.nextLook { moment.wall(at: instant) } else { nil }
    status.nextAction = NextAction(rule: rule.rawValue, reason: decision.reason, at: at)
    let findings =
        [provisioned(facts, decision), ready(facts, decision)].compactMap(\.self)
        + runFindings(facts, decision, attempts: attempts)
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
        switch failure.kind {
        case .terminal(let reason):
            return Finding(type: .provisioned, status: .false, reason: reason, message: failure.message)
        case .transient, .outcomeUnknown:
            return Finding(type: .provisioned, status: .false, reason: "WriteFailed", message: failure.message)
        case .throttled:
            let message = "waiting for Azure's rate limit: " + failure.message
            return Finding(type: .provisioned, status: .false, reason: "Throttled", message: message)
        }
    }
    if decision.actions.contains(.putSite) {
        return Finding(type: .provisioned, status: .false, reason: facts.hasOwnSite ? "Updating" : "Creating")
    }
    if let site = facts.ownSite {
        return site.designHash == facts.input.identity.designHash
            ? Finding(type: .provisioned, status: .true, reason: "AsDeclared")
            : Finding(type: .provisioned, status: .false, reason: "NotAsDeclared")
    }
    if case .absent = facts.input.site {
        return Finding(type: .provisioned, status: .false, reason: "SiteAbsent", message: "there is no site")
    }
    if facts.record.status[.provisioned] == nil {
        return Finding(type: .provisioned, status: .unknown, reason: "NotObserved")
    }
    return nil
}

private func ready(_ facts: Facts, _ decision: Decision) -> Finding? {
    if decision.actions.contains(.putSite) { return Finding(type: .ready, status: .false, reason: "Starting") }
    if decision.actions.contains(.deleteSite) || decision.actions.contains(.releaseSite) {
        return Finding(type: .ready, status: .false, reason: "Deleting")
    }
    // What the agent said before a write says nothing of the container after it.
    if facts.input.inFlight.contains(where: \.changesSite) { return nil }
    if case .absent = facts.input.site { return Finding(type: .ready, status: .false, reason: "SiteAbsent") }
    if facts.foreignSite != nil { return Finding(type: .ready, status: .false, reason: "ForeignOwner") }
    switch facts.input.agent {
    case .live: return Finding(type: .ready, status: .true, reason: "AgentAnswered")
    case .notReady(let notReady):
        if let failure = startFailure(notReady, at: facts.now) {
            return Finding(type: .ready, status: .false, reason: failure.reason, message: failure.message)
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

private func runFindings(_ facts: Facts, _ decision: Decision, attempts: [Attempt]) -> [Finding] {
    let last = attempts.last
    let isFollowed = last.map { $0.result?.outcome == .refused || facts.isRetried($0, decision) } ?? false
    let isPending = facts.record.spec.invocations > (last?.run ?? 0) || isFollowed
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
            .followOperation, .deleteSite, .releaseSite, .postRun, .readSite, .readDetails, .greetAgent,
            .readContainerLog, .followRun, .stopRun, .readRunLog:
            continue
        }
    }
    return attempts
}

extension Facts {
    /// Whether another attempt follows one of unknown outcome: decided in the commit that ends it, and from then on only taken back.
    fileprivate func isRetried(_ attempt: Attempt, _ decision: Decision) -> Bool {
        guard let outcome = attempt.result?.outcome, outcome.isUnknown else { return false }
        let isEnding = decision.actions.contains { action in
            if case .finishAttempt(attempt.token, _) = action { true } else { false }
        }
        if isEnding { return mayRetry(after: attempt) }
        let isFollowed = input.attempts.contains {
            $0.run == attempt.run && $0.number > attempt.number && $0.result?.outcome != .refused
        }
        // Attempts that were refused may stand between it and the one that follows.
        return isFollowed || attempt.run == lastRun && lastAttempt.map(isFollowedByAnother) == true
    }
}

private func runs(of attempts: [Attempt], _ facts: Facts, _ decision: Decision) -> [RunStatus] {
    var runs: [RunStatus] = []
    for attempt in attempts {
        var status = AttemptStatus(
            token: attempt.token, bootID: attempt.bootID, startedAt: attempt.acknowledgedAt,
            finishedAt: attempt.result?.finishedAt, exitCode: attempt.result?.exitCode,
            outcome: attempt.result?.outcome,
            message: attempt.result?.message)
        if attempt.isOpen { status.observedSeconds = facts.markedObservation.map { Int($0.components.seconds) } }
        status.isRetried = facts.isRetried(attempt, decision)
        if runs.last?.number == attempt.run {
            runs[runs.count - 1].attempts.append(status)
        } else {
            runs.append(RunStatus(number: attempt.run, attempts: [status]))
        }
    }
    return Array(runs.suffix(FunctionAppStatus.maximumRuns))
}
