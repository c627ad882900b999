// How sites look in replies (Azure REST API specifications, Microsoft.Web 2025-03-01 examples, and recorded replies of
// 2021-03-01; those of Container Apps as in Azure/azure-cli's `test_functionapp_container_config_set_replicas` of
// 2025-05, read 2026-11).

extension World {
    func id(of site: Site) -> String {
        "/subscriptions/\(settings.subscriptionID)/resourceGroups/\(site.group)/providers/Microsoft.Web/sites/\(site.name)"
    }

    /// - Parameter isStale: the answer to a PUT shows the configuration as if it had not been set yet; a later GET
    ///   shows it (observed in a recorded creation of 2022-07).
    func resource(_ site: Site, isStale: Bool = false) -> JSON {
        let kind = site.shownKind(isLinux: plan(of: site)?.isLinux ?? true)
        var members: [JSON.Member] = [
            .init(name: "id", value: .string(id(of: site))), .init(name: "name", value: .string(site.name)),
            .init(name: "type", value: "Microsoft.Web/sites"), .init(name: "kind", value: .string(kind)),
            .init(name: "location", value: .string(settings.displayLocation)),
        ]
        // A site without tags has no such member (recorded replies of 2022-07 and 2025-01).
        if !site.tags.isEmpty { members.append(.init(name: "tags", value: .object(site.tags))) }
        members.append(
            .init(
                name: "properties",
                value: site.isOnContainerApps
                    ? environmentProperties(site, kind: kind, isStale: isStale)
                    : properties(site, kind: kind, isStale: isStale)))
        if let identity = site.identity {
            members.append(.init(name: "identity", value: identity.document(tenantID: settings.tenantID)))
        }
        return .object(members)
    }

    private func properties(_ site: Site, kind: String, isStale: Bool) -> JSON {
        let plan = plan(of: site) ?? Plan(name: site.planName, group: site.planGroup)
        let scmHost = site.scmHostName ?? ""
        let webSpace = webSpace(of: site.group)
        let image = isStale ? "" : site.linuxFxVersion
        let running = webOperations.last { $0.subject == .site(site.key.text) && !$0.isDone }
        var members: [JSON.Member] = [
            .init(name: "name", value: .string(site.name)), .init(name: "state", value: .string(site.state)),
        ]
        let rest: JSON = [
            "hostNames": [.string(site.hostName)],
            "webSpace": .string(webSpace),
            "selfLink": .string(
                "https://waws-prod-simulator.api.azurewebsites.windows.net:454/subscriptions/\(settings.subscriptionID)"
                    + "/webspaces/\(webSpace)/sites/\(site.name)"),
            "repositorySiteName": .string(site.name), "owner": nil, "usageState": "Normal", "enabled": true,
            "adminEnabled": true, "afdEnabled": false,
            "enabledHostNames": [.string(site.hostName), .string(scmHost)],
            "siteProperties": [
                "metadata": nil,
                "properties": [
                    ["name": "LinuxFxVersion", "value": .string(image)], ["name": "WindowsFxVersion", "value": nil],
                ],
                "appSettings": nil,
            ],
            "availabilityState": "Normal", "sslCertificates": nil, "csrs": [], "cers": nil, "siteMode": nil,
            "hostNameSslStates": [
                sslState(site.hostName, type: "Standard"), sslState(scmHost, type: "Repository"),
            ],
            "computeMode": nil, "serverFarm": nil, "serverFarmId": .string(id(of: plan)),
            "reserved": plan.sku.tier == "FlexConsumption" ? nil : .bool(plan.isLinux), "isXenon": false,
            "hyperV": false, "lastModifiedTimeUtc": .string(site.lastModified.lastModified),
            "storageRecoveryDefaultState": "Running", "contentAvailabilityState": "Normal",
            "runtimeAvailabilityState": "Normal", "dnsConfiguration": [:], "vnetRouteAllEnabled": false,
            "containerAllocationSubnet": nil, "useContainerLocalhostBindings": nil, "vnetImagePullEnabled": false,
            "vnetContentShareEnabled": false,
            "outboundVnetRouting": [
                "allTraffic": false, "applicationTraffic": false, "contentShareTraffic": false,
                "imagePullTraffic": false, "backupRestoreTraffic": false,
            ],
        ]
        members += rest.members ?? []
        members.append(.init(name: "siteConfig", value: stubConfig(of: site, isStale: isStale)))
        let addresses: JSON = [
            "functionAppConfig": nil, "daprConfig": nil, "deploymentId": .string(site.name), "slotName": nil,
            "trafficManagerHostNames": nil,
            "sku": .string(plan.sku.siteSKU), "scmSiteAlsoStopped": false, "targetSwapSlot": nil,
            "hostingEnvironment": nil, "hostingEnvironmentProfile": nil, "clientAffinityEnabled": false,
            "clientAffinityProxyEnabled": false, "blockPathTraversal": false, "clientCertEnabled": false,
            "clientCertMode": "Required", "clientCertExclusionPaths": nil, "hostNamesDisabled": false,
            "ipMode": "IPv4", "vnetBackupRestoreEnabled": false, "domainVerificationIdentifiers": nil,
            "customDomainVerificationId": .string(verificationID),
            "kind": .string(kind), "managedEnvironmentId": nil, "workloadProfileName": nil,
            "resourceConfig": nil, "inboundIpAddress": "127.0.0.1",
            "possibleInboundIpAddresses": "127.0.0.1", "ftpUsername": .string("\(site.name)\\$\(site.name)"),
            "ftpsHostName": "ftps://waws-prod-simulator.ftp.azurewebsites.windows.net/site/wwwroot",
            "outboundIpAddresses": "127.0.0.1", "possibleOutboundIpAddresses": "127.0.0.1", "containerSize": 1536,
            "dailyMemoryTimeQuota": 0, "suspendedTill": nil, "siteDisabledReason": 0,
            "functionExecutionUnitsCache": nil, "maxNumberOfWorkers": nil, "homeStamp": "waws-prod-simulator",
            "cloningInfo": nil, "hostingEnvironmentId": nil, "tags": site.tags.isEmpty ? nil : .object(site.tags),
            "resourceGroup": .string(site.group), "defaultHostName": .string(site.hostName), "slotSwapStatus": nil,
            "httpsOnly": false, "endToEndEncryptionEnabled": false,
            "functionsRuntimeAdminIsolationEnabled": false, "redundancyMode": "None",
            "inProgressOperationId": .text(running?.id), "geoDistributions": nil, "privateEndpointConnections": [],
            "publicNetworkAccess": "Enabled", "buildVersion": nil, "targetBuildVersion": nil, "migrationState": nil,
            "eligibleLogCategories": "FunctionAppLogs", "inFlightFeatures": [], "storageAccountRequired": false,
            "virtualNetworkSubnetId": nil, "keyVaultReferenceIdentity": "SystemAssigned",
            "autoGeneratedDomainNameLabelScope": nil, "defaultHostNameScope": "Global", "privateLinkIdentifiers": nil,
            "sshEnabled": nil,
        ]
        members += addresses.members ?? []
        for member in site.properties { members.set(member.name, member.value) }
        return .object(members)
    }

