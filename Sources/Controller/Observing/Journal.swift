package import DesiredState
package import Logging
import NIOConcurrencyHelpers

/// Writes what happened to records into their journals, behind the controller's back: in batches, never waited for, and
/// dropped (counted) when the store refuses.
package final class Journal: ControllerObserver {
    private struct State {
        var buffer = JournalBuffer()
        /// Decisions that are being committed. As many as the machine's active keys at most.
        var decided: [UID: Reconcile] = [:]
        var begun: [CallID: Instant] = [:]
        var alarm: Instant?
    }

    private let store: any RecordStore
    private let clock: @Sendable () -> Moment
    private let timers: TimerSource
    private let logger: Logger
    private let state = NIOLockedValueBox(State())
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let onEvent: @Sendable (String) -> Void

    /// `onEvent` is told the reason of each event, for metrics; quickly, please.
    package init(
        store: any RecordStore, clock: @escaping @Sendable () -> Moment, timers: TimerSource = .system, logger: Logger,
        onEvent: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.store = store
        self.clock = clock
        self.timers = timers
        self.logger = logger
        self.onEvent = onEvent
        (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Entries that never reached the store.
    package var droppedCount: Int { state.withLockedValue { $0.buffer.dropped } }

    package func observed(_ observation: ControllerObservation, at now: Moment) {
        switch observation {
        case .decided(let reconcile):
            if reconcile.commits { state.withLockedValue { $0.decided[reconcile.uid] = reconcile } }
        case .committed(let uid, _):
            guard let reconcile = state.withLockedValue({ $0.decided.removeValue(forKey: uid) }) else { return }
            let found = events(reconcile.record.status, reconcile.plan)
            for event in found { onEvent(event.reason) }
            add(found.map { JournalEntry($0, of: reconcile, at: now.wall) }, now.steady)
        case .ended(let uid, _, _): state.withLockedValue { _ = $0.decided.removeValue(forKey: uid) }
        case .callBegun(let call): state.withLockedValue { $0.begun[call.id] = now.steady }
        case .callFinished(let call, let result):
            let begun = state.withLockedValue { $0.begun.removeValue(forKey: call.id) } ?? now.steady
            guard let result else { return }
            add([JournalEntry(call, result, took: now.steady - begun, at: now.wall)], now.steady)
        case .queued, .started, .listed, .listFailed: return
        }
    }

    /// Writes until ``finish()``; ``flush()`` writes what is left.
    package func run() async {
        for await _ in wakes { await writeDue() }
    }

    package func finish() {
        wake.finish()
    }

    /// Everything that was noted so far, now. For the end, and for tests.
    package func flush() async {
        while true {
            let now = clock().steady
            let batch = state.withLockedValue { $0.buffer.takeRest(now: now) }
            if batch.isEmpty { return }
            await write(batch)
        }
    }

    /// The newest entries, oldest first, with those that are not written yet.
    package func newest(of uid: UID, limit: Int) async throws(StoreError) -> [JournalEntry] {
        // Taken first: what is written in between stands in both, rather than in neither.
        let waiting = state.withLockedValue { $0.buffer.entries(of: uid) }
        let written = try await store.journal(of: uid, limit: limit)
        let fresh = waiting.filter { !written.contains($0) }
        return Array((written + fresh).sorted { $0.at < $1.at }.suffix(limit))
    }

    /// Writes the batches that are due.
    func writeDue() async {
        while true {
            let now = clock().steady
            let batch = state.withLockedValue { $0.buffer.takeBatch(now: now) }
            if batch.isEmpty { break }
            await write(batch)
        }
        setAlarm(clock().steady)
    }

    private func write(_ batch: [JournalEntry]) async {
        do throws(StoreError) {
            try await store.append(batch)
        } catch {
            state.withLockedValue { $0.buffer.lost(batch.count) }
            logger.warning(
                "journal entries were dropped",
                metadata: Logger.Metadata([.count: batch.count, .error: error.description]))
        }
    }

    private func add(_ entries: [JournalEntry], _ now: Instant) {
        guard !entries.isEmpty else { return }
        state.withLockedValue { state in
            for entry in entries { state.buffer.add(entry, now: now) }
        }
        setAlarm(now)
    }

    /// One timer at a time, for the earliest batch.
    private func setAlarm(_ now: Instant) {
        let wait: Duration? = state.withLockedValue { state in
            guard let due = state.buffer.due, due < state.alarm ?? Instant(nanoseconds: .max) else { return nil }
            state.alarm = due
            return max(.zero, due - now)
        }
        guard let wait else { return }
        // Nobody takes it back: a timer too many costs one look.
        _ = timers.after(wait) { [weak self] in
            guard let self else { return }
            state.withLockedValue { $0.alarm = nil }
            wake.yield()
        }
    }
}

extension JournalEntry {
    fileprivate init(_ event: RecordEvent, of reconcile: Reconcile, at now: Instant) {
        self.init(
            uid: reconcile.uid, at: now, kind: .event, name: event.reason, isWarning: event.isWarning,
            message: event.message, rule: reconcile.facts.rule.rawValue, reconcileID: reconcile.facts.reconcileID,
            generation: reconcile.facts.generation)
    }

    fileprivate init(_ call: CallFacts, _ result: CallResult, took: Duration, at now: Instant) {
        let milliseconds = took.wholeNanoseconds / 1_000_000
        self.init(
            uid: call.uid, at: now, kind: .call, name: call.kind.rawValue, isWarning: result.failure != nil,
            message: result.summary, rule: call.reconcile.rule.rawValue, reconcileID: call.reconcile.reconcileID,
            generation: call.reconcile.generation, correlationID: call.correlationID,
            durationMilliseconds: Int(max(0, milliseconds)))
    }
}
