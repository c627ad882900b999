import NIOCore
import NIOHTTP1

/// What Azure keeps beside the site itself: settings, mounts and the rest of the configuration. None of it is in lists.
extension AzureClient {
    /// All app settings by name, values included. One write of the quota, though it changes nothing: it is a POST.
    /// - Throws: `notFound` if there is no such site.
    package func listAppSettings(
        _ name: SiteName, correlationID: CorrelationID
    ) async throws(AzureError) -> [String: Secret] {
        let post = request(
            .listAppSettings, .POST, scope.site(name), suffix: "/config/appsettings/list",
            apiVersion: Self.webVersion, correlationID: correlationID)
        return try settings(try await call(post), post)
    }

    /// Replaces the whole set of app settings, which restarts the container, and returns the set as Azure has it then.
    package func setAppSettings(
        _ name: SiteName, _ settings: [String: Secret], correlationID: CorrelationID
    ) async throws(AzureError) -> [String: Secret] {
        let body = StringDictionaryDocument(properties: settings.mapValues { $0.reveal() })
        let put = try request(
            .setAppSettings, .PUT, scope.site(name), suffix: "/config/appsettings", apiVersion: Self.webVersion,
            body: body, secrets: Array(settings.values), correlationID: correlationID)
        return try self.settings(try await call(put), put)
    }

    /// All mounts by id. A POST, as the answer holds keys.
    package func listMounts(
        _ name: SiteName, correlationID: CorrelationID
    ) async throws(AzureError) -> [String: SiteMount] {
        let post = request(
            .listMounts, .POST, scope.site(name), suffix: "/config/azurestorageaccounts/list",
            apiVersion: Self.webVersion, correlationID: correlationID)
        return try mounts(try await call(post), post)
    }

    /// Replaces the whole set of mounts, which restarts the container, and returns the set as Azure has it then.
    package func setMounts(
        _ name: SiteName, _ mounts: [String: SiteMount], correlationID: CorrelationID
    ) async throws(AzureError) -> [String: SiteMount] {
        let put = try request(
            .setMounts, .PUT, scope.site(name), suffix: "/config/azurestorageaccounts", apiVersion: Self.webVersion,
            body: MountsDocument(properties: mounts.mapValues(\.json)),
            secrets: mounts.values.compactMap(\.accessKey), correlationID: correlationID)
        return try self.mounts(try await call(put), put)
    }

    /// The site's configuration in full (`config/web`), all fields as Azure wrote them. One read.
    package func webConfig(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError) -> JSONValue {
        let get = request(
            .getConfig, .GET, scope.site(name), suffix: "/config/web", apiVersion: Self.webVersion,
            correlationID: correlationID)
        return try decoded(ConfigDocument.self, from: try await call(get), to: get).properties
    }

    package func siteDetails(
        _ name: SiteName, includingMounts: Bool = true, correlationID: CorrelationID
    ) async throws(AzureError) -> SiteDetails? {
        do throws(AzureError) {
            guard let site = try await getSite(name, correlationID: correlationID) else { return nil }
            return SiteDetails(
                site: site, appSettings: try await listAppSettings(name, correlationID: correlationID),
                config: try await webConfig(name, correlationID: correlationID),
                mounts: includingMounts ? try await listMounts(name, correlationID: correlationID) : [:])
        } catch {
            // It went away between the calls.
            if error.code == .notFound { return nil }
            throw error
        }
    }

    private func settings(_ reply: AzureReply, _ request: AzureRequest) throws(AzureError) -> [String: Secret] {
        // A setting without a value is one with an empty value: a container sees no difference.
        try decoded(StringDictionaryDocument.self, from: reply, to: request).properties.mapValues { Secret($0 ?? "") }
    }

    private func mounts(_ reply: AzureReply, _ request: AzureRequest) throws(AzureError) -> [String: SiteMount] {
        (try decoded(MountsDocument.self, from: reply, to: request).properties ?? [:]).mapValues { SiteMount($0) }
    }
}
