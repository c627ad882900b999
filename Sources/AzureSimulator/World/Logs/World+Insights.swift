// Microsoft.Insights: components (Application Insights, 2020-02-02) and diagnostic settings of sites
// (2021-05-01-preview) (Azure REST API specifications, read 2026-02).

extension World {
    static let insightsVersions = [
        "2015-04-01", "2015-05-01", "2016-09-01", "2017-05-01-preview", "2018-05-01-preview", "2020-02-02",
        "2020-02-02-preview",
        "2021-05-01-preview",
    ]

    mutating func answerInsights(_ call: ResourceCall, at now: Instant) -> Reply {
        if call.path.segments.first?.lowercased() == "diagnosticsettings" { return answerDiagnostics(call) }
        if call.path.segments.first?.lowercased() == "eventtypes" { return answerActivity(call, at: now) }
        guard let group = call.path.group, let name = call.path.name else {
            return call.method == "GET" ? listComponents(call) : call.methodNotAllowed
        }
        let id = settings.resourceID(group, "microsoft.insights/components", name).lowercased()
        switch (call.path.suffix, call.method) {
        case ("", "PUT"): return putComponent(id, name: name, group: group, call, at: now)
        case ("", "GET"):
            return logs.components[id].map { .json(200, resource($0, call)) }
                ?? AzureErrorBody.resourceManager(
                    404, "ResourceNotFound",
                    "The Resource 'microsoft.insights/components/\(name)' under resource group '\(group)' was not found. "
                        + "For more details please go to https://aka.ms/ARMResourceNotFoundFix")
        case ("", "DELETE"):
            return Reply(status: logs.components.removeValue(forKey: id) == nil ? 204 : 200)
        default: return call.methodNotAllowed
        }
    }

    // MARK: Components

    private func listComponents(_ call: ResourceCall) -> Reply {
        let group = call.path.group?.lowercased()
        let components = logs.components.sorted { $0.key < $1.key }.map(\.value).filter {
            group == nil || $0.group.lowercased() == group
        }
        return .json(200, ["value": .array(components.map { resource($0, call) })])
    }

    /// Answers 200 whether the component is new or not. Without a workspace of its own the first one takes the data;
    /// Azure makes one then.
    private mutating func putComponent(
        _ id: String, name: String, group: String, _ call: ResourceCall, at now: Instant
    ) -> Reply {
        let body: JSON
        switch InsightsBody.read(call.body) {
        case .success(let value): body = value
        case .failure(let refusal): return refusal.reply
        }
        let first = settings.resourceID(
            settings.resourceGroups.first ?? "skls", "Microsoft.OperationalInsights/workspaces",
            settings.logs.workspaceName)
        let workspace = body["properties"]?["WorkspaceResourceId"]?.string ?? first
        guard logs.workspaces[workspace.lowercased()] != nil else {
            return AzureErrorBody.resourceManager(
                400, "BadRequest", "The workspace '\(workspace)' of the component was not found.")
        }
        var component =
            logs.components[id]
            ?? InsightsComponent(
                name: name, group: resourceGroup(group)?.name ?? group, kind: "web",
                location: body["location"]?.string ?? settings.location, tags: [], instrumentationKey: random.guid(),
                appID: random.guid(), applicationType: "web", workspaceResourceID: workspace, created: now)
        component.kind = body["kind"]?.string ?? component.kind
        component.tags = body["tags"]?.members ?? []
        component.workspaceResourceID = workspace
        if let type = body["properties"]?["Application_Type"]?.string { component.applicationType = type }
        logs.components[id] = component
        return .json(200, resource(component, call))
    }

    /// The connection string leads back to the simulator: to the address that the client used, or to the ingestion host
    /// of the public cloud where it used one of that cloud's names.
    private func resource(_ component: InsightsComponent, _ call: ResourceCall) -> JSON {
        resource(component, loopback: Plane.isLoopback(call.request.host) ? call.request.baseURL : nil)
    }

    /// - Parameter loopback: the simulator's own address, if the client used that.
    fileprivate func resource(_ component: InsightsComponent, loopback: String?) -> JSON {
        let endpoint = "\(loopback ?? "https://\(settings.location)-1.in.applicationinsights.azure.com")/"
        let connection =
            "InstrumentationKey=\(component.instrumentationKey);IngestionEndpoint=\(endpoint);LiveEndpoint=\(endpoint);"
            + "ApplicationId=\(component.appID)"
        return [
            "id": .string(settings.resourceID(component.group, "microsoft.insights/components", component.name)),
            "name": .string(component.name), "type": "microsoft.insights/components",
            "location": .string(component.location), "tags": .object(component.tags), "kind": .string(component.kind),
            "etag": .string("\"\(component.instrumentationKey.prefix(8))\""),
            "properties": [
                "ApplicationId": .string(component.name), "AppId": .string(component.appID),
                "Application_Type": .string(component.applicationType), "Flow_Type": "Redfield",
                "Request_Source": "IbizaAIExtension", "InstrumentationKey": .string(component.instrumentationKey),
                "ConnectionString": .string(connection), "Name": .string(component.name),
                "CreationDate": .string(component.created.iso8601), "TenantId": .string(settings.subscriptionID),
                "provisioningState": "Succeeded", "RetentionInDays": 90,
                "WorkspaceResourceId": .string(component.workspaceResourceID), "IngestionMode": "LogAnalytics",
                "publicNetworkAccessForIngestion": "Enabled", "publicNetworkAccessForQuery": "Enabled", "Ver": "v2",
            ],
        ]
    }

