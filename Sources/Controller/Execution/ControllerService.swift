package import AgentLink
package import AzureClient
package import DesiredState
package import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle
import Tracing

/// The controller's life in the daemon: feeds the machine with what happens, and carries out what it asks for. Lock, step, unlock, run.
package final class ControllerService: Service {
    private struct State {
        var machine: ControllerMachine
        var cancelTimer: (@Sendable () -> Void)?
        /// Why this life is over: nothing is called any more.
        var end: StoreError?
        /// As it was told to the machine last.
        var freeze: Freeze?
        /// How often.
        var freezesTold = 0
        /// Of this life, once it has begun.
        var epoch: Epoch?
    }

    private let store: any RecordStore
    private let performer: CallPerformer
    private let output: OutputStore
    private let designer: SiteDesigner
    private let sweeper: SweepService?
    private let budgets: @Sendable () -> [RequestBudget]
    private let clock: @Sendable () -> Moment
    private let logger: Logger
    private let observer: (any ControllerObserver)?
    private let state: NIOLockedValueBox<State>
    private let effects: AsyncStream<ControllerEffect>
    private let continuation: AsyncStream<ControllerEffect>.Continuation
    private let timers: TimerSource

    /// `rates` and `budgets` are the client's, so that calls wait here, by lane, and not there.
    package init(
        store: any RecordStore, performer: CallPerformer, output: OutputStore, designer: SiteDesigner, seed: UInt64,
        rates: CallRates, budgets: @escaping @Sendable () -> [RequestBudget],
        sweeper: SweepService? = nil, clock: @escaping @Sendable () -> Moment, timers: TimerSource = .system,
        logger: Logger, observer: (any ControllerObserver)? = nil
    ) {
        self.store = store
        self.performer = performer
        self.output = output
        self.designer = designer
        self.sweeper = sweeper
        self.budgets = budgets
        self.clock = clock
        self.logger = logger
        self.observer = observer
        state = NIOLockedValueBox(
            State(
                machine: ControllerMachine(
                    designer: designer, seed: seed, rates: rates, runLogSettlesAfter: performer.runLogSettlesAfter,
                    isObserved: observer != nil)))
        // Unbounded: the machine itself bounds what it asks for, and nothing it asks for may be dropped.
        (effects, continuation) = AsyncStream.makeStream(of: ControllerEffect.self)
        self.timers = timers
    }

    /// The sites were seen once since the start.
    package var hasObservedAzure: Bool {
        state.withLockedValue { $0.machine.hasObservedAzure }
    }

    /// See ``ControllerMachine/preview(_:replacing:now:)``.
    package func preview(_ record: FunctionApp, replacing stored: StoredRecord?) -> Preview {
        let now = clock()
        return state.withLockedValue { $0.machine.preview(record, replacing: stored, now: now) }
    }

    /// How often each rule has decided in this life.
    package var decisions: [RuleName: Int] {
        state.withLockedValue { $0.machine.decisions }
    }

    /// How many calls to Azure wait for their turn.
    package var waitingByLane: [Lane: Int] {
        state.withLockedValue { $0.machine.calls.waitingByLane }
    }

    /// What is known of this record now; reading it changes nothing.
    package func explain(_ stored: StoredRecord) -> KeyExplanation {
        state.withLockedValue { $0.machine.explain(stored, now: clock()) }
    }

    /// The store's freeze has changed: told by who has committed it.
    package func freezeChanged(_ freeze: Freeze?) {
        _ = freezeChanged(freeze, ifTold: nil)
    }

    /// - Parameter count: how often somebody may have told of a freeze; `nil` = however often.
    /// - Returns: false if somebody has told something since.
    private func freezeChanged(_ freeze: Freeze?, ifTold count: Int?) -> Bool {
        let isNews: Bool? = state.withLockedValue { state in
            if let count, count != state.freezesTold { return nil }
            state.freezesTold += 1
            defer { state.freeze = freeze }
            return state.freeze != freeze
        }
        if isNews == true { step(.freezeChanged(freeze)) }
        return isNews != nil
    }

    /// Begins the life in the store, once. Before users can write: what they wrote to a store that was restored from a backup would
    /// hide that it is behind its sites.
    package func begin() async throws(StoreError) {
        guard state.withLockedValue({ $0.epoch == nil }) else { return }
        let epoch = try await store.beginEpoch(writer: designer.writer)
        sweeper?.begin(epoch)
        state.withLockedValue { $0.epoch = epoch }
    }

    /// Ends on graceful shutdown; calls in flight are cancelled, and what they did is found out by the next life.
    ///
    /// - Throws: ``StoreError`` `fenced` once another controller has begun a life on this store.
    package func run() async throws {
        try await cancelWhenGracefulShutdown { try await self.live() }
    }

    /// The life itself. Ends when its task is cancelled, as `run` does on graceful shutdown.
    package func live() async throws {
        try await begin()
        guard let epoch = state.withLockedValue({ $0.epoch }) else { return }
        defer { state.withLockedValue { $0.cancelTimer?() } }
        let userChanges = store.changes.subscribeToUserChanges()
        let freeze = try await store.freeze()
        // What it was told meanwhile is newer.
        state.withLockedValue { if $0.freezesTold == 0 { $0.freeze = freeze } }
        step(.started(try await store.allUIDs(), epoch: epoch, freeze: freeze))
        await withDiscardingTaskGroup { group in
            group.addTask {
                for await uids in userChanges {
                    for uid in uids { self.step(.changed(uid)) }
                }
            }
            for await effect in self.effects {
                group.addTask { await self.perform(effect) }
            }
            group.cancelAll()
        }
        if let end = state.withLockedValue({ $0.end }) { throw end }
    }

    private func step(_ event: ControllerEvent) {
        state.withLockedValue { state in
            let now = clock()
            let effects = state.machine.handle(event, now: now)
            if let observer {
                for observation in state.machine.takeObservations() { observer.observed(observation, at: now) }
            }
            for effect in effects {
                // Under the lock, so that effects leave in the order in which they were decided.
                switch effect {
                case .setTimer(let instant): setTimer(&state, at: instant)
                case .end(let error):
                    state.end = error
                    continuation.finish()
                default: continuation.yield(effect)
                }
            }
        }
    }

    private func setTimer(_ state: inout State, at instant: Instant) {
        state.cancelTimer?()
        state.cancelTimer = timers.after(max(instant - clock().steady, .zero)) { self.step(.timerFired) }
    }

    private func perform(_ effect: ControllerEffect) async {
        // Once the life is over nothing more begins, not even with the logs.
        if Task.isCancelled || state.withLockedValue({ $0.end != nil }) { return }
        switch effect {
        case .load(let uid):
            do throws(StoreError) {
                step(.loaded(uid, try await store.load(uid)))
            } catch {
                step(.loadFailed(uid, error))
            }
        case .commit(let uid, let transaction, let sealing, let facts):
            await commit(uid, transaction, sealing: sealing, facts)
        case .call(let uid, let id, let call, let facts):
            if call.kind.changesSite, let hindrance = await hindrance() {
                return step(.callFinished(uid, id, hindrance))
            }
            guard let result = await perform(call, id, uid, facts) else { return }
            if call.kind.isToAzure { step(.budgetRead(budgets().compactMap(BudgetReading.init))) }
            step(.callFinished(uid, id, result))
        case .listSites:
            guard let event = await performer.listSites() else { return }
            await listed(event)
        case .removeOutput(let uid):
            do throws(AgentError) {
                try output.remove(uid: uid.text)
            } catch {
                logger.warning(
                    "output was not removed", metadata: Logger.Metadata([.key: uid.short, .reason: error.description]))
            }
        case .dropOutput(let keys):
            do throws(AgentError) {
                for key in keys { try output.remove(key) }
            } catch {
                logger.warning("output was not removed", metadata: Logger.Metadata([.reason: error.description]))
            }
        case .setTimer, .end: return  // dealt with where they were decided
        case .report(let uid, let facts, let message):
            var metadata = metadata(uid, facts)
            metadata[.reason] = "\(message)"
            logger.error("the store failed", metadata: metadata)
        }
    }

    /// Why nothing is sent. A write may have waited long for its turn, and another controller have begun meanwhile: Azure would take it all the same.
    private func hindrance() async -> CallResult? {
        do throws(StoreError) {
            guard let newest = try await store.newestEpoch(), newest != state.withLockedValue({ $0.epoch }) else {
                return nil
            }
            step(.fenced(StoreError(.fenced(newest: newest))))
        } catch {
            logger.error("the store failed", metadata: Logger.Metadata([.reason: error]))
        }
        return .notSent(retryAfter: .seconds(1))
    }

    /// Nothing is done by a list before it is known whether the store is behind it.
    private func listed(_ event: ControllerEvent) async {
        switch event {
        case .listed(_, let sites):
            guard let sweeper else { return step(event) }
            do throws(StoreError) {
                // Whoever ends or begins a freeze meanwhile knows better than what was read before.
                var isTold = false
                while !isTold {
                    let count = state.withLockedValue { $0.freezesTold }
                    isTold = freezeChanged(try await sweeper.review(sites), ifTold: count)
                }
            } catch {
                if case .fenced = error.code { return step(.fenced(error)) }
                logger.error("the store failed", metadata: Logger.Metadata([.reason: error]))
                return step(.listFailed(.init(kind: .transient, message: error.description)))
            }
            step(event)
            do throws(StoreError) { try await sweeper.sweep(sites) } catch { step(.fenced(error)) }
        case .listFailed(let failure):
            logger.warning("sites cannot be listed", metadata: Logger.Metadata([.reason: failure.message]))
            step(event)
        default: step(event)
        }
    }

    private func commit(_ uid: UID, _ transaction: Transaction, sealing: [OutputKey], _ facts: LogFacts) async {
        do {
            for key in sealing { try output.writer(for: key).seal() }
            try await store.commit(transaction)
            logger.debug("committed", metadata: metadata(uid, facts))
            step(.committed(uid))
        } catch let error as StoreError {
            step(.commitFailed(uid, error))
        } catch {
            step(.commitFailed(uid, StoreError(.unavailable, "\(error)")))
        }
    }

    /// The call, told to the observer and to the log.
    private func perform(_ call: Call, _ id: CallID, _ uid: UID, _ facts: LogFacts) async -> CallResult? {
        let correlationID = performer.makeCorrelationID()
        let begun = CallFacts(
            uid: uid, id: id, kind: call.kind, reconcile: facts,
            correlationID: call.kind.isToAzure ? correlationID.description : nil)
        observer?.observed(.callBegun(begun), at: clock())
        let result: CallResult?
        if let context = observer?.context(of: begun) {
            result = await InstrumentationContext.withValue(context) {
                await performer.perform(call, lane: facts.lane, correlationID: correlationID)
            }
        } else {
            result = await performer.perform(call, lane: facts.lane, correlationID: correlationID)
        }
        observer?.observed(.callFinished(begun, result), at: clock())
        if let result { log(begun, result) }
        return result
    }

    private func log(_ call: CallFacts, _ result: CallResult) {
        var metadata = metadata(call.uid, call.reconcile)
        metadata[.call] = "\(call.kind.rawValue)"
        if call.kind.isToAzure { metadata[.lane] = "\(call.reconcile.lane)" }
        if let correlationID = call.correlationID { metadata[.correlationID] = "\(correlationID)" }
        switch result {
        case .failed(let failure), .operationFailed(let failure):
            metadata[.reason] = "\(failure.message)"
            logger.warning("a call failed", metadata: metadata)
        case .agentNotReady(let message):
            metadata[.reason] = "\(message)"
            logger.debug("the agent did not answer", metadata: metadata)
        default: logger.debug("called", metadata: metadata)
        }
    }

    private func metadata(_ uid: UID, _ facts: LogFacts) -> Logger.Metadata {
        Logger.Metadata([
            .key: uid.short, .generation: facts.generation, .reconcileID: facts.reconcileID, .rule: facts.rule.rawValue,
        ])
    }
}
