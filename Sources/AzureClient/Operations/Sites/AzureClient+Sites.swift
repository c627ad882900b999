import NIOCore
import NIOHTTP1

extension AzureClient: SitesAPI {
    /// The version of Microsoft.Web whose published examples the documents here follow.
    static let webVersion = "2025-03-01"
    /// How much of a container's log is kept.
    static let logBytes = 256 << 10

    package func putSite(
        _ name: SiteName, _ request: SiteRequest, correlationID: CorrelationID
    ) async throws(AzureError) -> PutOutcome {
        let put = try self.request(
            .putSite, .PUT, scope.site(name), apiVersion: Self.webVersion, body: SiteBody(request),
            secrets: request.appSettings.map(\.value) + (request.mounts ?? [:]).values.compactMap(\.accessKey),
            correlationID: correlationID)
        return try written(try await call(put), put)
    }

    package func getSite(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError) -> Site? {
        let get = request(
            .getSite, .GET, scope.site(name), apiVersion: Self.webVersion, correlationID: correlationID)
        guard let reply = try await found(get) else { return nil }
        guard reply.status != 204 else {
            // Seen for Function Apps on Container Apps that are still being built (terraform-provider-azurerm,
            // `linux_function_app_on_container`, read 2026-02): there is a site, but nothing to read yet.
            throw AzureError(
                code: .conflictBusy, operation: get.operation, resource: get.resource, status: 204,
                message: "the site is still being created", correlationID: correlationID.description)
        }
        return try site(reply, get)
    }

    package func listSites(correlationID: CorrelationID) async throws(AzureError) -> [Site] {
        try await list(
            SiteDocument.self,
            request(.listSites, .GET, scope.web("sites"), apiVersion: Self.webVersion, correlationID: correlationID),
            keeping: \.withoutProperties)
    }

    package func deleteSite(
        _ name: SiteName, correlationID: CorrelationID
    ) async throws(AzureError) -> DeleteOutcome {
        // Without the first parameter Azure deletes the plan along with its last site (Azure REST docs, "Web Apps -
        // Delete", read 2026-02).
        let delete = request(
            .deleteSite, .DELETE, scope.site(name),
            query: [("deleteEmptyServerFarm", "false"), ("deleteMetrics", "false")], apiVersion: Self.webVersion,
            isWrite: true, correlationID: correlationID)
        return try await self.delete(delete)
    }

    package func containerLogs(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError) -> String {
        var post = request(
            .containerLogs, .POST, scope.site(name), suffix: "/containerlogs", apiVersion: Self.webVersion,
            correlationID: correlationID)
        post.headers = ["accept": "application/octet-stream, text/plain"]
        post.bodyBound = .keepLast(bytes: Self.logBytes)
        return String(decoding: try await call(post).body.readableBytesView, as: UTF8.self)
    }

    /// The reply, nil if Azure says that the resource itself does not exist.
    func found(_ request: AzureRequest) async throws(AzureError) -> AzureReply? {
        do throws(AzureError) {
            return try await call(request)
        } catch  where error.code == .notFound {
            return nil
        }
    }

    /// What a PUT or PATCH that Azure took came to.
    func written(_ reply: AzureReply, _ request: AzureRequest) throws(AzureError) -> PutOutcome {
        let step = started(reply, to: request)
        switch step.next {
        case .pollAfter(let wait): return .accepted(step.operation, pollAfter: wait)
        case .done: return .finished(try site(reply, request))
        case .failed(let error): throw error
        }
    }

    private func site(_ reply: AzureReply, _ request: AzureRequest) throws(AzureError) -> Site {
        try value(SiteDocument.self, reply, request)
    }
}
