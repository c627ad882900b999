import DesiredState

/// The site is not as declared. Not while an attempt is open: Azure would restart the container.
///
/// What a list shows is only a suspicion: before anything is written for it, the site is read in full. A change of the
/// record itself needs no look. What is only told, and what is not repaired for a while, holds up nothing else.
func drift(_ facts: Facts) -> Decision? {
    guard facts.ownSite != nil else { return nil }
    if facts.isRecordNewer { return .call(.putSite, facts, reason: "the record has changed; writing the site") }
    guard let details = facts.details else {
        guard facts.isDriftSuspected else { return nil }
        if facts.isInFlight(.readDetails) { return Decision(reason: "reading in what the site differs") }
        // Where it cannot be read, everything else goes on.
        guard facts.waitUntil(.readDetails) == nil else { return nil }
        return .call(
            .readDetails(namesWriter: facts.isWriterWanted), facts,
            reason: "the site seems to be changed; reading it in full")
    }
    guard !details.differences.isEmpty, facts.record.spec.drift == .repair, facts.breaker.allowsRepair else {
        return nil
    }
    return .call(.putSite, facts, reason: "the site differs in \(fieldNames(details.differences)); writing it")
}

extension Decision {
    /// With a read of the site in full beside what was decided, if it is time for one or if the site is suspected while
    /// it may not be written, and never later than the next such look.
    func alsoReadingDetails(_ facts: Facts) -> Decision {
        guard facts.mayReadDetails, !facts.isInFlight(.readDetails),
            !actions.contains(where: { $0.call == .readDetails || $0.call?.changesSite == true || $0 == .forget })
        else { return self }
        var decision = self
        let isWanted = facts.details == nil && facts.isDriftSuspected
        let due = facts.input.detailsDue
        if isWanted || due.map({ $0 <= facts.now }) ?? false {
            if let instant = facts.waitUntil(.readDetails) {
                decision.nextLook = earlier(nextLook, .at(instant))
            } else {
                decision.actions.append(.readDetails(namesWriter: facts.isWriterWanted))
            }
        } else if let due {
            decision.nextLook = earlier(nextLook, .at(due))
        }
        if case .open(let end) = facts.breaker, facts.details?.differences.isEmpty == false {
            decision.nextLook = earlier(decision.nextLook, .at(end))
        }
        return decision
    }
}

extension Facts {
    /// For what is to be stored.
    var wall: Instant { input.wall }

    var breaker: DriftBreaker { breaker(record.status.driftHistory) }

    func breaker(_ history: [DriftFinding]) -> DriftBreaker {
        DriftBreaker(history, generation: record.metadata.generation, now: now, foundAt: foundAt)
    }

    /// By the steady clock: see ``StoredTimes``. Never later than now.
    private func foundAt(_ finding: DriftFinding) -> Instant {
        times.driftFound[finding.foundAt] ?? now + min(finding.foundAt - wall, .zero)
    }

    /// The site was written, or is as an older record wanted it: the record has another design than our last write left.
    var isRecordNewer: Bool {
        guard let site = ownSite, let written = record.status.site?.designHash ?? site.designHash else { return false }
        return written != input.identity.designHash
    }

    /// Somebody else may have written the site since we knew it last.
    var isDriftSuspected: Bool {
        guard let site = ownSite else { return false }
        let known = record.status.site
        if site.designHash != known?.designHash ?? input.identity.designHash { return true }
        if let before = known?.lastModified, let observed = site.lastModified, before != observed { return true }
        if site.isStopped { return true }
        return record.spec.drift == .repair && isDriftTold
    }

    /// The record's status says so since an earlier look; true until a look says otherwise.
    var isDriftTold: Bool {
        guard let condition = record.status[.drifted] else { return false }
        return condition.status == .true && condition.reason == DriftReason.fieldsDiffer
    }

    /// What was read in full, if it is still about the site and the record as they are.
    var details: DetailsObservation? {
        guard let details = input.details, let site = ownSite, details.designHash == input.identity.designHash,
            details.site.lastModified == site.lastModified, details.site.designHash == site.designHash,
            details.site.isStopped == site.isStopped
        else { return nil }
        if case .halfOpen = breaker, now - details.readAt > DriftBreaker.longestKnowledge { return nil }
        return details
    }

    /// Reading in full says nothing while we write, and nothing is to be known of a record that is paused, frozen or
    /// goes.
    var mayReadDetails: Bool {
        ownSite != nil && !record.isBeingDeleted && pause == nil && input.freeze == nil
            && !hasUnsettledCreate
            && !input.inFlight.contains(where: \.changesSite) && !isRecordNewer
    }

    /// One more difference would stop the repairs: then it is worth one more read to know who it is.
    var isWriterWanted: Bool { breaker == .tripping && record.spec.drift == .repair }
}

/// When repairs stop: an enemy or Azure itself undoes them, and each costs the container a restart.
enum DriftBreaker: Hashable {
    /// Repairs last.
    case closed
    /// The next difference stops them.
    case tripping
    /// They have stopped until then.
    case open(until: Instant)
    /// One may be tried.
    case halfOpen

    /// So many repairs undone within the window are a fight: one is an accident, two may be somebody's correction.
    static let repairs = 3
    static let window: Duration = .seconds(3600)
    static let pause: Duration = .seconds(3600)
    /// How old knowledge of the site may be for the one try.
    static let longestKnowledge: Duration = .seconds(300)

    /// From the history alone, so that it survives a restart. Findings of other generations do not count: whoever writes
    /// the record wants another try.
    /// - Parameter foundAt: by the same clock as `now`.
    init(_ history: [DriftFinding], generation: Int64, now: Instant, foundAt: (DriftFinding) -> Instant) {
        let findings = history.filter { $0.generation == generation }
        let stop = findings.lastIndex { $0.answer == .suspended }
        let repairs = findings[(stop.map { $0 + 1 } ?? 0)...].filter { $0.answer == .repaired }
        if let stop, repairs.isEmpty {
            let end = foundAt(findings[stop]) + DriftBreaker.pause
            self = now >= end ? .halfOpen : .open(until: end)
            return
        }
        let recent = repairs.filter { now - foundAt($0) < DriftBreaker.window }
        let limit = stop != nil && repairs.count == 1 ? 1 : DriftBreaker.repairs
        self = recent.count >= limit ? .tripping : .closed
    }

    var allowsRepair: Bool {
        switch self {
        case .closed, .halfOpen: true
        case .tripping, .open: false
        }
    }
}
