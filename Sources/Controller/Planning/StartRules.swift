import DesiredState

/// The container cannot start. A run that waits for it has failed; otherwise it is looked at again in the slowest lane, since the platform goes on trying.
func startFailed(_ facts: Facts) -> Decision? {
    guard facts.needsAgent, facts.openAttempt == nil, let notReady = facts.notReady,
        let failure = startFailure(notReady, at: facts.now)
    else { return nil }
    if let pending = facts.pendingRun {
        return Decision(
            reason: failure.message, actions: [.failRun(number: pending.run, message: failure.message)],
            stalledReason: failure.reason)
    }
    let due = notReady.askedAt + PlannerConstants.startProbePeriod
    var decision = Decision(reason: failure.message, nextLook: .at(due))
    if facts.now >= due {
        // While it is asked the status says the same as before: each try would be written otherwise, twice.
        let asking = Decision.call(.greetAgent, facts, reason: failure.message)
        decision.actions = asking.actions
        decision.nextLook = earlier(asking.nextLook, .at(facts.now + PlannerConstants.startProbePeriod))
    }
    decision.stalledReason = failure.reason
    return decision
}

/// The site is there, and its agent has not answered yet.
func starting(_ facts: Facts) -> Decision? {
    guard facts.needsAgent, facts.liveBootID == nil else { return nil }
    var decision = Decision.call(.greetAgent, facts, reason: "waiting for the container to start")
    if let notReady = facts.notReady {
        if notReady.diagnosis == nil, !facts.isInFlight(.readContainerLog), facts.waitUntil(.readContainerLog) == nil {
            decision.actions.append(.readContainerLog)
        }
        decision.nextLook = earlier(decision.nextLook, .at(notReady.since + startPatience(notReady.diagnosis)))
    }
    return decision.alsoLookingAtSite(facts)
}

/// Why the container has failed to start, once that is certain enough for a run to fail with it: one word and a sentence.
func startFailure(_ notReady: NotReady, at now: Instant) -> (reason: String, message: String)? {
    let patience = startPatience(notReady.diagnosis)
    guard now - notReady.since >= patience else { return nil }
    switch notReady.diagnosis {
    case .imagePullFailed(let message): return ("ImagePullFailed", message)
    case .noAnswerOnPort(let message): return ("NoAnswerOnPort", message)
    case .containerExited(let code, let message):
        return ("ContainerExited", code.map { "exit code \($0): " + message } ?? message)
    case .none?, nil:
        return (
            "StartFailed",
            "the container did not answer for \(patience.components.seconds) s: \(notReady.message)"
        )
    }
}

/// How long a run waits for a container of which the platform says this.
private func startPatience(_ diagnosis: StartDiagnosis?) -> Duration {
    switch diagnosis {
    // The platform has tried for its whole limit already.
    case .imagePullFailed, .noAnswerOnPort: .zero
    case .containerExited: PlannerConstants.exitPatience
    case .none?, nil: PlannerConstants.startLimit
    }
}
