import Controller
import DesiredState
import NIOConcurrencyHelpers
import Tracing

/// One span for each reconcile, and one for each call below the reconcile that wanted it. A call may outlive its
/// reconcile: what is in flight holds no worker.
final class ReconcileTracer: ControllerObserver {
    fileprivate struct State {
        var reconciles: [UID: RecordedSpan] = [:]
        var calls: [CallID: RecordedSpan] = [:]
        /// Of the newest reconcile of each record with calls that were not begun yet, or were.
        var parents: [UInt64: InstrumentationContext] = [:]
        var oldest: [UInt64] = []
    }

    /// Bound of reconciles that calls can still be hung below; a call that waits longer begins a trace of its own.
    fileprivate static let keptParents = 4_096

    private let tracer: SpanTracer
    private let state = NIOLockedValueBox(State())

    init(tracer: SpanTracer) {
        self.tracer = tracer
    }

    func observed(_ observation: ControllerObservation, at now: Moment) {
        let time = SpanTime(now.wall)
        switch observation {
        case .started(let uid, let reconcileID):
            let span = tracer.startSpan(
                "reconcile", context: .topLevel, ofKind: .internal, at: time, function: #function, file: #fileID,
                line: #line)
            span.attributes[LogKey.key.rawValue] = uid.text
            span.attributes[LogKey.reconcileID.rawValue] = "\(reconcileID)"
            state.withLockedValue { $0.begin(span, uid, reconcileID) }
        case .decided(let reconcile):
            guard let span = state.withLockedValue({ $0.reconciles[reconcile.uid] }) else { return }
            span.attributes[LogKey.generation.rawValue] = "\(reconcile.facts.generation)"
            span.attributes[LogKey.rule.rawValue] = reconcile.facts.rule.rawValue
            span.attributes[LogKey.reason.rawValue] = reconcile.facts.reason
        case .ended(let uid, _, let result):
            guard let span = state.withLockedValue({ $0.reconciles.removeValue(forKey: uid) }) else { return }
            if case .error(let message) = result { span.setStatus(SpanStatus(code: .error, message: message)) }
            span.end(at: time)
        case .callBegun(let call): begin(call, time)
        case .callFinished(let call, let result):
            guard let span = state.withLockedValue({ $0.calls.removeValue(forKey: call.id) }) else { return }
            if let failure = result?.failure { span.setStatus(SpanStatus(code: .error, message: failure.message)) }
            span.end(at: time)
        case .queued, .committed, .listed, .listFailed: return
        }
    }

    func context(of call: CallFacts) -> InstrumentationContext? {
        state.withLockedValue { $0.calls[call.id]?.context }
    }

    private func begin(_ call: CallFacts, _ time: SpanTime) {
        let parent = state.withLockedValue { $0.parents[call.reconcile.reconcileID] }
        let span = tracer.startSpan(
            call.kind.rawValue, context: parent ?? .topLevel, ofKind: .client, at: time, function: #function,
            file: #fileID, line: #line)
        span.attributes[LogKey.key.rawValue] = call.uid.text
        span.attributes[LogKey.reconcileID.rawValue] = "\(call.reconcile.reconcileID)"
        span.attributes[LogKey.generation.rawValue] = "\(call.reconcile.generation)"
        span.attributes[LogKey.rule.rawValue] = call.reconcile.rule.rawValue
        if let id = call.correlationID { span.attributes[LogKey.correlationID.rawValue] = id }
        state.withLockedValue { $0.calls[call.id] = span }
    }
}

extension ReconcileTracer.State {
    fileprivate mutating func begin(_ span: RecordedSpan, _ uid: UID, _ reconcileID: UInt64) {
        reconciles[uid] = span
        parents[reconcileID] = span.context
        oldest.append(reconcileID)
        // In halves, so that the array is not moved each time.
        if oldest.count >= 2 * ReconcileTracer.keptParents {
            for id in oldest.prefix(ReconcileTracer.keptParents) { parents[id] = nil }
            oldest.removeFirst(ReconcileTracer.keptParents)
        }
    }
}
