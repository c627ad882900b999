import NIOHTTP1

extension AzureClient {
    /// The GUID by which queries name a workspace (its `customerId`), nil if Azure says that this very workspace does not exist or tells none. One read.
    ///
    /// Shape: Azure REST API specifications, Microsoft.OperationalInsights 2023-09-01, read 2026-02.
    package func workspaceID(of id: ResourceID, correlationID: CorrelationID) async throws(AzureError) -> GUID? {
        let get = request(.getWorkspace, .GET, id, apiVersion: "2023-09-01", correlationID: correlationID)
        return try await read(WorkspaceDocument.self, get)
    }
}

/// A workspace as JSON in Azure's replies.
private struct WorkspaceDocument: ResourceDocument, Sendable {
    struct Properties: Decodable, Sendable {
        let customerId: String?
    }

    let properties: Properties?

    var value: GUID? { properties?.customerId.flatMap { GUID($0) } }
}
