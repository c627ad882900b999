import NIOCore
import NIOHTTP1

/// The token endpoint of one tenant of Microsoft Entra: the OAuth 2.0 client credentials flow of version 2.0, whatever
/// the application proves itself by (Microsoft identity platform docs, "OAuth 2.0 client credentials flow", read
/// 2026-02).
struct TokenEndpoint: Sendable {
    /// A token endpoint answers within a second or two; a longer wait means that it does not answer.
    static let timeout = Duration.seconds(30)
    /// The value of `client_assertion_type` (RFC 7523, section 2.2).
    private static let assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

    /// What an application shows instead of a password.
    enum Proof: Sendable {
        case secret(Secret)
        /// A signed JSON Web Token.
        case assertion(Secret)
    }

    /// Absolute; an assertion names it as its audience.
    let url: String
    let tenant: String
    let clientID: String
    let transport: any Transport

    init(authority: ServiceURL, tenant: String, clientID: String, transport: any Transport) {
        url = authority.url(escapedPath: "/\(PercentEncoding.encoded(tenant))/oauth2/v2.0/token")
        self.tenant = tenant
        self.clientID = clientID
        self.transport = transport
    }

    /// - Throws: `unauthorized` if Entra refuses the proof, `malformedReply`, or any failure of the call.
    func token(
        _ scope: TokenScope, claims: ClaimsChallenge?, proof: Proof, correlationID: CorrelationID
    ) async throws(AzureError) -> AccessToken {
        let (fields, secret): ([(String, String)], Secret) =
            switch proof {
            case .secret(let secret): ([("client_secret", secret.reveal())], secret)
            case .assertion(let secret):
                ([("client_assertion_type", Self.assertionType), ("client_assertion", secret.reveal())], secret)
            }
        let form = PercentEncoding.form(
            [("grant_type", "client_credentials"), ("client_id", clientID)] + fields + [
                ("scope", scope.rawValue), ("claims", ClaimsChallenge.requestField(answering: claims)),
            ])
        let request = AzureRequest(
            operation: .fetchToken, resource: "\(scope.rawValue) of tenant \(tenant)", method: .POST, url: url,
            headers: ["content-type": "application/x-www-form-urlencoded", "accept": "application/json"],
            body: ByteBuffer(string: form), correlationID: correlationID, timeout: Self.timeout,
            bodyBound: .refuse(aboveBytes: 1 << 20),
            secrets: [secret, Secret(PercentEncoding.encoded(secret.reveal()))])
        let asked = transport.clock.now()
        let reply = try await transport.send(request, bearer: nil)
        guard reply.isSuccess else { throw AzureError(reply, to: request, clock: transport.clock) }
        return try IssuedToken.read(reply, to: request, since: asked, clock: transport.clock)
    }
}
