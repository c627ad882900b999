import NIOCore
import NIOHTTP1

/// Resource groups, the subscription and its resource providers.
extension AzureClient {
    /// The version of Microsoft.Resources whose published examples the documents here follow.
    static let resourcesVersion = "2021-04-01"

    private func group(_ name: ResourceGroupName?) -> ResourceID {
        name.map { scope.inSubscription("resourceGroups", $0.rawValue) } ?? scope.group
    }

    /// The resource group, by default this client's own; nil if Azure says that this very group does not exist. One
    /// read. A check of existence reads as well: the answer to a HEAD could not be told from a gateway's.
    package func resourceGroup(
        _ name: ResourceGroupName? = nil, correlationID: CorrelationID
    ) async throws(AzureError) -> ResourceGroup? {
        let get = request(
            .getResourceGroup, .GET, group(name), apiVersion: Self.resourcesVersion, correlationID: correlationID)
        do throws(AzureError) {
            return try await read(ResourceGroupDocument.self, get)
        } catch {
            if error.names("ResourceGroupNotFound") { return nil }
            throw error
        }
    }

    /// Creates a group, or replaces the tags of one that is there. One write.
    /// - Throws: `conflict` if it is there in another region.
    package func putResourceGroup(
        _ name: ResourceGroupName? = nil, location: String, tags: [String: String] = [:], correlationID: CorrelationID
    ) async throws(AzureError) -> ResourceGroup {
        let put = try request(
            .putResourceGroup, .PUT, group(name), apiVersion: Self.resourcesVersion,
            body: ResourceGroupBody(location: location, tags: tags), correlationID: correlationID)
        return try value(ResourceGroupDocument.self, try await call(put), put)
    }

    /// Every group of the subscription that this identity may see, or those with a tag. One read per page.
    package func listResourceGroups(
        tagged tag: (name: String, value: String)? = nil, correlationID: CorrelationID
    ) async throws(AzureError) -> [ResourceGroup] {
        let filter = tag.flatMap { ResourceSelection.tag(name: $0.name, value: $0.value).filter }
        let get = request(
            .listResourceGroups, .GET, scope.inSubscription("resourceGroups"),
            query: filter.map { [("$filter", $0)] } ?? [], apiVersion: Self.resourcesVersion,
            correlationID: correlationID)
        return try await list(ResourceGroupDocument.self, get)
    }

    // MARK: Subscription

    /// This client's subscription, nil if there is none of that id or this identity may not see it. One read.
    package func subscription(correlationID: CorrelationID) async throws(AzureError) -> Subscription? {
        let get = request(
            .getSubscription, .GET, scope.inSubscription(), apiVersion: "2022-12-01", correlationID: correlationID)
        let reply: AzureReply
        do throws(AzureError) {
            reply = try await call(get)
        } catch {
            if error.names("SubscriptionNotFound") { return nil }
            throw error
        }
        let document = try decoded(SubscriptionDocument.self, from: reply, to: get)
        return Subscription(
            id: document.subscriptionId, tenantID: document.tenantId, displayName: document.displayName,
            state: document.state)
    }

    /// Whether the subscription is registered for a resource provider, such as `Microsoft.Web`. One read.
    package func provider(
        _ namespace: String, correlationID: CorrelationID
    ) async throws(AzureError) -> ProviderRegistration {
        let get = request(
            .getProvider, .GET, scope.inSubscription("providers", namespace), apiVersion: Self.resourcesVersion,
            correlationID: correlationID)
        return try decoded(ProviderDocument.self, from: try await call(get), to: get).registration
    }

    /// Begins to register the subscription for a provider; where it is registered nothing happens. Takes a minute or
    /// two: read ``provider(_:correlationID:)`` until it is done. One write.
    package func registerProvider(
        _ namespace: String, correlationID: CorrelationID
    ) async throws(AzureError) -> ProviderRegistration {
        let post = request(
            .registerProvider, .POST, scope.inSubscription("providers", namespace), suffix: "/register",
            apiVersion: Self.resourcesVersion, isWrite: true, correlationID: correlationID)
        return try decoded(ProviderDocument.self, from: try await call(post), to: post).registration
    }

    // MARK: Resources of any type

    /// Resources of the subscription, or with `inGroup` of this client's group. Lags behind changes by seconds to
    /// minutes, so that a missing resource is not proof. One read per page.
    /// - Throws: `invalid` for a tag within a group, which Azure cannot do.
    package func listResources(
        _ selection: ResourceSelection = .all, inGroup: Bool = false, correlationID: CorrelationID
    ) async throws(AzureError) -> [ListedResource] {
        let collection = inGroup ? scope.inGroup("resources") : scope.inSubscription("resources")
        let get = request(
            .listResources, .GET, collection, query: selection.filter.map { [("$filter", $0)] } ?? [],
            apiVersion: Self.resourcesVersion, correlationID: correlationID)
        if inGroup, case .tag = selection {
            throw AzureError(
                code: .invalid, operation: get.operation, resource: get.resource,
                message: "Azure cannot select by tag within a resource group",
                correlationID: correlationID.description)
        }
        return try await list(ListedResourceDocument.self, get)
    }

    // MARK: Tags

    /// The tags of a resource, a group or a subscription; nil if there is no such thing. One read.
    package func tags(of scope: ResourceID, correlationID: CorrelationID) async throws(AzureError) -> [String: String]?
    {
        let get = request(
            .getTags, .GET, scope, suffix: Self.tagsPath, apiVersion: Self.resourcesVersion,
            correlationID: correlationID)
        guard let reply = try await found(get) else { return nil }
        return try tags(reply, get)
    }

    /// Puts tags over those of a resource, a group or a subscription and leaves the rest of it alone: a site is not
    /// restarted (Azure REST docs, "Tags - Update At Scope", read 2026-02). One write; Azure may take a while, which is
    /// waited for.
    /// - Returns: all tags there are now.
    /// - Throws: `notFound`; with `effectIsUnknown` if Azure may have applied the request.
    package func mergeTags(
        _ tags: [String: String], on scope: ResourceID, correlationID: CorrelationID
    ) async throws(AzureError) -> [String: String] {
        try await changeTags("Merge", tags, on: scope, correlationID: correlationID)
    }

    /// Takes tags away that have exactly these values. See ``mergeTags(_:on:correlationID:)``.
    package func removeTags(
        _ tags: [String: String], on scope: ResourceID, correlationID: CorrelationID
    ) async throws(AzureError) -> [String: String] {
        try await changeTags("Delete", tags, on: scope, correlationID: correlationID)
    }

    private static let tagsPath = "/providers/Microsoft.Resources/tags/default"

    private func changeTags(
        _ operation: String, _ tags: [String: String], on scope: ResourceID, correlationID: CorrelationID
    ) async throws(AzureError) -> [String: String] {
        let patch = try request(
            .changeTags, .PATCH, scope, suffix: Self.tagsPath, apiVersion: Self.resourcesVersion,
            body: TagsPatch(operation: operation, properties: .init(tags: tags)), correlationID: correlationID)
        let step = try await begin(patch)
        let result = try await finish(step, correlationID: correlationID)
        guard let reply = result.reply else { return [:] }
        return try self.tags(reply, patch)
    }

    private func tags(_ reply: AzureReply, _ request: AzureRequest) throws(AzureError) -> [String: String] {
        (try decoded(TagsDocument.self, from: reply, to: request).properties.tags ?? [:]).compactMapValues(\.self)
    }
}
