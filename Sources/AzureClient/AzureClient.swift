/// Azure as one resource group sees it: typed calls to Azure Resource Manager with one credential.
///
/// A value that holds no state of its own but the token cache and the request quotas; copies share them.
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
    /// What the client keeps to; whoever hands it requests in good order can keep to the same.
    package let rates: RequestRates
    private let transport: any Transport
    private let tokens: TokenCache
    private let gate: RequestGate
    private let pacing: Pacing

    package init(
        environment: AzureEnvironment, scope: AzureScope, credential: any TokenCredential, transport: AzureTransport,
        limits: Limits = Limits(), rates: RequestRates = .published
    ) {
        self.init(
            environment: environment, scope: scope, credential: credential, sending: transport, limits: limits,
            rates: rates)
    }

    package init(
        environment: AzureEnvironment, scope: AzureScope, credential: any TokenCredential,
        sending transport: any Transport, limits: Limits = Limits(), rates: RequestRates = .published,
        pacing: Pacing = .system
    ) {
        self.environment = environment
        self.scope = scope
        self.limits = limits
        self.rates = rates
        self.transport = transport
        self.pacing = pacing
        gate = RequestGate(rates, resourceManager: environment.resourceManager)
        tokens = TokenCache(credential: credential, now: transport.clock.now, start: pacing.start)
    }

    /// Sends a request with a token, in its turn (``RequestRates``). A token that is refused is renewed and the request
    /// sent once more: a 401 was not applied.
    /// - Throws: for every reply but a successful one; `throttled` without anything sent if its turn is too far away.
    func call(_ request: AzureRequest) async throws(AzureError) -> AzureReply {
        let scope = request.tokenScope ?? environment.scope
        let token = try await tokens.token(scope, correlationID: request.correlationID)
        let refused: AzureError
        do throws(AzureError) {
            return try await send(request, token)
        } catch {
            refused = error
        }
        guard refused.status == 401 else { throw refused }
        let renewed = try await tokens.replacement(
            for: token, scope, claims: refused.claims, correlationID: request.correlationID)
        return try await send(request, renewed)
    }

    private func send(_ request: AzureRequest, _ token: AccessToken) async throws(AzureError) -> AzureReply {
        let kind = try await gate.pass(request, by: self)
        let reply: AzureReply
        do throws(AzureError) {
            reply = try await transport.send(request, bearer: token)
        } catch {
            gate.ended(kind, reply: nil, error: nil, now: now)
            throw error
        }
        var request = request
        request.secrets.append(token.secret)
        let error = reply.isSuccess ? nil : AzureError(reply, to: request, clock: transport.clock)
        gate.ended(kind, reply: reply, error: error, now: now)
        if let error { throw error }
        return reply
    }

    /// What is left of the request quotas, for metrics and `explain`.
    package func budgets() -> [RequestBudget] { gate.snapshot(now: now) }

    /// Now, on the clock that replies are judged by.
    var now: ContinuousClock.Instant { transport.clock.now() }
    /// Seconds since 1970.
    var unixSeconds: Int64 { transport.clock.unixSeconds() }

    func jitter() -> Double { pacing.jitter() }

    /// Lets time pass on behalf of a call.
    /// - Throws: `cancelled` alone.
    func pause(_ duration: Duration, for request: AzureOperation, _ resource: String) async throws(AzureError) {
        guard duration > .zero else { return }
        do {
            try await pacing.pause(duration)
        } catch {
            throw AzureError(code: .cancelled, operation: request, resource: resource, message: "cancelled")
        }
    }

    func retryAfter(_ reply: AzureReply) -> Duration? {
        RetryAfter.duration(reply.headers, unixSeconds: transport.clock.unixSeconds())
    }
}
