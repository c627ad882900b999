// What a site's configuration looks like in replies. Members and their order as in recorded replies of Azure/azure-cli
// (`test_acr_create_function_app`, 2019, and `test_functionapp_container_config_set_replicas`, 2025-05; read 2026-11).

extension World {
    /// The configuration as `config/web` shows it: every member, settings and connection strings null.
    func fullConfig(of site: Site) -> JSON {
        Self.fill(site.isOnContainerApps ? Self.empty : Self.defaults, from: site)
    }

    /// The stub within a site: most members are null even where they were set.
    func stubConfig(of site: Site, isStale: Bool) -> JSON {
        let shown = site.isOnContainerApps ? Self.stubOfEnvironment : Self.stub
        return .object(
            Self.names.map { name in
                guard let initial = shown.value(of: name) else { return .init(name: name, value: nil) }
                return .init(name: name, value: isStale ? initial : site.config(name) ?? initial)
            })
    }

    private static func fill(_ shape: [JSON.Member], from site: Site) -> JSON {
        var members = shape
        for index in members.indices {
            if let value = site.config(members[index].name) { members[index].value = value }
            if members[index].name == "publishingUsername", !site.isOnContainerApps {
                members[index].value = .string("$\(site.name)")
            }
        }
        for member in site.siteConfig where members.value(of: member.name) == nil { members.append(member) }
        return .object(members)
    }

    private static let names = [
        "numberOfWorkers", "defaultDocuments", "netFrameworkVersion", "phpVersion", "pythonVersion", "nodeVersion",
        "powerShellVersion", "linuxFxVersion", "windowsFxVersion", "sandboxType", "windowsConfiguredStacks",
        "requestTracingEnabled", "remoteDebuggingEnabled", "remoteDebuggingVersion", "httpLoggingEnabled",
        "azureMonitorLogCategories", "acrUseManagedIdentityCreds", "acrUserManagedIdentityID", "logsDirectorySizeLimit",
        "detailedErrorLoggingEnabled", "publishingUsername", "publishingPassword", "appSettings", "metadata",
        "connectionStrings", "machineKey", "handlerMappings", "documentRoot", "scmType", "use32BitWorkerProcess",
        "webSocketsEnabled", "alwaysOn", "javaVersion", "javaContainer", "javaContainerVersion", "appCommandLine",
        "managedPipelineMode", "virtualApplications", "winAuthAdminState", "winAuthTenantState",
        "customAppPoolIdentityAdminState", "customAppPoolIdentityTenantState", "runtimeADUser", "runtimeADUserPassword",
        "loadBalancing", "routingRules", "experiments", "limits", "autoHealEnabled", "autoHealRules", "tracingOptions",
        "vnetName", "vnetRouteAllEnabled", "vnetPrivatePortsCount", "publicNetworkAccess", "cors", "push",
        "apiDefinition", "apiManagementConfig", "autoSwapSlotName", "localMySqlEnabled", "managedServiceIdentityId",
        "xManagedServiceIdentityId", "keyVaultReferenceIdentity", "ipSecurityRestrictions",
        "ipSecurityRestrictionsDefaultAction", "scmIpSecurityRestrictions", "scmIpSecurityRestrictionsDefaultAction",
        "scmIpSecurityRestrictionsUseMain", "http20Enabled", "minTlsVersion", "minTlsCipherSuite",
        "scmMinTlsCipherSuite", "supportedTlsCipherSuites", "scmSupportedTlsCipherSuites", "scmMinTlsVersion",
        "ftpsState", "preWarmedInstanceCount", "functionAppScaleLimit", "elasticWebAppScaleLimit", "healthCheckPath",
        "fileChangeAuditEnabled", "functionsRuntimeScaleMonitoringEnabled", "websiteTimeZone",
        "minimumElasticInstanceCount", "azureStorageAccounts", "http20ProxyFlag", "sitePort", "antivirusScanEnabled",
        "storageType", "sitePrivateLinkHostEnabled", "clusteringEnabled",
    ]

    /// Container Apps show all but a few as null.
    private static let empty: [JSON.Member] = names.map { name in
        switch name {
        case "machineKey":
            JSON.Member(
                name: name,
                value: ["validation": nil, "validationKey": nil, "decryption": nil, "decryptionKey": nil])
        case "functionAppScaleLimit": JSON.Member(name: name, value: 10)
        case "minimumElasticInstanceCount": JSON.Member(name: name, value: 0)
        default: JSON.Member(name: name, value: nil)
        }
    }

    private static let defaults: [JSON.Member] =
        names.map { .init(name: $0, value: initial[$0] ?? nil) } + authentication

