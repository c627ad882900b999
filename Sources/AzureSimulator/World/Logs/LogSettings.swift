/// How logs behave. The delays are Azure's own and are scaled by `WorldSettings.latencyScale`: with its default of 0
/// every row is there at once.
package struct LogSettings: Sendable {
    /// The workspace that exists from the start, in the first group.
    package var workspaceName = "skls-logs"
    /// Its `customerId`, which queries name.
    package var workspaceID = "5ba5e000-7e4a-4000-8000-000000000004"
    /// From a row's arrival to its `ingestion_time()`; each row draws its own, so rows overtake each other. Resource logs
    /// take 3 to 10 minutes, telemetry some seconds (Azure docs, data-ingestion-time, read 2026-02).
    package var delay: ClosedRange<Duration> = .seconds(3)...(.seconds(600))
    /// From a row's `ingestion_time()` until queries see it, drawn for each row: rows become visible in another order
    /// than that of their `ingestion_time()` (guess: Azure documents no order).
    package var visibilityLag: ClosedRange<Duration> = .zero...(.seconds(30))
    /// How many rows out of a thousand come twice, each time with its own delay (guess: Azure promises no "exactly once").
    package var duplicatesPerMille = 0
    /// Rows kept for each table of a workspace; older ones are dropped. The bound is ours: Azure keeps 30 days.
    package var rowsPerTable = 100_000
    /// Rows in one answer (Azure docs, service-limits, read 2026-02).
    package var resultRows = 500_000
    /// Queries of one caller in `quotaWindow`, and how many of them run at once (same source).
    package var quota = 200
    package var quotaWindow = Duration.seconds(30)
    package var concurrentQueries = 5
    /// How long a query may wait for its turn (same source).
    package var longestQueue = Duration.seconds(180)
    /// How long a query runs, scaled (ours).
    package var queryTime = Duration.milliseconds(300)

    package init() {}
}