    // MARK: Diagnostic settings

    /// Settings of a resource, whose id stands in the path before the provider's name. Only sites are looked for.
    private mutating func answerDiagnostics(_ call: ResourceCall) -> Reply {
        let path = call.request.path.lowercased()
        guard let provider = path.firstRange(of: "/providers/microsoft.insights/") else {
            return AzureErrorBody.resourceManager(404, "ResourceNotFound", "There is no resource in the path.")
        }
        let resource = String(path[..<provider.lowerBound])
        guard let site = sites[SiteKey(String(resource.split(separator: "/").last ?? ""))],
            id(of: site).lowercased() == resource
        else {
            return AzureErrorBody.resourceManager(
                404, "ResourceNotFound", "The Resource '\(path[..<provider.lowerBound])' was not found.")
        }
        guard let name = call.path.name else {
            let settings = (logs.diagnostics[resource] ?? [:]).sorted { $0.key < $1.key }.map {
                self.resource($0.value, of: site)
            }
            return call.method == "GET" ? .json(200, ["value": .array(settings)]) : call.methodNotAllowed
        }
        switch call.method {
        case "PUT": return putDiagnostics(name, of: site, resource: resource, call)
        case "GET":
            return logs.diagnostics[resource]?[name.lowercased()].map { .json(200, self.resource($0, of: site)) }
                ?? AzureErrorBody.resourceManager(
                    404, "ResourceNotFound", "The diagnostic setting '\(name)' doesn't exist.")
        case "DELETE":
            let isGone = logs.diagnostics[resource]?.removeValue(forKey: name.lowercased()) == nil
            return Reply(status: isGone ? 204 : 200)
        default: return call.methodNotAllowed
        }
    }

    private mutating func putDiagnostics(
        _ name: String, of site: Site, resource: String, _ call: ResourceCall
    ) -> Reply {
        let body: JSON
        switch InsightsBody.read(call.body, needsLocation: false) {
        case .success(let value): body = value
        case .failure(let refusal): return refusal.reply
        }
        guard let workspace = body["properties"]?["workspaceId"]?.string, logs.workspaces[workspace.lowercased()] != nil
        else {
            return AzureErrorBody.resourceManager(
                400, "BadRequest", "The setting names no workspace that exists; other destinations are not simulated.")
        }
        let categories = (body["properties"]?["logs"]?.array ?? []).filter { $0["enabled"] == true }.flatMap { log in
            log["categoryGroup"]?.string?.lowercased() == "alllogs"
                ? Self.siteCategories : [log["category"]?.string].compactMap(\.self)
        }
        if let unknown = categories.first(where: { !Self.siteCategories.contains($0) }) {
            return AzureErrorBody.resourceManager(
                400, "BadRequest",
                "Category '\(unknown)' is not supported, supported ones are: "
                    + "'\(Self.siteCategories.joined(separator: ", "))'.")
        }
        let setting = DiagnosticSetting(
            name: name, workspaceResourceID: workspace, categories: categories, properties: body["properties"] ?? [:])
        logs.diagnostics[resource, default: [:]][name.lowercased()] = setting
        return .json(200, self.resource(setting, of: site))
    }

    /// Categories of Function Apps and of App Service (docs, supported-logs for microsoft.web/sites, read 2026-02).
    private static let siteCategories = [
        "AppServiceConsoleLogs", "AppServicePlatformLogs", "AppServiceHTTPLogs", "FunctionAppLogs",
    ]

    private func resource(_ setting: DiagnosticSetting, of site: Site) -> JSON {
        [
            "id": .string("\(id(of: site))/providers/microsoft.insights/diagnosticSettings/\(setting.name)"),
            "type": "Microsoft.Insights/diagnosticSettings", "name": .string(setting.name), "location": nil,
            "kind": nil,
            "tags": nil, "properties": setting.properties, "identity": nil,
        ]
    }
}

extension ResourceInventory {
    static let components = ResourceInventory(
        type: "microsoft.insights/components",
        list: { world in world.logs.components.values.map(world.tracked) },
        find: { world, group, name in
            let id = world.settings.resourceID(group, "microsoft.insights/components", name)
            return world.logs.components[id.lowercased()].map(world.tracked)
        },
        setTags: { world, resource, tags, _ in world.logs.components[resource.key]?.tags = tags },
        delete: { world, resource, _ in world.logs.components[resource.key] = nil })
}

extension World {
    /// Resource Graph shows the ingestion host of the public cloud: it does not know which address a client uses.
    fileprivate func tracked(_ component: InsightsComponent) -> TrackedResource {
        let type = "microsoft.insights/components"
        return TrackedResource(
            id: settings.resourceID(component.group, type, component.name), type: type, name: component.name,
            group: component.group, location: component.location, tags: component.tags, created: component.created,
            changed: nil, document: { world in world.resource(component, loopback: nil) })
    }
}
