/// The ways to a token that ``DefaultCredential`` knows. The raw values are the names that Azure's SDKs give them.
package enum CredentialKind: String, Sendable, CaseIterable {
    case environment = "EnvironmentCredential"
    case workloadIdentity = "WorkloadIdentityCredential"
    case managedIdentity = "ManagedIdentityCredential"
    case azureCLI = "AzureCLICredential"
}

/// What one of several credentials answers when it is asked for a token.
package enum CredentialAnswer: Sendable {
    case token(AccessToken)
    /// It cannot be used here, so the next one shall be asked; the reason is for an operator. A credential that can be
    /// used and is refused throws instead: then nobody else is asked.
    case unavailable(String)
}

/// One of several credentials.
protocol CredentialCandidate: Sendable {
    var kind: CredentialKind { get }

    /// - Throws: why a credential that is set up here gives no token.
    func answer(
        _ scope: TokenScope, claims: ClaimsChallenge?, correlationID: CorrelationID
    ) async throws(AzureError) -> CredentialAnswer
}

/// A credential that is known not to be usable before it is asked.
struct UnavailableCandidate: CredentialCandidate {
    let kind: CredentialKind
    let reason: String

    func answer(
        _ scope: TokenScope, claims: ClaimsChallenge?, correlationID: CorrelationID
    ) async throws(AzureError) -> CredentialAnswer {
        .unavailable(reason)
    }
}

/// A credential that is fully set up, by environment variables.
struct ConfiguredCandidate: CredentialCandidate {
    let kind: CredentialKind
    let credential: any TokenCredential

    func answer(
        _ scope: TokenScope, claims: ClaimsChallenge?, correlationID: CorrelationID
    ) async throws(AzureError) -> CredentialAnswer {
        .token(try await credential.token(scope, claims: claims, correlationID: correlationID))
    }
}