    /// The older settings of authentication, which stand only in `config/web` (recorded replies of 2022-07).
    private static let authentication: [JSON.Member] = [
        .init(name: "siteAuthEnabled", value: false),
        .init(
            name: "siteAuthSettings",
            value: .object(
                [
                    "enabled", "unauthenticatedClientAction", "tokenStoreEnabled", "allowedExternalRedirectUrls",
                    "defaultProvider", "clientId", "clientSecret", "clientSecretSettingName",
                    "clientSecretCertificateThumbprint", "issuer", "allowedAudiences", "additionalLoginParams",
                    "isAadAutoProvisioned", "aadClaimsAuthorization", "googleClientId", "googleClientSecret",
                    "googleClientSecretSettingName", "googleOAuthScopes", "facebookAppId", "facebookAppSecret",
                    "facebookAppSecretSettingName", "facebookOAuthScopes", "gitHubClientId", "gitHubClientSecret",
                    "gitHubClientSecretSettingName", "gitHubOAuthScopes", "twitterConsumerKey",
                    "twitterConsumerSecret", "twitterConsumerSecretSettingName", "microsoftAccountClientId",
                    "microsoftAccountClientSecret", "microsoftAccountClientSecretSettingName",
                    "microsoftAccountOAuthScopes", "configVersion",
                ].map { .init(name: $0, value: $0 == "isAadAutoProvisioned" ? false : nil) })),
    ]

    /// One rule that lets everybody in.
    private static let allowAll: JSON = [
        [
            "ipAddress": "Any", "action": "Allow", "priority": 2_147_483_647, "name": "Allow all",
            "description": "Allow all access",
        ]
    ]

    private static let initial: [String: JSON] = [
        "numberOfWorkers": 1,
        "defaultDocuments": [
            "Default.htm", "Default.html", "Default.asp", "index.htm", "index.html", "iisstart.htm", "default.aspx",
            "index.php",
        ], "netFrameworkVersion": "v4.0", "phpVersion": "", "pythonVersion": "", "nodeVersion": "",
        "powerShellVersion": "", "linuxFxVersion": "", "requestTracingEnabled": false, "remoteDebuggingEnabled": false,
        "httpLoggingEnabled": false, "acrUseManagedIdentityCreds": false, "logsDirectorySizeLimit": 35,
        "detailedErrorLoggingEnabled": false, "scmType": "None", "use32BitWorkerProcess": false,
        "webSocketsEnabled": false, "alwaysOn": false, "appCommandLine": "", "managedPipelineMode": "Integrated",
        "virtualApplications": [
            [
                "virtualPath": "/", "physicalPath": "site\\wwwroot", "preloadEnabled": false,
                "virtualDirectories": nil,
            ]
        ], "winAuthAdminState": 0, "winAuthTenantState": 0, "customAppPoolIdentityAdminState": false,
        "customAppPoolIdentityTenantState": false, "loadBalancing": "LeastRequests", "routingRules": [],
        "experiments": ["rampUpRules": []], "autoHealEnabled": false, "vnetName": "", "vnetRouteAllEnabled": false,
        "vnetPrivatePortsCount": 0,
        "cors": ["allowedOrigins": ["https://portal.azure.com"], "supportCredentials": false],
        "localMySqlEnabled": false, "ipSecurityRestrictions": allowAll, "scmIpSecurityRestrictions": allowAll,
        "scmIpSecurityRestrictionsUseMain": false, "http20Enabled": false, "minTlsVersion": "1.2",
        "scmMinTlsVersion": "1.2", "ftpsState": "FtpsOnly", "preWarmedInstanceCount": 0, "functionAppScaleLimit": 0,
        "fileChangeAuditEnabled": false, "functionsRuntimeScaleMonitoringEnabled": false,
        "minimumElasticInstanceCount": 0, "azureStorageAccounts": [:], "http20ProxyFlag": 0,
    ]

    private static let stub: [JSON.Member] = [
        .init(name: "numberOfWorkers", value: 1), .init(name: "linuxFxVersion", value: ""),
        .init(name: "acrUseManagedIdentityCreds", value: false), .init(name: "alwaysOn", value: false),
        .init(name: "http20Enabled", value: false), .init(name: "functionAppScaleLimit", value: 0),
        .init(name: "minimumElasticInstanceCount", value: 0),
    ]

    private static let stubOfEnvironment: [JSON.Member] = [
        .init(name: "linuxFxVersion", value: ""),
        .init(
            name: "machineKey",
            value: ["validation": nil, "validationKey": nil, "decryption": nil, "decryptionKey": nil]),
        .init(name: "functionAppScaleLimit", value: 10), .init(name: "minimumElasticInstanceCount", value: 0),
    ]
}
