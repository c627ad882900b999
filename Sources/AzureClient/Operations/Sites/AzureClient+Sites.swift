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
        let put = try write(
            .putSite, .PUT, scope.site(name), SiteBody(request), secrets: request.appSettings.map(\.value),
            correlationID)
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
        try await listed(.listSites, scope.web("sites"), correlationID) { (document: SiteDocument) in document.site }
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

    /// A request that changes something, with a JSON body.
    func write(
        _ operation: AzureOperation, _ method: HTTPMethod, _ resource: ResourceID, suffix: String = "",
        _ body: some Encodable, secrets: [Secret] = [], _ correlationID: CorrelationID
    ) throws(AzureError) -> AzureRequest {
        var write = request(
            operation, method, resource, suffix: suffix, apiVersion: Self.webVersion, isWrite: true,
            correlationID: correlationID)
        write.headers.add(name: "content-type", value: "application/json")
        write.body = try Self.encoded(body, for: write)
        write.secrets = secrets
        return write
    }

    /// All pages of a list. A document that `transform` makes nothing of is an error: a list is never a part.
    func listed<Document: Decodable & Sendable, Value>(
        _ operation: AzureOperation, _ collection: ResourceID, _ correlationID: CorrelationID,
        _ transform: (Document) -> Value?
    ) async throws(AzureError) -> [Value] {
        let get = request(operation, .GET, collection, apiVersion: Self.webVersion, correlationID: correlationID)
        var values: [Value] = []
        var pages = pages(of: Document.self, get).makeAsyncIterator()
        while let page = try await pages.next() {
            for document in page {
                guard let value = transform(document) else {
                    throw AzureError(
                        code: .malformedReply, operation: operation, resource: get.resource,
                        message: "a listed resource has no resource id", correlationID: correlationID.description)
                }
                values.append(value)
            }
        }
        return values
    }

    private func site(_ reply: AzureReply, _ request: AzureRequest) throws(AzureError) -> Site {
        guard let site = try decoded(SiteDocument.self, from: reply, to: request).site else {
            throw AzureError(unusable: reply, to: request, message: "the site has no resource id")
        }
        return site
    }
}
