import DesiredState

/// Something that people should know about a record, as Kubernetes' events.
struct RecordEvent: Hashable, Sendable {
    /// One CamelCase word; docs/observability.md lists them.
    let reason: String
    var isWarning = false
    let message: String
}

/// What a committed decision made of a record that is worth telling. Pure; in the order of what happened.
func events(_ old: FunctionAppStatus, _ plan: Plan) -> [RecordEvent] {
    siteEvents(old, plan) + readinessEvents(old, plan.status) + runEvents(old, plan.status)
        + driftEvents(old, plan.status) + pauseEvents(old, plan)
}

// MARK: the site

private func siteEvents(_ old: FunctionAppStatus, _ plan: Plan) -> [RecordEvent] {
    var events: [RecordEvent] = []
    if plan.actions.contains(.putSite) {
        let isNew = old.site == nil
        events.append(RecordEvent(reason: isNew ? "SiteCreating" : "SiteUpdating", message: plan.reason))
    }
    if plan.actions.contains(.deleteSite) {
        events.append(RecordEvent(reason: "SiteDeleting", message: plan.reason))
    }
    if plan.actions.contains(.removeFinalizer(.deleteSite)), let site = old.site {
        events.append(RecordEvent(reason: "SiteDeleted", message: "the site \(site.name) was seen gone"))
    }
    guard let provisioned = plan.status[.provisioned] else { return events }
    let before = old[.provisioned]
    switch provisioned.status {
    case .true:
        guard before?.status != .true, let site = plan.status.site else { break }
        events.append(
            RecordEvent(
                reason: old.site == nil ? "SiteCreated" : "SiteUpdated", message: "the site \(site.name) is as declared"
            ))
    case .false:
        // What is only under way was told above; a reason that is new is a failure.
        guard !["Creating", "Updating", "Replacing"].contains(provisioned.reason), before?.reason != provisioned.reason,
            !(provisioned.reason == "SiteAbsent" && plan.endsRecord)
        else { break }
        let word = provisioned.reason.isEmpty ? "WriteFailed" : provisioned.reason
        events.append(
            RecordEvent(
                reason: isThrottling(provisioned) ? "Throttled" : word, isWarning: true, message: provisioned.message))
    case .unknown: break
    }
    return events
}

extension Plan {
    /// The record is being deleted: that there is no site is then as it should be.
    fileprivate var endsRecord: Bool {
        [.deletingSite, .releasingSite, .forgetting, .endingRunBeforeDelete].contains(rule)
    }
}

/// A failed write whose reason Azure's quota is.
private func isThrottling(_ condition: Condition) -> Bool {
    condition.reason == "WriteFailed" && condition.message.contains(": Throttled")
}

// MARK: the container

private func readinessEvents(_ old: FunctionAppStatus, _ new: FunctionAppStatus) -> [RecordEvent] {
    guard let ready = new[.ready] else { return [] }
    let before = old[.ready]
    switch ready.status {
    case .true where before?.status != .true:
        return [RecordEvent(reason: "ContainerReady", message: "the agent in the site's container answered")]
    case .false where before?.reason != ready.reason:
        if ready.reason == "AgentDoesNotAnswer" {
            // While it starts that is how it should be.
            guard before?.status == .true else { return [] }
            return [RecordEvent(reason: "ContainerNotReady", isWarning: true, message: ready.message)]
        }
        // That there is no site was told as the site's own event.
        guard !["Starting", "Deleting", "SiteAbsent"].contains(ready.reason) else { return [] }
        return [RecordEvent(reason: ready.reason, isWarning: true, message: ready.message)]
    case .true, .false, .unknown: return []
    }
}

// MARK: runs