    /// On Container Apps most members are null.
    private func environmentProperties(_ site: Site, kind: String, isStale: Bool) -> JSON {
        var members: [JSON.Member] = []
        let shown: JSON = [
            "name": .string(site.name), "state": .string(site.state), "hostNames": [.string(site.hostName)],
            "webSpace": nil, "selfLink": nil, "repositorySiteName": nil, "owner": nil, "usageState": "Normal",
            "enabled": nil, "adminEnabled": nil, "enabledHostNames": [.string(site.hostName)], "siteProperties": nil,
            "availabilityState": "Normal", "hostNameSslStates": nil, "serverFarm": nil, "serverFarmId": nil,
            "reserved": nil, "isXenon": nil, "hyperV": nil,
            "lastModifiedTimeUtc": .string(site.lastModified.lastModified), "storageRecoveryDefaultState": nil,
            "contentAvailabilityState": "Normal", "runtimeAvailabilityState": "Normal",
            "siteConfig": stubConfig(of: site, isStale: isStale), "functionAppConfig": nil, "daprConfig": nil,
            "slotName": nil, "trafficManagerHostNames": nil, "sku": nil, "clientAffinityEnabled": nil,
            "clientCertEnabled": nil, "clientCertMode": nil, "hostNamesDisabled": nil,
            "customDomainVerificationId": nil, "kind": .string(kind),
            "managedEnvironmentId": .text(site.environmentID), "workloadProfileName": "Consumption",
            "resourceConfig": ["cpu": .number("1.0"), "memory": "2Gi"], "inboundIpAddress": nil, "ftpUsername": nil,
            "ftpsHostName": nil, "outboundIpAddresses": "127.0.0.1", "possibleOutboundIpAddresses": nil,
            "containerSize": nil, "dailyMemoryTimeQuota": nil, "suspendedTill": nil, "siteDisabledReason": nil,
            "tags": nil, "resourceGroup": .string(site.group), "defaultHostName": .string(site.hostName),
            "slotSwapStatus": nil, "httpsOnly": false, "redundancyMode": nil, "inProgressOperationId": nil,
            "privateEndpointConnections": nil, "publicNetworkAccess": nil, "eligibleLogCategories": nil,
            "storageAccountRequired": false, "virtualNetworkSubnetId": nil,
            "autoGeneratedDomainNameLabelScope": nil, "privateLinkIdentifiers": nil, "sshEnabled": nil,
        ]
        members += shown.members ?? []
        for member in site.properties where Self.keptOnContainerApps.contains(member.name) {
            members.set(member.name, member.value)
        }
        return .object(members)
    }

    private static let keptOnContainerApps: Set<String> = [
        "httpsOnly", "workloadProfileName", "resourceConfig", "daprConfig", "storageAccountRequired",
    ]

    private func sslState(_ host: String, type: String) -> JSON {
        [
            "name": .string(host), "sslState": "Disabled", "ipBasedSslResult": nil, "virtualIP": nil,
            "virtualIPv6": nil, "thumbprint": nil, "certificateResourceId": nil, "toUpdate": nil,
            "toUpdateIpBasedSsl": nil, "ipBasedSslState": "NotConfigured", "hostType": .string(type),
        ]
    }
}
