// Microsoft.ManagedIdentity/userAssignedIdentities and their federated credentials (REST specifications 2023-01-31 and
// 2024-11-30, recorded replies of 2022-01-31-preview, read 2026-11).

extension World {
    /// Versions of Microsoft.ManagedIdentity that are answered, all alike.
    static let managedIdentityVersions = ["2018-11-30", "2022-01-31-preview", "2023-01-31", "2024-11-30"]

    mutating func answerManagedIdentity(_ call: ResourceCall, at now: Instant) -> Reply {
        RefusedRequest.replying { () throws(RefusedRequest) in
            guard let name = call.path.name else {
                return call.method == "GET" ? try listIdentities(call) : call.methodNotAllowed
            }
            guard let group = call.path.group else { return call.methodNotAllowed }
            let rest = call.path.segments.dropFirst(2)
            if rest.isEmpty {
                switch call.method {
                case "GET": return .json(200, document(of: try identity(name, group: group)))
                case "PUT": return try putIdentity(name, group: group, call, at: now)
                case "PATCH": return try patchIdentity(name, group: group, call, at: now)
                case "DELETE":
                    let removed = identities.removeValue(forKey: Self.identityKey(group: group, name: name))
                    return Reply(status: removed == nil ? 204 : 200)
                default: return call.methodNotAllowed
                }
            }
            guard rest.first?.lowercased() == "federatedidentitycredentials", rest.count <= 2 else {
                return call.methodNotAllowed
            }
            let identity = try identity(name, group: group)
            guard rest.count == 2, let credential = rest.last else {
                return call.method == "GET" ? try listCredentials(of: identity, call) : call.methodNotAllowed
            }
            return try answerCredential(credential, of: identity, call)
        }
    }

    private func identity(_ name: String, group: String) throws(RefusedRequest) -> UserAssignedIdentity {
        guard let identity = identities[Self.identityKey(group: group, name: name)] else {
            throw .notFound("Microsoft.ManagedIdentity/userAssignedIdentities/\(name)", group: group)
        }
        return identity
    }

    private func listIdentities(_ call: ResourceCall) throws(RefusedRequest) -> Reply {
        let listed = identities.sorted { $0.key < $1.key }.filter { pair in
            call.path.group.map { $0.lowercased() == pair.value.group.lowercased() } ?? true
        }
        return try call.page(
            listed, size: call.top(atMost: settings.pageSize), key: { $0.key }, document: { document(of: $0.value) })
    }

    private mutating func putIdentity(
        _ name: String, group: String, _ call: ResourceCall, at now: Instant
    ) throws(RefusedRequest) -> Reply {
        // Azure docs, resource-name-rules, read 2026-02. The code is a guess.
        guard (3...128).contains(name.count), name.first?.isLetter == true || name.first?.isNumber == true,
            name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
        else {
            throw RefusedRequest(400, "InvalidResourceName", "The resource name '\(name)' is not valid.")
        }
        let body = try call.object()
        guard let wanted = body["location"]?.string, !wanted.isEmpty else {
            throw RefusedRequest(400, "LocationRequired", "The location property is required for this definition.")
        }
        guard let location = region(wanted) else {
            throw RefusedRequest(
                400, "LocationNotAvailableForResourceType",
                "The provided location '\(wanted)' is not available for resource type "
                    + "'Microsoft.ManagedIdentity/userAssignedIdentities'.")
        }
        let key = Self.identityKey(group: group, name: name)
        let existing = identities[key]
        if let existing, existing.location != location {
            throw RefusedRequest(
                409, "InvalidResourceLocation",
                "The resource '\(name)' already exists in location '\(existing.location)' in resource group "
                    + "'\(existing.group)'. A resource with the same name cannot be created in location '\(location)'. "
                    + "Please select a new resource name.")
        }
        let tags = try TagSet.read(body["tags"]) ?? []
        var identity =
            existing
            ?? UserAssignedIdentity(
                name: name, group: group, location: location, principalID: random.guid(), clientID: random.guid(),
                created: now, changed: now)
        identity.tags = tags
        identity.changed = now
        identities[key] = identity
        return created(.json(existing == nil ? 201 : 200, document(of: identity)), at: id(of: identity))
    }

    private mutating func patchIdentity(
        _ name: String, group: String, _ call: ResourceCall, at now: Instant
    ) throws(RefusedRequest) -> Reply {
        var identity = try identity(name, group: group)
        if let tags = try TagSet.read(call.object()["tags"]) { identity.tags = tags }
        identity.changed = now
        identities[Self.identityKey(group: group, name: name)] = identity
        return .json(200, document(of: identity))
    }

    /// What is new is found at `Location`, a path without a host (recorded).
    private func created(_ reply: Reply, at id: String) -> Reply {
        var reply = reply
        if reply.status == 201 { reply.add("Location", id) }
        return reply
    }

    // MARK: Federated credentials

    /// An identity has at most 20 (Azure docs, workload-identity-federation-considerations, read 2026-02).
    private static let mostCredentials = 20

    private func listCredentials(of identity: UserAssignedIdentity, _ call: ResourceCall) throws(RefusedRequest)
        -> Reply
    {
        try call.page(
            identity.credentials.sorted { $0.key < $1.key }, size: call.top(atMost: settings.pageSize),
            key: { $0.key }, document: { document(of: $0.value, in: identity) })
    }

    private mutating func answerCredential(
        _ name: String, of identity: UserAssignedIdentity, _ call: ResourceCall
    ) throws(RefusedRequest) -> Reply {
        let key = Self.identityKey(group: identity.group, name: identity.name)
        let existing = identity.credentials[name.lowercased()]
        switch call.method {
        case "GET":
            guard let existing else {
                throw .notFound(
                    "Microsoft.ManagedIdentity/userAssignedIdentities/\(identity.name)/federatedIdentityCredentials/"
                        + name, group: identity.group)
            }
            return .json(200, document(of: existing, in: identity))
        case "PUT":
            let credential = try Self.credential(name, try call.object())
            // The codes of both refusals are guesses.
            guard existing != nil || identity.credentials.count < Self.mostCredentials else {
                throw RefusedRequest(
                    400, "BadRequest", "Too many Federated Identity Credentials are supplied. Max allowed: 20.")
            }
            let isTaken = identity.credentials.contains {
                $0.key != name.lowercased() && $0.value.issuer == credential.issuer
                    && $0.value.subject == credential.subject
            }
            guard !isTaken else {
                throw RefusedRequest(
                    409, "Conflict",
                    "Issuer and subject combination already exists for this Managed Identity.")
            }
            identities[key]?.credentials[name.lowercased()] = credential
            let reply = Reply.json(existing == nil ? 201 : 200, document(of: credential, in: identity))
            return created(reply, at: "\(id(of: identity))/federatedIdentityCredentials/\(name)")
        case "DELETE":
            identities[key]?.credentials[name.lowercased()] = nil
            return Reply(status: existing == nil ? 204 : 200)
        default: return call.methodNotAllowed
        }
    }

    private static func credential(_ name: String, _ body: JSON) throws(RefusedRequest) -> FederatedCredential {
        let properties = body["properties"] ?? [:]
        guard let issuer = properties["issuer"]?.string, let subject = properties["subject"]?.string,
            let audiences = properties["audiences"]?.array?.map(\.string), !audiences.isEmpty,
            !audiences.contains(nil)
        else {
            throw RefusedRequest(
                400, "BadRequest", "The properties 'issuer', 'subject' and 'audiences' are required.")
        }
        return FederatedCredential(
            name: name, issuer: issuer, subject: subject, audiences: audiences.compactMap(\.self))
    }
}
