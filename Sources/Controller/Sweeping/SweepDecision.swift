package import DesiredState

/// All that a sweep may depend on. Same input, same plan.
package struct SweepInput: Hashable, Sendable {
    /// By the wall clock.
    package var now: Instant
    package var instance: InstanceID
    /// The whole list of sites.
    package var sites: [ObservedSite]
    /// Names of all shares of the storage account; `nil` = not listed this time.
    package var shares: [String]?
    /// Of all records, read after the list had ended: a record that was committed before it began is among them.
    package var uids: Set<UID>
    package var tombstones: [Tombstone]
    package var sightings: [Sighting]
    package var isFrozen: Bool
    /// Sites may have shares of their own.
    package var hasShares: Bool
    package var settings: SweepSettings

    package init(
        now: Instant, instance: InstanceID, sites: [ObservedSite] = [], shares: [String]? = nil, uids: Set<UID> = [],
        tombstones: [Tombstone] = [], sightings: [Sighting] = [], isFrozen: Bool = false, hasShares: Bool = true,
        settings: SweepSettings = SweepSettings()
    ) {
        self.now = now
        self.instance = instance
        self.sites = sites
        self.shares = shares
        self.uids = uids
        self.tombstones = tombstones
        self.sightings = sightings
        self.isFrozen = isFrozen
        self.hasShares = hasShares
        self.settings = settings
    }
}

/// What a sweep does: the operations are committed before the first action.
package struct SweepPlan: Hashable, Sendable {
    package var operations: [Transaction.Operation] = []
    package var actions: [SweepAction] = []
    /// Sites and shares that nobody knows.
    package var suspected = 0
    /// Sites among them that were never seen like that before.
    package var found = 0
    /// Those among them that are in quarantine.
    package var quarantined = 0
    /// Deletions that are due and wait for a later sweep.
    package var postponed = 0
    /// Why nothing is done though something could be; a sentence.
    package var withheld: String?
}

package enum SweepAction: Hashable, Sendable {
    /// Adds the quarantine tag.
    case quarantine(ObservedSite, UID)
    /// Removes it: the site has a record after all.
    case release(ObservedSite)
    case delete(ObservedSite, UID, LeakReason)
    case deleteShare(String)
}

package enum LeakReason: String, Hashable, Sendable {
    /// Its record was forgotten after its site had been seen gone.
    case forgotten
    /// Its quarantine is over.
    case unknown
    /// A user said so.
    case asked
}

/// Decides what is done about sites and shares of this installation that no record knows.
///
/// Pure. Only sites are touched that carry our tags with this instance and have the very name that their uid gives them: a
/// copy of one of our sites carries its tags, too, and is somebody's own.
package func sweep(_ input: SweepInput) -> SweepPlan {
    var plan = SweepPlan()
    guard !input.isFrozen else {
        plan.withheld = "the store is frozen"
        return plan
    }
    let own = input.sites.filter { $0.isOwned(by: input.instance) }.sorted { $0.name < $1.name }
    let known = Dictionary(input.sightings.map { ($0.siteName, $0) }) { $1 }
    let forgotten = Dictionary(input.tombstones.map { ($0.uid, $0) }) { $1 }
    var suspects = Suspects()
    for site in own {
        // A copy of a site whose record is there has another name: it is shown like any other copy, and not even released.
        if let uid = site.attributableUID, input.uids.contains(uid) {
            if known[site.name] != nil { plan.operations.append(.dropSighting(siteName: site.name)) }
            if site.quarantinedTag != nil { suspects.released.append(.release(site)) }
            continue
        }
        plan.suspected += 1
        let uid = site.attributableUID
        let isForgotten = uid.map { forgotten[$0]?.siteName == site.name } ?? false
        if known[site.name] == nil { plan.found += 1 }
        var sighting =
            known[site.name].map { seenAgain($0, at: input.now) }
            ?? Sighting(siteName: site.name, uid: uid, firstSeenAt: input.now, lastSeenAt: input.now)
        sighting.uid = uid
        suspects.judge(site, &sighting, isForgotten: isForgotten, input)
        if sighting.quarantinedAt != nil { plan.quarantined += 1 }
        plan.operations.append(.keepSighting(sighting))
    }
    let present = Set(own.map(\.name))
    let names = Set(input.sites.map(\.name))
    var shares = input.sightings.filter { $0.share != nil }
    for sighting in input.sightings where sighting.share == nil && !present.contains(sighting.siteName) {
        plan.operations.append(.dropSighting(siteName: sighting.siteName))
        // It was ours, and is gone: perhaps by a deletion whose answer was lost.
        guard input.hasShares, sighting.quarantinedAt != nil, let uid = sighting.uid, !input.uids.contains(uid),
            !names.contains(sighting.siteName)
        else { continue }
        let owed = Sighting.owed(share: sighting.siteName, at: input.now)
        plan.operations.append(.keepSighting(owed))
        shares.append(owed)
    }
    suspects.shares = sweepShares(input, shares, &plan)
    finish(&plan, suspects, input, ownCount: own.count)
    return plan
}

