// Tags of a resource, a group or the subscription, without touching the rest of it (Azure REST docs, "Tags - Update At
// Scope", 2021-04-01, read 2026-02). Every change is done at once: 200.

extension World {
    /// `{scope}/providers/Microsoft.Resources/tags/default`.
    mutating func answerTags(_ call: ResourceCall, at now: Instant) -> Reply {
        RefusedRequest.replying { () throws(RefusedRequest) in
            let segments = call.path.segments.map { $0.lowercased() }
            guard segments == ["tags", "default"], let scope = call.scope else {
                throw RefusedRequest(
                    404, "InvalidResourcePath", "The requested path is not part of the simulated Azure.")
            }
            let path = ResourcePath(path: scope)
            let present = try tags(of: path)
            switch call.method {
            case "GET": break
            case "PUT":
                let properties = try ResourceCall.object(call.object()["properties"], named: "properties")
                try setTags(TagSet.read(properties["tags"]) ?? [], of: path, at: now)
            case "PATCH": try setTags(patched(present, call.object()), of: path, at: now)
            case "DELETE":
                try setTags([], of: path, at: now)
                return Reply(status: 200)
            default: return call.methodNotAllowed
            }
            let id = URLText.decode(scope) ?? scope
            return .json(
                200,
                [
                    "id": .string("\(id)/providers/Microsoft.Resources/tags/default"), "name": "default",
                    "type": "Microsoft.Resources/tags", "properties": ["tags": .object(try tags(of: path))],
                ])
        }
    }

    private func patched(_ present: [JSON.Member], _ body: JSON) throws(RefusedRequest) -> [JSON.Member] {
        let properties = try ResourceCall.object(body["properties"], named: "properties")
        let named = try TagSet.read(properties["tags"]) ?? []
        switch body["operation"]?.string?.lowercased() {
        case "merge": return try TagSet.merge(named, into: present)
        case "replace": return named
        case "delete": return TagSet.remove(named, from: present)
        default:
            throw RefusedRequest(
                400, "InvalidTagPatchOperation",
                "The 'operation' of a tags patch has to be 'Merge', 'Replace' or 'Delete'.")
        }
    }

    private func tags(of path: ResourcePath) throws(RefusedRequest) -> [JSON.Member] {
        guard path.namespace != nil else {
            guard path.segments.isEmpty else { throw .notFound("tags", group: path.group ?? "") }
            guard let name = path.group else { return subscription.tags }
            if let refusal = refusal(ofGroup: name, method: "GET") { throw RefusedRequest(reply: refusal) }
            return resourceGroup(name)?.tags ?? []
        }
        if let group = path.group, let refusal = refusal(ofGroup: group, method: "GET") {
            throw RefusedRequest(reply: refusal)
        }
        guard let (resource, _) = trackedResource(at: path) else {
            throw .notFound("\(path.type)/\(path.name ?? "")", group: path.group ?? "")
        }
        return resource.tags
    }

    private mutating func setTags(_ tags: [JSON.Member], of path: ResourcePath, at now: Instant) throws(RefusedRequest)
    {
        if path.namespace == nil {
            guard let group = path.group else {
                subscription.tags = tags
                return
            }
            subscription.groups[group.lowercased()]?.tags = tags
            subscription.groups[group.lowercased()]?.changed = now
        } else if let (resource, inventory) = trackedResource(at: path) {
            inventory.setTags(&self, resource, tags, now)
            noteGraphChange(of: resource.key, at: now)
        }
    }
}

extension ResourceCall {
    /// What stands in front of the last `/providers/` of the path: the scope of an extension such as tags. Still
    /// percent-encoded; nil if nothing stands there.
    var scope: String? {
        let path = request.path
        let lower = path.lowercased()
        guard lower.utf8.count == path.utf8.count, let range = lower.ranges(of: "/providers/").last else { return nil }
        let length = lower.utf8.distance(from: lower.startIndex, to: range.lowerBound)
        let scope = String(decoding: Array(path.utf8.prefix(length)), as: UTF8.self)
        return scope.isEmpty ? nil : scope
    }
}
