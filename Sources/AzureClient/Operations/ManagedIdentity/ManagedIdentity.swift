/// The name of a user-assigned identity, or of a federated credential of one.
package struct IdentityName: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    package let rawValue: String
    package var description: String { rawValue }

    /// Nil unless the text has 3 to 120 ASCII letters, digits, hyphens and underscores and begins with a letter or digit
    /// (Azure docs, "Naming rules and restrictions for Azure resources" and "Configure a federated identity credential",
    /// read 2026-02; identities may be 8 longer, which nothing here needs).
    package init?(rawValue: String) {
        guard (3...120).contains(rawValue.utf8.count), let first = rawValue.first, first.isLetter || first.isNumber,
            rawValue.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
        else { return nil }
        self.rawValue = rawValue
    }
}

/// A user-assigned managed identity as Azure described it.
package struct ManagedIdentity: Sendable, Hashable {
    package var resourceID: ResourceID
    package var name: String
    package var location: String
    package var tags: [String: String]
    /// The application id, by which code asks for this identity's tokens.
    package var clientID: String
    /// The object id of the service principal, to which roles are given.
    package var principalID: String
    package var tenantID: String?
    /// All of `properties`, known and unknown.
    package var properties: JSONValue
}

/// Whose tokens an identity takes for its own, instead of a secret.
package struct FederatedCredential: Sendable, Hashable {
    /// The audience that Entra asks for in the public cloud.
    package static let usualAudience = "api://AzureADTokenExchange"

    /// The issuer's address, as it stands in its tokens.
    package var issuer: String
    /// The subject in its tokens; no pattern, the whole text.
    package var subject: String
    package var audiences: [String]

    package init(issuer: String, subject: String, audiences: [String] = [FederatedCredential.usualAudience]) {
        self.issuer = issuer
        self.subject = subject
        self.audiences = audiences
    }
}
