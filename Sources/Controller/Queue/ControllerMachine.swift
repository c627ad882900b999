import AzureClient
package import DesiredState
import HeapModule

/// The controller as a synchronous event machine: what happened goes in, what to do comes out. It reads no clock, draws randomness from a seed, and
/// performs nothing, so that a simulation can drive this very code.
///
/// For each record ("key") it goes round: load → plan → commit → call. At most one of load and commit is under way for a key; calls are in flight
/// beside that, at most one of each kind, and their results only mark the key to be looked at again.
package struct ControllerMachine {
    private(set) var keys: [UID: KeyState] = [:]
    private var timers = Heap<Timer>()
    private var announcedTimer: Instant?
    private(set) var calls: CallScheduler
    private var pacer: PollPacer
    /// Keys to be looked at.
    private var queue = KeyQueue()
    /// Keys that are being loaded or committed.
    private var activeCount = 0
    /// Those of them that a list of all sites brought up.
    private var activeResyncCount = 0
    private(set) var isListPending = true
    private var isListInFlight = false
    private(set) var listFailures = 0
    private var nextListAt: Instant?
    private var listStartedAt: Instant?
    private var listedSiteCount = 0
    private var generator: SplitMix64
    let designer: SiteDesigner
    /// How often each rule has decided.
    package private(set) var decisions: [RuleName: Int] = [:]
    /// Carried by every transaction; `nil` before the start.
    private var epoch: Epoch?
    private(set) var freeze: Freeze?
    private var isToldOfFreeze = false
    let runLogSettlesAfter: Duration?
    /// How far the wall clock is ahead of the steady one.
    private var wallLead: Duration?
    /// A later life of a controller has begun on the store.
    private var isFenced = false
    private var reconcileCount: UInt64 = 0
    /// What was done since it was taken last; stays empty unless somebody looks on.
    private var observations: [ControllerObservation] = []
    private let isObserved: Bool

    /// - Parameters:
    ///   - runLogSettlesAfter: as in `PlanInput`.
    ///   - isObserved: whoever drives it calls ``takeObservations()`` after each step.
    package init(
        designer: SiteDesigner, seed: UInt64, rates: CallRates = CallRates(.published),
        runLogSettlesAfter: Duration? = nil,
        isObserved: Bool = false
    ) {
        self.designer = designer
        self.runLogSettlesAfter = runLogSettlesAfter
        self.isObserved = isObserved
        calls = CallScheduler(rates)
        pacer = PollPacer(rates.reads)
        generator = SplitMix64(state: seed)
    }

    /// Bound of keys that are loaded or committed at a time: the store works on one commit and a few reads at once, and each key waiting for it holds
    /// its record in memory.
    package static let maximumActiveKeys = 64

    /// Of these, how many may be looked at only because of a list of all sites, so that a user's record finds a place at once.
    static let maximumResyncKeys = 48

    /// Between two lists of all sites.
    static let resyncPeriod: Duration = .seconds(300)

    package mutating func handle(_ event: ControllerEvent, now: Moment) -> [ControllerEffect] {
        guard !isFenced else { return [] }
        var effects: [ControllerEffect] = []
        noticeSteps(of: now)
        switch event {
        case .started(let uids, let epoch, let freeze):
            self.epoch = epoch
            // What it was told meanwhile is newer than what was read before it began.
            if !isToldOfFreeze { self.freeze = freeze }
            for uid in uids { keys[uid] = KeyState() }
            listSites(now.steady, &effects)
        case .freezeChanged(let freeze):
            isToldOfFreeze = true
            guard freeze != self.freeze else { break }
            self.freeze = freeze
            for uid in keys.keys.sorted() { wake(uid, .list) }
        case .changed(let uid): wake(uid, .user)
        case .loaded(let uid, let stored): loaded(uid, stored, now, &effects)
        case .loadFailed(let uid, let error): retryLater(uid, why: "\(error)", now.steady, &effects)
        case .committed(let uid): committed(uid, now.steady, &effects)
        case .commitFailed(_, let error) where error.isFenced, .fenced(let error):
            isFenced = true
            return [.end(error)]
        case .commitFailed(let uid, let error): commitFailed(uid, error, now.steady, &effects)
        case .callFinished(let uid, let id, let result): callFinished(uid, id, result, now, &effects)
        case .listed(let startedAt, let sites): listed(sites, startedAt: startedAt, now.steady, &effects)
        case .listFailed(let failure): listFailed(failure, now.steady)
        case .budgetRead(let readings): for reading in readings { calls.learn(reading, now: now.steady) }
        case .timerFired: timerFired(now.steady, &effects)
        }
        for uid in calls.takeGranted(now: now.steady) { wakeGranted(uid) }
        startQueued(&effects)
        effects += calls.takeReady()
        listInPlaceOfReads(now.steady, &effects)
        announceTimer(now.steady, &effects)
        return effects
    }

    // MARK: the round of one key

    /// Places in the queue that a more urgent reason has overtaken are passed over when their turn comes.
    private mutating func wake(_ uid: UID, _ reason: WakeReason = .answer) {
        var state = keys[uid] ?? KeyState()
        state.woken = min(state.woken ?? reason, reason)
        enqueue(uid, &state, reason.lane)
        keys[uid] = state
    }

    /// A call that it waited for may begin: whoever holds a piece of the quota goes first.
    private mutating func wakeGranted(_ uid: UID) {
        guard var state = keys[uid] else { return calls.keep([], of: uid) }
        enqueue(uid, &state, .user)
        keys[uid] = state
    }

    private mutating func enqueue(_ uid: UID, _ state: inout KeyState, _ lane: Lane) {
        switch state.phase {
        case .idle:
            state.phase = .queued(lane)
            queue.append(uid, lane)
            note(.queued(uid))
        case .queued(let present):
            if lane < present {
                state.phase = .queued(lane)
                queue.append(uid, lane)
            }
        case .loading, .committing: state.isDirty = true
        }
    }

    private mutating func startQueued(_ effects: inout [ControllerEffect]) {
        while activeCount < ControllerMachine.maximumActiveKeys {
            let hasRoom = activeResyncCount < ControllerMachine.maximumResyncKeys
            guard let (uid, lane) = queue.popFirst(of: Lane.allCases.filter { hasRoom || $0 != .resync }) else {
                return
            }
            guard var state = keys[uid], state.phase == .queued(lane) else { continue }
            activeCount += 1
            state.isResync = lane == .resync
            if state.isResync { activeResyncCount += 1 }
            state.phase = .loading
            state.isDirty = false
            reconcileCount += 1
            state.log.reconcileID = reconcileCount
            keys[uid] = state
            note(.started(uid, reconcileID: reconcileCount))
            effects.append(.load(uid))
        }
    }

    /// The round is over, until the key is woken again.
    private mutating func rest(_ uid: UID, _ result: ReconcileResult) {
        activeCount -= 1
        if keys[uid]?.isResync ?? false { activeResyncCount -= 1 }
        keys[uid]?.isResync = false
        keys[uid]?.phase = .idle
        if let log = keys[uid]?.log { note(.ended(uid, log, result)) }
    }

    private mutating func note(_ observation: ControllerObservation) {
        if isObserved { observations.append(observation) }
    }

    /// What was done since the last time, oldest first.
    package mutating func takeObservations() -> [ControllerObservation] {
        guard !observations.isEmpty else { return [] }
        defer { observations.removeAll(keepingCapacity: true) }
        return observations
    }

    private mutating func loaded(
        _ uid: UID, _ stored: StoredRecord?, _ now: Moment, _ effects: inout [ControllerEffect]
    ) {
        guard var state = keys[uid], state.phase == .loading else { return }
        guard let stored else {
            rest(uid, .success)
            remove(uid)
            return
        }
        let unkept = state.memory.takeUnkeptOutputs(of: stored.record)
        if !unkept.isEmpty { effects.append(.dropOutput(unkept)) }
        state.memory.notice(stored, designer: designer, at: now)
        var input = state.memory.input(
            stored, now: now, isListPending: isListPending, freeze: freeze, runLogSettlesAfter: runLogSettlesAfter)
        state.memory.drift.complete(&input, siteCount: keys.count)
        let plan = plan(input)
        decisions[plan.rule, default: 0] += 1
        var steps = PlanSteps(plan, stored: stored, site: input.site, designer: designer, epoch: epoch, now: now.wall)
        let planned = state.nextLook
        state.nextLook = nil
        if case .at(let instant) = plan.nextLook {
            state.nextLook = instant
            // A timer for the same instant is there already, unless it has fired.
            if instant != planned || instant <= now.steady { timers.insert(Timer(at: instant, uid: uid)) }
        }
        state.log = LogFacts(
            generation: stored.record.metadata.generation, rule: plan.rule, reason: plan.reason,
            reconcileID: state.log.reconcileID)
        let isWaiting = !admit(&steps, for: uid, &state, now.steady)
        note(
            .decided(
                Reconcile(
                    uid: uid, facts: state.log, record: stored.record, plan: plan,
                    commits: !isWaiting && steps.transaction != nil)))
        // Somebody waits until the record comes to rest or for a time that nothing can shorten.
        if state.nextLook != nil || plan.actions.isEmpty && !state.memory.isCalling { state.woken = nil }
        if isWaiting {
            keys[uid] = state
            rest(uid, state.nextLook == nil ? .success : .requeueAfter)
            if state.isDirty { wake(uid) }
            return
        }
        if let transaction = steps.transaction {
            state.memory.note(now, acknowledging: steps.acknowledgedToken)
            state.phase = .committing(steps)
            keys[uid] = state
            effects.append(.commit(uid, transaction, sealing: steps.sealedOutputs, state.log))
        } else {
            keys[uid] = state
            rest(uid, state.isDirty ? .requeue : state.nextLook == nil ? .success : .requeueAfter)
            begin(steps.calls, for: uid, now.steady)
            if state.isDirty { wake(uid) }
        }
    }

    private mutating func committed(_ uid: UID, _ now: Instant, _ effects: inout [ControllerEffect]) {
        guard var state = keys[uid], case .committing(let steps) = state.phase else { return }
        if let token = steps.openedToken { state.memory.isOpening(token: token) }
        keys[uid] = state
        // What was committed may let another rule apply; after a mere status write none can.
        let isWanted = state.isDirty || steps.changesFacts && steps.calls.isEmpty
        note(.committed(uid, state.log))
        rest(uid, isWanted && !steps.forgets ? .requeue : state.nextLook == nil ? .success : .requeueAfter)
        if steps.forgets {
            remove(uid)
            effects.append(.removeOutput(uid))
            return
        }
        begin(steps.calls, for: uid, now)
        if isWanted { wake(uid) }
    }

    private mutating func commitFailed(
        _ uid: UID, _ error: StoreError, _ now: Instant, _ effects: inout [ControllerEffect]
    ) {
        guard case .committing = keys[uid]?.phase else { return }
        switch error.code {
        case .conflict, .notFound, .attemptOpen:
            rest(uid, .requeue)
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
        rest(uid, .error(why))
        timers.insert(Timer(at: at, uid: uid))
        effects.append(.report(uid, state.log, message: why))
    }

    /// Keeps the calls that may begin now; the others wait for their turn, upon which the key is looked at again.
    /// - Returns: false if the whole plan has to wait: a write that waits commits no intent yet.
    private mutating func admit(
        _ steps: inout PlanSteps, for uid: UID, _ state: inout KeyState, _ now: Instant
    ) -> Bool {
        let wanted = steps.calls.filter { $0.kind.isToAzure && state.memory.inFlight[$0.kind] == nil }
        if state.asksForCalls { calls.keep(Set(wanted.map(\.kind)), of: uid) }
        state.asksForCalls = !wanted.isEmpty
        var isComplete = true
        for call in wanted {
            let lane = Lane.of(call.kind, rule: state.log.rule, woken: state.woken ?? .timer)
            state.log.lane = lane
            if calls.admit(call, for: uid, lane: lane, now: now) { continue }
            if call.kind.changesSite { isComplete = false }
            steps.drop(call)
        }
        return isComplete
    }

    private mutating func remove(_ uid: UID) {
        keys[uid] = nil
        calls.forget(uid)
        pacer.ended(uid)
    }

    private mutating func begin(_ wanted: [Call], for uid: UID, _ now: Instant) {
        for call in wanted {
            guard var state = keys[uid], state.memory.inFlight[call.kind] == nil else { continue }
            let id = calls.begin(call, for: uid, state.log)
            state.memory.begins(call, id: id, at: now)
            keys[uid] = state
        }
    }

    private mutating func callFinished(
        _ uid: UID, _ id: CallID, _ result: CallResult, _ now: Moment, _ effects: inout [ControllerEffect]
    ) {
        guard case .ended(let kind) = calls.finished(id, result, now: now.steady), var state = keys[uid],
            state.memory.inFlight[kind] == id
        else { return }
        state.storeFailures = 0
        let result = paced(result.ended(at: now.wall), uid, now.steady)
        state.memory.learn(from: result, of: kind, now: now.steady, using: &generator)
        if result.endsRun { state.memory.note(now) }
        keys[uid] = state
        wake(uid)
    }

    /// The result with the wait that all operations in flight allow.
    private mutating func paced(_ result: CallResult, _ uid: UID, _ now: Instant) -> CallResult {
        switch result {
        case .siteAccepted(let operation, let named):
            return .siteAccepted(operation: operation, pollAfter: pacer.accepted(uid, named: named, now: now))
        case .operationRunning(let operation, let named):
            return .operationRunning(operation: operation, pollAfter: pacer.goesOn(uid, named: named, now: now))
        case .operationEnded, .operationFailed: pacer.finished(uid, now: now)
        case .siteWritten, .siteDeleted, .siteWasAbsent: pacer.ended(uid)
        default: break
        }
        return result
    }

    // MARK: asked by users

    /// What would be done about a record as it would be stored, with what is known now. Moves nothing.
    /// - Parameter stored: as it is stored now; `nil` for a record that does not exist yet.
    package func preview(_ record: FunctionApp, replacing stored: StoredRecord?, now: Moment) -> Preview {
        var memory = keys[record.uid]?.memory ?? KeyMemory()
        let wanted = StoredRecord(record: record, attempts: stored?.attempts ?? [], intent: stored?.intent)
        memory.notice(wanted, designer: designer, at: now)
        let isWritten = stored?.intent?.kind == .putSite
        var input = memory.input(
            wanted, now: now, isListPending: isListPending, freeze: freeze, runLogSettlesAfter: runLogSettlesAfter)
        memory.drift.complete(&input, siteCount: keys.count)
        return Controller.preview(
            input,
            writtenHash: isWritten ? stored.map { designer.identity(of: $0.record).designHash } : nil)
    }

    // MARK: all sites at once

    private mutating func listSites(_ now: Instant, _ effects: inout [ControllerEffect]) {
        isListInFlight = true
        nextListAt = nil
        listStartedAt = now
        calls.chargeReads(listCost, now: now)
        effects.append(.listSites)
    }

    /// Reads that a list of all sites costs. Azure does not say how many sites a page of it holds; a hundred is a guess on the safe side.
    private var listCost: Int { listedSiteCount / 100 + 1 }

    /// Many sites that wait to be read one by one are read in one list, where that is cheaper: it settles them all.
    private mutating func listInPlaceOfReads(_ now: Instant, _ effects: inout [ControllerEffect]) {
        guard !isListInFlight, !isListPending, calls.waitingCount(.readSite) > 2 * listCost + 8,
            listStartedAt.map({ now - $0 >= ControllerMachine.shortestListPeriod || now < $0 }) ?? true
        else { return }
        listSites(now, &effects)
    }

    /// Between two lists that take the place of reads.
    static let shortestListPeriod: Duration = .seconds(10)

    private mutating func listed(
        _ sites: [ObservedSite], startedAt: Instant, _ now: Instant, _ effects: inout [ControllerEffect]
    ) {
        let wasFirst = isListPending
        isListPending = false
        isListInFlight = false
        listFailures = 0
        listedSiteCount = sites.count
        note(.listed(siteCount: sites.count))
        scheduleList(at: now + ControllerMachine.resyncPeriod)
        // By name, as single sites are read: one whose tags somebody has taken away is still the one of that name.
        let byName = Dictionary(sites.map { ($0.name.lowercased(), $0) }) { $1 }
        var news: [UID] = []
        for index in keys.indices {
            let uid = keys[index].key
            let listed = byName[keys.values[index].memory.siteName(of: uid)]
            let isNews = keys.values[index].memory.learn(listed: listed, listStartedAt: startedAt, now: now)
            if isNews || wasFirst { news.append(uid) }
        }
        for uid in news.sorted() { wake(uid, wasFirst ? .start : .list) }
    }

    private mutating func listFailed(_ failure: CallResult.Failure, _ now: Instant) {
        isListInFlight = false
        listFailures += 1
        note(.listFailed(failure))
        let delay = Backoff.azure.delay(afterFailures: listFailures, using: &generator)
        scheduleList(at: now + max(delay, failure.retryAfter ?? .zero))
    }

    private mutating func scheduleList(at instant: Instant) {
        nextListAt = instant
        timers.insert(Timer(at: instant, uid: nil))
    }

    // MARK: time

    /// A pause ends by the wall clock; all else waits by the steady one. After a step of the wall clock the paused are looked at again.
    private mutating func noticeSteps(of now: Moment) {
        let lead = now.wall - now.steady
        defer { wallLead = lead }
        guard let wallLead, lead - wallLead > .seconds(1) || wallLead - lead > .seconds(1) else { return }
        for uid in keys.keys.sorted() where keys[uid]?.log.rule == .paused { wake(uid) }
    }

    private mutating func timerFired(_ now: Instant, _ effects: inout [ControllerEffect]) {
        announcedTimer = nil
        while let timer = timers.min, timer.at <= now {
            timers.removeMin()
            guard let uid = timer.uid else {
                if let due = nextListAt, due <= now, !isListInFlight { listSites(now, &effects) }
                continue
            }
            // Timers are not removed when a plan changes; only the one that the newest plan asked for counts.
            if keys[uid]?.nextLook == timer.at { wake(uid, .timer) }
        }
    }

    private mutating func announceTimer(_ now: Instant, _ effects: inout [ControllerEffect]) {
        guard let earliest = [timers.min?.at, calls.nextGrant(now: now)].compactMap(\.self).min(),
            earliest != announcedTimer
        else { return }
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

extension CallResult {
    /// A run ends when the machine hears of it: one clock for all stored times.
    fileprivate func ended(at wall: Instant) -> CallResult {
        guard case .runReported(var report) = self, report.result != nil else { return self }
        report.result?.finishedAt = wall
        return .runReported(report)
    }

    fileprivate var endsRun: Bool {
        if case .runReported(let report) = self { report.result != nil } else { false }
    }
}

extension StoreError {
    fileprivate var isFenced: Bool {
        if case .fenced = code { true } else { false }
    }
}
