import DesiredState

/// The store is behind its sites: what it knows may be old, so nothing is written, begun or deleted on the strength of it.
func frozen(_ facts: Facts) -> Decision? {
    guard let freeze = facts.input.freeze else { return nil }
    var decision = watching(facts, reason: "frozen: \(freeze.reason); `skls recover` leads out", mayStop: false)
    decision.stalledReason = "Frozen"
    return decision
}

/// The user wants no writes for a while. A deletion ends that, and so does the time that was given, by the wall clock: it is the user's.
func paused(_ facts: Facts) -> Decision? {
    guard let pause = facts.pause else { return nil }
    var reason = "paused"
    if let by = pause.by { reason += " by \(by)" }
    if let until = pause.until { reason += " until \(until)" }
    if let why = pause.reason { reason += ": \(why)" }
    var decision = watching(facts, reason: reason, mayStop: true)
    if let until = pause.until {
        decision.nextLook = earlier(decision.nextLook, .at(facts.now + (until - facts.input.wall)))
    }
    return decision
}

extension Facts {
    /// The pause that lasts; `nil` when there is none, when its time is over and when the record is being deleted.
    var pause: Suspension? {
        guard let pause = record.spec.suspend, !record.isBeingDeleted else { return nil }
        if let until = pause.until, until <= input.wall { return nil }
        return pause
    }
}

/// Reads, and nothing else: an open run is followed, what Azure works on is followed, a site that nobody has seen is looked at.
///
/// An attempt that was not confirmed is not asked for again, since that might begin it.
/// - Parameter mayStop: runs are ended that the user or their deadline wants to end; that writes nothing to Azure.
func watching(_ facts: Facts, reason: String, mayStop: Bool) -> Decision {
    if let attempt = facts.openAttempt {
        if let settled = settlement(of: attempt, facts) ?? runAcknowledged(facts) { return settled }
        if attempt.acknowledgedAt == nil {
            // At the latest then it counts as unknown, unless the answer to the request that is under way decides.
            let due = facts.attemptOpenedAt(attempt) + PlannerConstants.attemptGivenUpAfter
            return Decision(reason: reason, nextLook: facts.isInFlight(.postRun) ? .onChange : .at(due))
        }
        let stopping = mayStop ? deadline(facts) ?? stopAsked(facts) : nil
        return (stopping ?? running(facts) ?? Decision(reason: "")).because(reason)
    }
    let reads: Set<CallKind> = [.followOperation, .readSite]
    if let decision = operationAccepted(facts) ?? createUnknown(facts) ?? unobserved(facts),
        decision.actions.allSatisfy({ action in action.call.map { reads.contains($0) } ?? true })
    {
        return decision.because(reason)
    }
    return Decision(reason: reason)
}

extension Decision {
    fileprivate func because(_ reason: String) -> Decision {
        var decision = self
        decision.reason = self.reason.isEmpty ? reason : reason + "; " + self.reason
        return decision
    }
}
