/// A site as JSON in Azure's replies.
struct SiteDocument: Decodable {
    let id: String
    let name: String
    let kind: String?
    let location: String?
    let tags: [String: String?]?
    let properties: JSONValue?

    /// Nil if the id is no resource id: then nothing in the document can be trusted to be about a site.
    var site: Site? {
        guard let resourceID = ResourceID(id) else { return nil }
        let properties = properties ?? .object([:])
        return Site(
            name: name, resourceID: resourceID, kind: kind, location: location ?? "",
            tags: (tags ?? [:]).compactMapValues(\.self), state: properties["state"]?.string,
            enabled: properties["enabled"]?.bool, defaultHostName: properties["defaultHostName"]?.string,
            lastModifiedTime: properties["lastModifiedTimeUtc"]?.string,
            linuxFxVersion: properties["siteConfig"]?["linuxFxVersion"]?.string,
            serverFarmID: properties["serverFarmId"]?.string.flatMap { ResourceID($0) }, properties: properties)
    }
}

/// One page of a list. An absent `value` is not an empty page but an unreadable one.
struct SitePage: Decodable {
    let value: [SiteDocument]
    let nextLink: String?
}

/// An App Service plan as JSON in Azure's replies.
struct PlanDocument: Decodable {
    struct SKU: Decodable {
        let name: String?
        let tier: String?
    }

    let id: String
    let name: String
    let kind: String?
    let location: String?
    let sku: SKU?
    let properties: JSONValue?

    var plan: Plan? {
        guard let resourceID = ResourceID(id) else { return nil }
        let properties = properties ?? .object([:])
        return Plan(
            resourceID: resourceID, name: name, location: location ?? "", kind: kind, skuName: sku?.name,
            skuTier: sku?.tier, reserved: properties["reserved"]?.bool,
            numberOfSites: properties["numberOfSites"]?.integer,
            provisioningState: properties["provisioningState"]?.string, properties: properties)
    }
}

/// A site as JSON in our PUT: a Function App with a custom container on a Linux plan
/// (Azure/azure-rest-api-specs, Microsoft.Web 2025-03-01, and what `az functionapp create` sends; read 2026-02).
struct SiteBody: Encodable {
    struct Properties: Encodable {
        let serverFarmId: String
        /// Linux.
        let reserved = true
        let httpsOnly: Bool
        /// Stands here and in `siteConfig`, because either alone is ignored on some paths
        /// (Azure/azure-rest-api-specs issue 24681).
        let publicNetworkAccess = "Enabled"
        let siteConfig: SiteConfig
    }

    struct SiteConfig: Encodable {
        let linuxFxVersion: String
        let alwaysOn: Bool?
        let webSocketsEnabled: Bool
        let functionAppScaleLimit: Int?
        let publicNetworkAccess = "Enabled"
        let appSettings: [Setting]
    }

    struct Setting: Encodable {
        let name: String
        let value: String
    }

    let location: String
    let kind = "functionapp,linux,container"
    let tags: [String: String]
    let properties: Properties

    init(_ request: SiteRequest) {
        location = request.location
        tags = request.tags
        properties = Properties(
            serverFarmId: request.serverFarmID.description, httpsOnly: request.httpsOnly,
            siteConfig: SiteConfig(
                linuxFxVersion: "DOCKER|\(request.image)", alwaysOn: request.alwaysOn,
                webSocketsEnabled: request.webSocketsEnabled, functionAppScaleLimit: request.functionAppScaleLimit,
                appSettings: Self.settings(request.appSettings)))
    }

    /// What every Function App with a container needs. The second is always written because changing the image flips it
    /// (Azure/azure-cli issue 16126), and because the platform's share over `/home` would hide the image's own files.
    private static let standard = [
        ("FUNCTIONS_EXTENSION_VERSION", "~4"), ("WEBSITES_ENABLE_APP_SERVICE_STORAGE", "false"),
    ]

    private static func settings(_ declared: [SiteRequest.Setting]) -> [Setting] {
        let names = Set(declared.map { $0.name.uppercased() })
        let added = standard.filter { !names.contains($0.0) }.map { Setting(name: $0.0, value: $0.1) }
        return declared.map { Setting(name: $0.name, value: $0.value.reveal()) } + added
    }
}
