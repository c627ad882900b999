/// An application of Microsoft Entra that proves itself by a certificate. The file is read at each token, so that a
/// renewed certificate is taken without a restart.
package struct ClientCertificateCredential: TokenCredential {
    private let endpoint: TokenEndpoint
    private let path: String
    private let algorithm: ClientCertificate.Algorithm
    private let makeID: @Sendable () -> GUID

    init(
        authority: ServiceURL, tenant: String, clientID: String, certificatePath: String,
        algorithm: ClientCertificate.Algorithm = .ps256, transport: any Transport,
        makeID: @escaping @Sendable () -> GUID = AzureTransport.randomID
    ) {
        endpoint = TokenEndpoint(authority: authority, tenant: tenant, clientID: clientID, transport: transport)
        path = certificatePath
        self.algorithm = algorithm
        self.makeID = makeID
    }

    /// - Throws: `invalid` if the file holds no usable certificate.
    package func token(
        _ scope: TokenScope, claims: ClaimsChallenge?, correlationID: CorrelationID
    ) async throws(AzureError) -> AccessToken {
        let certificate = try ClientCertificate(pem: SecretFile.read(path, for: "certificate"), path: path)
        let assertion = try certificate.assertion(
            clientID: endpoint.clientID, audience: endpoint.url, unixSeconds: endpoint.transport.clock.unixSeconds(),
            id: makeID(), algorithm: algorithm)
        return try await endpoint.token(
            scope, claims: claims, proof: .assertion(assertion), correlationID: correlationID)
    }
}