private func runEvents(_ old: FunctionAppStatus, _ new: FunctionAppStatus) -> [RecordEvent] {
    let known = Dictionary(
        old.runs.flatMap(\.attempts).map { ($0.token, $0) }, uniquingKeysWith: { _, newest in newest })
    return new.runs.flatMap { run in
        run.attempts.flatMap { attempt -> [RecordEvent] in
            let before = known[attempt.token]
            var events: [RecordEvent] = []
            if attempt.startedAt != nil, before?.startedAt == nil {
                events.append(RecordEvent(reason: "RunStarted", message: "the agent confirmed run \(run.number)"))
            }
            if let outcome = attempt.outcome, before?.outcome == nil {
                events.append(ended(run.number, attempt, outcome))
            }
            return events
        }
    }
}

private func ended(_ run: Int, _ attempt: AttemptStatus, _ outcome: AttemptOutcome) -> RecordEvent {
    let detail = attempt.message.map { ": " + $0 } ?? ""
    return switch outcome {
    case .succeeded: RecordEvent(reason: "RunFinished", message: "run \(run) ended with exit code 0")
    case .failed:
        RecordEvent(
            reason: "RunFinished", isWarning: true,
            message: "run \(run) ended with exit code \(attempt.exitCode.map(String.init) ?? "unknown")\(detail)")
    case .startFailed:
        RecordEvent(reason: "RunStartFailed", isWarning: true, message: "run \(run) never began\(detail)")
    case .deadlineExceeded:
        RecordEvent(reason: "RunDeadlineExceeded", isWarning: true, message: "run \(run) took too long\(detail)")
    case .unknown, .lost:
        RecordEvent(
            reason: "RunUnknown", isWarning: true, message: "how run \(run) ended cannot be known\(detail)")
    case .refused:
        RecordEvent(
            reason: "RunRefused", message: "the container had been restarted; run \(run) is asked for again\(detail)")
    }
}

// MARK: drift

private func driftEvents(_ old: FunctionAppStatus, _ new: FunctionAppStatus) -> [RecordEvent] {
    var events: [RecordEvent] = []
    let findings = new.driftHistory.filter { !old.driftHistory.contains($0) }
    for finding in findings {
        let what = finding.fields.joined(separator: ", ") + (finding.writer.map { ", written by \($0)" } ?? "")
        events.append(RecordEvent(reason: "DriftDetected", isWarning: true, message: what))
        switch finding.answer {
        case .repaired: events.append(RecordEvent(reason: "DriftRepaired", message: "the site is written again"))
        case .reported: break
        case .suspended:
            events.append(
                RecordEvent(
                    reason: "DriftRepairSuspended", isWarning: true,
                    message: "another writer undoes the repairs again and again"))
        }
    }
    if findings.isEmpty, let drifted = new[.drifted], drifted.status != .false,
        old[.drifted]?.reason != drifted.reason, old.site != nil
    {
        let message = drifted.message.isEmpty ? "the site differs from the record" : drifted.message
        events.append(RecordEvent(reason: "DriftDetected", isWarning: true, message: message))
    }
    return events
}

// MARK: rest

/// The rule that decides says why nothing is done; told when it begins and when it ends.
private func pauseEvents(_ old: FunctionAppStatus, _ plan: Plan) -> [RecordEvent] {
    var events: [RecordEvent] = []
    let before = old.nextAction?.rule
    if let pause = pauses[plan.rule.rawValue], before != plan.rule.rawValue {
        events.append(RecordEvent(reason: pause.begins, isWarning: pause.isWarning, message: plan.reason))
    }
    if let before, let pause = pauses[before], before != plan.rule.rawValue {
        events.append(RecordEvent(reason: pause.ends, message: plan.reason))
    }
    if plan.status.isTrue(.stalled), old[.stalled]?.reason != plan.status[.stalled]?.reason {
        events.append(RecordEvent(reason: "Stalled", isWarning: true, message: plan.reason))
    }
    return events
}

private struct Pause {
    let begins: String
    let ends: String
    var isWarning = false
}

/// By name of the rule.
private let pauses: [String: Pause] = [
    "suspended": Pause(begins: "Paused", ends: "Resumed"), "paused": Pause(begins: "Paused", ends: "Resumed"),
    "frozen": Pause(begins: "Frozen", ends: "Thawed", isWarning: true),
    "fenced": Pause(begins: "Fenced", ends: "Unfenced", isWarning: true),
]
