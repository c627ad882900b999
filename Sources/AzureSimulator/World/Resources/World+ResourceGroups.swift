// Resource groups (REST specifications of Microsoft.Resources 2021-04-01 to 2025-04-01; recorded replies of
// Azure/azure-cli, `test_resource_group`, read 2026-11).

extension World {
    func id(of group: ResourceGroup) -> String { "\(subscriptionPath)/resourceGroups/\(group.name)" }

    /// The group of a name in any case, also while it is being deleted.
    func resourceGroup(_ name: String) -> ResourceGroup? { subscription.groups[name.lowercased()] }

    /// Why nothing can be done in a group; nil if it can. A group that is being deleted takes nothing new.
    func refusal(ofGroup name: String, method: String) -> Reply? {
        guard let group = resourceGroup(name) else { return groupNotFound(name).reply }
        guard group.goneAt != nil, method == "PUT" || method == "PATCH" else { return nil }
        return AzureErrorBody.resourceManager(
            409, "ResourceGroupBeingDeleted",
            "The resource group '\(group.name)' is in deprovisioning state and cannot perform this operation.")
    }

    private func groupNotFound(_ name: String) -> RefusedRequest {
        RefusedRequest(404, "ResourceGroupNotFound", "Resource group '\(name)' could not be found.")
    }

    func document(of group: ResourceGroup) -> JSON {
        var members: [JSON.Member] = [
            .init(name: "id", value: .string(id(of: group))), .init(name: "name", value: .string(group.name)),
            .init(name: "type", value: "Microsoft.Resources/resourceGroups"),
            .init(name: "location", value: .string(group.location)),
        ]
        if let manager = group.managedBy { members.append(.init(name: "managedBy", value: .string(manager))) }
        members.append(.init(name: "tags", value: .object(group.tags)))
        members.append(
            .init(
                name: "properties",
                value: ["provisioningState": group.goneAt == nil ? "Succeeded" : "Deleting"]))
        return .object(members)
    }

    mutating func answerGroup(_ name: String, _ call: ResourceCall, at now: Instant) -> Reply {
        RefusedRequest.replying { () throws(RefusedRequest) in
            switch call.method {
            case "GET":
                guard let group = resourceGroup(name) else { throw groupNotFound(name) }
                return .json(200, document(of: group))
            case "HEAD": return Reply(status: resourceGroup(name) == nil ? 404 : 204)
            case "PUT": return try putGroup(name, call, at: now)
            case "PATCH": return try patchGroup(name, call, at: now)
            case "DELETE": return try deleteGroup(name, call, at: now)
            default: return call.methodNotAllowed
            }
        }
    }

    func listGroups(_ call: ResourceCall) -> Reply {
        RefusedRequest.replying { () throws(RefusedRequest) in
            guard call.method == "GET" else { return call.methodNotAllowed }
            let filter = try ResourceFilter(call.parameter("$filter"))
            guard filter.isAboutTagsOnly else { throw filter.refused }
            let groups = subscription.groups.sorted { $0.key < $1.key }.filter { filter.accepts(tags: $0.value.tags) }
            return try call.page(
                groups, size: call.top(atMost: settings.pageSize), key: { $0.key },
                document: { document(of: $0.value) })
        }
    }

    // MARK: Changes

    private mutating func putGroup(_ name: String, _ call: ResourceCall, at now: Instant) throws(RefusedRequest)
        -> Reply
    {
        guard Self.isGroupName(name) else {
            throw RefusedRequest(
                400, "InvalidResourceGroup",
                "The provided resource group name '\(name)' is not valid: 1 to 90 letters, digits, '-', '_', '(', ')' "
                    + "and periods, which do not end it.")
        }
        let body = try call.object()
        guard let wanted = body["location"]?.string, !wanted.isEmpty else {
            throw RefusedRequest(
                400, "LocationRequired", "The location property is required for this definition.")
        }
        guard let location = region(wanted) else {
            throw RefusedRequest(
                400, "LocationNotAvailableForResourceGroup",
                "The provided location '\(wanted)' is not available for resource group. List of available regions is "
                    + "'\(WorldSettings.regions.keys.sorted().joined(separator: ","))'.")
        }
        let existing = resourceGroup(name)
        if existing?.goneAt != nil, let refusal = refusal(ofGroup: name, method: "PUT") {
            return refusal
        }
        if let existing, existing.location.lowercased() != location.lowercased() {
            throw RefusedRequest(
                409, "InvalidResourceGroupLocation",
                "Invalid resource group location '\(wanted)'. The Resource group already exists in location "
                    + "'\(existing.location)'.")
        }
        var group =
            existing ?? ResourceGroup(name: name, location: location, created: now, changed: now)
        group.tags = try TagSet.read(body["tags"]) ?? []
        group.managedBy = body["managedBy"]?.string
        group.changed = now
        subscription.groups[name.lowercased()] = group
        return .json(existing == nil ? 201 : 200, document(of: group))
    }

