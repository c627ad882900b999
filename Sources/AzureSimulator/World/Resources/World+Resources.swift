// What belongs to Resource Manager itself and to no provider: tenants, subscriptions, regions, groups and lists.
// Shapes from the REST specifications of Microsoft.Resources 2022-12-01 and 2025-04-01 and recorded replies
// (Azure/azure-cli, read 2026-11).

extension World {
    /// Answers paths without a provider, those of `Microsoft.Resources`, and those about providers
    /// (`/subscriptions/{s}/providers/{namespace}`, `…/register`). The caller has checked the token, that there is an
    /// `api-version`, and that a named subscription exists; groups it has not.
    mutating func answerResources(_ call: ResourceCall, at now: Instant) -> Reply {
        guard Self.isVersion(call.version) else {
            return AzureErrorBody.resourceManager(
                400, "InvalidApiVersionParameter",
                "The api-version '\(call.version)' is invalid. It should be a date, optionally followed by '-preview'.")
        }
        if let namespace = call.path.namespace {
            return namespace.lowercased() == "microsoft.resources" && !call.path.segments.isEmpty
                ? answerTags(call, at: now) : answerProviders(namespace: namespace, call, at: now)
        }
        let segments = call.path.segments.map { $0.lowercased() }
        guard call.path.subscription != nil else { return answerTenant(segments, call, at: now) }
        if let group = call.path.group {
            switch segments {
            case []: return answerGroup(group, call, at: now)
            case ["resources"]: return listResources(call)
            default: return invalidPath
            }
        }
        switch (segments.first, segments.count) {
        case (nil, _): return call.method == "GET" ? .json(200, subscriptionDocument) : call.methodNotAllowed
        case ("locations", 1): return .json(200, ["value": .array(locationDocuments)])
        case ("resourcegroups", 1): return listGroups(call)
        case ("resources", 1): return listResources(call)
        case ("providers", 1): return listProviders(call, at: now)
        case ("operationresults", 2): return groupDeletionResult(call.path.segments[1], call, at: now)
        default: return invalidPath
        }
    }

    /// Ends what takes time and whose time has come. Called before every request.
    mutating func settleResources(at now: Instant) {
        for (key, group) in subscription.groups {
            if let end = group.goneAt, end <= now { subscription.groups[key] = nil }
        }
        if subscription.groupDeletions.contains(where: { $0.value + SubscriptionState.operationLife <= now }) {
            subscription.groupDeletions = subscription.groupDeletions.filter {
                $0.value + SubscriptionState.operationLife > now
            }
        }
        for account in storage.settle(at: now) { noteGraphChange(of: id(of: account), at: now) }
    }

    private var invalidPath: Reply {
        AzureErrorBody.resourceManager(
            404, "InvalidResourcePath", "The requested path is not part of the simulated Azure.")
    }

    /// `2021-04-01`, perhaps with `-preview`.
    private static func isVersion(_ text: String) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3 || parts.count == 4 && parts[3].lowercased() == "preview" else { return false }
        return zip(parts, [4, 2, 2]).allSatisfy { $0.utf8.count == $1 && $0.allSatisfy { ("0"..."9").contains($0) } }
    }

    // MARK: Tenant and subscription

    private func answerTenant(_ segments: [String], _ call: ResourceCall, at now: Instant) -> Reply {
        guard call.method == "GET" else { return call.methodNotAllowed }
        switch segments {
        case ["subscriptions"]:
            return .json(200, ["value": [subscriptionDocument], "count": ["type": "Total", "value": 1]])
        case ["tenants"]: return .json(200, ["value": [tenantDocument]])
        case ["providers"]: return listProviders(call, at: now)
        default: return invalidPath
        }
    }

    /// The id of the subscription.
    var subscriptionPath: String { "/subscriptions/\(settings.subscriptionID)" }

    private var subscriptionDocument: JSON {
        [
            "id": .string(subscriptionPath), "authorizationSource": "RoleBased", "managedByTenants": [],
            "tags": .object(subscription.tags), "subscriptionId": .string(settings.subscriptionID),
            "tenantId": .string(settings.tenantID), "displayName": "Simulated Azure", "state": "Enabled",
            "subscriptionPolicies": [
                "locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off",
            ],
        ]
    }

    private var tenantDocument: JSON {
        [
            "id": .string("/tenants/\(settings.tenantID)"), "tenantId": .string(settings.tenantID), "countryCode": "US",
            "displayName": "Simulated Azure", "domains": ["simulated.onmicrosoft.com"], "tenantCategory": "Home",
            "defaultDomain": "simulated.onmicrosoft.com", "tenantType": "AAD",
        ]
    }

    // MARK: Regions

    /// The name of a region given by name or display name; nil for one that does not exist here.
    func region(_ text: String) -> String? {
        let name = text.lowercased().filter { $0 != " " }
        if name == settings.location.lowercased() { return settings.location }
        return WorldSettings.regions[name] == nil ? nil : name
    }

    private var locationDocuments: [JSON] {
        var regions = WorldSettings.regions
        regions[settings.location.lowercased()] = settings.displayLocation
        return regions.sorted { $0.key < $1.key }.map { name, display in
            [
                "id": .string("\(subscriptionPath)/locations/\(name)"), "name": .string(name), "type": "Region",
                "displayName": .string(display), "regionalDisplayName": .string(display),
                "metadata": ["regionType": "Physical", "regionCategory": "Recommended"],
            ]
        }
    }
}
