import AzureSimulator
import Controller
import DesiredState

/// Watches over what is done to sites without records, and over stores that are behind their sites. It knows the World and
/// the store's documents, and when a site became what it is; never what a sweep has seen.
///
/// Unchecked: see `Once`.
final class LeakJudge: @unchecked Sendable {
    private unowned let run: SimulationRun
    /// Since when a site of ours has no record, by its name.
    private var unknownSince: [String: Int64] = [:]
    /// Since when a site carries the quarantine tag.
    private var quarantinedSince: [String: Int64] = [:]
    /// Sites that others have made, or whose records went with a restored store.
    private var excused: Set<String> = []
    /// What only resembles ours, with the tags that it was made with.
    private var nearMisses: [String: [String: String]] = [:]
    /// When the wall clock was set forward: a sweep may count a part of that as watched.
    private var stepsForward: [Int64] = []
    /// Sites that the sweep in progress has deleted, per life.
    private var deletions: [Int: Set<String>] = [:]
    /// Since the store was replaced by one that is behind its sites, until it is frozen.
    private var behindSince: Int64?
    private var wasRestored = false

    init(run: SimulationRun) { self.run = run }

    // MARK: what others do

    func excuse(_ name: String) { excused.insert(name) }

    func isExcused(_ name: String) -> Bool { excused.contains(name) || nearMisses[name] != nil }

    func isNearMiss(_ name: String) -> Bool { nearMisses[name] != nil }

    func plantedNearMiss(_ name: String, tags: [String: String]) { nearMisses[name] = tags }

    /// It could not be made.
    func withdrawNearMiss(_ name: String) { nearMisses[name] = nil }

    func clockSteppedForward() { stepsForward.append(run.time.elapsed) }

    /// - Parameter isBehind: whether a site of ours shows it to whoever looks.
    func restored(isBehind: Bool, isFrozen: Bool) {
        wasRestored = true
        behindSince = isBehind && !isFrozen ? run.time.elapsed : nil
        deletions = [:]
        for site in run.cloud.azure.sites { excuse(site.name.lowercased()) }
    }

    // MARK: time

    /// Notes what has changed in the World or in the store.
    func look() {
        let now = run.time.elapsed
        var leaks: Set<String> = []
        var tagged: Set<String> = []
        for site in run.cloud.azure.sites where !site.isDeleted {
            let name = site.name.lowercased()
            if isLeak(site) { leaks.insert(name) }
            if site.tags[SiteTag.quarantined] != nil { tagged.insert(name) }
        }
        unknownSince = unknownSince.filter { leaks.contains($0.key) }
        quarantinedSince = quarantinedSince.filter { tagged.contains($0.key) }
        for name in leaks where unknownSince[name] == nil { unknownSince[name] = now }
        for name in tagged where quarantinedSince[name] == nil { quarantinedSince[name] = now }
    }

    /// Whether the site is ours by its tags and by its name, and has no record.
    func isLeak(_ site: InProcessAzure.SiteState) -> Bool {
        isOurs(site) && run.judge.record(ofSite: site.name) == nil
    }

    private func isOurs(_ site: InProcessAzure.SiteState) -> Bool {
        guard site.tags[SiteTag.managedBy] == "skls", site.tags[SiteTag.instance] == run.store.instance.text,
            let uid = site.tags[SiteTag.uid].flatMap({ UID($0) })
        else { return false }
        return site.name.lowercased() == SiteDesigner.siteName(of: uid)
    }

    /// So long has it been, as a sweep that counts each step of the clock as a gap of lists may see it.
    private func age(since: Int64?) -> Duration {
        guard let since else { return .zero }
        // The controller took the time when it decided, and what is judged from `since` on followed.
        let steps = stepsForward.count { $0 >= since - nanoseconds(Self.tagging) }
        return .nanoseconds(run.time.elapsed - since) + .seconds(900 * steps)
    }

    // MARK: Azure

    /// A controller may act so long on what it read before somebody else changed it, or before it was told of a freeze.
    private static let patience: Int64 = 60_000_000_000

    /// The grace begins with the decision, and the tag follows.
    private static let tagging: Duration = .seconds(30)

