import NIOHTTP1

extension RegistryClient {
    /// Whether the address is one of a container registry: its `/v2/` answers, also by asking for credentials (OCI
    /// distribution-spec v1.1, "Determining Support").
    /// - Throws: what kept a reply from arriving.
    package func isRegistry(correlationID: CorrelationID) async throws(AzureError) -> Bool {
        let request = AzureRequest(
            operation: .resolveImage, resource: endpoint.description, url: endpoint.url(escapedPath: "/v2/"),
            correlationID: correlationID, timeout: Self.timeout)
        let reply = try await transport.send(request, bearer: nil)
        return reply.isSuccess || reply.status == 401
    }
}
