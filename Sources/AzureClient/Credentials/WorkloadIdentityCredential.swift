import NIOConcurrencyHelpers

/// An application of Microsoft Entra that proves itself by a token of another issuer which Entra trusts, such as
/// Kubernetes. Somebody else renews the token's file (Azure docs, "Workload identity federation", read 2026-11).
struct WorkloadIdentityCredential: CredentialCandidate {
    private struct Assertion {
        let token: Secret
        let readAt: ContinuousClock.Instant
    }

    /// As the SDKs for Go do (azidentity, read 2026-02).
    static let rereadAfter = Duration.seconds(300)

    let kind = CredentialKind.workloadIdentity
    private let endpoint: TokenEndpoint
    private let tokenFile: String
    private let lastRead = NIOLockedValueBox<Assertion?>(nil)

    init(authority: ServiceURL, tenant: String, clientID: String, tokenFile: String, transport: any Transport) {
        endpoint = TokenEndpoint(authority: authority, tenant: tenant, clientID: clientID, transport: transport)
        self.tokenFile = tokenFile
    }

    /// A token that Entra refuses is read again and, if it is another one by now, tried once more.
    func answer(
        _ scope: TokenScope, claims: ClaimsChallenge?, correlationID: CorrelationID
    ) async throws(AzureError) -> CredentialAnswer {
        let now = endpoint.transport.clock.now()
        let last = lastRead.withLockedValue(\.self)
        let fresh = last.flatMap { now < $0.readAt + Self.rereadAfter ? $0.token : nil }
        let assertion: Secret
        if let fresh { assertion = fresh } else { assertion = try read(now) }
        do throws(AzureError) {
            return .token(
                try await endpoint.token(
                    scope, claims: claims, proof: .assertion(assertion), correlationID: correlationID))
        } catch {
            guard error.code == .unauthorized || error.code == .invalid, fresh != nil else { throw error }
            let renewed = try read(now)
            guard renewed != assertion else { throw error }
            return .token(
                try await endpoint.token(
                    scope, claims: claims, proof: .assertion(renewed), correlationID: correlationID))
        }
    }

    private func read(_ now: ContinuousClock.Instant) throws(AzureError) -> Secret {
        let text = try SecretFile.read(tokenFile, for: "federated token")
        let token = Secret(String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed()))
        guard !token.reveal().isEmpty else { throw SecretFile.fault(tokenFile, "the federated token is empty") }
        lastRead.withLockedValue { $0 = Assertion(token: token, readAt: now) }
        return token
    }
}
