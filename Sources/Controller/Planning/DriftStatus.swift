import DesiredState

/// Reasons of the condition Drifted.
enum DriftReason {
    static let asDeclared = "AsDeclared"
    static let fieldsDiffer = "FieldsDiffer"
    static let modifiedOutside = "ModifiedOutside"
    static let recordChanged = "DesignHashDiffers"
}

/// What is kept of the site, so that a later life of the daemon can tell whether somebody else wrote it.
func siteStatus(_ facts: Facts, _ decision: Decision) -> SiteStatus? {
    let known = facts.record.status.site
    guard let site = facts.ownSite else { return known }
    var status = SiteStatus(
        name: site.name, resourceID: site.resourceID, hostName: site.hostName,
        lastModified: known?.lastModified ?? site.lastModified,
        designHash: known?.designHash ?? (site.designHash == facts.input.identity.designHash ? site.designHash : nil),
        writer: known?.writer)
    if facts.hasWriteLanded(decision) {
        status.lastModified = site.lastModified
        status.designHash = site.designHash
        status.writer = site.writer
    } else if let details = facts.details {
        status.lastModified = details.site.lastModified
    }
    return status
}

extension Facts {
    /// A write of ours is settled by this decision, and the site carries the writer tag of a write that was not seen before.
    func hasWriteLanded(_ decision: Decision) -> Bool {
        guard decision.actions.contains(.settleIntent), let site = ownSite else { return false }
        guard let written = record.status.site?.writer else { return true }
        return site.writer != written
    }
}

/// Lists show tags and the time of change only: when those moved since we knew the site last, something may differ that
/// they do not show. What was told once stays true until a look says otherwise. `nil` = as before.
func drifted(_ facts: Facts, _ decision: Decision, _ history: [DriftFinding]) -> Finding? {
    guard facts.ownSite != nil else { return nil }
    if decision.actions.contains(.settleIntent) {
        // A repair is believed once the site was read in full.
        let isUnproved = facts.isDriftTold && facts.record.spec.drift == .repair
        guard facts.hasWriteLanded(decision), !isUnproved else { return nil }
        return facts.isRecordNewer && facts.record.status.site == nil ? recordNewer : asDeclared
    }
    if facts.isRecordNewer { return recordNewer }
    if facts.hasUnsettledCreate { return nil }
    if let details = facts.details {
        guard !details.differences.isEmpty else { return asDeclared }
        return Finding(
            type: .drifted, status: .true, reason: DriftReason.fieldsDiffer,
            message: sentence(details.differences) + "; " + whatNow(facts, decision, history))
    }
    if facts.isDriftTold { return nil }
    guard facts.isDriftSuspected else { return asDeclared }
    var message = "somebody has changed the site since it was written; what they changed was not read yet"
    if let failure = facts.failure(.readDetails) { message += ": " + failure.message }
    return Finding(type: .drifted, status: .unknown, reason: DriftReason.modifiedOutside, message: message)
}

private let asDeclared = Finding(type: .drifted, status: .false, reason: DriftReason.asDeclared)
private let recordNewer = Finding(
    type: .drifted, status: .true, reason: DriftReason.recordChanged,
    message: "the record has changed since the site was written")

private func whatNow(_ facts: Facts, _ decision: Decision, _ history: [DriftFinding]) -> String {
    if facts.record.spec.drift == .report { return "only reported (spec.drift)" }
    if facts.openAttempt != nil { return "repaired once the open run has ended, since that restarts the container" }
    if repairsStalled(facts, history) != nil { return "repairs have stopped" }
    return decision.actions.contains(.putSite) ? "being repaired" : "to be repaired"
}

/// The history with what this decision adds to it.
func driftHistory(_ facts: Facts, _ decision: Decision) -> [DriftFinding] {
    var history = facts.record.status.driftHistory
    if decision.actions.contains(.settleIntent), !facts.hasWriteLanded(decision), let last = history.last,
        last.answer == .repaired, let intent = facts.input.intent, last.foundAt >= intent.openedAt
    {
        // Azure has refused that repair: it counts neither as one nor against the other writer.
        history.removeLast()
    }
    guard !facts.isRecordNewer, let details = facts.details, !details.differences.isEmpty,
        var finding = finding(facts, decision, details)
    else { return history }
    finding.fields = Set(details.differences.map(\.field)).sorted()
    if finding.answer == .reported, facts.isDriftTold, let last = history.last, last.answer == .reported,
        last.fields == finding.fields
    {
        return history
    }
    return (history + [finding]).suffix(FunctionAppStatus.maximumDriftFindings)
}

private func finding(_ facts: Facts, _ decision: Decision, _ details: DetailsObservation) -> DriftFinding? {
    let known = facts.record.status.site
    var writer = details.writer
    if writer == nil, let tag = details.site.writer, let ours = known?.writer, tag != ours { writer = tag }
    func found(_ answer: DriftFinding.Answer) -> DriftFinding {
        DriftFinding(
            foundAt: facts.wall, fields: [], writer: writer, answer: answer,
            generation: facts.record.metadata.generation)
    }
    if facts.record.spec.drift == .report { return facts.mayReadDetails ? found(.reported) : nil }
    if decision.actions.contains(.putSite) { return found(.repaired) }
    guard case .tripping = facts.breaker, facts.mayReadDetails else { return nil }
    var stop = found(.suspended)
    let isUntouched = details.site.lastModified != nil && details.site.lastModified == known?.lastModified
    stop.cause = isUntouched ? .notConverging : .driftFight
    return stop
}

/// While repairs have stopped and the site still differs. `nil` = they have not.
func repairsStalled(_ facts: Facts, _ history: [DriftFinding]) -> Finding? {
    guard facts.record.spec.drift == .repair, facts.details?.differences.isEmpty != true,
        facts.isDriftTold || facts.details != nil,
        case .open = facts.breaker(history),
        let stop = history.last(where: { $0.answer == .suspended })
    else { return nil }
    let cause = stop.cause ?? .driftFight
    let fields = stop.fields.joined(separator: ", ")
    let who = stop.writer ?? "somebody whom Azure does not name"
    let why =
        switch cause {
        case .driftFight: "\(who) changes \(fields) each time it was repaired"
        case .notConverging: "Azure does not keep what is written to \(fields)"
        }
    return Finding(
        type: .stalled, status: .true, reason: cause.rawValue,
        message: "\(why); the next try is at \(stop.foundAt + DriftBreaker.pause)")
}

// MARK: words

/// Bound of fields that a sentence names: who wants all of them looks into the history.
private let namedFields = 6

func fieldNames(_ differences: [Difference]) -> String {
    bounded(Set(differences.map(\.field)).sorted())
}

private func sentence(_ differences: [Difference]) -> String {
    bounded(
        differences.map { difference in
            switch (difference.desired, difference.observed) {
            case (let desired?, let observed?): "\(difference.field) is \(observed) and should be \(desired)"
            case (_?, nil): "\(difference.field) is gone"
            case (nil, _): "\(difference.field) should not be there"
            }
        })
}

private func bounded(_ parts: [String]) -> String {
    let rest = parts.count - namedFields
    return parts.prefix(namedFields).joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
}
