import NIOCore
import NIOHTTP1

/// Asks a cloud that is not published where its services are, as azure-cli and go-azure-sdk do (read 2026-11).
package enum CloudDiscovery {
    /// The version whose answer describes one cloud; older ones answer with an array, which is understood too.
    static let apiVersion = "2022-09-01"
    /// The document is some 3 KiB.
    static let bodyBytes = 1 << 20
    static let timeout = Duration.seconds(30)

    /// The cloud behind an address. One read, without a credential.
    /// - Throws: `malformedReply` if the answer does not describe a cloud, or any failure of the call.
    package static func environment(
        at address: ServiceURL, transport: AzureTransport, correlationID: CorrelationID
    ) async throws(AzureError) -> AzureEnvironment {
        try await environment(at: address, sending: transport, correlationID: correlationID)
    }

    static func environment(
        at address: ServiceURL, sending transport: any Transport, correlationID: CorrelationID
    ) async throws(AzureError) -> AzureEnvironment {
        let request = AzureRequest(
            operation: .discoverCloud, resource: address.description,
            url: address.url(escapedPath: "/metadata/endpoints", query: [("api-version", apiVersion)]),
            headers: ["accept": "application/json"], correlationID: correlationID, timeout: timeout,
            bodyBound: .refuse(aboveBytes: bodyBytes))
        let reply = try await transport.send(request, bearer: nil)
        guard reply.isSuccess else { throw AzureError(reply, to: request, clock: transport.clock) }
        do throws(CloudMetadata.Fault) {
            return try CloudMetadata.environment(Array(reply.body.readableBytesView), askedAt: address)
        } catch {
            throw AzureError(unusable: reply, to: request, message: error.message)
        }
    }
}
