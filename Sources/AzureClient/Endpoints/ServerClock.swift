import NIOHTTP1

/// Compares this machine's clock with a server's.
package enum ServerClock {
    static let timeout = Duration.seconds(15)

    /// By how many seconds the server's clock is ahead of ours, to a second or so; nil if it does not tell. Any reply
    /// tells it, so that no credential is needed: one read of the cloud's public description.
    /// - Throws: what kept a reply from arriving.
    package static func secondsAhead(
        _ service: ServiceURL, transport: AzureTransport, correlationID: CorrelationID
    ) async throws(AzureError) -> Int64? {
        try await secondsAhead(service, sending: transport, correlationID: correlationID)
    }

    static func secondsAhead(
        _ service: ServiceURL, sending transport: any Transport, correlationID: CorrelationID
    ) async throws(AzureError) -> Int64? {
        let request = AzureRequest(
            operation: .readClock, resource: service.description,
            url: service.url(
                escapedPath: "/metadata/endpoints", query: [("api-version", CloudDiscovery.apiVersion)]),
            correlationID: correlationID, timeout: timeout)
        let reply = try await transport.send(request, bearer: nil)
        guard let date = reply.headers.first(name: "date").flatMap(HTTPDate.unixSeconds) else { return nil }
        return date - transport.clock.unixSeconds()
    }
}
