import DesiredState

/// The result of the open attempt is known.
func runEnded(_ facts: Facts) -> Decision? {
    guard let attempt = facts.openAttempt, case .ended(let result) = facts.input.run else { return nil }
    return Decision(reason: "the run ended", actions: [.finishAttempt(token: attempt.token, result)])
}

/// The container had been restarted before the first request came: nothing was run.
func runRefused(_ facts: Facts) -> Decision? {
    guard let attempt = facts.openAttempt, case .refused = facts.input.run else { return nil }
    let isLast = attempt.number >= PlannerConstants.maximumRefusals
    let result = AttemptResult(
        outcome: isLast ? .startFailed : .refused, exitCode: nil, finishedAt: facts.input.wall,
        message: isLast ? "the container was restarted before each of \(attempt.number) attempts" : nil)
    return Decision(
        reason: "the container was restarted before it was asked",
        actions: [.finishAttempt(token: attempt.token, result)])
}

/// The agent confirmed that it has the attempt: that is kept before anything else.
func runAcknowledged(_ facts: Facts) -> Decision? {
    guard let attempt = facts.openAttempt, attempt.acknowledgedAt == nil,
        case .acknowledged(let instant) = facts.input.run
    else { return nil }
    var decision = Decision(
        reason: "the agent confirmed the run", actions: [.acknowledgeAttempt(token: attempt.token, at: instant)])
    if !facts.isInFlight(.followRun) { decision.actions.append(.followRun(token: attempt.token)) }
    return decision
}

/// The container that was asked is gone: whether and how the attempt ran cannot be learned from it any more, and it is never asked again.
func attemptLost(_ facts: Facts) -> Decision? {
    facts.openAttempt.flatMap { lostSettlement(of: $0, facts) }
}

/// It is not known whether the agent has the attempt. The same life of the container runs a token once, so asking again is safe.
func runUnacknowledged(_ facts: Facts) -> Decision? {
    guard let attempt = facts.openAttempt, attempt.acknowledgedAt == nil else { return nil }
    return driving(attempt, facts, stop: nil)
}

/// The user wants the open run to end.
func stopAsked(_ facts: Facts) -> Decision? {
    guard let attempt = facts.openAttempt, let stop = facts.record.spec.stop, stop.run == attempt.run,
        facts.input.sentStop != stop
    else { return nil }
    return driving(attempt, facts, stop: stop)
}

/// The run goes on; its output is followed.
func running(_ facts: Facts) -> Decision? {
    guard let attempt = facts.openAttempt else { return nil }
    return driving(attempt, facts, stop: nil)
}

/// A run was asked for and is not begun.
func notInvoked(_ facts: Facts) -> Decision? {
    guard let pending = facts.pendingRun, facts.ownSite != nil, let bootID = facts.liveBootID else { return nil }
    return .call(
        .openAttempt(run: pending.run, number: pending.attempt, bootID: bootID), facts,
        reason: "beginning run \(pending.run)")
}

// MARK: parts

/// The action that ends an attempt whose end is known or cannot be known any more.
func settlement(of attempt: Attempt, _ facts: Facts) -> Decision? {
    runEnded(facts) ?? runRefused(facts) ?? lostSettlement(of: attempt, facts)
}

private func lostSettlement(of attempt: Attempt, _ facts: Facts) -> Decision? {
    let why: String
    if facts.isAbsent(after: attempt.openedAt) {
        why = "the site disappeared"
    } else if let bootID = facts.liveBootID, bootID != attempt.bootID {
        why = "the container was restarted"
    } else if let notReady = facts.notReady, facts.now - notReady.since >= PlannerConstants.attemptGivenUpAfter {
        why = "the agent has not answered for \(PlannerConstants.attemptGivenUpAfter.components.seconds / 60) minutes"
    } else {
        return nil
    }
    let result = AttemptResult(
        outcome: attempt.acknowledgedAt == nil ? .unknown : .lost, exitCode: nil, finishedAt: facts.input.wall,
        message: attempt.acknowledgedAt == nil
            ? "\(why) before the agent confirmed the run: it may have run or not, and is not tried again"
            : "\(why) while the run was open: how it ended is not known")
    return Decision(reason: why, actions: [.finishAttempt(token: attempt.token, result)])
}

/// Asks the agent for what is still missing, and Azure for the site when the agent does not answer.
func driving(_ attempt: Attempt, _ facts: Facts, stop: StopRequest?) -> Decision {
    askingAgent(attempt, facts, stop: stop).alsoLookingAtSite(facts)
}

/// The agent's confirmation, the run's output and end, and the stop if one is wanted.
private func askingAgent(_ attempt: Attempt, _ facts: Facts, stop: StopRequest?) -> Decision {
    if attempt.acknowledgedAt == nil {
        // A live agent with another boot id was dealt with before.
        guard facts.liveBootID != nil else {
            return .call(.greetAgent, facts, reason: "looking whether the agent has the run")
        }
        return .call(.postRun(token: attempt.token), facts, reason: "asking the agent for the run")
    }
    var decision = Decision.call(.followRun(token: attempt.token), facts, reason: "run \(attempt.run) is open")
    if let stop, facts.input.sentStop != stop {
        let stopping = Decision.call(.stopRun(token: attempt.token, stop), facts, reason: "stopping run \(attempt.run)")
        decision.reason = stopping.reason
        decision.actions += stopping.actions
        decision.nextLook = earlier(decision.nextLook, stopping.nextLook)
    }
    return decision
}

extension Decision {
    /// With a read of the site beside it while that is in doubt.
    func alsoLookingAtSite(_ facts: Facts) -> Decision {
        guard facts.isSiteInDoubt else { return self }
        let looking = Decision.call(.readSite, facts, reason: reason)
        var decision = self
        decision.actions += looking.actions
        decision.nextLook = earlier(nextLook, looking.nextLook)
        return decision
    }
}

func earlier(_ left: NextLook, _ right: NextLook) -> NextLook {
    switch (left, right) {
    case (.at(let left), .at(let right)): .at(min(left, right))
    case (.at, .onChange): left
    case (.onChange, _): right
    }
}
