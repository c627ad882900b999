package import AgentLink
package import DesiredState
package import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle

/// The controller's life in the daemon: feeds the machine with what happens, and carries out what it asks for. Lock, step, unlock, run.
package final class ControllerService: Service {
    private struct State {
        var machine: ControllerMachine
        var cancelTimer: (@Sendable () -> Void)?
        /// Why this life is over: nothing is called any more.
        var end: StoreError?
    }

    private let store: any RecordStore
    private let performer: CallPerformer
    private let output: OutputStore
    private let designer: SiteDesigner
    private let clock: @Sendable () -> Moment
    private let logger: Logger
    private let state: NIOLockedValueBox<State>
    private let effects: AsyncStream<ControllerEffect>
    private let continuation: AsyncStream<ControllerEffect>.Continuation
    private let timers: TimerSource

    package init(
        store: any RecordStore, performer: CallPerformer, output: OutputStore, designer: SiteDesigner, seed: UInt64,
        clock: @escaping @Sendable () -> Moment, timers: TimerSource = .system, logger: Logger
    ) {
        self.store = store
        self.performer = performer
        self.output = output
        self.designer = designer
        self.clock = clock
        self.logger = logger
        state = NIOLockedValueBox(State(machine: ControllerMachine(designer: designer, seed: seed)))
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

    /// The store's freeze has changed: told by who has committed it.
    package func freezeChanged(_ freeze: Freeze?) {
        step(.freezeChanged(freeze))
    }

    /// Ends on graceful shutdown; calls in flight are cancelled, and what they did is found out by the next life.
    ///
    /// - Throws: ``StoreError`` `fenced` once another controller has begun a life on this store.
    package func run() async throws {
        try await cancelWhenGracefulShutdown { try await self.live() }
    }

    /// The life itself. Ends when its task is cancelled, as `run` does on graceful shutdown.
    package func live() async throws {
        defer { state.withLockedValue { $0.cancelTimer?() } }
        let userChanges = store.changes.subscribeToUserChanges()
        let epoch = try await store.beginEpoch(writer: designer.writer)
        let freeze = try await store.freeze()
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
            for effect in state.machine.handle(event, now: clock()) {
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
            guard let result = await performer.perform(call) else { return }
            log(call, result, uid, facts)
            step(.callFinished(uid, id, result))
        case .listSites:
            guard let event = await performer.listSites() else { return }
            if case .listFailed(let failure) = event {
                logger.warning("sites cannot be listed", metadata: ["reason": "\(failure.message)"])
            }
            step(event)
        case .removeOutput(let uid):
            do throws(AgentError) {
                try output.remove(uid: uid.text)
            } catch {
                logger.warning("output was not removed", metadata: ["key": "\(uid.short)", "reason": "\(error)"])
            }
        case .setTimer, .end: return  // dealt with where they were decided
        case .report(let uid, let facts, let message):
            logger.error(
                "the store failed",
                metadata: ["key": "\(uid.short)", "rule": "\(facts.rule)", "reason": "\(message)"])
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

    private func log(_ call: Call, _ result: CallResult, _ uid: UID, _ facts: LogFacts) {
        var metadata = metadata(uid, facts)
        metadata["call"] = "\(call.kind.rawValue)"
        switch result {
        case .failed(let failure), .operationFailed(let failure):
            metadata["reason"] = "\(failure.message)"
            logger.warning("a call failed", metadata: metadata)
        case .agentNotReady(let message):
            metadata["reason"] = "\(message)"
            logger.debug("the agent did not answer", metadata: metadata)
        default: logger.debug("called", metadata: metadata)
        }
    }

    private func metadata(_ uid: UID, _ facts: LogFacts) -> Logger.Metadata {
        ["key": "\(uid.short)", "generation": "\(facts.generation)", "rule": "\(facts.rule)"]
    }
}
