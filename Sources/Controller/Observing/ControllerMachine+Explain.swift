package import DesiredState

extension ControllerMachine {
    /// What is known of a record, and what would be decided if it were looked at now. Changes nothing.
    package func explain(_ stored: StoredRecord, now: Moment) -> KeyExplanation {
        let state = keys[stored.record.uid]
        var memory = state?.memory ?? KeyMemory()
        memory.notice(stored, designer: designer, at: now)
        var input = memory.input(
            stored, now: now, isListPending: isListPending, freeze: freeze, runLogSettlesAfter: runLogSettlesAfter)
        memory.drift.complete(&input, siteCount: keys.count)
        return KeyExplanation(
            phase: state.map { Explanation.Phase($0.phase) } ?? .unknown, reconcileID: state?.log.reconcileID ?? 0,
            plan: plan(input), input: input, begunAt: memory.begunAt.filter { input.inFlight.contains($0.key) },
            waits: calls.waits(of: stored.record.uid, now: now.steady),
            storeFailures: state?.storeFailures ?? 0, listFailures: listFailures, now: now)
    }
}

extension Explanation.Phase {
    init(_ phase: KeyState.Phase) {
        self =
            switch phase {
            case .idle: .resting
            case .queued: .queued
            case .loading: .loading
            case .committing: .committing
            }
    }
}
