// Microsoft.OperationalInsights/workspaces (Azure REST API specifications 2023-09-01 and 2025-07-01, read 2026-02).

extension World {
    static let operationalInsightsVersions = [
        "2015-11-01-preview", "2017-01-01-preview", "2020-03-01-preview", "2020-08-01", "2020-10-01", "2021-06-01",
        "2021-12-01-preview", "2022-10-01", "2023-09-01", "2025-02-01", "2025-07-01",
    ]

    mutating func answerOperationalInsights(_ call: ResourceCall, at now: Instant) -> Reply {
        guard let group = call.path.group, let name = call.path.name else {
            return call.method == "GET" ? listWorkspaces(in: call.path.group) : call.methodNotAllowed
        }
        let id = settings.resourceID(group, "Microsoft.OperationalInsights/workspaces", name).lowercased()
        switch (call.path.suffix, call.method) {
        case ("", "PUT"): return putWorkspace(id, name: name, group: group, call, at: now)
        case ("", "GET"): return logs.workspaces[id].map { .json(200, resource($0)) } ?? workspaceNotFound(name, group)
        case ("", "DELETE"):
            let isForced = call.parameter("force")?.lowercased() == "true"
            return Reply(status: deleteWorkspace(id, isForced: isForced, at: now) ? 200 : 204)
        case ("sharedkeys", "POST"):
            guard let workspace = logs.workspaces[id] else { return workspaceNotFound(name, group) }
            return .json(
                200,
                [
                    "primarySharedKey": .string(workspace.primaryKey),
                    "secondarySharedKey": .string(workspace.secondaryKey),
                ])
        case ("api/query", "POST"), ("query", "POST"), ("api/query", "GET"), ("query", "GET"):
            guard let workspace = logs.workspaces[id] else { return workspaceNotFound(name, group) }
            return answerQuery(call.request, scope: .workspace(workspace), caller: servicePrincipalID, at: now)
        default: return call.methodNotAllowed
        }
    }

    /// - Parameter isForced: whether its data goes too; if not, it comes back with them.
    /// - Returns: whether it was there.
    fileprivate mutating func deleteWorkspace(_ id: String, isForced: Bool, at now: Instant) -> Bool {
        guard var workspace = logs.workspaces.removeValue(forKey: id) else { return false }
        if isForced {
            logs.stores[workspace.customerID] = nil
        } else {
            workspace.modified = now
            logs.deletedWorkspaces[id] = workspace
        }
        while logs.deletedWorkspaces.count > LogsState.deletedLimit,
            let oldest = logs.deletedWorkspaces.min(by: { ($0.value.modified, $0.key) < ($1.value.modified, $1.key) })
        {
            logs.deletedWorkspaces[oldest.key] = nil
            logs.stores[oldest.value.customerID] = nil
        }
        return true
    }

    private func workspaceNotFound(_ name: String, _ group: String) -> Reply {
        AzureErrorBody.resourceManager(
            404, "ResourceNotFound",
            "The Resource 'Microsoft.OperationalInsights/workspaces/\(name)' under resource group '\(group)' was not "
                + "found. For more details please go to https://aka.ms/ARMResourceNotFoundFix")
    }

    private func listWorkspaces(in group: String?) -> Reply {
        let workspaces = logs.workspaces.sorted { $0.key < $1.key }.map(\.value).filter {
            group == nil || $0.group.lowercased() == group?.lowercased()
        }
        return .json(200, ["value": .array(workspaces.map(resource))])
    }