    private mutating func patchGroup(_ name: String, _ call: ResourceCall, at now: Instant) throws(RefusedRequest)
        -> Reply
    {
        guard var group = resourceGroup(name) else { throw groupNotFound(name) }
        if let refusal = refusal(ofGroup: name, method: "PATCH") { return refusal }
        let body = try call.object()
        if let tags = try TagSet.read(body["tags"]) { group.tags = tags }
        if let manager = body["managedBy"]?.string { group.managedBy = manager }
        group.changed = now
        subscription.groups[name.lowercased()] = group
        return .json(200, document(of: group))
    }

    /// What is in the group goes at once, the group itself after some time (guess: Azure deletes one by one).
    private mutating func deleteGroup(_ name: String, _ call: ResourceCall, at now: Instant) throws(RefusedRequest)
        -> Reply
    {
        guard var group = resourceGroup(name) else { throw groupNotFound(name) }
        if group.goneAt == nil {
            showWhatIsHidden(inGroup: name)
            for inventory in ResourceInventory.all {
                let resources = inventory.list(self).filter { $0.group.lowercased() == name.lowercased() }
                for resource in resources.sorted(by: { $0.key < $1.key }) {
                    inventory.delete(&self, resource, now)
                    noteGraphChange(of: resource.key, at: now)
                }
            }
        }
        let end = group.goneAt ?? now + settings.scaled(ResourceLatency.groupDeletion)
        group.goneAt = end
        group.changed = now
        subscription.groups[name.lowercased()] = group
        let job = "RESOURCEGROUPDELETIONJOB-\(group.name.uppercased())-\(random.hex(16).uppercased())"
        let ticket: JSON = ["jobId": .string(job), "jobLocation": .string(group.location)]
        let token = Base64URL.encode(ticket.encoded)
        if subscription.groupDeletions.count >= SubscriptionState.operationLimit,
            let first = subscription.groupDeletions.min(by: { ($0.value, $0.key) < ($1.value, $1.key) })
        {
            subscription.groupDeletions[first.key] = nil
        }
        subscription.groupDeletions[token] = end
        return groupDeletionReply(token, call, wait: end - now)
    }

    /// 202 with the same address until the group is gone, then 200 without a body (recorded).
    func groupDeletionResult(_ token: String, _ call: ResourceCall, at now: Instant) -> Reply {
        guard call.method == "GET" else { return call.methodNotAllowed }
        guard let end = subscription.groupDeletions[token] else {
            return AzureErrorBody.resourceManager(
                404, "OperationNotFound", "The operation could not be found.")
        }
        return end <= now ? Reply(status: 200) : groupDeletionReply(token, call, wait: end - now)
    }

    private func groupDeletionReply(_ token: String, _ call: ResourceCall, wait: Duration) -> Reply {
        var reply = Reply(status: 202)
        reply.add(
            "Location",
            "\(call.request.baseURL)\(subscriptionPath)/operationresults/\(token)?api-version=\(call.version)")
        reply.addRetryAfter(wait, atMost: .seconds(15))
        return reply
    }

    /// Azure docs, resource-name-rules, read 2026-02.
    private static func isGroupName(_ name: String) -> Bool {
        (1...90).contains(name.count) && !name.hasSuffix(".")
            && name.allSatisfy { $0.isLetter || $0.isNumber || "-_().".contains($0) }
    }
}
