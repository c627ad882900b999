/// One Azure cloud, or something that speaks like one: where its control plane and its token issuer are.
package struct AzureEnvironment: Sendable, Hashable {
    /// The base of Azure Resource Manager.
    package let resourceManager: ServiceURL
    /// The base of Microsoft Entra, in front of the tenant.
    package let authority: ServiceURL
    /// What tokens for Azure Resource Manager are issued for, without `/.default`.
    package let audience: String

    /// - Parameter audience: by default the address of Azure Resource Manager, which the public cloud accepts (Azure
    ///   SDK for Go, `azcore/cloud`, read 2026-02).
    /// - Throws: `invalid` if an address is none, or is plain HTTP to another machine: tokens and secrets travel on it.
    package init(
        resourceManager: String = "https://management.azure.com",
        authority: String = "https://login.microsoftonline.com",
        audience: String? = nil
    ) throws(AzureError) {
        self.resourceManager = try Self.confidential(resourceManager)
        self.authority = try Self.confidential(authority)
        self.audience = audience ?? self.resourceManager.description
    }

    /// The scope of tokens for Azure Resource Manager.
    package var scope: TokenScope {
        TokenScope(rawValue: audience.hasSuffix("/") ? "\(audience).default" : "\(audience)/.default")
    }

    private static func confidential(_ text: String) throws(AzureError) -> ServiceURL {
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
