/// Azure as one resource group sees it: typed calls to Azure Resource Manager with one credential.
///
/// A value that holds no state of its own but the token cache; copies share it.
package struct AzureClient: Sendable {
    /// How long whole calls may take.
    package struct Limits: Sendable {
        /// Azure Resource Manager gives a resource provider 60 s and then answers 504 (azure-resource-manager-rpc v1.0,
        /// read 2026-02); a little more lets that answer arrive.
        package var read = Duration.seconds(75)
        /// A site PUT was seen to block for 25 s; front ends hold a request for at most 230 s.
        package var write = Duration.seconds(240)

        package init() {}
    }

    let environment: AzureEnvironment
    let scope: AzureScope
    let limits: Limits
    private let transport: any Transport
    private let tokens: TokenCache

    package init(
        environment: AzureEnvironment, scope: AzureScope, credential: any TokenCredential, transport: AzureTransport,
        limits: Limits = Limits()
    ) {
        self.init(environment: environment, scope: scope, credential: credential, sending: transport, limits: limits)
    }

    init(
        environment: AzureEnvironment, scope: AzureScope, credential: any TokenCredential,
        sending transport: any Transport, limits: Limits = Limits()
    ) {
        self.environment = environment
        self.scope = scope
        self.limits = limits
        self.transport = transport
        tokens = TokenCache(credential: credential, now: transport.clock.now)
    }

    /// Sends a request with a token. A token that is refused is renewed and the request sent once more: a 401 was not
    /// applied.
    /// - Throws: for every reply but a successful one.
    func call(_ request: AzureRequest) async throws(AzureError) -> AzureReply {
        let scope = request.tokenScope ?? environment.scope
        let token = try await tokens.token(scope, correlationID: request.correlationID)
        let reply = try await transport.send(request, bearer: token)
        guard reply.status == 401 else { return try successful(reply, to: request, token: token) }
        let renewed = try await tokens.replacement(
            for: token, scope, claims: reply.claimsChallenge, correlationID: request.correlationID)
        return try successful(try await transport.send(request, bearer: renewed), to: request, token: renewed)
    }

    private func successful(
        _ reply: AzureReply, to request: AzureRequest, token: AccessToken
    ) throws(AzureError) -> AzureReply {
        if reply.isSuccess { return reply }
        var request = request
        request.secrets.append(token.secret)
        throw AzureError(reply, to: request, clock: transport.clock)
    }

    func retryAfter(_ reply: AzureReply) -> Duration? {
        RetryAfter.duration(reply.headers, unixSeconds: transport.clock.unixSeconds())
    }
}
