package import AzureClient

/// What the sweep and its users need of Azure. ``SweptSubscription`` is the production implementation.
///
/// One call is one effect at most; nothing is repeated.
package protocol SweptAzure: Sendable {
    /// Every site of the scope, or an error: never a part.
    func listSites() async throws(AzureError) -> [ObservedSite]
    /// `nil` if Azure says that this very site does not exist.
    func readSite(_ name: String) async throws(AzureError) -> ObservedSite?
    /// With what its settings say; `nil` as above.
    func readDetails(_ name: String) async throws(AzureError) -> SiteDetails?
    /// Writes the whole set of tags and nothing else.
    func replaceTags(_ name: String, _ tags: [String: String]) async throws(AzureError)
    func deleteSite(_ name: String) async throws(AzureError)
    /// Names of all shares in the configured storage account, or an error; `nil` = sites have no shares of their own.
    func listShares() async throws(AzureError) -> [String]?
    func deleteShare(_ name: String) async throws(AzureError)
}

/// The configured scope of Azure.
package struct SweptSubscription: SweptAzure {
    private let client: AzureClient
    private let account: StorageAccountName?

    /// `account`: where sites on Elastic Premium have shares of their own; `nil` if they have none.
    package init(client: AzureClient, account: StorageAccountName?) {
        self.client = client
        self.account = account
    }

    package func listSites() async throws(AzureError) -> [ObservedSite] {
        try await client.listSites(correlationID: id()).map(ObservedSite.init)
    }

    package func readSite(_ name: String) async throws(AzureError) -> ObservedSite? {
        try await client.getSite(try SiteName(checking: name), correlationID: id()).map(ObservedSite.init)
    }

    package func readDetails(_ name: String) async throws(AzureError) -> SiteDetails? {
        let siteName = try SiteName(checking: name)
        guard let site = try await client.getSite(siteName, correlationID: id()) else { return nil }
        return SiteDetails(site: site, appSettings: try await client.listAppSettings(siteName, correlationID: id()))
    }

    package func replaceTags(_ name: String, _ tags: [String: String]) async throws(AzureError) {
        // What Azure may still work on shows in a later list.
        _ = try await client.patchSite(
            try SiteName(checking: name), SitePatch(tags: tags), correlationID: id())
    }

    package func deleteSite(_ name: String) async throws(AzureError) {
        _ = try await client.deleteSite(try SiteName(checking: name), correlationID: id())
    }

    package func listShares() async throws(AzureError) -> [String]? {
        guard let account else { return nil }
        return try await client.listFileShares(in: account, correlationID: id()).map(\.name)
    }

    package func deleteShare(_ name: String) async throws(AzureError) {
        guard let account, let share = FileShareName(rawValue: name) else {
            throw AzureError(code: .invalid, operation: .deleteFileShare, resource: name, message: "not a share's name")
        }
        _ = try await client.deleteFileShare(share, in: account, correlationID: id())
    }

    private func id() -> CorrelationID { CorrelationID(AzureTransport.randomID()) }
}

extension SiteDesigner.Configuration {
    /// The account that holds the sites' own shares, by its connection string.
    package var contentShareAccount: StorageAccountName? {
        guard hasContentShare, case .connectionString(let secret) = storage else { return nil }
        for part in secret.reveal().split(separator: ";") {
            let pair = part.split(separator: "=", maxSplits: 1)
            if pair.count == 2, pair[0].lowercased() == "accountname" {
                return StorageAccountName(rawValue: String(pair[1]))
            }
        }
        return nil
    }
}