/// The actions that would be due, before caps and switches.
private struct Suspects {
    var released: [SweepAction] = []
    var quarantined: [SweepAction] = []
    var forgotten: [SweepAction] = []
    var expired: [(at: Instant, action: SweepAction)] = []
    var shares: [SweepAction] = []

    mutating func judge(
        _ site: ObservedSite, _ sighting: inout Sighting, isForgotten: Bool, _ input: SweepInput
    ) {
        guard let uid = sighting.uid else { return }
        if isForgotten { return forgotten.append(.delete(site, uid, .forgotten)) }
        guard sighting.count >= SweepSettings.minimumSightings,
            input.now - sighting.firstSeenAt >= input.settings.minimumAge, input.mayAct
        else { return }
        guard site.quarantinedTag != nil else {
            // Also when somebody has removed the tag: that buys the whole period again.
            sighting.quarantinedAt = input.now
            return quarantined.append(.quarantine(site, uid))
        }
        // A tag that this store does not know of says nothing about how long ago it was.
        let since = sighting.quarantinedAt ?? input.now
        sighting.quarantinedAt = since
        if input.now - since >= input.settings.gracePeriod {
            expired.append((since, .delete(site, uid, .unknown)))
        }
    }
}

/// Shares that belonged to sites of ours. A share cannot carry our tags, so it is deleted only if a tombstone or a deletion
/// of the sweep's own vouches for its name; others that look like ours are shown, since they may be those of another
/// installation.
private func sweepShares(_ input: SweepInput, _ sightings: [Sighting], _ plan: inout SweepPlan) -> [SweepAction] {
    let rows = Dictionary(sightings.compactMap { row in row.share.map { ($0, row) } }) { $1 }
    guard let shares = input.shares else {
        plan.suspected += rows.count
        plan.quarantined += rows.values.count { $0.quarantinedAt != nil }
        return rows.values.filter { $0.quarantinedAt != nil }.sorted { $0.siteName < $1.siteName }
            .compactMap { $0.share.map { .deleteShare($0) } }
    }
    let used = Set(input.uids.map { SiteDesigner.siteName(of: $0) } + input.sites.map { $0.name.lowercased() })
    let forgotten = Set(input.tombstones.map(\.siteName))
    var actions: [SweepAction] = []
    let present = Set(shares)
    for share in present.sorted() where SiteDesigner.isSiteName(share) && !used.contains(share) {
        plan.suspected += 1
        var row =
            rows[share].map { seenAgain($0, at: input.now) }
            ?? Sighting(
                siteName: Sighting.key(ofShare: share), uid: nil, firstSeenAt: input.now, lastSeenAt: input.now)
        if forgotten.contains(share), row.quarantinedAt == nil { row.quarantinedAt = input.now }
        if row.quarantinedAt != nil {
            plan.quarantined += 1
            actions.append(.deleteShare(share))
        }
        plan.operations.append(.keepSighting(row))
    }
    for (share, row) in rows.sorted(by: { $0.key < $1.key }) where !present.contains(share) || used.contains(share) {
        plan.operations.append(.dropSighting(siteName: row.siteName))
    }
    return actions
}

