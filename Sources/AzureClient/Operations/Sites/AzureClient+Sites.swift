import NIOCore
import NIOHTTP1

extension AzureClient: SitesAPI {
    /// The version of Microsoft.Web whose published examples the documents here follow.
    static let webVersion = "2025-03-01"
    /// The bound on the pages of one list: at 100 sites each, many times what a subscription may hold.
    static let mostPages = 10_000
    /// How much of a container's log is kept.
    static let logBytes = 256 << 10

    package func putSite(
        _ name: SiteName, _ request: SiteRequest, correlationID: CorrelationID
    ) async throws(AzureError) -> PutOutcome {
        var put = self.request(
            .putSite, .PUT, scope.site(name), apiVersion: Self.webVersion, isWrite: true, correlationID: correlationID)
        put.headers.add(name: "content-type", value: "application/json")
        put.body = try Self.encoded(SiteBody(request), for: put)
        put.secrets = request.appSettings.map(\.value)
        let reply = try await call(put)
        if reply.status == 202 {
            // The order of the Azure SDKs (azcore/internal/pollers, read 2026-02).
            let url = ["operation-location", "azure-asyncoperation", "location"].lazy
                .compactMap { reply.headers.first(name: $0) }.first
            return .accepted(operationURL: url, retryAfter: retryAfter(reply))
        }
        return .finished(try site(reply, put))
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
        var get = request(.listSites, .GET, scope.sites, apiVersion: Self.webVersion, correlationID: correlationID)
        var sites: [Site] = []
        var seen: Set<String> = [get.url]
        while true {
            let reply = try await call(get)
            let page = try decoded(SitePage.self, from: reply, to: get)
            for document in page.value {
                guard let site = document.site else {
                    throw AzureError(unusable: reply, to: get, message: "a listed site has no resource id")
                }
                sites.append(site)
            }
            guard let link = page.nextLink, !link.isEmpty else { return sites }
            guard environment.resourceManager.owns(link) else {
                throw AzureError(unusable: reply, to: get, message: "the next page is on another host")
            }
            guard seen.insert(link).inserted, seen.count <= Self.mostPages else {
                throw AzureError(unusable: reply, to: get, message: "the pages of the list do not end")
            }
            get.url = link
        }
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
        guard let reply = try await found(delete) else { return .absent }
        return reply.status == 204 ? .absent : .deleted
    }

    package func containerLogs(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError) -> String {
        var post = request(
            .containerLogs, .POST, scope.site(name), suffix: "/containerlogs", apiVersion: Self.webVersion,
            correlationID: correlationID)
        post.headers = ["accept": "application/octet-stream, text/plain"]
        post.bodyBound = .keepLast(bytes: Self.logBytes)
        return String(decoding: try await call(post).body.readableBytesView, as: UTF8.self)
    }

    package func getPlan(_ id: ResourceID, correlationID: CorrelationID) async throws(AzureError) -> Plan? {
        let get = request(.getPlan, .GET, id, apiVersion: Self.webVersion, correlationID: correlationID)
        guard let reply = try await found(get) else { return nil }
        guard let plan = try decoded(PlanDocument.self, from: reply, to: get).plan else {
            throw AzureError(unusable: reply, to: get, message: "the plan has no resource id")
        }
        return plan
    }

    /// The reply, nil if Azure says that the resource itself does not exist.
    func found(_ request: AzureRequest) async throws(AzureError) -> AzureReply? {
        do throws(AzureError) {
            return try await call(request)
        } catch  where error.code == .notFound {
            return nil
        }
    }

    private func site(_ reply: AzureReply, _ request: AzureRequest) throws(AzureError) -> Site {
        guard let site = try decoded(SiteDocument.self, from: reply, to: request).site else {
            throw AzureError(unusable: reply, to: request, message: "the site has no resource id")
        }
        return site
    }
}
