package import DesiredState

/// What the machine knows of one record, for ``Explanation``. A copy; reading it changes nothing.
package struct KeyExplanation: Hashable, Sendable {
    package var phase: Explanation.Phase
    package var reconcileID: UInt64
    /// What is decided if the record is looked at now.
    package var plan: Plan
    package var input: PlanInput
    /// Calls in flight, and when they were begun, by the steady clock.
    package var begunAt: [CallKind: Instant]
    /// Calls that are not sent yet: what they wait for.
    package var waits: [CallKind: CallWait]
    /// The store's failures in a row.
    package var storeFailures: Int
    /// When the sites could not be listed: how often in a row.
    package var listFailures: Int
    package var now: Moment
}

extension Explanation {
    /// - Parameter budgets: of all classes of requests.
    package init(
        _ stored: StoredRecord, _ key: KeyExplanation, budgets: [Budget] = [], journal: [JournalEntry] = []
    ) {
        let input = key.input
        func wall(_ instant: Instant) -> Instant { key.now.wall(at: instant) }
        // A poll that goes on is noted like a failure, and is none.
        let failures = input.failures.filter { !$0.value.isProgress }
        let backoffs = failures.sorted { $0.key < $1.key }.map { kind, failure in
            let isTerminal = if case .terminal = failure.kind { true } else { false }
            return Backoff(
                call: kind.rawValue, count: failure.count, notBefore: wall(failure.notBefore),
                message: failure.message, isTerminal: isTerminal)
        }
        let openCalls = input.inFlight.union(key.waits.keys).sorted().map { kind in
            guard let wait = key.waits[kind] else {
                return OpenCall(call: kind.rawValue, since: key.begunAt[kind].map(wall))
            }
            return OpenCall(call: kind.rawValue, since: nil, wait: Wait(wait, at: key.now.wall))
        }
        let nextLook: Instant? = if case .at(let instant) = key.plan.nextLook { wall(instant) } else { nil }
        let intent = stored.intent.map { intent in
            OpenIntent(
                kind: intent.kind.rawValue, siteName: intent.siteName, openedAt: intent.openedAt,
                isSettled: intent.isSettled, operation: intent.operation.map(StoredOperation.shown))
        }
        self.init(
            name: stored.record.metadata.name.text, uid: stored.record.uid, asOf: key.now.wall,
            generation: stored.record.metadata.generation, observedGeneration: stored.record.status.observedGeneration,
            summary: "", advice: nil, rule: key.plan.rule.rawValue, reason: key.plan.reason, phase: key.phase,
            reconcileID: key.reconcileID, facts: Explanation.facts(input, key), conditions: key.plan.status.conditions,
            openCalls: openCalls, backoffs: backoffs, intent: intent, nextLook: nextLook, budgets: budgets,
            journal: journal)
        (summary, advice) = Verdict.of(self, plan: key.plan, storeFailures: key.storeFailures)
    }

    // MARK: facts

    private static func facts(_ input: PlanInput, _ key: KeyExplanation) -> [Fact] {
        var facts = [Fact("site", site(input, key)), Fact("agent", agent(input, key))]
        let record = input.record
        if record.isBeingDeleted {
            let left = record.metadata.finalizers.map(\.rawValue).joined(separator: ", ")
            facts.append(Fact("deletion", left.isEmpty ? "asked for" : "asked for; still to do: \(left)"))
        }
        if let pause = record.spec.suspend {
            let by = pause.by.map { " by \($0)" } ?? ""
            let until = pause.until.map { " until \($0)" } ?? ""
            facts.append(Fact("pause", "asked for\(by)\(until)" + (pause.reason.map { ": \($0)" } ?? "")))
        }
        facts.append(Fact("runs", runs(input)))
        if let freeze = input.freeze { facts.append(Fact("freeze", "since \(freeze.since): \(freeze.reason)")) }
        if key.listFailures > 0 {
            facts.append(Fact("list of sites", "could not be read, \(times(key.listFailures))"))
        } else if input.isListPending {
            facts.append(Fact("list of sites", "not read yet since the daemon began"))
        }
        if key.storeFailures > 0 {
            facts.append(Fact("store", "could not be read or written, \(times(key.storeFailures))"))
        }
        return facts
    }

    private static func site(_ input: PlanInput, _ key: KeyExplanation) -> String {
        switch input.site {
        case .unknown: return "not known"
        case .absent(let asOf): return "not there \(ago(asOf, key))"
        case .present(let site, let asOf):
            let isOwn = site.instance == input.identity.instance && site.uid == input.record.uid.text
            let state =
                !isOwn
                ? "carries other tags than ours"
                : site.designHash == input.identity.designHash ? "as declared" : "differs from the record"
            return "\(site.name) \(state), seen \(ago(asOf, key))"
        }
    }

    private static func agent(_ input: PlanInput, _ key: KeyExplanation) -> String {
        switch input.agent {
        case .unknown: return "not asked yet"
        case .live: return "answered"
        case .notReady(let notReady):
            let since = "no answer since \(key.now.wall(at: notReady.since).rfc3339(fractionDigits: 0))"
            switch notReady.diagnosis {
            case .imagePullFailed(let message), .noAnswerOnPort(let message), .containerExited(_, let message):
                return "\(since); the container's log: \(message)"
            case .some(.none), nil: return "\(since): \(notReady.message)"
            }
        }
    }

    private static func runs(_ input: PlanInput) -> String {
        let wanted = input.record.spec.invocations
        guard let last = input.attempts.last else { return "none of \(wanted) begun" }
        let state =
            if let result = last.result {
                "ended: \(result.outcome.rawValue)"
            } else {
                last.acknowledgedAt == nil ? "open, not confirmed by the agent" : "open"
            }
        return "run \(last.run) of \(wanted), attempt \(last.number), \(state)"
    }

    private static func ago(_ instant: Instant, _ key: KeyExplanation) -> String {
        "\(SpokenTime.duration(key.now.steady - instant)) ago"
    }

    private static func times(_ count: Int) -> String { count == 1 ? "the last time" : "\(count) times in a row" }
}

extension Explanation.Wait {
    fileprivate init(_ wait: CallWait, at now: Instant) {
        let (scarcity, limit): (Scarcity, Int?) =
            switch wait.cause {
            case .quota: (.quota, nil)
            case .plan(let bound): (.plan, bound)
            case .callsUnderWay: (.callsUnderWay, CallScheduler.maximumAzureCalls)
            }
        self.init(
            scarcity: scarcity, quota: "\(wait.quota)", lane: "\(wait.lane)", ahead: wait.ahead, limit: limit,
            turnAt: wait.turn.map { now + $0 })
    }
}

/// Times as people say them.
package enum SpokenTime {
    /// One or two units, such as `2m 5s`; what is below a second is `0s`, what is negative too.
    package static func duration(_ duration: Duration) -> String {
        let seconds = max(0, duration.components.seconds)
        func pair(_ large: Int64, _ largeUnit: String, _ small: Int64, _ smallUnit: String) -> String {
            small == 0 ? "\(large)\(largeUnit)" : "\(large)\(largeUnit) \(small)\(smallUnit)"
        }
        switch seconds {
        case ..<60: return "\(seconds)s"
        case ..<3600: return pair(seconds / 60, "m", seconds % 60, "s")
        case ..<86_400: return pair(seconds / 3600, "h", seconds % 3600 / 60, "m")
        default: return pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h")
        }
    }
}
