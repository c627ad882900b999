/// A user-assigned managed identity.
struct UserAssignedIdentity: Sendable, Codable {
    var name: String
    /// In the case in which it was last sent.
    var group: String
    /// The region's name.
    var location: String
    var tags: [JSON.Member] = []
    /// The object id of its service principal, and its application id. Drawn from the World's seed.
    var principalID: String
    var clientID: String
    var created: Instant
    var changed: Instant
    /// By name in lower case.
    var credentials: [String: FederatedCredential] = [:]
}

/// Whose tokens an identity takes for its own.
struct FederatedCredential: Sendable, Codable {
    var name: String
    var issuer: String
    var subject: String
    var audiences: [String]
}

extension World {
    /// User-assigned identities by group and name in lower case.
    static func identityKey(group: String, name: String) -> String { "\(group)/\(name)".lowercased() }

    /// The identity of a resource id in any case, for identity blocks of other resources.
    func userAssignedIdentity(id: String) -> UserAssignedIdentity? {
        let path = ResourcePath(path: id)
        guard path.type.lowercased() == "microsoft.managedidentity/userassignedidentities", path.suffix.isEmpty,
            path.subscription?.lowercased() == settings.subscriptionID.lowercased(), let group = path.group,
            let name = path.name
        else { return nil }
        return identities[Self.identityKey(group: group, name: name)]
    }

    /// The identity of an application id, for token endpoints.
    func userAssignedIdentity(clientID: String) -> UserAssignedIdentity? {
        identities.values.first { $0.clientID.lowercased() == clientID.lowercased() }
    }

    /// The identity of a service principal's object id, for token endpoints.
    func userAssignedIdentity(principalID: String) -> UserAssignedIdentity? {
        identities.values.first { $0.principalID.lowercased() == principalID.lowercased() }
    }

    /// Microsoft.ManagedIdentity writes `resourcegroups` in ids (recorded replies of 2022-01-31-preview, Azure/azure-cli
    /// `test_federated_identity_credential`, read 2026-11).
    func id(of identity: UserAssignedIdentity) -> String {
        "\(subscriptionPath)/resourcegroups/\(identity.group)/providers/Microsoft.ManagedIdentity/userAssignedIdentities/"
            + identity.name
    }

    func document(of identity: UserAssignedIdentity) -> JSON {
        [
            "id": .string(id(of: identity)), "name": .string(identity.name),
            "type": "Microsoft.ManagedIdentity/userAssignedIdentities", "location": .string(identity.location),
            "tags": .object(identity.tags),
            "properties": [
                "tenantId": .string(settings.tenantID), "principalId": .string(identity.principalID),
                "clientId": .string(identity.clientID),
            ],
        ]
    }

    func document(of credential: FederatedCredential, in identity: UserAssignedIdentity) -> JSON {
        [
            "id": .string("\(id(of: identity))/federatedIdentityCredentials/\(credential.name)"),
            "name": .string(credential.name),
            "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
            "properties": [
                "issuer": .string(credential.issuer), "subject": .string(credential.subject),
                "audiences": .array(credential.audiences.map(JSON.string)),
            ],
        ]
    }
}

extension ResourceInventory {
    static let userAssignedIdentities = ResourceInventory(
        type: "Microsoft.ManagedIdentity/userAssignedIdentities",
        list: { world in world.identities.values.map(world.tracked) },
        find: { world, group, name in
            world.identities[World.identityKey(group: group, name: name)].map(world.tracked)
        },
        setTags: { world, resource, tags, now in
            let key = World.identityKey(group: resource.group, name: resource.name)
            world.identities[key]?.tags = tags
            world.identities[key]?.changed = now
        },
        delete: { world, resource, _ in
            world.identities[World.identityKey(group: resource.group, name: resource.name)] = nil
        })
}

extension World {
    fileprivate func tracked(_ identity: UserAssignedIdentity) -> TrackedResource {
        TrackedResource(
            id: id(of: identity), type: "Microsoft.ManagedIdentity/userAssignedIdentities", name: identity.name,
            group: identity.group, location: identity.location, tags: identity.tags, created: identity.created,
            changed: identity.changed, document: { world in world.document(of: identity) })
    }
}