private func finish(_ plan: inout SweepPlan, _ suspects: Suspects, _ input: SweepInput, ownCount: Int) {
    let expired = suspects.expired.sorted { ($0.at, $0.action.name) < ($1.at, $1.action.name) }.map(\.action)
    let deletions = suspects.forgotten + expired + suspects.shares
    let isAnything = !deletions.isEmpty || plan.suspected > 0
    if input.settings.mode == .report {
        if isAnything { plan.withheld = "leaks are only reported" }
        return
    }
    guard input.mayAct else {
        if isAnything {
            plan.withheld = "there is no record and no trace of one: the store may not be the one that made these sites"
        }
        return
    }
    let bound = max(SweepSettings.deletionsPerSweep, ownCount * SweepSettings.deletionPercent / 100)
    plan.postponed = max(deletions.count - bound, 0)
    plan.actions = suspects.released + suspects.quarantined + deletions.prefix(bound)
}

/// The same sighting one list later. What lies between two looks counts up to a bound, also when the clock was set.
private func seenAgain(_ sighting: Sighting, at now: Instant) -> Sighting {
    var sighting = sighting
    let gap = now - sighting.lastSeenAt
    let uncounted = gap - min(max(gap, .zero), SweepSettings.countedGap)
    sighting.firstSeenAt = sighting.firstSeenAt + uncounted
    sighting.quarantinedAt = sighting.quarantinedAt.map { $0 + uncounted }
    sighting.lastSeenAt = now
    sighting.count += 1
    return sighting
}

extension SweepInput {
    /// Nothing is changed by a store that has never known anything, and nothing in report mode.
    fileprivate var mayAct: Bool {
        settings.mode == .delete && !(uids.isEmpty && tombstones.isEmpty)
    }
}

extension SweepAction {
    /// Of the site or the share.
    package var name: String {
        switch self {
        case .quarantine(let site, _), .release(let site), .delete(let site, _, _): site.name
        case .deleteShare(let share): share
        }
    }
}

extension SiteTag {
    /// When the sweep found that the site has no record, by RFC 3339.
    package static let quarantined = "skls-quarantined"
}

extension ObservedSite {
    /// Carries the tags of this installation.
    package func isOwned(by instance: InstanceID) -> Bool {
        tag(SiteTag.managedBy) == "skls" && self.instance == instance.text
    }

    package var quarantinedTag: String? { tag(SiteTag.quarantined) }
    package var writerTag: String? { tag(SiteTag.writer) }

    /// The uid of its tag if the site has the name that belongs to it: else it is a copy, or its tags were changed.
    package var attributableUID: UID? {
        guard let uid = uid.flatMap({ UID($0) }), name == SiteDesigner.siteName(of: uid) else { return nil }
        return uid
    }
}

extension SiteDesigner {
    /// Whether a name has the form of our sites' names.
    package static func isSiteName(_ text: String) -> Bool {
        text.utf8.count == 31 && text.hasPrefix("skls-")
            && text.utf8.dropFirst(5).allSatisfy { (97...122).contains($0) || (50...55).contains($0) }
    }
}

extension Sighting {
    private static let sharePrefix = "share/"

    /// A site's name has no slash, so that the two never meet.
    package static func key(ofShare share: String) -> String { sharePrefix + share }

    /// A share that belonged to a site of ours and is to be deleted.
    static func owed(share: String, at now: Instant) -> Sighting {
        Sighting(siteName: key(ofShare: share), uid: nil, firstSeenAt: now, lastSeenAt: now, quarantinedAt: now)
    }

    /// `nil` for a site.
    package var share: String? {
        siteName.hasPrefix(Sighting.sharePrefix) ? String(siteName.dropFirst(Sighting.sharePrefix.count)) : nil
    }
}