    private mutating func putWorkspace(
        _ id: String, name: String, group: String, _ call: ResourceCall, at now: Instant
    ) -> Reply {
        let body: JSON
        switch InsightsBody.read(call.body) {
        case .success(let value): body = value
        case .failure(let refusal): return refusal.reply
        }
        let existing = logs.workspaces[id] ?? logs.deletedWorkspaces.removeValue(forKey: id)
        let isNew = logs.workspaces[id] == nil
        var workspace =
            existing
            ?? Workspace(
                name: name, group: resourceGroup(group)?.name ?? group, customerID: random.guid(),
                location: body["location"]?.string ?? settings.location, tags: [], retentionDays: 30, sku: "PerGB2018",
                primaryKey: logs.random.key(), secondaryKey: logs.random.key(), created: now, modified: now)
        workspace.tags = body["tags"]?.members ?? []
        workspace.modified = now
        if case .number(let days) = body["properties"]?["retentionInDays"] { workspace.retentionDays = Int(days) ?? 30 }
        if let sku = body["properties"]?["sku"]?["name"]?.string { workspace.sku = sku }
        logs.workspaces[id] = workspace
        return .json(isNew ? 201 : 200, resource(workspace))
    }

    fileprivate func resource(_ workspace: Workspace) -> JSON {
        [
            "properties": [
                "source": "Azure", "customerId": .string(workspace.customerID), "provisioningState": "Succeeded",
                "sku": ["name": .string(workspace.sku), "lastSkuUpdate": .string(workspace.created.iso8601)],
                "retentionInDays": .number(workspace.retentionDays),
                "features": [
                    "legacy": 0, "searchVersion": 1, "enableLogAccessUsingOnlyResourcePermissions": true,
                ],
                "workspaceCapping": [
                    "dailyQuotaGb": .number("-1.0"), "quotaNextResetTime": .string(workspace.created.iso8601),
                    "dataIngestionStatus": "RespectQuota",
                ],
                "publicNetworkAccessForIngestion": "Enabled", "publicNetworkAccessForQuery": "Enabled",
                "createdDate": .string(workspace.created.iso8601), "modifiedDate": .string(workspace.modified.iso8601),
            ],
            "location": .string(workspace.location), "tags": .object(workspace.tags),
            "id": .string(
                settings.resourceID(workspace.group, "Microsoft.OperationalInsights/workspaces", workspace.name)),
            "name": .string(workspace.name), "type": "Microsoft.OperationalInsights/workspaces",
        ]
    }
}

extension ResourceInventory {
    static let workspaces = ResourceInventory(
        type: "Microsoft.OperationalInsights/workspaces",
        list: { world in world.logs.workspaces.values.map(world.tracked) },
        find: { world, group, name in
            let id = world.settings.resourceID(group, "Microsoft.OperationalInsights/workspaces", name)
            return world.logs.workspaces[id.lowercased()].map(world.tracked)
        },
        setTags: { world, resource, tags, now in
            world.logs.workspaces[resource.key]?.tags = tags
            world.logs.workspaces[resource.key]?.modified = now
        },
        delete: { world, resource, now in _ = world.deleteWorkspace(resource.key, isForced: false, at: now) })
}

extension World {
    fileprivate func tracked(_ workspace: Workspace) -> TrackedResource {
        let type = "Microsoft.OperationalInsights/workspaces"
        return TrackedResource(
            id: settings.resourceID(workspace.group, type, workspace.name), type: type, name: workspace.name,
            group: workspace.group, location: workspace.location, tags: workspace.tags, created: workspace.created,
            changed: workspace.modified, document: { world in world.resource(workspace) })
    }
}

/// A body of one of the two providers, checked as far as both want it.
enum InsightsBody {
    struct Refusal: Error {
        var reply: Reply
    }

    /// An object; with a location unless `needsLocation` is false.
    static func read(_ bytes: [UInt8], needsLocation: Bool = true) -> Result<JSON, Refusal> {
        let body: JSON
        do throws(JSON.SyntaxError) { body = try JSON(parsing: bytes) } catch {
            return .failure(
                refusal("InvalidRequestContent", "The request content was invalid: '\(error.message)'."))
        }
        guard body.members != nil else {
            return .failure(refusal("InvalidRequestContent", "The request content was invalid: no object."))
        }
        if needsLocation, (body["location"]?.string ?? "").isEmpty {
            return .failure(refusal("LocationRequired", "The location property is required for this definition."))
        }
        return .success(body)
    }

    private static func refusal(_ code: String, _ message: String) -> Refusal {
        Refusal(reply: AzureErrorBody.resourceManager(400, code, message))
    }
}