    func applies(_ request: SentRequest, to name: String, _ state: InProcessAzure.SiteState?, life: Life) {
        let now = run.time.elapsed
        let judge = run.judge
        judge.demand(nearMisses[name] == nil, .nearMissUntouched, "\(request), which only resembles a site of ours")
        judge.demand(behindSince == nil, .frozenIfBehind, "\(request) although the store is behind and not frozen")
        let frozen = judge.frozenSince.map { now - $0 } ?? 0
        judge.demand(frozen < Self.patience, .frozenWritesNothing, "\(request) in a store that is frozen")
        guard let state, !state.isDeleted, judge.record(ofSite: name) == nil, request.effect != .putSite else { return }
        judge.demand(
            run.sweepSettings.mode == .delete, .sweptOnlyLeaks, "\(request) although leaks are only reported")
        judge.demand(
            isOurs(state), .sweptOnlyLeaks, "\(request), which is not ours and has no record: \(state.tags)")
        let settings = run.sweepSettings
        let unknown = age(since: unknownSince[name])
        let quarantined = age(since: quarantinedSince[name])
        if request.effect == .deleteSite {
            let isForgotten = judge.tombstones.contains(name)
            judge.demand(
                isForgotten
                    || quarantined >= settings.gracePeriod - Self.tagging
                        && unknown >= settings.minimumAge + settings.gracePeriod,
                .sweptOnlyLeaks, "\(request) that is unknown since \(unknown) and quarantined since \(quarantined)")
            judge.coverage.add(deed: isForgotten ? .forgottenDeleted : .leakDeleted)
            deletions[life.number, default: []].insert(name)
            judge.demand(
                deletions[life.number]?.count ?? 0 <= Self.bound, .sweepBounded,
                "a sweep deletes \(deletions[life.number]?.count ?? 0) sites")
        } else {
            judge.demand(
                unknown >= settings.minimumAge, .sweptOnlyLeaks, "\(request) that is unknown since \(unknown)")
        }
    }

    /// The sweep's own is a tenth of all sites if that is more: simulated worlds are too small for that.
    private static let bound = 5

    func applied(to name: String) {
        let before = quarantinedSince[name] != nil
        look()
        guard let site = run.cloud.azure.site(name), !site.isDeleted else { return }
        let isTagged = quarantinedSince[name] != nil
        if !before, isTagged { run.judge.coverage.add(deed: .quarantined) }
        if before, !isTagged, run.judge.record(ofSite: name) != nil { run.judge.coverage.add(deed: .released) }
    }

    // MARK: the store

    func committed(_ transaction: Transaction, life: Life?) {
        guard let life else { return }
        let judge = run.judge
        if transaction.operations.contains(where: { if case .keepSighting = $0 { true } else { false } }) {
            judge.coverage.add(deed: .sighted)
            // A sweep begins, and an earlier one of this life is over.
            if let done = deletions.removeValue(forKey: life.number), done.count == Self.bound, isMoreDue {
                judge.coverage.add(deed: .capped)
            }
        }
        for operation in transaction.operations {
            switch operation {
            case .keepSighting(let sighting):
                let owner = judge.record(ofSite: sighting.siteName)
                // One that an adoption has made may have come in between.
                judge.demand(
                    owner == nil || owner?.record.metadata.annotations[FunctionApp.recoveredAnnotation] != nil,
                    .sweptOnlyLeaks, "\(sighting.siteName) is noted as a leak and has a record")
            case .setFreeze(.some):
                judge.demand(wasRestored, .frozenIfBehind, "a store is frozen that was never another")
                judge.coverage.add(deed: .frozen)
                behindSince = nil
            case .setFreeze(nil): judge.coverage.add(deed: .recovered)
            case .openIntent, .openAttempt:
                judge.demand(
                    behindSince == nil, .frozenIfBehind, "something is begun by a store that is behind its sites")
            case .finishAttempt where transaction.isRepair: judge.coverage.add(deed: .runGivenUp)
            case .replace where transaction.isRepair: judge.coverage.add(deed: .suspended)
            case .create(let record) where transaction.isRepair:
                judge.coverage.add(
                    deed: record.spec.suspend?.by == "recover" ? .siteRecovered : .adopted)
            default: continue
            }
        }
    }

    private var isMoreDue: Bool {
        quarantinedSince.keys.contains { age(since: quarantinedSince[$0]) >= run.sweepSettings.gracePeriod }
    }

    // MARK: rest

    /// Leaks that nothing explains, and near misses that are not as they were made.
    func unrest() -> [(Invariant, String)] {
        var faults: [(Invariant, String)] = []
        for site in run.cloud.azure.sites where !site.isDeleted && isLeak(site) {
            if run.sweepSettings.mode == .report {
                run.judge.coverage.add(deed: .reported)
            } else if !run.judge.records.isEmpty || !run.judge.tombstones.isEmpty {
                // A store that has never known anything changes nothing.
                faults.append((.noLeaks, "\(site.name) belongs to no record"))
            }
        }
        for site in run.cloud.azure.sites where !site.isDeleted && isOurs(site) && !isLeak(site) {
            guard site.tags[SiteTag.quarantined] != nil, run.sweepSettings.mode == .delete else { continue }
            faults.append((.converged, "\(site.name) has a record and is still in quarantine"))
        }
        for (name, tags) in nearMisses.sorted(by: { $0.key < $1.key }) {
            let site = run.cloud.azure.site(name)
            run.judge.demand(
                site?.isDeleted == false && site?.tags == tags, .nearMissUntouched, "\(name) is not as it was made")
        }
        if behindSince != nil { faults.append((.frozenIfBehind, "the store is behind its sites and is not frozen")) }
        return faults
    }
}
