import NIOCore
import NIOHTTP1

/// User-assigned identities and their federated credentials.
extension AzureClient {
    /// The version of Microsoft.ManagedIdentity whose published examples the documents here follow.
    static let managedIdentityVersion = "2023-01-31"

    private static let identitiesPath = ["providers", "Microsoft.ManagedIdentity", "userAssignedIdentities"]

    /// The id an identity of that name has in this client's group.
    private func identityID(_ name: IdentityName) -> ResourceID {
        ResourceID(unchecked: scope.group.segments + Self.identitiesPath + [name.rawValue])
    }

    /// The identity, or nil if Azure says that this very identity does not exist. One read.
    package func userAssignedIdentity(
        _ name: IdentityName, correlationID: CorrelationID
    ) async throws(AzureError) -> ManagedIdentity? {
        let get = request(
            .getIdentity, .GET, identityID(name), apiVersion: Self.managedIdentityVersion,
            correlationID: correlationID)
        return try await read(UserAssignedIdentityDocument.self, get)
    }

    /// Creates an identity, or replaces the tags of one that is there; its ids stay. One write. Other services know a
    /// new identity only after a while.
    package func putUserAssignedIdentity(
        _ name: IdentityName, location: String, tags: [String: String] = [:], correlationID: CorrelationID
    ) async throws(AzureError) -> ManagedIdentity {
        let put = try request(
            .putIdentity, .PUT, identityID(name), apiVersion: Self.managedIdentityVersion,
            body: IdentityBody(location: location, tags: tags), correlationID: correlationID)
        return try value(UserAssignedIdentityDocument.self, try await call(put), put)
    }

    /// Every identity of the group. One read per page.
    package func listUserAssignedIdentities(
        correlationID: CorrelationID
    ) async throws(AzureError) -> [ManagedIdentity] {
        let get = request(
            .listIdentities, .GET, ResourceID(unchecked: scope.group.segments + Self.identitiesPath),
            apiVersion: Self.managedIdentityVersion, correlationID: correlationID)
        return try await list(UserAssignedIdentityDocument.self, get)
    }

    /// Deletes an identity; who used it loses its access. One delete.
    package func deleteUserAssignedIdentity(
        _ name: IdentityName, correlationID: CorrelationID
    ) async throws(AzureError) -> DeleteOutcome {
        try await delete(
            request(
                .deleteIdentity, .DELETE, identityID(name), apiVersion: Self.managedIdentityVersion, isWrite: true,
                correlationID: correlationID))
    }

    /// Lets an identity be used with tokens of another issuer. One write.
    /// - Throws: `scopeNotFound` if there is no such identity; `conflict` if another of its credentials has the same
    ///   issuer and subject.
    package func putFederatedCredential(
        _ name: IdentityName, of identity: IdentityName, _ credential: FederatedCredential, correlationID: CorrelationID
    ) async throws(AzureError) {
        let put = try request(
            .putFederatedCredential, .PUT, identityID(identity), suffix: "/federatedIdentityCredentials/\(name)",
            apiVersion: Self.managedIdentityVersion, body: FederatedCredentialBody(credential),
            correlationID: correlationID)
        _ = try await call(put)
    }
}

/// An identity as JSON in Azure's replies.
private struct UserAssignedIdentityDocument: ResourceDocument, Sendable {
    let id: String
    let name: String
    let location: String?
    let tags: [String: String?]?
    let properties: JSONValue?

    /// Without its ids an identity is of no use.
    var value: ManagedIdentity? {
        guard let resourceID = ResourceID(id), let properties, let client = properties["clientId"]?.string,
            let principal = properties["principalId"]?.string
        else { return nil }
        return ManagedIdentity(
            resourceID: resourceID, name: name, location: location ?? "",
            tags: (tags ?? [:]).compactMapValues(\.self), clientID: client, principalID: principal,
            tenantID: properties["tenantId"]?.string, properties: properties)
    }
}

/// An identity as JSON in our PUT.
private struct IdentityBody: Encodable {
    let location: String
    let tags: [String: String]
}

/// A federated credential as JSON in our PUT.
private struct FederatedCredentialBody: Encodable {
    struct Properties: Encodable {
        let issuer: String
        let subject: String
        let audiences: [String]
    }

    let properties: Properties

    init(_ credential: FederatedCredential) {
        properties = Properties(
            issuer: credential.issuer, subject: credential.subject, audiences: credential.audiences)
    }
}
