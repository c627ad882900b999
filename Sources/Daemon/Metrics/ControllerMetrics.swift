import APIServer
import AzureClient
import Controller
import DesiredState
import NIOConcurrencyHelpers

/// Counts what the controller does, under controller-runtime's names and our own. No label names a record.
final class ControllerMetrics: ControllerObserver {
    fileprivate struct State {
        var page = PrometheusPage()
        /// Since when records wait for their turn, or have it; by the steady clock.
        var queuedAt: [UID: Instant] = [:]
        var startedAt: [UID: Instant] = [:]
        /// Decisions that are not durable yet.
        var decided: [UID: Reconcile] = [:]
        /// Records with a failed call that no reconcile has taken in; true = refused for good.
        var failed: [UID: Bool] = [:]
        /// Since when records are not as declared, by the wall clock. At most one per record.
        var unreconciledSince: [UID: Instant] = [:]
        var begunAt: [CallID: (kind: CallKind, at: Instant)] = [:]
        var listedAt: Instant?
    }

    private let clock: @Sendable () -> Moment
    private let state: NIOLockedValueBox<State>
    fileprivate static let controller: PrometheusPage.Labels = .init(["controller": "functionapps"])
    fileprivate static let queue: PrometheusPage.Labels = .init(["name": "functionapps", "controller": "functionapps"])

    init(clock: @escaping @Sendable () -> Moment) {
        self.clock = clock
        var state = State()
        // Counters begin at 0 and not at their first event: a rate has to see the first one.
        for result in ["success", "requeue", "requeue_after", "error"] {
            state.page.add(
                .reconcileTotal, .init(["controller": "functionapps", "result": result]), by: 0)
        }
        for metric in [Metric.reconcileErrors, .terminalReconcileErrors] {
            state.page.add(metric, ControllerMetrics.controller, by: 0)
        }
        for metric in [Metric.queueAdds, .queueRetries] { state.page.add(metric, ControllerMetrics.queue, by: 0) }
        state.page.add(.runsUnknown, by: 0)
        state.page.set(
            .maximumConcurrentReconciles, ControllerMetrics.controller,
            to: Double(ControllerMachine.maximumActiveKeys))
        self.state = NIOLockedValueBox(state)
    }

    // MARK: in

    func observed(_ observation: ControllerObservation, at now: Moment) {
        state.withLockedValue { $0.take(observation, now) }
    }

    /// Of the journal: one event of a record.
    func event(_ reason: String) {
        state.withLockedValue { state in
            state.page.add(.events, .init(["reason": reason]))
            if reason == "RunUnknown" { state.page.add(.runsUnknown) }
        }
    }

    /// One request to Azure; `code` is its status, or `<error>`.
    func request(method: String, code: String) {
        state.withLockedValue { $0.page.add(.requests, .init(["code": code, "method": method])) }
    }

    // MARK: out

    /// The page as of now, with what others count themselves.
    func page(
        budgets: [RequestBudget], journalDropped: Int, leaks: SweepCounts, waiting: [Lane: Int]
    ) -> PrometheusPage {
        let now = clock()
        var page = state.withLockedValue { state in
            var page = state.page
            state.setGauges(&page, now)
            return page
        }
        for budget in budgets {
            let labels = PrometheusPage.Labels(["class": budget.metricClass])
            // Of several subscriptions the tightest counts.
            let known = page.value(.budgetRemaining, labels) ?? .infinity
            page.set(.budgetRemaining, labels, to: min(known, Double(budget.remaining)))
            page.add(.budgetWaiting, labels, by: Double(budget.waiting))
            page.add(.throttled, labels, by: Double(budget.throttledCount))
        }
        page.set(.journalDropped, to: Double(journalDropped))
        page.set(.leaksSuspected, to: Double(leaks.found))
        page.set(.leaksQuarantined, to: Double(leaks.quarantined))
        page.set(.leaksDeleted, to: Double(leaks.deleted))
        for lane in Lane.allCases {
            page.set(.callsWaiting, .init(["lane": "\(lane)"]), to: Double(waiting[lane] ?? 0))
        }
        ProcessFigures.read().write(to: &page)
        return page
    }
}

extension ControllerMetrics.State {
    fileprivate mutating func take(_ observation: ControllerObservation, _ now: Moment) {
        switch observation {
        case .queued(let uid):
            page.add(.queueAdds, ControllerMetrics.queue)
            queuedAt[uid] = now.steady
        case .started(let uid, _):
            if let since = queuedAt.removeValue(forKey: uid) {
                page.observe(.queueSeconds, ControllerMetrics.queue, (now.steady - since).asSeconds)
            }
            startedAt[uid] = now.steady
        case .decided(let reconcile):
            page.add(.decisions, .init(["rule": reconcile.facts.rule.rawValue]))
            note(reconcile)
            if reconcile.commits { decided[reconcile.uid] = reconcile }
        case .committed(let uid, _): committed(uid, now)
        case .ended(let uid, _, let result): ended(uid, result, now)
        case .callBegun(let call): begunAt[call.id] = (call.kind, now.steady)
        case .callFinished(let call, let result): finished(call, result, now)
        case .listed: listedAt = now.steady
        case .listFailed: return
        }
    }

