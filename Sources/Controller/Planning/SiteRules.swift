import DesiredState

/// The store is behind its sites: what it knows may be old, so nothing is written, begun or deleted on the strength of it.
func frozen(_ facts: Facts) -> Decision? {
    guard let freeze = facts.input.freeze else { return nil }
    var decision = watching(facts, reason: "frozen: \(freeze.reason); `skls recover` leads out")
    decision.stalledReason = "Frozen"
    return decision
}

/// The user wants no writes. Runs that are open are still followed, since that only reads.
func suspended(_ facts: Facts) -> Decision? {
    guard facts.record.spec.suspend != nil, !facts.record.isBeingDeleted else { return nil }
    return watching(facts, reason: "spec.suspend is true")
}

/// Reads, and nothing else: an open run is followed, what Azure works on is followed, a site that nobody has seen is looked at.
///
/// An attempt that was not confirmed is not asked for again, since that might begin it.
private func watching(_ facts: Facts, reason: String) -> Decision {
    if let attempt = facts.openAttempt {
        if let settled = settlement(of: attempt, facts) ?? runAcknowledged(facts) { return settled }
        if attempt.acknowledgedAt != nil {
            var decision = driving(attempt, facts, stop: nil)
            decision.reason = reason + "; " + decision.reason
            return decision
        }
    }
    let reads: Set<CallKind> = [.followOperation, .readSite]
    if var decision = operationAccepted(facts) ?? createUnknown(facts) ?? unobserved(facts),
        decision.actions.allSatisfy({ action in action.call.map { reads.contains($0) } ?? true })
    {
        decision.reason = reason + "; " + decision.reason
        return decision
    }
    return Decision(reason: reason)
}

/// Azure took the write and works on it. What is to be followed is kept first, so that another life of the daemon can go
/// on with it; once it has ended the site is read.
func operationAccepted(_ facts: Facts) -> Decision? {
    guard facts.hasUnsettledCreate, let intent = facts.input.intent else { return nil }
    let isOver = facts.now >= intent.openedAt + PlannerConstants.operationGivenUpAfter
    guard let kept = intent.operation else {
        guard case .accepted(let operation) = facts.input.operation, !isOver else { return nil }
        return Decision(reason: "Azure has begun to work on it", actions: [.setOperation(operation)])
    }
    if case .ended = facts.input.operation {
        return Decision(reason: "Azure's operation has ended", actions: [.setOperation(nil)])
    }
    if isOver { return Decision(reason: "Azure's operation does not end", actions: [.setOperation(nil)]) }
    // The newest form, which an answer may have moved on; after a restart the one that was kept.
    let newest: String = if case .accepted(let operation) = facts.input.operation { operation } else { kept }
    return .call(.followOperation(newest), facts, reason: "waiting for Azure's operation to end")
}

/// A create was sent and its outcome is not known: settled by reading, never by guessing.
func createUnknown(_ facts: Facts) -> Decision? {
    guard facts.hasUnsettledCreate, let intent = facts.input.intent else { return nil }
    if facts.foreignSite != nil { return nil }
    if case .present(_, let asOf) = facts.input.site, asOf >= intent.openedAt {
        return Decision(reason: "the site is there", actions: [.settleIntent])
    }
    if facts.isAbsent(after: intent.openedAt) {
        return .call(.putSite, facts, reason: "the site is not there; creating it again")
    }
    return .call(.readSite, facts, reason: "looking whether the site was created")
}

/// The site was written once, and what is there now is not known.
func unobserved(_ facts: Facts) -> Decision? {
    guard facts.input.intent != nil, !facts.isSiteKnown else { return nil }
    if facts.isListPending { return Decision(reason: "waiting for the list of sites") }
    return .call(.readSite, facts, reason: "looking at the site")
}

/// A site of that name carries other tags than ours. It is never touched.
func foreignOwner(_ facts: Facts) -> Decision? {
    guard let site = facts.foreignSite else { return nil }
    return Decision(
        reason: "the site \(site.name) does not carry this record's tags; it is left alone",
        stalledReason: "ForeignOwner")
}

/// Every unsuspended record has a site.
func absent(_ facts: Facts) -> Decision? {
    guard facts.input.intent == nil || !facts.hasOwnSite else { return nil }
    return .call(.putSite, facts, reason: "creating the site")
}

/// The container cannot start. A run that waits for it has failed; the site is looked at again now and then.
func startFailed(_ facts: Facts) -> Decision? {
    guard facts.needsAgent, let notReady = facts.notReady else { return nil }
    let message: String
    if case .imagePullFailed(let detail) = notReady.diagnosis {
        message = detail
    } else if facts.now - notReady.since >= PlannerConstants.startLimit {
        message =
            "the container did not answer for \(PlannerConstants.startLimit.components.seconds) s: \(notReady.message)"
    } else {
        return nil
    }
    if let pending = facts.pendingRun {
        return Decision(
            reason: message, actions: [.failRun(number: pending.run, message: message)], stalledReason: "StartFailed")
    }
    var decision = Decision.call(.greetAgent, facts, reason: message)
    decision.stalledReason = "StartFailed"
    return decision
}

/// The site is there, and its agent has not answered yet.
func starting(_ facts: Facts) -> Decision? {
    guard facts.needsAgent, facts.liveBootID == nil else { return nil }
    var decision = Decision.call(.greetAgent, facts, reason: "waiting for the container to start")
    if let notReady = facts.notReady, notReady.diagnosis == nil, !facts.isInFlight(.readContainerLog),
        facts.waitUntil(.readContainerLog) == nil
    {
        decision.actions.append(.readContainerLog)
    }
    return decision.alsoLookingAtSite(facts)
}

/// All asked-for runs ended long enough ago.
func timeToLive(_ facts: Facts) -> Decision? {
    guard let seconds = facts.record.spec.run.ttlSecondsAfterFinished, facts.openAttempt == nil,
        facts.pendingRun == nil,
        !facts.record.isBeingDeleted, let finishedAt = facts.lastAttempt?.result?.finishedAt
    else { return nil }
    let due = finishedAt + .seconds(seconds)
    if facts.now >= due { return Decision(reason: "its time to live is over", actions: [.markDeleted]) }
    return Decision(reason: "finished; kept until its time to live is over", nextLook: .at(due))
}

extension Facts {
    var hasOwnSite: Bool { ownSite != nil }

    /// A run waits for the agent, or nobody has seen it answer yet. A site that was ready once and has nothing to run is not called:
    /// that would wake it up and cost a request for each record.
    var needsAgent: Bool {
        hasOwnSite && (pendingRun != nil || openAttempt != nil || !record.status.isTrue(.ready))
    }
}
