import NIOCore
import NIOHTTP1

/// Calls on sites beside creating and deleting them; most are for tools and not for the controller.
extension AzureClient {
    /// Changes some fields of a site. One write.
    package func patchSite(
        _ name: SiteName, _ patch: SitePatch, correlationID: CorrelationID
    ) async throws(AzureError) -> PutOutcome {
        let request = try request(
            .patchSite, .PATCH, scope.site(name), apiVersion: Self.webVersion, body: SitePatchBody(patch),
            correlationID: correlationID)
        return try written(try await call(request), request)
    }

    /// Every site of the subscription, or an error: never a part. One read per page.
    package func listSubscriptionSites(correlationID: CorrelationID) async throws(AzureError) -> [Site] {
        try await list(
            SiteDocument.self,
            request(
                .listSites, .GET, scope.inSubscription("providers", "Microsoft.Web", "sites"),
                apiVersion: Self.webVersion, correlationID: correlationID),
            keeping: \.withoutProperties)
    }

    package func startSite(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError) {
        try await act(.startSite, name, "/start", correlationID)
    }

    /// Stops the container and sets the switch to `Stopped`; the front end then answers 403. One write.
    package func stopSite(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError) {
        try await act(.stopSite, name, "/stop", correlationID)
    }

    /// Asks for a new container and does not wait for it. One write.
    /// - Parameter isSoft: only if the platform thinks it necessary.
    package func restartSite(
        _ name: SiteName, isSoft: Bool = false, correlationID: CorrelationID
    ) async throws(AzureError) {
        try await act(
            .restartSite, name, "/restart", query: [("softRestart", "\(isSoft)"), ("synchronous", "false")],
            correlationID)
    }

    /// Whether a site of that name could be made: names are unique in all of Azure. Tells nothing about who has it.
    package func checkName(
        _ name: SiteName, correlationID: CorrelationID
    ) async throws(AzureError) -> NameAvailability {
        try await nameAvailability(
            .checkName, name.rawValue, provider: "Microsoft.Web", action: "checknameavailability",
            type: "Microsoft.Web/sites", apiVersion: Self.webVersion, correlationID: correlationID)
    }

    private func act(
        _ operation: AzureOperation, _ name: SiteName, _ action: String, query: [(name: String, value: String)] = [],
        _ correlationID: CorrelationID
    ) async throws(AzureError) {
        _ = try await call(
            request(
                operation, .POST, scope.site(name), suffix: action, query: query, apiVersion: Self.webVersion,
                isWrite: true, correlationID: correlationID))
    }
}
