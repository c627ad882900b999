/// An application of Microsoft Entra that proves itself by a shared secret.
package struct ClientSecretCredential: TokenCredential {
    private let endpoint: TokenEndpoint
    private let secret: Secret

    package init(
        environment: AzureEnvironment, tenant: String, clientID: String, secret: Secret, transport: AzureTransport
    ) {
        self.init(
            authority: environment.authority, tenant: tenant, clientID: clientID, secret: secret, transport: transport)
    }

    init(authority: ServiceURL, tenant: String, clientID: String, secret: Secret, transport: any Transport) {
        endpoint = TokenEndpoint(authority: authority, tenant: tenant, clientID: clientID, transport: transport)
        self.secret = secret
    }

    package func token(
        _ scope: TokenScope, claims: ClaimsChallenge?, correlationID: CorrelationID
    ) async throws(AzureError) -> AccessToken {
        try await endpoint.token(scope, claims: claims, proof: .secret(secret), correlationID: correlationID)
    }
}
