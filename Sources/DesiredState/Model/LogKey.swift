/// Names of the facts that log lines carry beside their message; docs/observability.md lists them.
package enum LogKey: String, Sendable, CaseIterable {
    /// The record's uid, shortened as Docker shortens ids.
    case key
    case generation
    /// Counts the looks at records in this life of the daemon.
    case reconcileID
    /// The rule that decided.
    case rule
    /// Kind of a call to Azure or to an agent, such as `putSite`.
    case call
    /// Whose turn the call waited for: see docs/ARCHITECTURE.md.
    case lane
    /// Of the call's requests to Azure.
    case correlationID = "correlation_id"
    case reason
    case error
    case limit
    case count
    case method
    case path
    case status
    /// Of a request, to the end of its response, in milliseconds.
    case duration = "duration_ms"
    /// Of a request to the daemon: the client's own, or one that was made for it.
    case requestID = "request_id"
    case socket
}
