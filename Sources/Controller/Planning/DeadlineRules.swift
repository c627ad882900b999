import DesiredState

/// The run has been open for longer than its time and some more, although the agent should have ended it: it is ended from here, and given up at last.
///
/// Measured by ``StoredTimes/runObserved``, so no step of a clock ends a run early; restarts of the daemon may make it late.
func deadline(_ facts: Facts) -> Decision? {
    guard let attempt = facts.openAttempt, attempt.acknowledgedAt != nil, let limit = facts.runLimit else { return nil }
    let observed = facts.times.runObserved
    guard observed >= limit else { return nil }
    let left = limit + PlannerConstants.deadlineGivenUpAfter - observed
    if left <= .zero {
        let result = AttemptResult(
            outcome: .deadlineExceeded, exitCode: nil, finishedAt: facts.input.wall,
            message: "it was told to end after run.timeoutSeconds and nobody saw its end: perhaps it still runs")
        return Decision(
            reason: "the run does not end", actions: [.finishAttempt(token: attempt.token, result)])
    }
    var decision = driving(attempt, facts, stop: StopRequest(run: attempt.run, signal: "KILL", graceSeconds: 0))
    decision.reason = "run.timeoutSeconds is over, and the agent has not ended the run; " + decision.reason
    decision.nextLook = earlier(decision.nextLook, .at(facts.now + left))
    return decision
}

extension Facts {
    /// After which time a run is ended from here; `nil` = never.
    var runLimit: Duration? {
        let seconds = record.spec.run.timeoutSeconds
        return seconds > 0 ? .seconds(seconds) + PlannerConstants.deadlineGrace : nil
    }

    /// What a later life should know of how long the open run has been watched: whole marks only, so that it is seldom written.
    var markedObservation: Duration? {
        guard openAttempt?.acknowledgedAt != nil, let period = markPeriod else { return nil }
        let marks = times.runObserved.wholeNanoseconds / period.wholeNanoseconds
        return marks > 0 ? period * Int(marks) : nil
    }

    /// When the next mark, or the deadline, is due if the run is confirmed by now.
    var nextMark: Instant? {
        guard openAttempt != nil, let period = markPeriod, let limit = runLimit else { return nil }
        let observed = times.runObserved
        let next = period * Int(observed.wholeNanoseconds / period.wholeNanoseconds + 1)
        return now + ((observed < limit ? min(next, limit) : next) - observed)
    }

    /// A quarter of the limit: a restart makes the deadline late by that at most.
    private var markPeriod: Duration? {
        runLimit.map { max($0 / 4, .seconds(60)) }
    }
}
