package import DesiredState

/// What somebody waits for a record to become.
package enum WaitGoal: Hashable, Sendable {
    case condition(ConditionType, ConditionStatus)
    case deleted

    /// `condition=TYPE`, `condition=TYPE=STATUS` or `delete`, as kubectl writes it, without regard to case; `nil` for other texts.
    package init?(_ text: String) {
        let parts = text.split(separator: "=", omittingEmptySubsequences: false).map { $0.lowercased() }
        if parts == ["delete"] {
            self = .deleted
            return
        }
        guard parts.count == 2 || parts.count == 3, parts[0] == "condition",
            let type = ConditionType.allCases.first(where: { $0.rawValue.lowercased() == parts[1] })
        else { return nil }
        let statuses: [String: ConditionStatus] = ["true": .true, "false": .false, "unknown": .unknown]
        guard let status = parts.count == 2 ? .true : statuses[parts[2]] else { return nil }
        self = .condition(type, status)
    }

    package enum Verdict: Hashable, Sendable {
        case met
        case pending
        /// It can no longer happen by itself; with the reason.
        case impossible(String)
    }

    /// What a record's present state means for the goal. Conditions that speak of an older generation decide nothing: they are about what was wanted
    /// before. `nil` = the record is gone.
    package func verdict(_ record: FunctionApp?) -> Verdict {
        guard case .condition(let type, let wanted) = self else { return record == nil ? .met : .pending }
        guard let record else { return .impossible("it was deleted") }
        guard !record.isBeingDeleted else { return .impossible("it is being deleted") }
        let status = record.status
        guard status.observedGeneration >= record.metadata.generation else { return .pending }
        if status[type]?.status == wanted { return .met }
        if wanted == .true, !record.hasOpenRun {
            let opposite: ConditionType? = type == .succeeded ? .failed : type == .failed ? .succeeded : nil
            if let opposite, status.isTrue(opposite) {
                return .impossible(WaitGoal.sentence(opposite, status[opposite]))
            }
        }
        if status.isTrue(.stalled), type != .stalled { return .impossible(WaitGoal.sentence(.stalled, status[.stalled])) }
        return .pending
    }

    private static func sentence(_ type: ConditionType, _ condition: Condition?) -> String {
        let details = [condition?.reason, condition?.message].compactMap { $0 }.filter { !$0.isEmpty }
        return "it is \(type.rawValue)" + (details.isEmpty ? "" : " (\(details.joined(separator: ": ")))")
    }
}

extension RecordsClient {
    /// Waits until each record has decided the goal, and tells each decision at once. Throws `notFound` for a record that does not exist (unless its end
    /// is waited for), `timedOut`, and the first `endedOtherwise` after all others were decided.
    package func wait(
        for goal: WaitGoal, _ names: [String], timeout: Duration, met: @escaping @Sendable (String) -> Void
    ) async throws {
        try await wait(for: PendingGoals(goal: goal, names: names), timeout: timeout, met: met)
    }

    /// Waits until records with these uids are gone. Throws `timedOut`.
    package func waitUntilGone(
        _ uids: [UID], timeout: Duration, met: @escaping @Sendable (String) -> Void
    ) async throws {
        try await wait(for: PendingGoals(ends: uids), timeout: timeout, met: met)
    }

    private func wait(
        for goals: PendingGoals, timeout: Duration, met: @escaping @Sendable (String) -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await wait(for: goals, met: met) }
            group.addTask {
                try await Task.sleep(for: timeout)
                throw RecordsClientError(.timedOut, "timed out after \(timeout)")
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func wait(for goals: PendingGoals, met: @Sendable (String) -> Void) async throws {
        var waiting = goals
        for try await event in watch() {
            for decision in try waiting.take(event) {
                if case .met = decision.verdict { met(decision.name) }
            }
            if waiting.isEmpty { break }
        }
        if let failure = waiting.failure { throw failure }
    }
}

/// Which of several records still have to decide a goal. A name stands for the record that had it first: one that is made later under the same name is
/// another one.
struct PendingGoals: Sendable {
    let goal: WaitGoal
    private var names: [String]
    private var uids: [String: UID] = [:]
    private(set) var failure: RecordsClientError?

    init(goal: WaitGoal, names: [String]) {
        self.goal = goal
        self.names = names
    }

    /// The ends of records that are known by uid, which also stands for the name.
    init(ends uids: [UID]) {
        goal = .deleted
        names = uids.map(\.text)
        self.uids = Dictionary(uids.map { ($0.text, $0) }) { first, _ in first }
    }

    var isEmpty: Bool { names.isEmpty }

    mutating func take(_ event: RecordsEvent) throws(RecordsClientError) -> [(name: String, verdict: WaitGoal.Verdict)] {
        var decisions: [(name: String, verdict: WaitGoal.Verdict)] = []
        for name in names {
            let verdict: WaitGoal.Verdict
            switch try state(of: name, in: event) {
            case .untold: continue
            case .present(let record): verdict = goal.verdict(record)
            case .gone: verdict = goal.verdict(nil)
            }
            switch verdict {
            case .pending: continue
            case .met: break
            case .impossible(let why):
                failure = failure ?? RecordsClientError(.endedOtherwise, "functionapp/\(name): \(why)")
            }
            decisions.append((name, verdict))
            names.removeAll { $0 == name }
        }
        return decisions
    }

    private enum State {
        /// The event says nothing about the name.
        case untold
        case present(FunctionApp)
        case gone
    }

    private mutating func state(of name: String, in event: RecordsEvent) throws(RecordsClientError) -> State {
        switch event {
        case .snapshot(let records):
            if let uid = uids[name] { return records.first { $0.uid == uid }.map(State.present) ?? .gone }
            // One that is being deleted has no name any more, but may be all that is left of it.
            let named = records.filter { $0.metadata.name.text == name }
            guard let record = named.last(where: { !$0.isBeingDeleted }) ?? named.last else {
                guard goal == .deleted else {
                    throw RecordsClientError(.notFound, "functionapps \"\(name)\" not found")
                }
                return .gone
            }
            uids[name] = record.uid
            return .present(record)
        case .changed(let record): return record.uid == uids[name] ? .present(record) : .untold
        case .deleted(let record): return record.uid == uids[name] ? .gone : .untold
        }
    }
}
