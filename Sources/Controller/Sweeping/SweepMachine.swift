package import DesiredState

/// What the store said after the list of sites had ended.
package struct SweepState: Hashable, Sendable {
    package var uids: Set<UID>
    package var tombstones: [Tombstone]
    package var sightings: [Sighting]
    package var freeze: Freeze?

    package init(
        uids: Set<UID> = [], tombstones: [Tombstone] = [], sightings: [Sighting] = [], freeze: Freeze? = nil
    ) {
        self.uids = uids
        self.tombstones = tombstones
        self.sightings = sightings
        self.freeze = freeze
    }
}

package enum SweepEvent: Sendable {
    /// A whole list of sites was read.
    case listed([ObservedSite], listsShares: Bool)
    /// A user wants this site gone, whatever its age.
    case deletionAsked(ObservedSite, UID)
    case stateRead(SweepState)
    /// `nil`: sites have no shares of their own.
    case sharesRead([String]?)
    case committed
    case siteRead(ObservedSite?)
    case recordRead(exists: Bool)
    /// The change was made.
    case done
    /// The store or Azure refused, or the outcome is not known; a sentence.
    case failed(String)
}

/// One thing at a time; what follows is decided by its answer.
package enum SweepEffect: Hashable, Sendable {
    case readState
    case listShares
    case commit(Transaction)
    case readSite(name: String)
    case readRecord(UID)
    case replaceTags(name: String, [String: String])
    case deleteSite(name: String)
    case deleteShare(name: String)
}

/// For the log: what was done to which site, or why not.
package struct SweepNote: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable {
        case quarantined, released, deleted, shareDeleted, spared, failed, withheld
    }

    package var kind: Kind
    package var name: String
    package var message: String
}

/// Since the start of the process; `suspected` and `held` are those of the newest sweep.
package struct SweepCounts: Hashable, Sendable {
    package var sweeps = 0
    package var suspected = 0
    /// Sites without a record, each counted when it was first seen as one.
    package var found = 0
    /// In quarantine.
    package var held = 0
    package var quarantined = 0
    package var released = 0
    package var deleted = 0
    package var sharesDeleted = 0
    package var failed = 0
}

