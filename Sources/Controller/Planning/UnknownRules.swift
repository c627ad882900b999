import DesiredState

/// The container that was asked is gone: whether and how the attempt ran cannot be learned from it any more, and no other is asked about it. The log may know.
func attemptUnknown(_ facts: Facts) -> Decision? {
    facts.openAttempt.flatMap { unknownSettlement(of: $0, facts, readingLog: true) }
}

/// The action that ends an attempt whose end is known or cannot be known any more.
/// - Parameter readingLog: the log workspace is asked before the outcome is given up, once its rows must be there.
func settlement(of attempt: Attempt, _ facts: Facts, readingLog: Bool = true) -> Decision? {
    runEnded(facts) ?? runRefused(facts) ?? unknownSettlement(of: attempt, facts, readingLog: readingLog)
}

private func unknownSettlement(of attempt: Attempt, _ facts: Facts, readingLog: Bool) -> Decision? {
    guard let loss = loss(of: attempt, facts) else { return nil }
    if readingLog, let settlesAfter = facts.input.runLogSettlesAfter {
        return logSettlement(of: attempt, loss, due: loss.since + settlesAfter, facts)
    }
    return finishing(attempt, loss.why, began: attempt.acknowledgedAt != nil, facts)
}

/// Rows come late, so they are asked for once they must be there; what began and has no end there is lost.
private func logSettlement(of attempt: Attempt, _ loss: Loss, due: Instant, _ facts: Facts) -> Decision {
    if facts.now < due { return Decision(reason: "\(loss.why); the log is asked later", nextLook: .at(due)) }
    let began = attempt.acknowledgedAt != nil
    guard let log = facts.input.runLog, log.asOf >= due else {
        if let failure = facts.failure(.readRunLog), failure.count >= PlannerConstants.maximumRunLogFailures {
            return finishing(
                attempt, "\(loss.why), and the log cannot be read: \(failure.message);", began: began, facts)
        }
        return .call(.readRunLog(token: attempt.token), facts, reason: "\(loss.why); looking for the run in the log")
    }
    switch log.finding {
    case .nothing: return finishing(attempt, loss.why, began: began, facts)
    case .began: return finishing(attempt, loss.why, began: true, facts)
    case .exited(let code):
        let result = AttemptResult(
            outcome: code == 0 ? .succeeded : .failed, exitCode: code, finishedAt: facts.input.wall,
            message: "\(loss.why); the exit code is from the log")
        return Decision(reason: "the log has the run's end", actions: [.finishAttempt(token: attempt.token, result)])
    }
}

private func finishing(_ attempt: Attempt, _ why: String, began: Bool, _ facts: Facts) -> Decision {
    let mayBeFollowed = facts.mayRetry(after: attempt)
    let result = AttemptResult(
        outcome: began ? .lost : .unknown, exitCode: nil, finishedAt: facts.input.wall,
        message: began
            ? "\(why) while the run was open: how it ended is not known"
            : "\(why) before the agent confirmed the run: it may have run or not"
                + (mayBeFollowed ? "" : ", and is not tried again"))
    return Decision(reason: why, actions: [.finishAttempt(token: attempt.token, result)])
}

// MARK: what is lost

private struct Loss {
    let why: String
    let since: Instant
}

/// `nil` while the agent may still answer for the attempt.
private func loss(of attempt: Attempt, _ facts: Facts) -> Loss? {
    let openedAt = facts.attemptOpenedAt(attempt)
    let patience = PlannerConstants.attemptGivenUpAfter
    let minutes = patience.components.seconds / 60
    if case .absent(let asOf) = facts.input.site, asOf >= openedAt {
        return Loss(why: "the site disappeared", since: asOf)
    }
    if let bootID = facts.liveBootID, bootID != attempt.bootID {
        return Loss(why: "the container was restarted", since: facts.input.bootSeenAt ?? facts.now)
    }
    if let notReady = facts.notReady, facts.now - notReady.since >= patience {
        return Loss(why: "the agent has not answered for \(minutes) minutes", since: notReady.since)
    }
    if attempt.acknowledgedAt == nil, facts.now - openedAt >= patience, !facts.isInFlight(.postRun) {
        return Loss(why: "\(minutes) minutes have passed", since: openedAt)
    }
    return nil
}

// MARK: at least once

/// A run of unknown outcome is tried again, but not at once.
func retryDelayed(_ facts: Facts) -> Decision? {
    guard let pending = facts.pendingRun, let last = facts.lastAttempt, last.run == pending.run,
        last.result?.outcome != .refused, let endedAt = facts.lastEndedAt
    else { return nil }
    let doublings = min(max(facts.unknownAttempts(ofRun: last.run) - 1, 0), 10)
    let delay = min(PlannerConstants.firstRetryDelay * (1 << doublings), PlannerConstants.longestRetryDelay)
    let due = endedAt + delay
    if facts.now >= due { return nil }
    return Decision(
        reason:
            "run \(pending.run) is tried again: it is delivered at least once, and how its last attempt ended is not known",
        nextLook: .at(due))
}

extension Facts {
    /// The run's attempts that may have run something.
    private func tried(_ run: Int) -> [Attempt] {
        input.attempts.filter { $0.run == run && $0.result?.outcome != .refused }
    }

    /// Attempts that may have run, or that did and whose end nobody knows.
    func unknownAttempts(ofRun run: Int) -> Int {
        tried(run).count { $0.result?.outcome.isUnknown == true }
    }

    /// Whether another attempt would follow if this one, the newest, ended with an unknown outcome now.
    func mayRetry(after attempt: Attempt) -> Bool {
        let earlier = tried(attempt.run).filter { $0.token != attempt.token }
        return isDeliveredAtLeastOnce && earlier.count + 1 < record.spec.run.attemptLimit
            && earlier.allSatisfy { $0.result?.outcome.isUnknown == true }
    }

    /// Whether the newest attempt is not its run's last: it ran nothing, or its outcome is unknown and another try was decided on when it ended. That
    /// is kept in the status: what was reported as a run's end stays its end, whatever the policy becomes.
    func isFollowedByAnother(_ attempt: Attempt) -> Bool {
        guard let outcome = attempt.result?.outcome, outcome == .refused || outcome.isUnknown else { return false }
        let tried = tried(attempt.run)
        guard let newest = tried.last else { return true }
        let status = record.status.runs.last { $0.number == attempt.run }?.attempts.last { $0.token == newest.token }
        return status?.isRetried == true && isDeliveredAtLeastOnce && tried.count < record.spec.run.attemptLimit
            && tried.allSatisfy { $0.result?.outcome.isUnknown == true }
    }

    private var isDeliveredAtLeastOnce: Bool {
        record.spec.run.delivery == .atLeastOnce && !record.isBeingDeleted
    }
}

extension AttemptOutcome {
    /// Nobody knows whether or how it ran.
    var isUnknown: Bool { self == .unknown || self == .lost }
}
