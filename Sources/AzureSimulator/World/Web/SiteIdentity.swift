/// The managed identities of a site.
struct SiteIdentity: Sendable, Codable {
    /// The service principal of the system-assigned identity.
    var systemPrincipalID: String?
    /// User-assigned ones by their resource id, in the case in which it was sent.
    var assigned: [Assigned] = []

    struct Assigned: Sendable, Codable {
        var id: String
        var principalID: String
        var clientID: String
    }

    /// As replies show it: the two kinds in one `type`, principals filled in (REST specification 2025-03-01).
    func document(tenantID: String) -> JSON {
        var types: [String] = []
        if systemPrincipalID != nil { types.append("SystemAssigned") }
        if !assigned.isEmpty { types.append("UserAssigned") }
        var document: JSON = ["type": .string(types.joined(separator: ", "))]
        if let systemPrincipalID {
            document.add("principalId", .string(systemPrincipalID))
            document.add("tenantId", .string(tenantID))
        }
        if !assigned.isEmpty {
            let members = assigned.map { one -> JSON.Member in
                .init(
                    name: one.id,
                    value: ["principalId": .string(one.principalID), "clientId": .string(one.clientID)])
            }
            document.add("userAssignedIdentities", .object(members))
        }
        return document
    }
}

extension World {
    /// The identities after an `identity` block was sent: `None` takes all away, a PATCH with null takes one away.
    /// - Throws: the refusal for an identity that is not there.
    mutating func identity(from sent: JSON, of site: Site, merges: Bool) throws(SiteRequest.Refusal) -> SiteIdentity? {
        let types = (sent["type"]?.string ?? "").split(separator: ",").map { $0.filter { $0 != " " }.lowercased() }
        if types == ["none"] || types.isEmpty { return nil }
        var identity = SiteIdentity()
        if types.contains("systemassigned") {
            identity.systemPrincipalID = site.identity?.systemPrincipalID ?? random.guid()
        }
        guard types.contains("userassigned") else { return identity }
        identity.assigned = merges ? site.identity?.assigned ?? [] : []
        for member in sent["userAssignedIdentities"]?.members ?? [] {
            identity.assigned.removeAll { $0.id.lowercased() == member.name.lowercased() }
            if member.value.isNull { continue }
            guard let known = userAssignedIdentity(id: member.name) else {
                throw SiteRequest.Refusal(reply: unknownIdentity(member.name, of: site))
            }
            identity.assigned.append(
                .init(id: member.name, principalID: known.principalID, clientID: known.clientID))
        }
        return identity
    }

    /// Resource Manager's refusal, as threads about missing identities quote it.
    private func unknownIdentity(_ identity: String, of site: Site) -> Reply {
        AzureErrorBody.resourceManager(
            400, "FailedIdentityOperation",
            "Identity operation for resource '\(id(of: site))' failed with error 'Failed to perform resource identity "
                + "operation. Status: 'BadRequest'. Response: '{\"error\":{\"code\":\"BadRequest\",\"message\":\"Resource "
                + "'\(identity)' was not found.\"}}''.")
    }
}
