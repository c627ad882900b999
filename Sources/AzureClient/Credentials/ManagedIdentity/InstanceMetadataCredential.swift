import NIOConcurrencyHelpers
import NIOHTTP1

/// The managed identity of a virtual machine, by Azure's instance metadata service (Azure docs, "How to use managed
/// identities for Azure resources on an Azure VM to acquire an access token", read 2026-11).
struct InstanceMetadataCredential: CredentialCandidate {
    /// Reachable from virtual machines only; elsewhere the address answers nothing.
    static let standardHost = "http://169.254.169.254"
    static let timeout = Duration.seconds(30)
    /// Where there is no such service, the address does not answer at all, so that a search must not wait for long
    /// (the SDKs' `DefaultAzureCredential`, read 2026-11).
    static let probeTimeout = Duration.seconds(1)

    let kind = CredentialKind.managedIdentity
    private let url: String
    private let identity: ManagedIdentityID?
    private let transport: any Transport
    private let pause: @Sendable (Duration) async throws -> Void
    private let hasAnswered: NIOLockedValueBox<Bool>

    /// - Parameters:
    ///   - host: `AZURE_POD_IDENTITY_AUTHORITY_HOST`, if set.
    ///   - isProbed: whether to look first, shortly and until the first answer, whether the service is there.
    ///   - pause: waits between tries.
    init(
        host: String?, identity: ManagedIdentityID?, isProbed: Bool, transport: any Transport,
        pause: @escaping @Sendable (Duration) async throws -> Void = { try await ContinuousClock().sleep(for: $0) }
    ) {
        let base = host ?? Self.standardHost
        url = (base.hasSuffix("/") ? String(base.dropLast()) : base) + "/metadata/identity/oauth2/token"
        self.identity = identity
        self.transport = transport
        self.pause = pause
        hasAnswered = NIOLockedValueBox(!isProbed)
    }

    func answer(
        _ scope: TokenScope, claims: ClaimsChallenge?, correlationID: CorrelationID
    ) async throws(AzureError) -> CredentialAnswer {
        if !hasAnswered.withLockedValue(\.self) {
            if let absence = try await absence(scope, correlationID) { return .unavailable(absence) }
            hasAnswered.withLockedValue { $0 = true }
        }
        let request = tokenRequest(scope, correlationID)
        var tries = 0
        while true {
            let asked = transport.clock.now()
            let reply = try await transport.send(request, bearer: nil)
            tries += 1
            if reply.isSuccess {
                return .token(
                    try IssuedToken.read(
                        reply, to: request, since: asked, clock: transport.clock, refreshesAtHalfLife: true))
            }
            let error = AzureError(reply, to: request, clock: transport.clock)
            guard let wait = Self.wait(afterTry: tries, status: reply.status, retryAfter: error.retryAfter) else {
                if reply.status == 400 {
                    return .unavailable("this machine has no such managed identity: \(error.message)")
                }
                if let absence = Self.absence(error) { return .unavailable(absence) }
                throw error
            }
            do {
                try await pause(wait)
            } catch {
                throw AzureError(
                    code: .cancelled, operation: .fetchToken, resource: scope.rawValue, message: "cancelled",
                    correlationID: correlationID.description)
            }
        }
    }

    /// How long to wait before the next try, nil if there is none. 404, 410, 429 and 5xx are passing (MSAL, managed
    /// identity, read 2026-08): three tries, a second apart. 410 says that the service is being updated, which takes
    /// up to 70 s (Azure docs, "Error handling" of the page above): five tries over 75 s.
    static func wait(afterTry tries: Int, status: Int, retryAfter: Duration?) -> Duration? {
        switch status {
        case 410: return tries < 5 ? .seconds(5 << (tries - 1)) : nil
        case 404, 429, 500...599:
            let wait = max(.seconds(1), retryAfter ?? .zero)
            return tries < 3 && wait <= .seconds(60) ? wait : nil
        default: return nil
        }
    }

    private func tokenRequest(_ scope: TokenScope, _ correlationID: CorrelationID) -> AzureRequest {
        var query = [("api-version", "2018-02-01"), ("resource", scope.resource)]
        switch identity {
        case nil: break
        case .clientID(let id): query.append(("client_id", id))
        case .resourceID(let id): query.append(("msi_res_id", id))
        case .objectID(let id): query.append(("object_id", id))
        }
        return AzureRequest(
            operation: .fetchToken, resource: "\(scope.rawValue) of the machine's identity",
            url: "\(url)?\(PercentEncoding.form(query))", headers: ["metadata": "true", "accept": "application/json"],
            bypassesProxy: true, correlationID: correlationID, timeout: Self.timeout,
            bodyBound: .refuse(aboveBytes: 1 << 20))
    }

    /// Why the service is not there, nil if anything answers. Without the header `Metadata` the service refuses at
    /// once and issues nothing.
    private func absence(
        _ scope: TokenScope, _ correlationID: CorrelationID
    ) async throws(AzureError) -> String? {
        let probe = AzureRequest(
            operation: .fetchToken, resource: "the machine's identity service", url: url, bypassesProxy: true,
            correlationID: correlationID, timeout: Self.probeTimeout, bodyBound: .refuse(aboveBytes: 1 << 20))
        do throws(AzureError) {
            let reply = try await transport.send(probe, bearer: nil)
            return Self.absence(AzureError(reply, to: probe, clock: transport.clock))
        } catch {
            if error.code == .cancelled { throw error }
            return "no identity service answers: this is no virtual machine of Azure (\(error.message))"
        }
    }

    /// The service has no 403 of its own: something on the way answers, as Docker Desktop does for hosts that it
    /// cannot reach (azidentity, read 2026-11).
    private static func absence(_ error: AzureError) -> String? {
        error.status == 403 ? "something else answers in place of the identity service: \(error.message)" : nil
    }
}
