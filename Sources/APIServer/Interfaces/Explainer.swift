package import DesiredState

/// Knows why the controller does what it does, and what it has done.
package protocol Explainer: Sendable {
    /// `nil` when the record is gone.
    func explain(_ uid: UID) async throws(StoreError) -> Explanation?
    /// The newest entries of the record's journal, oldest first, also those that are on their way into the store.
    func journal(of uid: UID, limit: Int) async throws(StoreError) -> [JournalEntry]
}

/// Has figures for `GET /metrics`.
package protocol MetricsSource: Sendable {
    /// In Prometheus' text format 0.0.4.
    func metricsText() async -> String
}
