import DesiredState

/// Azure took the write and works on it. What is to be followed is kept first, so that another life of the daemon can go
/// on with it; once it has ended the site is read.
func operationAccepted(_ facts: Facts) -> Decision? {
    guard facts.hasUnsettledCreate, let intent = facts.input.intent else { return nil }
    let isOver = facts.now >= facts.openedAt(intent) + PlannerConstants.operationGivenUpAfter
    guard let kept = intent.operation else {
        guard case .accepted(let operation) = facts.input.operation, !isOver else { return nil }
        return Decision(reason: "Azure has begun to work on it", actions: [.setOperation(operation)])
    }
    if case .ended = facts.input.operation {
        // It is let go together with the intent, unless what is there does not settle that. A life that begins before asks about it once more.
        guard facts.foreignSite != nil || facts.isAbsent(after: facts.openedAt(intent)) else { return nil }
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
    if case .present(_, let asOf) = facts.input.site, asOf >= facts.openedAt(intent) {
        return Decision(reason: "the site is there", actions: [.settleIntent])
    }
    if facts.isAbsent(after: facts.openedAt(intent)) {
        // What becomes of an attempt that is open all the same is decided first.
        if facts.openAttempt != nil { return nil }
        return .call(.putSite, facts, reason: "the site is not there; creating it again")
    }
    return .call(.readSite, facts, reason: "looking whether the site was created")
}

/// The site was written once, and what is there now is not known.
func unobserved(_ facts: Facts) -> Decision? {
    // A site that may be taken over is looked for before the first write.
    guard facts.input.intent != nil || facts.record.spec.adoption == .ifTagged, !facts.isSiteKnown else { return nil }
    if facts.isListPending { return Decision(reason: "waiting for the list of sites") }
    return .call(.readSite, facts, reason: "looking at the site")
}

/// A site of that name carries other tags than ours. It is never touched; an open run is followed to its end all the same.
func foreignOwner(_ facts: Facts) -> Decision? {
    guard let site = facts.foreignSite else { return nil }
    var decision = watching(
        facts, reason: "the site \(site.name) does not carry this record's tags; it is left alone", mayStop: true)
    decision.stalledReason = "ForeignOwner"
    return decision
}

/// Every unsuspended record has a site.
func absent(_ facts: Facts) -> Decision? {
    guard facts.input.intent == nil || !facts.hasOwnSite else { return nil }
    return .call(.putSite, facts, reason: "creating the site")
}

/// All asked-for runs ended long enough ago, by the steady clock: see ``StoredTimes``.
func timeToLive(_ facts: Facts) -> Decision? {
    guard let seconds = facts.record.spec.run.ttlSecondsAfterFinished, facts.openAttempt == nil,
        facts.pendingRun == nil,
        !facts.record.isBeingDeleted, let endedAt = facts.lastEndedAt
    else { return nil }
    let due = endedAt + .seconds(seconds)
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
