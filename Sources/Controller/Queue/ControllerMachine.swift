import DequeModule
package import DesiredState
import HeapModule

/// The controller as a synchronous event machine: what happened goes in, what to do comes out. It reads no clock, draws randomness from a seed, and
/// performs nothing, so that a simulation can drive this very code.
///
/// For each record ("key") it goes round: load → plan → commit → call. At most one of load and commit is under way for a key; calls are in flight
/// beside that, at most one of each kind, and their results only mark the key to be looked at again.
package struct ControllerMachine {
    private var keys: [UID: KeyState] = [:]
    private var timers = Heap<Timer>()
    private var announcedTimer: Instant?
    private var calls = CallQueue()
    /// Keys to be looked at, in the order in which they were woken; each stands here once.
    private var queue: Deque<UID> = []
    /// Keys that are being loaded or committed.
    private var activeCount = 0
    private var isListPending = true
    private var isListInFlight = false
    private var listFailures = 0
    private var nextListAt: Instant?
    private var generator: SplitMix64
    private let designer: SiteDesigner
    /// How often each rule has decided.
    package private(set) var decisions: [RuleName: Int] = [:]
    /// Carried by every transaction; `nil` before the start.
    private var epoch: Epoch?
    private var freeze: Freeze?
    /// A later life of a controller has begun on the store.
    private var isFenced = false

    package init(designer: SiteDesigner, seed: UInt64) {
        self.designer = designer
        generator = SplitMix64(state: seed)
    }

    /// Bound of keys that are loaded or committed at a time: the store works on one commit and a few reads at once, and each key waiting for it holds
    /// its record in memory.
    static let maximumActiveKeys = 64

    /// Between two lists of all sites.
    static let resyncPeriod: Duration = .seconds(300)

    package mutating func handle(_ event: ControllerEvent, now: Moment) -> [ControllerEffect] {
        guard !isFenced else { return [] }
        var effects: [ControllerEffect] = []
        switch event {
        case .started(let uids, let epoch, let freeze):
            self.epoch = epoch
            self.freeze = freeze
            for uid in uids { keys[uid] = KeyState() }
            isListInFlight = true
            effects.append(.listSites)
        case .freezeChanged(let freeze):
            self.freeze = freeze
            for uid in keys.keys.sorted() { wake(uid) }
        case .changed(let uid): wake(uid)
        case .loaded(let uid, let stored): loaded(uid, stored, now, &effects)
        case .loadFailed(let uid, let error): retryLater(uid, why: "\(error)", now.steady, &effects)
        case .committed(let uid): committed(uid, now.steady, &effects)
        case .commitFailed(_, let error) where error.isFenced:
            isFenced = true
            return [.end(error)]
        case .commitFailed(let uid, let error): commitFailed(uid, error, now.steady, &effects)
        case .callFinished(let uid, let id, let result): callFinished(uid, id, result, now.steady, &effects)
        case .listed(let startedAt, let sites): listed(sites, startedAt: startedAt, now.steady, &effects)
        case .listFailed(let failure): listFailed(failure, now.steady)
        case .timerFired: timerFired(now.steady, &effects)
        }
        startQueued(&effects)
        effects += calls.startable()
        announceTimer(&effects)
        return effects
    }

    // MARK: the round of one key

    private mutating func wake(_ uid: UID) {
        var state = keys[uid] ?? KeyState()
        switch state.phase {
        case .idle:
            state.phase = .queued
            queue.append(uid)
        case .queued: break
        case .loading, .committing: state.isDirty = true
        }
        keys[uid] = state
    }

    private mutating func startQueued(_ effects: inout [ControllerEffect]) {
        while activeCount < ControllerMachine.maximumActiveKeys, let uid = queue.popFirst() {
            guard keys[uid]?.phase == .queued else { continue }
            activeCount += 1
            keys[uid]?.phase = .loading
            keys[uid]?.isDirty = false
            effects.append(.load(uid))
        }
    }

    /// The round is over, until the key is woken again.
    private mutating func rest(_ uid: UID) {
        activeCount -= 1
        keys[uid]?.phase = .idle
    }

    private mutating func loaded(
        _ uid: UID, _ stored: StoredRecord?, _ now: Moment, _ effects: inout [ControllerEffect]
    ) {
        guard var state = keys[uid], state.phase == .loading else { return }
        guard let stored else {
            rest(uid)
            keys[uid] = nil
            return
        }
        state.memory.notice(stored, designer: designer)
        var input = state.memory.input(stored, now: now, isListPending: isListPending, freeze: freeze)
        state.memory.drift.complete(&input, siteCount: keys.count)
        let plan = plan(input)
        decisions[plan.rule, default: 0] += 1
        let steps = PlanSteps(plan, stored: stored, site: input.site, designer: designer, epoch: epoch, now: now.wall)
        let planned = state.nextLook
        state.nextLook = nil
        if case .at(let instant) = plan.nextLook {
            state.nextLook = instant
            // A timer for the same instant is there already, unless it has fired.
            if instant != planned || instant <= now.steady { timers.insert(Timer(at: instant, uid: uid)) }
        }
        state.log = LogFacts(generation: stored.record.metadata.generation, rule: plan.rule, reason: plan.reason)
        if let transaction = steps.transaction {
            state.phase = .committing(steps)
            keys[uid] = state
            effects.append(.commit(uid, transaction, sealing: steps.sealedOutputs, state.log))
        } else {
            keys[uid] = state
            rest(uid)
            begin(steps.calls, for: uid, now.steady)
            if state.isDirty { wake(uid) }
        }
    }

    private mutating func committed(_ uid: UID, _ now: Instant, _ effects: inout [ControllerEffect]) {
        guard var state = keys[uid], case .committing(let steps) = state.phase else { return }
        if let token = steps.openedToken { state.memory.isOpening(token: token) }
        keys[uid] = state
        rest(uid)
        if steps.forgets {
            keys[uid] = nil
            effects.append(.removeOutput(uid))
            return
        }
        begin(steps.calls, for: uid, now)
        // What was committed may let another rule apply; after a mere status write none can.
        if state.isDirty || steps.changesFacts && steps.calls.isEmpty { wake(uid) }
    }

    private mutating func commitFailed(
        _ uid: UID, _ error: StoreError, _ now: Instant, _ effects: inout [ControllerEffect]
    ) {
        guard case .committing = keys[uid]?.phase else { return }
        switch error.code {
        case .conflict, .notFound, .attemptOpen:
            rest(uid)
            wake(uid)
        case .fenced, .unavailable, .cancelled, .damaged, .inUse, .nameTaken, .compacted:
            retryLater(uid, why: "\(error)", now, &effects)
        }
    }

    /// The store is in trouble: nothing of the plan was done, and it is made anew after a while.
    private mutating func retryLater(_ uid: UID, why: String, _ now: Instant, _ effects: inout [ControllerEffect]) {
        guard var state = keys[uid], state.phase.isActive else { return }
        state.storeFailures += 1
        let at = now + Backoff.store.delay(afterFailures: state.storeFailures, using: &generator)
        state.nextLook = at
        keys[uid] = state
        rest(uid)
        timers.insert(Timer(at: at, uid: uid))
        effects.append(.report(uid, state.log, message: why))
    }

    private mutating func begin(_ wanted: [Call], for uid: UID, _ now: Instant) {
        for call in wanted {
            guard var state = keys[uid], state.memory.inFlight[call.kind] == nil else { continue }
            let id = calls.enqueue(call, for: uid, state.log)
            state.memory.begins(call, id: id, at: now)
            keys[uid] = state
        }
    }

    private mutating func callFinished(
        _ uid: UID, _ id: CallID, _ result: CallResult, _ now: Instant, _ effects: inout [ControllerEffect]
    ) {
        guard let kind = calls.finished(id), var state = keys[uid], state.memory.inFlight[kind] == id else { return }
        state.storeFailures = 0
        state.memory.learn(from: result, of: kind, now: now, using: &generator)
        keys[uid] = state
        wake(uid)
    }

    // MARK: asked by users

    /// What would be done about a record as it would be stored, with what is known now. Moves nothing.
    /// - Parameter stored: as it is stored now; `nil` for a record that does not exist yet.
    package func preview(_ record: FunctionApp, replacing stored: StoredRecord?, now: Moment) -> Preview {
        var memory = keys[record.uid]?.memory ?? KeyMemory()
        let wanted = StoredRecord(record: record, attempts: stored?.attempts ?? [], intent: stored?.intent)
        memory.notice(wanted, designer: designer)
        let isWritten = stored?.intent?.kind == .putSite
        return Controller.preview(
            memory.input(wanted, now: now, isListPending: isListPending, freeze: freeze),
            writtenHash: isWritten ? stored.map { designer.identity(of: $0.record).designHash } : nil)
    }

    // MARK: all sites at once

    private mutating func listed(
        _ sites: [ObservedSite], startedAt: Instant, _ now: Instant, _ effects: inout [ControllerEffect]
    ) {
        let wasFirst = isListPending
        isListPending = false
        isListInFlight = false
        listFailures = 0
        scheduleList(at: now + ControllerMachine.resyncPeriod)
        var byUID: [UID: ObservedSite] = [:]
        for site in sites where site.instance == designer.instance.text {
            if let uid = site.uid.flatMap({ UID($0) }) { byUID[uid] = site }
        }
        for uid in keys.keys.sorted() {
            guard let isNews = keys[uid]?.memory.learn(listed: byUID[uid], listStartedAt: startedAt) else { continue }
            if isNews || wasFirst { wake(uid) }
        }
    }

    private mutating func listFailed(_ failure: CallResult.Failure, _ now: Instant) {
        isListInFlight = false
        listFailures += 1
        let delay = Backoff.azure.delay(afterFailures: listFailures, using: &generator)
        scheduleList(at: now + max(delay, failure.retryAfter ?? .zero))
    }

    private mutating func scheduleList(at instant: Instant) {
        nextListAt = instant
        timers.insert(Timer(at: instant, uid: nil))
    }

    // MARK: time

    private mutating func timerFired(_ now: Instant, _ effects: inout [ControllerEffect]) {
        announcedTimer = nil
        while let timer = timers.min, timer.at <= now {
            timers.removeMin()
            guard let uid = timer.uid else {
                if let due = nextListAt, due <= now, !isListInFlight {
                    isListInFlight = true
                    nextListAt = nil
                    effects.append(.listSites)
                }
                continue
            }
            // Timers are not removed when a plan changes; only the one that the newest plan asked for counts.
            if keys[uid]?.nextLook == timer.at { wake(uid) }
        }
    }

    private mutating func announceTimer(_ effects: inout [ControllerEffect]) {
        guard let earliest = timers.min?.at, earliest != announcedTimer else { return }
        announcedTimer = earliest
        effects.append(.setTimer(earliest))
    }

    /// For `/readyz`: the sites were listed once.
    package var hasObservedAzure: Bool { !isListPending }
}

private struct Timer: Comparable {
    let at: Instant
    /// `nil`: the list of all sites.
    let uid: UID?

    static func < (left: Timer, right: Timer) -> Bool { left.at < right.at }
}

extension StoreError {
    fileprivate var isFenced: Bool {
        if case .fenced = code { true } else { false }
    }
}

/// One record in the machine.
struct KeyState {
    enum Phase: Equatable {
        case idle
        /// Woken, and waiting for its turn.
        case queued
        case loading
        case committing(PlanSteps)

        var isActive: Bool {
            switch self {
            case .idle, .queued: false
            case .loading, .committing: true
            }
        }
    }

    var phase = Phase.idle
    /// Something happened since the newest load began.
    var isDirty = false
    var nextLook: Instant?
    var storeFailures = 0
    var log = LogFacts(generation: 0, rule: .steady, reason: "")
    var memory = KeyMemory()
}