/// A sweep as an event machine: the list goes in, and for each answer the next effect comes out; `nil` = the sweep is over.
///
/// Sightings are committed before anything is changed. Right before each change the site is read once more, and the store
/// is asked for its uid: both must be as the plan saw them.
package struct SweepMachine: Sendable {
    private enum Phase {
        case idle
        case readingState([ObservedSite], listsShares: Bool)
        case listingShares([ObservedSite], SweepState)
        case committing
        case readingSite(SweepAction)
        case readingRecord(SweepAction, ObservedSite)
        case changing(SweepAction)
    }

    private var phase = Phase.idle
    private var waiting: [SweepAction] = []
    /// Sites that become known as suspects by the commit that is under way.
    private var found = 0
    private var notes: [SweepNote] = []
    private let instance: InstanceID
    private let settings: SweepSettings
    private let epoch: Epoch?
    /// Sites may have left shares.
    private let hasShares: Bool
    package private(set) var counts = SweepCounts()

    package init(instance: InstanceID, settings: SweepSettings, epoch: Epoch?, hasShares: Bool) {
        self.instance = instance
        self.settings = settings
        self.epoch = epoch
        self.hasShares = hasShares
    }

    /// What happened since the last call.
    package mutating func takeNotes() -> [SweepNote] {
        defer { notes = [] }
        return notes
    }

    /// - Parameter now: by the wall clock.
    package mutating func handle(_ event: SweepEvent, now: Instant) -> SweepEffect? {
        switch (phase, event) {
        case (.idle, .listed(let sites, let listsShares)):
            phase = .readingState(sites, listsShares: listsShares && hasShares)
            return .readState
        case (.idle, .deletionAsked(let site, let uid)):
            waiting = [.delete(site, uid, .asked)]
            let sighting = Sighting(
                siteName: site.name, uid: uid, firstSeenAt: now, lastSeenAt: now, quarantinedAt: now)
            return commit([.keepSighting(sighting)])
        case (.readingState(let sites, let listsShares), .stateRead(let state)):
            guard listsShares else { return decide(sites, nil, state, now) }
            phase = .listingShares(sites, state)
            return .listShares
        case (.listingShares(let sites, let state), .sharesRead(let shares)):
            return decide(sites, shares, state, now)
        case (.listingShares(let sites, let state), .failed(let why)):
            note(.failed, "shares", why)
            return decide(sites, nil, state, now)
        case (.committing, .committed):
            counts.found += found
            found = 0
            return next()
        case (.readingSite(let action), .siteRead(let site)): return siteRead(action, site, now)
        case (.readingRecord(let action, let site), .recordRead(let exists)):
            return recordRead(action, site, exists: exists, now)
        case (.changing(let action), .done): return changed(action, now)
        case (.readingSite(let action), .failed(let why)), (.readingRecord(let action, _), .failed(let why)),
            (.changing(let action), .failed(let why)):
            counts.failed += 1
            note(.failed, action.name, why)
            return next()
        case (.readingState, .failed(let why)), (.committing, .failed(let why)):
            // Without the store nothing is known and nothing is done.
            counts.failed += 1
            note(.failed, "store", why)
            waiting = []
            phase = .idle
            return nil
        default: return nil
        }
    }

    private mutating func decide(
        _ sites: [ObservedSite], _ shares: [String]?, _ state: SweepState, _ now: Instant
    ) -> SweepEffect? {
        let plan = sweep(
            SweepInput(
                now: now, instance: instance, sites: sites, shares: shares, uids: state.uids,
                tombstones: state.tombstones, sightings: state.sightings, isFrozen: state.freeze != nil,
                hasShares: hasShares,
                settings: settings))
        counts.sweeps += 1
        counts.suspected = plan.suspected
        found = plan.found
        counts.held = plan.quarantined
        if let why = plan.withheld { note(.withheld, "sweep", why) }
        if plan.postponed > 0 { note(.withheld, "sweep", "\(plan.postponed) deletions wait for the next sweep") }
        waiting = plan.actions
        guard !plan.operations.isEmpty else { return next() }
        return commit(plan.operations)
    }

    private mutating func commit(_ operations: [Transaction.Operation]) -> SweepEffect {
        phase = .committing
        return .commit(Transaction(origin: .controller, epoch: epoch, operations))
    }

    private mutating func next() -> SweepEffect? {
        guard !waiting.isEmpty else {
            phase = .idle
            return nil
        }
        let action = waiting.removeFirst()
        phase = .readingSite(action)
        return .readSite(name: action.name)
    }

    private mutating func siteRead(
        _ action: SweepAction, _ site: ObservedSite?, _ now: Instant
    ) -> SweepEffect? {
        if case .deleteShare(let name) = action {
            guard site == nil else { return spare(action, "a site of that name is there") }
            phase = .changing(action)
            return .deleteShare(name: name)
        }
        guard let site else {
            guard case .delete = action else { return spare(action, "it is gone") }
            return settle(action, now)
        }
        if let why = objection(action, site) { return spare(action, why) }
        guard case .release = action else {
            guard let uid = action.uid else { return spare(action, "it has no uid") }
            phase = .readingRecord(action, site)
            return .readRecord(uid)
        }
        phase = .changing(action)
        return .replaceTags(name: site.name, site.tags.filter { $0.key.lowercased() != SiteTag.quarantined })
    }

    /// Why the site as it is now must be left alone.
    private func objection(_ action: SweepAction, _ site: ObservedSite) -> String? {
        guard site.isOwned(by: instance), site.uid == action.site?.uid else { return "its tags have changed" }
        guard site.writerTag == action.site?.writerTag else { return "somebody has written it" }
        if case .delete(_, _, .unknown) = action, site.quarantinedTag == nil {
            return "somebody has taken it out of quarantine"
        }
        return nil
    }

    private mutating func recordRead(
        _ action: SweepAction, _ site: ObservedSite, exists: Bool, _ now: Instant
    ) -> SweepEffect? {
        if exists { return spare(action, "it has a record by now") }
        phase = .changing(action)
        if case .quarantine = action {
            return .replaceTags(
                name: site.name, site.tags.merging([SiteTag.quarantined: now.rfc3339(fractionDigits: 0)]) { $1 })
        }
        return .deleteSite(name: site.name)
    }

    private mutating func spare(_ action: SweepAction, _ why: String) -> SweepEffect? {
        note(.spared, action.name, why)
        return next()
    }

    private mutating func changed(_ action: SweepAction, _ now: Instant) -> SweepEffect? {
        switch action {
        case .quarantine:
            counts.quarantined += 1
            note(.quarantined, action.name, "no record knows it")
            return next()
        case .release:
            counts.released += 1
            note(.released, action.name, "it has a record")
            return next()
        case .delete(_, _, let reason):
            counts.deleted += 1
            note(.deleted, action.name, reason.sentence)
            return settle(action, now)
        case .deleteShare(let share):
            counts.sharesDeleted += 1
            note(.shareDeleted, share, "its site is gone")
            return commit([.dropSighting(siteName: Sighting.key(ofShare: share))])
        }
    }

    /// The site is gone; its share is owed from now on, whatever becomes of this process.
    private mutating func settle(_ action: SweepAction, _ now: Instant) -> SweepEffect? {
        var operations: [Transaction.Operation] = [.dropSighting(siteName: action.name)]
        if hasShares, case .delete(let site, _, _) = action, let seen = site.attributableUID {
            let share = SiteDesigner.siteName(of: seen)
            operations.append(.keepSighting(.owed(share: share, at: now)))
            waiting.insert(.deleteShare(share), at: 0)
        }
        return commit(operations)
    }

    private mutating func note(_ kind: SweepNote.Kind, _ name: String, _ message: String) {
        notes.append(SweepNote(kind: kind, name: name, message: message))
    }
}

extension SweepAction {
    fileprivate var site: ObservedSite? {
        switch self {
        case .quarantine(let site, _), .release(let site), .delete(let site, _, _): site
        case .deleteShare: nil
        }
    }

    fileprivate var uid: UID? {
        switch self {
        case .quarantine(_, let uid), .delete(_, let uid, _): uid
        case .release, .deleteShare: nil
        }
    }
}

extension LeakReason {
    fileprivate var sentence: String {
        switch self {
        case .forgotten: "its record was forgotten"
        case .unknown: "no record knew it, and its quarantine is over"
        case .asked: "a user asked for it"
        }
    }
}
