// How resources look in replies (Azure REST API specifications, Microsoft.Web 2025-03-01 examples, and recorded replies
// of 2021-03-01).

extension World {
    func id(of site: Site) -> String {
        "/subscriptions/\(settings.subscriptionID)/resourceGroups/\(site.group)/providers/Microsoft.Web/sites/\(site.name)"
    }

    func id(of plan: Plan) -> String {
        "/subscriptions/\(settings.subscriptionID)/resourceGroups/\(plan.group)/providers/Microsoft.Web/serverfarms/"
            + plan.name
    }

    /// - Parameter isStale: the answer to a PUT shows the configuration as if it had not been set yet; a later GET
    ///   shows it (observed in a recorded creation of 2022-07).
    func resource(_ site: Site, isStale: Bool = false) -> JSON {
        var members: [JSON.Member] = [
            .init(name: "id", value: .string(id(of: site))), .init(name: "name", value: .string(site.name)),
            .init(name: "type", value: "Microsoft.Web/sites"), .init(name: "kind", value: .string(site.kind)),
            .init(name: "location", value: .string(settings.displayLocation)),
            .init(name: "tags", value: .object(site.tags)),
        ]
        if let identity = site.identity { members.append(.init(name: "identity", value: identity)) }
        members.append(.init(name: "properties", value: properties(site, isStale: isStale)))
        return .object(members)
    }

    private func properties(_ site: Site, isStale: Bool) -> JSON {
        let planID = id(of: Plan(name: site.planName, group: site.planGroup))
        let scmHost = site.hostName.replacing(".\(settings.domain)", with: ".scm.\(settings.domain)")
        let webSpace = "\(site.group)-\(settings.displayLocation.replacing(" ", with: ""))webspace-Linux"
        let image = isStale ? "" : site.linuxFxVersion
        return [
            "name": .string(site.name), "state": .string(site.state), "hostNames": [.string(site.hostName)],
            "webSpace": .string(webSpace),
            "selfLink": .string(
                "https://waws-prod-simulator.api.azurewebsites.windows.net:454/subscriptions/\(settings.subscriptionID)"
                    + "/webspaces/\(webSpace)/sites/\(site.name)"),
            "repositorySiteName": .string(site.name), "usageState": "Normal", "enabled": true, "adminEnabled": true,
            "enabledHostNames": [.string(site.hostName), .string(scmHost)],
            "siteProperties": [
                "metadata": nil,
                "properties": [
                    ["name": "LinuxFxVersion", "value": .string(image)], ["name": "WindowsFxVersion", "value": nil],
                ],
                "appSettings": nil,
            ],
            "availabilityState": "Normal",
            "hostNameSslStates": [
                sslState(site.hostName, type: "Standard"), sslState(scmHost, type: "Repository"),
            ],
            "serverFarmId": .string(planID), "reserved": true, "isXenon": false, "hyperV": false,
            "lastModifiedTimeUtc": .string(site.lastModified.lastModified), "storageRecoveryDefaultState": "Running",
            "siteConfig": siteConfig(site, isStale: isStale), "siteDisabledReason": 0, "suspendedTill": nil,
            "trafficManagerHostNames": nil, "clientAffinityEnabled": .bool(site.clientAffinityEnabled),
            "clientCertEnabled": false, "clientCertMode": "Required", "hostNamesDisabled": false,
            "customDomainVerificationId": .string(verificationID), "containerSize": 1536, "dailyMemoryTimeQuota": 0,
            "httpsOnly": .bool(site.httpsOnly), "redundancyMode": "None", "inProgressOperationId": nil,
            "inboundIpAddress": "127.0.0.1", "outboundIpAddresses": "127.0.0.1",
            "possibleOutboundIpAddresses": "127.0.0.1", "homeStamp": "waws-prod-simulator",
            "publicNetworkAccess": .string(site.publicNetworkAccess), "sku": "ElasticPremium",
            "resourceGroup": .string(site.group), "defaultHostName": .string(site.hostName), "slotSwapStatus": nil,
            "storageAccountRequired": false, "keyVaultReferenceIdentity": "SystemAssigned",
            "eligibleLogCategories": "FunctionAppLogs", "privateEndpointConnections": [],
        ]
    }

    /// A stub: most members are null, and the settings never stand here.
    private func siteConfig(_ site: Site, isStale: Bool) -> JSON {
        func value(_ name: String, otherwise: JSON) -> JSON { isStale ? otherwise : site.config(name) ?? otherwise }
        return [
            "numberOfWorkers": 1, "defaultDocuments": nil, "netFrameworkVersion": nil,
            "linuxFxVersion": isStale ? "" : .string(site.linuxFxVersion), "windowsFxVersion": nil,
            "appSettings": nil, "metadata": nil, "connectionStrings": nil, "machineKey": nil,
            "acrUseManagedIdentityCreds": value("acrUseManagedIdentityCreds", otherwise: false),
            "acrUserManagedIdentityID": nil, "alwaysOn": value("alwaysOn", otherwise: false),
            "http20Enabled": value("http20Enabled", otherwise: false), "ipSecurityRestrictions": nil,
            "webSocketsEnabled": nil, "minTlsVersion": nil, "azureStorageAccounts": nil,
            "functionAppScaleLimit": value("functionAppScaleLimit", otherwise: 0),
            "minimumElasticInstanceCount": value("minimumElasticInstanceCount", otherwise: 0),
        ]
    }

    private func sslState(_ host: String, type: String) -> JSON {
        [
            "name": .string(host), "sslState": "Disabled", "ipBasedSslState": "NotConfigured", "virtualIP": nil,
            "thumbprint": nil, "toUpdate": nil, "hostType": .string(type),
        ]
    }

    func resource(_ plan: Plan, siteCount: Int) -> JSON {
        [
            "id": .string(id(of: plan)), "name": .string(plan.name), "type": "Microsoft.Web/serverfarms",
            "kind": "elastic", "location": .string(settings.displayLocation), "tags": [:],
            "properties": [
                "name": .string(plan.name), "workerSize": "D1", "numberOfWorkers": 1, "currentNumberOfWorkers": 1,
                "status": "Ready", "maximumElasticWorkerCount": 20, "elasticScaleEnabled": true, "reserved": true,
                "isXenon": false, "hyperV": false, "geoRegion": .string(settings.displayLocation),
                "numberOfSites": .number(siteCount), "resourceGroup": .string(plan.group),
                "provisioningState": "Succeeded", "subscription": .string(settings.subscriptionID),
            ],
            "sku": ["name": "EP1", "tier": "ElasticPremium", "size": "EP1", "family": "EP", "capacity": 1],
        ]
    }
}
