import AzureClient
package import DesiredState
package import Logging
import NIOConcurrencyHelpers

/// Looks after sites without records: says whether the store is behind its sites, and sweeps. The shell around
/// ``StoreAge`` and ``SweepMachine``.
///
/// One sweep at a time. A site that a user adopts or deletes is claimed meanwhile, and the sweep leaves it alone; the other
/// way round the user is told to try again.
package final class SweepService: Sendable {
    private struct State {
        var epoch: Epoch?
        var isSweeping = false
        var claimed: Set<String> = []
        var counts = SweepCounts()
        var sharesListedAt: Instant?
        /// That a later life has begun, once the store has said so.
        var fence: StoreError?
    }

    let store: any RecordStore
    let azure: any SweptAzure
    let designer: SiteDesigner
    let clock: @Sendable () -> Instant
    let logger: Logger
    private let settings: SweepSettings
    private let state = NIOLockedValueBox(State())

    /// Shares change slowly and cost a read per page.
    private static let sharesPeriod: Duration = .seconds(86_400)

    /// `clock`: by the wall, since sightings are stored.
    package init(
        store: any RecordStore, azure: any SweptAzure, designer: SiteDesigner, settings: SweepSettings,
        clock: @escaping @Sendable () -> Instant, logger: Logger
    ) {
        self.store = store
        self.azure = azure
        self.designer = designer
        self.settings = settings
        self.clock = clock
        self.logger = logger
    }

    package var counts: SweepCounts { state.withLockedValue { $0.counts } }
    var mode: SweepSettings.Mode { settings.mode }
    var gracePeriod: Duration { settings.gracePeriod }

    /// Every commit names this epoch from now on.
    package func begin(_ epoch: Epoch) {
        state.withLockedValue { $0.epoch = epoch }
    }

    /// To be asked with each list of sites, once it has ended and before anything is done with it. Commits the freeze that
    /// it finds; one that was committed before stays until `skls recover`.
    package func review(_ sites: [ObservedSite]) async throws(StoreError) -> Freeze? {
        if let freeze = try await store.freeze() { return freeze }
        let writers = try await store.writers()
        let age = StoreAge(sites: sites, instance: designer.instance, writers: writers)
        guard let reason = age.reason else { return nil }
        let freeze = Freeze(since: clock(), reason: reason)
        try await store.commit(Transaction(origin: .controller, epoch: epoch, [.setFreeze(freeze)]))
        logger.critical("nothing is written until skls recover", metadata: ["reason": "\(reason)"])
        return freeze
    }

    /// Sweeps by this list; at once if a sweep is under way. Ends early when its task is cancelled.
    ///
    /// - Throws: `fenced` alone, as soon as a commit tells so; what else fails is tried again by the next sweep.
    package func sweep(_ sites: [ObservedSite]) async throws(StoreError) {
        let now = clock()
        let listsShares: Bool? = state.withLockedValue { state in
            guard !state.isSweeping else { return nil }
            state.isSweeping = true
            return state.sharesListedAt.map { now - $0 >= SweepService.sharesPeriod } ?? true
        }
        guard let listsShares else { return }
        await drive(.listed(sites, listsShares: listsShares))
        let fence = state.withLockedValue { state in
            state.isSweeping = false
            return state.fence
        }
        if let fence { throw fence }
    }

    /// Deletes a site that no record knows. The site must be claimed.
    func delete(_ site: ObservedSite, _ uid: UID) async -> [SweepNote] {
        await drive(.deletionAsked(site, uid), claimed: site.name)
    }

    var epoch: Epoch? { state.withLockedValue { $0.epoch } }

    /// `false` if somebody else is at it.
    func claim(_ name: String) -> Bool {
        state.withLockedValue { $0.claimed.insert(name).inserted }
    }

    func release(_ name: String) {
        state.withLockedValue { _ = $0.claimed.remove(name) }
    }

    // MARK: carrying out

    @discardableResult
    private func drive(_ first: SweepEvent, claimed: String? = nil) async -> [SweepNote] {
        var machine = SweepMachine(
            instance: designer.instance, settings: settings, epoch: epoch,
            hasShares: designer.configuration.contentShareAccount != nil)
        var held: String?
        var told: [SweepNote] = []
        var next = machine.handle(first, now: clock())
        while let effect = next, !Task.isCancelled {
            if case .readSite(let name) = effect, name != claimed {
                if let held { release(held) }
                held = claim(name) ? name : nil
                if held == nil {
                    next = machine.handle(.failed("a user is working on it"), now: clock())
                    continue
                }
            }
            let event = await perform(effect)
            next = machine.handle(event, now: clock())
            told += tell(machine.takeNotes())
        }
        told += tell(machine.takeNotes())
        if let held { release(held) }
        let counts = machine.counts
        state.withLockedValue { $0.counts.add(counts) }
        return told
    }

    private func perform(_ effect: SweepEffect) async -> SweepEvent {
        switch effect {
        case .readState: return await stored { () async throws(StoreError) in .stateRead(try await readState()) }
        case .commit(let transaction):
            return await stored { () async throws(StoreError) in
                try await store.commit(transaction)
                return .committed
            }
        case .readRecord(let uid):
            return await stored { () async throws(StoreError) in
                let record = try await store.load(uid)
                return .recordRead(exists: record != nil)
            }
        case .listShares:
            let now = clock()
            return await called { () async throws(AzureError) in
                let shares = try await azure.listShares()
                state.withLockedValue { $0.sharesListedAt = now }
                return .sharesRead(shares)
            }
        case .readSite(let name):
            return await called { () async throws(AzureError) in .siteRead(try await azure.readSite(name)) }
        case .replaceTags(let name, let tags):
            return await called { () async throws(AzureError) in
                try await azure.replaceTags(name, tags)
                return .done
            }
        case .deleteSite(let name):
            return await called { () async throws(AzureError) in
                try await azure.deleteSite(name)
                return .done
            }
        case .deleteShare(let name):
            return await called { () async throws(AzureError) in
                try await azure.deleteShare(name)
                return .done
            }
        }
    }

    /// Uids first: a record that is forgotten between the reads still counts as known.
    private func readState() async throws(StoreError) -> SweepState {
        let uids = Set(try await store.allUIDs())
        return SweepState(
            uids: uids, tombstones: try await store.tombstones(), sightings: try await store.sightings(),
            freeze: try await store.freeze())
    }

    private func stored(_ body: () async throws(StoreError) -> SweepEvent) async -> SweepEvent {
        do throws(StoreError) {
            return try await body()
        } catch {
            if case .fenced = error.code { state.withLockedValue { $0.fence = error } }
            return .failed(error.description)
        }
    }

    private func called(_ body: () async throws(AzureError) -> SweepEvent) async -> SweepEvent {
        do throws(AzureError) {
            return try await body()
        } catch {
            return .failed(error.description)
        }
    }

    private func tell(_ notes: [SweepNote]) -> [SweepNote] {
        for note in notes {
            let metadata: Logger.Metadata = [
                "site": "\(note.name)", "outcome": "\(note.kind.rawValue)", "reason": "\(note.message)",
            ]
            switch note.kind {
            case .failed: logger.warning("leak not dealt with", metadata: metadata)
            case .withheld, .spared: logger.info("leak left alone", metadata: metadata)
            case .quarantined, .released, .deleted, .shareDeleted:
                logger.notice("leak dealt with", metadata: metadata)
            }
        }
        return notes
    }
}

extension SweepCounts {
    /// Of the newest sweep, added to those before; what is counted afresh by each sweep takes the place of the last.
    mutating func add(_ newest: SweepCounts) {
        if newest.sweeps > 0 {
            suspected = newest.suspected
            held = newest.held
        }
        sweeps += newest.sweeps
        found += newest.found
        quarantined += newest.quarantined
        released += newest.released
        deleted += newest.deleted
        sharesDeleted += newest.sharesDeleted
        failed += newest.failed
    }
}
