// The published clouds (go-azure-sdk, `sdk/environments`, and azure-cli, `azure/cli/core/cloud.py`, read 2026-11).
extension AzureEnvironment {
    package static let publicCloud = AzureEnvironment(
        published: "public", resourceManager: "management.azure.com", authority: "login.microsoftonline.com",
        logAnalytics: "api.loganalytics.io", storageSuffix: "core.windows.net", siteSuffix: "azurewebsites.net",
        registrySuffix: "azurecr.io")
    package static let usGovernment = AzureEnvironment(
        published: "usgov", resourceManager: "management.usgovcloudapi.net", authority: "login.microsoftonline.us",
        logAnalytics: "api.loganalytics.us", storageSuffix: "core.usgovcloudapi.net", siteSuffix: "azurewebsites.us",
        registrySuffix: "azurecr.us")
    package static let china = AzureEnvironment(
        published: "china", resourceManager: "management.chinacloudapi.cn", authority: "login.chinacloudapi.cn",
        logAnalytics: "api.loganalytics.azure.cn", storageSuffix: "core.chinacloudapi.cn",
        siteSuffix: "chinacloudsites.cn", registrySuffix: "azurecr.cn")

    private init(
        published name: String, resourceManager: String, authority: String, logAnalytics: String,
        storageSuffix: String, siteSuffix: String, registrySuffix: String
    ) {
        self.name = name
        self.resourceManager = ServiceURL(httpsHost: resourceManager)
        self.authority = ServiceURL(httpsHost: authority)
        self.logAnalytics = ServiceURL(httpsHost: logAnalytics)
        audience = self.resourceManager.description
        logAnalyticsAudience = self.logAnalytics.description
        self.storageSuffix = storageSuffix
        self.siteSuffix = siteSuffix
        self.registrySuffix = registrySuffix
    }
}

/// How an operator names a cloud.
package enum CloudChoice: Sendable, Hashable {
    case published(AzureEnvironment)
    /// To be asked of its Azure Resource Manager, see ``CloudDiscovery``.
    case discovered(at: ServiceURL)

    /// - Parameter text: `public`, `usgov`, `china` in any case, or the address of a cloud's Azure Resource Manager,
    ///   with or without `/metadata/endpoints`.
    /// - Throws: `invalid` for anything else, and for plain HTTP to another machine.
    package init(_ text: String) throws(AzureError) {
        let published = [AzureEnvironment.publicCloud, .usGovernment, .china]
        if let cloud = published.first(where: { $0.name == text.lowercased() }) {
            self = .published(cloud)
            return
        }
        guard text.contains("://") else {
            throw AzureError(
                code: .invalid, operation: .configure, resource: text,
                message: "neither public, usgov, china nor the address of an Azure Resource Manager")
        }
        let base = text.hasSuffix("/metadata/endpoints") ? String(text.dropLast("/metadata/endpoints".count)) : text
        self = .discovered(at: try AzureEnvironment(resourceManager: base).resourceManager)
    }
}
