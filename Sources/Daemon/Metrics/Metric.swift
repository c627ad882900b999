/// Every metric that `GET /metrics` has. docs/observability.md has the same list.
enum Metric: String, CaseIterable, Sendable {
    case reconcileTotal = "controller_runtime_reconcile_total"
    case reconcileErrors = "controller_runtime_reconcile_errors_total"
    case terminalReconcileErrors = "controller_runtime_terminal_reconcile_errors_total"
    case reconcileSeconds = "controller_runtime_reconcile_time_seconds"
    case maximumConcurrentReconciles = "controller_runtime_max_concurrent_reconciles"
    case activeWorkers = "controller_runtime_active_workers"
    case queueDepth = "workqueue_depth"
    case queueAdds = "workqueue_adds_total"
    case queueSeconds = "workqueue_queue_duration_seconds"
    case workSeconds = "workqueue_work_duration_seconds"
    case unfinishedWork = "workqueue_unfinished_work_seconds"
    case longestRunning = "workqueue_longest_running_processor_seconds"
    case queueRetries = "workqueue_retries_total"
    case requests = "rest_client_requests_total"
    case budgetRemaining = "skls_arm_budget_remaining"
    case budgetWaiting = "skls_arm_budget_waiting"
    case throttled = "skls_arm_throttled_total"
    case callSeconds = "skls_call_duration_seconds"
    case callsInFlight = "skls_calls_in_flight"
    case callsWaiting = "skls_calls_waiting"
    case decisions = "skls_decisions_total"
    case events = "skls_events_total"
    case journalDropped = "skls_journal_dropped_total"
    case leaksSuspected = "skls_leaks_suspected_total"
    case leaksQuarantined = "skls_leaks_quarantined_total"
    case leaksDeleted = "skls_leaks_deleted_total"
    case runsUnknown = "skls_runs_unknown_total"
    case oldestUnreconciled = "skls_oldest_unreconciled_seconds"
    case timeToReady = "skls_time_to_ready_seconds"
    case snapshotAge = "skls_snapshot_age_seconds"
    case residentMemory = "process_resident_memory_bytes"
    case openFiles = "process_open_fds"
    case maximumFiles = "process_max_fds"
    case startTime = "process_start_time_seconds"
    case cpuSeconds = "process_cpu_seconds_total"

    enum Kind: Hashable, Sendable {
        case counter, gauge
        /// Upper bounds, ascending, without infinity.
        case histogram([Double])

        var word: String {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    var kind: Kind {
        switch self {
        case .reconcileTotal, .reconcileErrors, .terminalReconcileErrors, .queueAdds, .queueRetries, .requests,
            .throttled, .decisions, .events, .journalDropped, .leaksSuspected, .leaksQuarantined, .leaksDeleted,
            .runsUnknown, .cpuSeconds:
            .counter
        case .maximumConcurrentReconciles, .activeWorkers, .queueDepth, .unfinishedWork, .longestRunning,
            .budgetRemaining, .budgetWaiting, .callsInFlight, .callsWaiting, .oldestUnreconciled, .snapshotAge,
            .residentMemory,
            .openFiles, .maximumFiles, .startTime:
            .gauge
        // Those of controller-runtime (v0.19) and client-go (v1.31), thinned out.
        case .reconcileSeconds: .histogram([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60])
        case .queueSeconds, .workSeconds: .histogram([1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10, 100, 1000])
        // A site's PUT takes up to half a minute, a long poll 100 s.
        case .callSeconds: .histogram([0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 240])
        case .timeToReady: .histogram([1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600])
        }
    }

    var help: String {
        switch self {
        case .reconcileTotal: "Reconciles that have ended, by result."
        case .reconcileErrors: "Reconciles that had to take in a failed call, or that the store failed."
        case .terminalReconcileErrors: "Reconciles that had to take in a call that was refused for good."
        case .reconcileSeconds: "From a record's turn until its decision is durable."
        case .maximumConcurrentReconciles: "Records that are loaded or committed at one time at most."
        case .activeWorkers: "Records that are being loaded or committed."
        case .queueDepth: "Records that wait for their turn."
        case .queueAdds: "Records that were put into the queue."
        case .queueSeconds: "How long a record waited for its turn."
        case .workSeconds: "How long a record's turn took."
        case .unfinishedWork: "Time that the turns which have not ended have taken so far, in all."
        case .longestRunning: "Time that the longest turn which has not ended has taken so far."
        case .queueRetries: "Turns that asked for another one at once, or failed."
        case .requests: "Requests to Azure by method and status; code is <error> where no answer came."
        case .budgetRemaining: "Requests to Azure that may be sent at once, by class."
        case .budgetWaiting: "Requests to Azure that wait for their turn, by class."
        case .throttled: "Answers of Azure that froze a class of requests."
        case .callSeconds: "How long calls to Azure and to agents took, by kind."
        case .callsInFlight: "Calls to Azure and to agents without an answer yet."
        case .callsWaiting: "Calls to Azure that are not sent yet, since others go first, by lane."
        case .decisions: "Decisions by the rule that made them."
        case .events: "Events of records by reason."
        case .journalDropped: "Journal entries that were not kept."
        case .leaksSuspected: "Sites without a record that were seen for the first time."
        case .leaksQuarantined: "Sites without a record that were tagged as quarantined."
        case .leaksDeleted: "Sites without a record that were deleted."
        case .runsUnknown: "Runs whose outcome cannot be known."
        case .oldestUnreconciled:
            "How long the record that has waited longest is not as declared; paused ones not counted."
        case .timeToReady: "From the time when a record's container was not ready until it was."
        case .snapshotAge: "Age of the newest list of all sites; -1 before the first."
        case .residentMemory: "Resident memory."
        case .openFiles: "Open file descriptors."
        case .maximumFiles: "Open file descriptors at most."
        case .startTime: "When the process began, in seconds since 1970."
        case .cpuSeconds: "Time on processors, of the user and of the system."
        }
    }
}
