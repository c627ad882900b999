/// One Azure cloud, or something that speaks like one: where its services are and what tokens for them are issued for.
package struct AzureEnvironment: Sendable, Hashable {
    /// What the cloud calls itself; for the published ones `public`, `usgov` and `china`.
    package let name: String
    /// The base of Azure Resource Manager; Resource Graph is on it too.
    package let resourceManager: ServiceURL
    /// The base of Microsoft Entra, in front of the tenant.
    package let authority: ServiceURL
    /// What tokens for Azure Resource Manager are issued for, without `/.default`.
    package let audience: String
    /// The base of the Log Analytics query API.
    package let logAnalytics: ServiceURL
    /// What tokens for the Log Analytics query API are issued for, without `/.default`.
    package let logAnalyticsAudience: String
    /// What a storage account's host names end with, such as `core.windows.net`.
    package let storageSuffix: String
    /// What a site's host name ends with, such as `azurewebsites.net`.
    package let siteSuffix: String
    /// What a container registry's host name ends with, such as `azurecr.io`.
    package let registrySuffix: String

    /// A cloud that differs from another one in what is given.
    /// - Parameters:
    ///   - base: by default the public cloud.
    ///   - audience: by default the address of Azure Resource Manager if that is given, which the published clouds
    ///     accept too (Azure SDK for Python, `azure-mgmt-core`, read 2026-11); else the base's.
    ///   - logAnalyticsAudience: by default the address of Log Analytics if that is given, else the base's.
    /// - Throws: `invalid` if an address is none, or is plain HTTP to another machine: tokens and secrets travel on it.
    package init(
        _ base: AzureEnvironment = .publicCloud, name: String? = nil, resourceManager: String? = nil,
        authority: String? = nil, audience: String? = nil, logAnalytics: String? = nil,
        logAnalyticsAudience: String? = nil, storageSuffix: String? = nil, siteSuffix: String? = nil,
        registrySuffix: String? = nil
    ) throws(AzureError) {
        self.name = name ?? base.name
        self.resourceManager = try Self.confidential(resourceManager) ?? base.resourceManager
        self.authority = try Self.confidential(authority) ?? base.authority
        self.audience = audience ?? (resourceManager == nil ? base.audience : self.resourceManager.description)
        self.logAnalytics = try Self.confidential(logAnalytics) ?? base.logAnalytics
        self.logAnalyticsAudience =
            logAnalyticsAudience ?? (logAnalytics == nil ? base.logAnalyticsAudience : self.logAnalytics.description)
        self.storageSuffix = storageSuffix ?? base.storageSuffix
        self.siteSuffix = siteSuffix ?? base.siteSuffix
        self.registrySuffix = registrySuffix ?? base.registrySuffix
    }

    /// The scope of tokens for Azure Resource Manager and Resource Graph.
    package var scope: TokenScope { TokenScope(audience: audience) }

    /// The scope of tokens for the Log Analytics query API.
    package var logAnalyticsScope: TokenScope { TokenScope(audience: logAnalyticsAudience) }

    private static func confidential(_ text: String?) throws(AzureError) -> ServiceURL? {
        guard let text else { return nil }
        let url = try ServiceURL(text)
        guard url.scheme == "https" || url.isLoopback else {
            throw AzureError(
                code: .invalid, operation: .configure, resource: text,
                message: "plain http is only allowed to this machine, because credentials travel on it")
        }
        return url
    }
}

/// Where this client keeps its resources: one resource group of one subscription.
package struct AzureScope: Sendable, Hashable {
    /// `/subscriptions/{id}/resourceGroups/{name}`
    package let group: ResourceID

    /// - Throws: `invalid` if either name is empty or could change the meaning of a path.
    package init(subscriptionID: String, resourceGroup: String) throws(AzureError) {
        guard let group = ResourceID(segments: ["subscriptions", subscriptionID, "resourceGroups", resourceGroup])
        else {
            throw AzureError(
                code: .invalid, operation: .configure, resource: "\(subscriptionID)/\(resourceGroup)",
                message: "not the names of a subscription and a resource group")
        }
        self.group = group
    }

    /// `/subscriptions/{id}`
    var subscription: ResourceID { ResourceID(unchecked: Array(group.segments.prefix(2))) }

    /// A collection of Microsoft.Web in this group, such as `sites`.
    func web(_ collection: String) -> ResourceID {
        ResourceID(unchecked: group.segments + ["providers", "Microsoft.Web", collection])
    }

    /// The id a site of that name has in this group.
    package func site(_ name: SiteName) -> ResourceID {
        ResourceID(unchecked: web("sites").segments + [name.rawValue])
    }
}
