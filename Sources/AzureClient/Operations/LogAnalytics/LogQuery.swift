/// Whose logs are asked.
package enum LogTarget: Sendable, Hashable {
    /// A workspace by its GUID (`properties.customerId`), not by its resource id.
    case workspace(GUID)
    /// All logs of one resource, in whatever workspace they are.
    case resource(ResourceID)
}

/// A time range on `TimeGenerated`, beside what the query itself says.
package enum LogTimespan: Sendable, Hashable {
    /// Up to now; whole seconds.
    case last(Duration)
    case between(LogTime, LogTime)

    /// ISO 8601, as the API takes it.
    var text: String {
        switch self {
        case .last(let duration): "PT\(max(0, duration.components.seconds))S"
        case .between(let start, let end): "\(start)/\(end)"
        }
    }
}

/// A question to Log Analytics.
package struct LogQuery: Sendable, Hashable {
    package var target: LogTarget
    /// KQL. Text from elsewhere belongs into ``KQLLiteral``.
    package var text: String
    package var timespan: LogTimespan?
    /// How long the service may work on it: 1 s to 600 s (Azure Monitor docs, logs/api/timeouts, read 2026-02).
    package var serverTimeout: Duration

    package init(
        _ target: LogTarget, _ text: String, timespan: LogTimespan? = nil, serverTimeout: Duration = .seconds(180)
    ) {
        self.target = target
        self.text = text
        self.timespan = timespan
        self.serverTimeout = serverTimeout
    }
}

/// What a controller needs of Log Analytics. ``AzureClient`` is the production implementation.
package protocol LogsAPI: Sendable {
    /// Asks once. Changes nothing, so it may be repeated.
    /// - Returns: the rows, with a partial error beside them where Azure reports one, or `noRowsYet`.
    /// - Throws: `invalid` for a query that Kusto refuses, `throttled` with `retryAfter` when the quota is used up.
    func queryLogs(_ query: LogQuery, correlationID: CorrelationID) async throws(AzureError) -> LogAnswer
}