    private mutating func note(_ reconcile: Reconcile) {
        let metadata = reconcile.record.metadata
        let status = reconcile.plan.status
        let isPaused = ["suspended", "paused", "frozen"].contains(reconcile.facts.rule.rawValue)
        let isDone = reconcile.plan.actions.contains(.forget)
        let isReconciled = !reconcile.record.isBeingDeleted && status.isTrue(.provisioned)
        guard !isPaused, !isDone, !isReconciled else {
            unreconciledSince[reconcile.uid] = nil
            return
        }
        let since = metadata.deletionTimestamp ?? status[.provisioned]?.lastTransitionTime
        unreconciledSince[reconcile.uid] = since ?? metadata.creationTimestamp
    }

    private mutating func committed(_ uid: UID, _ now: Moment) {
        guard let reconcile = decided.removeValue(forKey: uid), reconcile.plan.status.isTrue(.ready),
            !reconcile.record.status.isTrue(.ready)
        else { return }
        let since = reconcile.record.status[.ready]?.lastTransitionTime
        let wait = now.wall - (since ?? reconcile.record.metadata.creationTimestamp)
        page.observe(.timeToReady, .none, max(0, wait.asSeconds))
    }

    private mutating func ended(_ uid: UID, _ result: ReconcileResult, _ now: Moment) {
        decided[uid] = nil
        if let since = startedAt.removeValue(forKey: uid) {
            let seconds = (now.steady - since).asSeconds
            page.observe(.reconcileSeconds, ControllerMetrics.controller, seconds)
            page.observe(.workSeconds, ControllerMetrics.queue, seconds)
        }
        let failure = failed.removeValue(forKey: uid)
        let word: String
        switch (failure, result) {
        case (.some, _), (_, .error): word = "error"
        case (nil, .success): word = "success"
        case (nil, .requeue): word = "requeue"
        case (nil, .requeueAfter): word = "requeue_after"
        }
        page.add(.reconcileTotal, .init(["controller": "functionapps", "result": word]))
        if word == "error" { page.add(.reconcileErrors, ControllerMetrics.controller) }
        if failure == true { page.add(.terminalReconcileErrors, ControllerMetrics.controller) }
        if word == "error" || word == "requeue" { page.add(.queueRetries, ControllerMetrics.queue) }
    }

    private mutating func finished(_ call: CallFacts, _ result: CallResult?, _ now: Moment) {
        if let begun = begunAt.removeValue(forKey: call.id) {
            page.observe(
                .callSeconds, .init(["kind": call.kind.rawValue]), (now.steady - begun.at).asSeconds)
        }
        switch result {
        case .failed(let failure), .operationFailed(let failure):
            let isTerminal = if case .terminal = failure.kind { true } else { false }
            failed[call.uid] = isTerminal || failed[call.uid] == true
        default: return
        }
    }

    fileprivate func setGauges(_ page: inout PrometheusPage, _ now: Moment) {
        let running = startedAt.values.map { max(0, (now.steady - $0).asSeconds) }
        page.set(.activeWorkers, ControllerMetrics.controller, to: Double(running.count))
        page.set(.queueDepth, ControllerMetrics.queue, to: Double(queuedAt.count))
        page.set(.unfinishedWork, ControllerMetrics.queue, to: running.reduce(0, +))
        page.set(.longestRunning, ControllerMetrics.queue, to: running.max() ?? 0)
        for kind in CallKind.allCases {
            let count = begunAt.values.count { $0.kind == kind }
            page.set(.callsInFlight, .init(["kind": kind.rawValue]), to: Double(count))
        }
        let oldest = unreconciledSince.values.min().map { max(0, (now.wall - $0).asSeconds) } ?? 0
        page.set(.oldestUnreconciled, to: oldest)
        page.set(.snapshotAge, to: listedAt.map { max(0, (now.steady - $0).asSeconds) } ?? -1)
    }
}

extension RequestBudget {
    /// The class without the subscription, which all series would share: `reads`, `tenant_reads`, `resource_graph`.
    var metricClass: String {
        let words = name.split(separator: " ")
        let isOfSubscription = words.count == 2 && words[0].contains("-")
        return isOfSubscription ? String(words[1]) : words.joined(separator: "_")
    }
}

extension Duration {
    fileprivate var asSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

/// For the records API.
struct DaemonMetrics: MetricsSource {
    let metrics: ControllerMetrics
    let journal: Journal
    let controller: ControllerService
    let sweeper: SweepService
    let budgets: @Sendable () -> [RequestBudget]

    func metricsText() async -> String {
        metrics.page(
            budgets: budgets(), journalDropped: journal.droppedCount, leaks: sweeper.counts,
            waiting: controller.waitingByLane
        ).text
    }
}
