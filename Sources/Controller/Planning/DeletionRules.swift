import DesiredState

/// A write to the site is under way: what it leads to is not known yet, so nothing else is decided.
func operationInProgress(_ facts: Facts) -> Decision? {
    guard facts.input.inFlight.contains(where: \.changesSite) else { return nil }
    return Decision(reason: "waiting for Azure to answer")
}

/// Both finalizers are worked off.
func forgetting(_ facts: Facts) -> Decision? {
    guard facts.record.isBeingDeleted, facts.record.metadata.finalizers.isEmpty else { return nil }
    return Decision(reason: "nothing is left of it", actions: [.forget])
}

/// First finalizer: no attempt may be open when the site goes, and its output should have been read.
func endingRunBeforeDelete(_ facts: Facts) -> Decision? {
    guard facts.record.isBeingDeleted, facts.record.metadata.finalizers.contains(.endRun) else { return nil }
    guard let attempt = facts.openAttempt else {
        // The next step usually follows at once, so both are decided together.
        return deletingSite(facts).map { next in
            var next = next
            next.actions.insert(.removeFinalizer(.endRun), at: 0)
            return next
        }
    }
    if let settled = settlement(of: attempt, facts) ?? runAcknowledged(facts) { return settled }
    if attempt.acknowledgedAt == nil, !facts.isInFlight(.postRun) {
        // Asking again could begin a command that nobody wants any more; if it did begin, it ends with the site.
        let result = AttemptResult(
            outcome: .unknown, exitCode: nil, finishedAt: facts.input.wall,
            message: "deleted before the agent confirmed the run: it may have begun or not")
        return Decision(
            reason: "deleted before the run was confirmed", actions: [.finishAttempt(token: attempt.token, result)])
    }
    let deadline = (facts.record.metadata.deletionTimestamp ?? facts.now) + PlannerConstants.deleteWaitsForAgent
    if facts.now >= deadline {
        let result = AttemptResult(
            outcome: attempt.acknowledgedAt == nil ? .unknown : .lost, exitCode: nil, finishedAt: facts.input.wall,
            message: "the agent did not answer while the record was deleted")
        return Decision(reason: "the agent does not answer", actions: [.finishAttempt(token: attempt.token, result)])
    }
    var decision = driving(attempt, facts, stop: StopRequest(run: attempt.run, signal: "KILL", graceSeconds: 0))
    decision.nextLook = earlier(decision.nextLook, .at(deadline))
    return decision
}

/// Second finalizer: the site is deleted and was seen gone after that.
func deletingSite(_ facts: Facts) -> Decision? {
    guard facts.record.isBeingDeleted else { return nil }
    let done = Decision(reason: "the site is gone", actions: [.removeFinalizer(.deleteSite), .forget])
    guard facts.record.metadata.finalizers.contains(.deleteSite), let intent = facts.input.intent,
        !facts.input.isSurelyUnwritten
    else {
        return done  // no create was ever sent, or all were refused
    }
    if facts.foreignSite != nil { return done }
    if facts.ownSite != nil { return .call(.deleteSite, facts, reason: "deleting the site") }
    if intent.kind == .putSite, !intent.isSettled {
        let settlesAt = intent.openedAt + PlannerConstants.createSettlesAfter
        if facts.isAbsent(after: settlesAt) { return done }
        var decision = Decision.call(.readSite, facts, reason: "a create may still take effect; looking for the site")
        if case .absent(let asOf) = facts.input.site, asOf >= intent.openedAt {
            // Seen absent a moment ago: the next look is later the longer it lasts, and at the latest when the create counts as failed.
            let nextLook = min(asOf + max(facts.now - intent.openedAt, .seconds(1)) / 4, settlesAt)
            if facts.now < nextLook {
                decision.actions = []
                decision.nextLook = .at(nextLook)
            }
        }
        return decision
    }
    if facts.isAbsent(after: intent.openedAt) { return done }
    return .call(.readSite, facts, reason: "looking whether the site is gone")
}
