// Lists of resources of every type (Azure REST docs, "Resources - List" and "List By Resource Group", read 2026-02).

extension World {
    /// The resources of the subscription or of one group, without their properties. Tags are left out where the filter
    /// is about tags, as documented; `$top` bounds a page, not the list (guess).
    func listResources(_ call: ResourceCall) -> Reply {
        RefusedRequest.replying { () throws(RefusedRequest) in
            guard call.method == "GET" else { return call.methodNotAllowed }
            if let group = call.path.group, let refusal = refusal(ofGroup: group, method: "GET") { return refusal }
            let filter = try ResourceFilter(call.parameter("$filter"))
            let expanded = Set(
                (call.parameter("$expand") ?? "").lowercased().split(separator: ",").map {
                    String($0.filter { !$0.isWhitespace })
                })
            guard expanded.isSubset(of: ["createdtime", "changedtime", "provisioningstate"]) else {
                throw RefusedRequest(
                    400, "InvalidExpandInQueryString",
                    "Invalid $expand '\(call.parameter("$expand") ?? "")' specified in the query string.")
            }
            let resources = trackedResources(inGroup: call.path.group).filter(filter.accepts)
            return try call.page(
                resources, size: call.top(atMost: settings.pageSize), key: \.key,
                document: { listed($0, expanded: expanded, hasTags: !filter.isAboutTags) })
        }
    }

    private func listed(_ resource: TrackedResource, expanded: Set<String>, hasTags: Bool) -> JSON {
        let document = resource.document(self)
        var members: [JSON.Member] = [
            .init(name: "id", value: .string(resource.id)), .init(name: "name", value: .string(resource.name)),
            .init(name: "type", value: .string(resource.type)),
        ]
        for name in ["sku", "kind", "managedBy"] {
            if let value = document[name], !value.isNull { members.append(.init(name: name, value: value)) }
        }
        members.append(.init(name: "location", value: .string(resource.location)))
        if let identity = document["identity"], !identity.isNull {
            members.append(.init(name: "identity", value: identity))
        }
        if hasTags { members.append(.init(name: "tags", value: .object(resource.tags))) }
        if expanded.contains("createdtime"), let created = resource.created ?? resource.changed {
            members.append(.init(name: "createdTime", value: .string(created.iso8601Ticks)))
        }
        if expanded.contains("changedtime"), let changed = resource.changed {
            members.append(.init(name: "changedTime", value: .string(changed.iso8601Ticks)))
        }
        if expanded.contains("provisioningstate") {
            let state = document["properties"]?["provisioningState"]?.string ?? "Succeeded"
            members.append(.init(name: "provisioningState", value: .string(state)))
        }
        return .object(members)
    }
}
