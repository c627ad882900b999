package import AzureClient
package import DesiredState
package import Logging
import NIOConcurrencyHelpers

/// Makes and deletes the shares behind volumes: the shell around ``VolumePlanner``.
///
/// Every step is committed before the call that it leads to, so that a life that ends anywhere is gone on with by the next. A volume that is ready costs
/// nothing: nobody looks at its share again. What is asked of Azure is one read and one write or deletion for each volume that comes or goes.
package final class VolumeService: Sendable {
    private struct State {
        var epoch: Epoch?
        /// Volumes that are being worked on; one task at a time for each.
        var working: Set<VolumeName> = []
        /// Of these, those that were woken meanwhile.
        var wokenAgain: Set<VolumeName> = []
        /// Failures in a row.
        var failures: [VolumeName: Int] = [:]
        /// Why a volume does not come or go, for those who wait.
        var obstacles: [VolumeName: VolumeFacts.Failure] = [:]
        /// Volumes whose record is gone.
        var ended: Set<VolumeName> = []
        var watched: Set<UID> = []
        var nextWaiter = 0
        var waiters: [VolumeName: [Int: AsyncStream<Void>.Continuation]] = [:]
        var timers: [VolumeName: @Sendable () -> Void] = [:]
        var generator: SplitMix64
    }

    private enum Work: Sendable {
        case drive(VolumeName)
        case watch(UID)
        case resume
    }

    package let account: StorageAccountName
    private let store: any RecordStore
    private let calls: ShareCalls
    private let clock: @Sendable () -> Instant
    private let timers: TimerSource
    private let logger: Logger
    private let state: NIOLockedValueBox<State>
    private let work: AsyncStream<Work>
    private let continuation: AsyncStream<Work>.Continuation

    /// How long a request waits for a volume to come or go before it is told that this goes on.
    static let patience: Duration = .seconds(60)
    /// As for records: each lost round means that another writer got through.
    private static let conflictRetries = 16

    /// `clock`: by the wall, since times are stored.
    package init(
        account: StorageAccountName, store: any RecordStore, shares: any SharesAPI, seed: UInt64,
        clock: @escaping @Sendable () -> Instant, timers: TimerSource = .system, logger: Logger
    ) {
        self.account = account
        self.store = store
        calls = ShareCalls(shares: shares, account: account, instance: store.instance)
        self.clock = clock
        self.timers = timers
        self.logger = logger
        state = NIOLockedValueBox(State(generator: SplitMix64(state: seed)))
        // Unbounded: at most one element for each volume and record, and none may be dropped.
        (work, continuation) = AsyncStream.makeStream(of: Work.self)
    }

    /// Every commit names this epoch from now on.
    package func begin(_ epoch: Epoch) { state.withLockedValue { $0.epoch = epoch } }

    /// Goes on with what an earlier life has left open, then does what is asked, until its task is cancelled.
    package func live() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.resume() }
            for await work in self.work {
                switch work {
                case .drive(let name): group.addTask { await self.drive(name) }
                case .watch(let uid): group.addTask { await self.follow(uid) }
                case .resume: group.addTask { await self.resume() }
                }
            }
            group.cancelAll()
        }
        state.withLockedValue { state in
            for cancel in state.timers.values { cancel() }
            state.timers = [:]
        }
    }

    /// What hindered all volumes is over, such as a freeze.
    package func wakeAll() { continuation.yield(.resume) }

    private func resume() async {
        var failures = 0
        while !Task.isCancelled {
            do throws(StoreError) {
                for volume in try await store.volumes() {
                    if volume.phase != .ready { wake(volume.name) }
                    if let uid = volume.endsWith { watch(uid) }
                }
                return
            } catch {
                failures += 1
                let delay = delay(.store, afterFailures: failures)
                logger.error("the store failed", metadata: Logger.Metadata([.reason: error]))
                await pause(delay)
            }
        }
    }

    private func pause(_ delay: Duration) async {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        let cancel = timers.after(delay) { continuation.finish() }
        for await _ in stream {}
        cancel()
    }

    // MARK: asked by users

    /// The volume once it can be mounted; one of that name that is there already stays as it is.
    package func create(_ request: VolumeRequest) async throws(VolumeError) -> Volume {
        for _ in 0..<VolumeService.conflictRetries {
            do throws(StoreError) {
                if let existing = try await store.volume(request.name) {
                    switch existing.phase {
                    case .ready: return existing
                    case .creating: break
                    case .removing:
                        throw StoreError(.volume(.missing(request.name)))
                    }
                } else {
                    try await commit([.putVolume(record(of: request), ifGeneration: nil)])
                }
            } catch {
                if case .volume(.changed) = error.code { continue }
                if case .volume(.missing) = error.code {
                    throw VolumeError(
                        .conflict, "the volume \(request.name) is being removed; try again when it is gone")
                }
                throw VolumeError(error)
            }
            if let volume = try await settled(request.name, .ready) { return volume }
            throw VolumeError(.conflict, "the volume \(request.name) was removed meanwhile")
        }
        throw VolumeError(.unavailable, "the volume \(request.name) is changed by others all the time; try again")
    }

    private func record(of request: VolumeRequest) -> Volume {
        var generator = SystemRandomNumberGenerator()
        return Volume(
            name: request.name, id: UID(using: &generator), labels: request.labels, options: request.options,
            createdAt: clock(),
            account: account.rawValue, share: VolumeShare.name(of: request.name, instance: store.instance),
            endsWith: request.endsWith)
    }

    /// Begins the removal and waits until the share is gone. Nothing calls it off.
    package func remove(_ name: VolumeName) async throws(VolumeError) {
        for _ in 0..<VolumeService.conflictRetries {
            do throws(StoreError) {
                guard let volume = try await store.volume(name) else {
                    throw StoreError(.volume(.missing(name)))
                }
                if volume.phase != .removing {
                    let removal = volume.changed {
                        $0.phase = .removing
                        $0.reason = ""
                        $0.message = ""
                    }
                    try await commit([.putVolume(removal, ifGeneration: volume.generation)])
                }
            } catch {
                switch error.code {
                case .volume(.changed): continue
                case .volume(.missing): throw VolumeError(.notFound, "get \(name): no such volume")
                case .volume(.inUse(_, let users)):
                    throw VolumeError(
                        .inUse(users),
                        "remove \(name): volume is in use - [\(users.map(\.text).joined(separator: ", "))]")
                default: throw VolumeError(error)
                }
            }
            _ = try await settled(name, .removing)
            return
        }
        throw VolumeError(.unavailable, "the volume \(name) is changed by others all the time; try again")
    }

    /// Volumes that end with this record are removed when it is gone; at once if it is gone already, or was never made.
    package func watch(_ uid: UID) {
        guard state.withLockedValue({ $0.watched.insert(uid).inserted }) else { return }
        continuation.yield(.watch(uid))
    }

    /// Wakes the volume and waits until it is ready, or gone; returns nil for the latter.
    private func settled(_ name: VolumeName, _ wanted: Volume.Phase) async throws(VolumeError) -> Volume? {
        let isOver = NIOLockedValueBox(false)
        let (stream, waiter) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id = state.withLockedValue { state in
            state.nextWaiter += 1
            state.waiters[name, default: [:]][state.nextWaiter] = waiter
            state.obstacles[name] = nil
            return state.nextWaiter
        }
        let cancel = timers.after(VolumeService.patience) {
            isOver.withLockedValue { $0 = true }
            waiter.yield()
        }
        defer {
            cancel()
            state.withLockedValue { state in
                state.waiters[name]?[id] = nil
                guard state.waiters[name]?.isEmpty == true else { return }
                state.waiters[name] = nil
                state.obstacles[name] = nil
            }
        }
        wake(name)
        for await _ in stream {
            let obstacle = state.withLockedValue { $0.obstacles[name] }
            let volume: Volume?
            do throws(StoreError) {
                volume = try await store.volume(name)
            } catch {
                throw VolumeError(error)
            }
            guard let volume else {
                // What was asked to go is gone; what was asked to come has not come.
                if wanted == .ready, let obstacle { throw VolumeError(obstacle, name) }
                return nil
            }
            if volume.phase == wanted, wanted == .ready { return volume }
            if wanted == .ready, volume.phase == .removing { return nil }
            if let obstacle, obstacle.isLasting { throw VolumeError(obstacle, name) }
            if isOver.withLockedValue({ $0 }) {
                let why = obstacle.map { ": \($0.message)" } ?? ""
                let what = wanted == .ready ? "made" : "removed"
                throw VolumeError(.pending, "the volume \(name) is still being \(what), which goes on\(why)")
            }
        }
        throw VolumeError(.cancelled, "the daemon is stopping")
    }

    // MARK: carrying out

    private func wake(_ name: VolumeName) {
        let isIdle = state.withLockedValue { state in
            state.timers.removeValue(forKey: name)?()
            guard state.working.insert(name).inserted else {
                state.wokenAgain.insert(name)
                return false
            }
            return true
        }
        if isIdle { continuation.yield(.drive(name)) }
    }

    /// Until there is nothing to do for now.
    private func drive(_ name: VolumeName) async {
        var share = VolumeFacts.Share.unknown
        var failure: VolumeFacts.Failure?
        var isMade = false
        var isOver = false
        while !isOver, !Task.isCancelled {
            do throws(StoreError) {
                guard let volume = try await store.volume(name) else {
                    state.withLockedValue { _ = $0.ended.remove(name) }
                    break
                }
                var facts = VolumeFacts(share: share, failure: failure, account: account.rawValue)
                facts.isFrozen = try await store.freeze() != nil
                if state.withLockedValue({ $0.ended.contains(name) }), let owner = volume.endsWith {
                    // Somebody may have brought it back since.
                    facts.isOwnerGone = try await store.load(owner) == nil
                }
                switch VolumePlanner.next(volume, facts) {
                case .rest: isOver = true
                case .wait(let hindrance):
                    note(hindrance, about: name)
                    isOver = true
                case .retry(let hindrance):
                    note(hindrance, about: name)
                    retryLater(name, isLasting: hindrance.isLasting)
                    isOver = true
                case .readShare: (share, failure) = await calls.read(volume, priority(name))
                case .makeShare where isMade: failure = .notSeen
                case .makeShare:
                    try await checkEpoch()
                    (share, failure) = await calls.make(volume, priority(name))
                    isMade = failure == nil
                case .deleteShare:
                    try await checkEpoch()
                    (share, failure) = await calls.delete(volume, priority(name))
                case .write(let next): try await commit([.putVolume(next, ifGeneration: volume.generation)])
                case .complete(let next):
                    try await commit([
                        .putVolume(next, ifGeneration: volume.generation), .addEvent(event("create", name)),
                    ])
                    succeeded(name)
                case .forget(let reason):
                    if let reason { note(reason, about: name) }
                    var operations = [
                        Transaction.Operation.removeVolume(name, ifGeneration: volume.generation)
                    ]
                    if reason == nil { operations.append(.addEvent(event("destroy", name))) }
                    if case .foreign = share, reason == nil {
                        logger.warning(
                            "a share is left where it is, since it has lost our marks", metadata: metadata(volume))
                    }
                    try await commit(operations)
                    state.withLockedValue { $0.failures[name] = nil }
                }
            } catch {
                switch error.code {
                case .volume(.changed): break
                // A record has come to mount what was to end with another: then it stays.
                case .volume(.inUse): isOver = true
                case .cancelled, .fenced: isOver = true
                default:
                    logger.error("the store failed", metadata: Logger.Metadata([.reason: error]))
                    retryLater(name, isLasting: false)
                    isOver = true
                }
            }
        }
        finished(name)
    }

    private func finished(_ name: VolumeName) {
        let isWanted = state.withLockedValue { state in
            state.working.remove(name)
            for waiter in (state.waiters[name] ?? [:]).values { waiter.yield() }
            return state.wokenAgain.remove(name) != nil
        }
        if isWanted { wake(name) }
    }

    private func note(_ failure: VolumeFacts.Failure, about name: VolumeName) {
        let isNews = state.withLockedValue { state in
            defer { state.obstacles[name] = failure }
            return state.obstacles[name] != failure
        }
        guard isNews else { return }
        logger.warning(
            "a volume waits", metadata: Logger.Metadata([.key: "volume/\(name)", .reason: failure.message]))
    }

    private func succeeded(_ name: VolumeName) {
        state.withLockedValue { state in
            state.failures[name] = nil
            state.obstacles[name] = nil
        }
    }

    private func retryLater(_ name: VolumeName, isLasting: Bool) {
        let failures = state.withLockedValue { state in
            state.failures[name, default: 0] += 1
            return state.failures[name] ?? 1
        }
        let delay = delay(isLasting ? .terminal : .azure, afterFailures: failures)
        let cancel = timers.after(delay) { [weak self] in self?.wake(name) }
        state.withLockedValue { $0.timers[name] = cancel }
    }

    private func delay(_ backoff: Backoff, afterFailures failures: Int) -> Duration {
        state.withLockedValue { backoff.delay(afterFailures: failures, using: &$0.generator) }
    }

    /// Until the record is gone.
    private func follow(_ uid: UID) async {
        // Subscribe first, then read, then wait.
        var changes = store.changes.subscribe(to: uid).makeAsyncIterator()
        while !Task.isCancelled {
            do throws(StoreError) {
                if try await store.load(uid) == nil {
                    let ended = try await store.volumes().filter { $0.endsWith == uid }.map(\.name)
                    state.withLockedValue { state in
                        state.watched.remove(uid)
                        state.ended.formUnion(ended)
                    }
                    for name in ended { wake(name) }
                    return
                }
            } catch {
                await pause(Backoff.store.longest)
                continue
            }
            if await changes.next() == nil { return }
        }
    }

    @discardableResult
    private func commit(_ operations: [Transaction.Operation]) async throws(StoreError) -> Revision {
        try await store.commit(
            Transaction(origin: .controller, epoch: state.withLockedValue { $0.epoch }, operations))
    }

    /// Nothing is written by a life that another has followed: Azure would take it all the same.
    private func checkEpoch() async throws(StoreError) {
        guard let newest = try await store.newestEpoch(), let own = state.withLockedValue({ $0.epoch }), newest != own
        else { return }
        throw StoreError(.fenced(newest: newest))
    }

    /// Somebody waits for what comes or goes by request.
    private func priority(_ name: VolumeName) -> RequestPriority {
        state.withLockedValue { $0.waiters[name] != nil } ? .user : .background
    }

    private func event(_ action: String, _ name: VolumeName) -> EngineEvent {
        EngineEvent(at: clock(), .volume, action, actor: name.text, attributes: ["driver": "local"])
    }

    private func metadata(_ volume: Volume) -> Logger.Metadata {
        Logger.Metadata([.key: "volume/\(volume.name)", .path: "\(volume.account)/\(volume.share)"])
    }
}

extension VolumeError {
    init(_ error: StoreError) {
        switch error.code {
        case .cancelled: self.init(.cancelled, "the daemon is stopping")
        default: self.init(.unavailable, error.description)
        }
    }

    init(_ failure: VolumeFacts.Failure, _ name: VolumeName) {
        self.init(failure.reason == "ShareNotOurs" ? .conflict : .refused, "volume \(name): \(failure.message)")
    }
}
