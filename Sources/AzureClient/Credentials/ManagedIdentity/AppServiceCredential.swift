import NIOHTTP1

/// The managed identity of a site of App Service, Azure Functions or Container Apps (Azure docs, "How to use managed
/// identities for App Service", REST endpoint reference, read 2026-11).
struct AppServiceCredential: CredentialCandidate {
    static let timeout = Duration.seconds(30)

    let kind = CredentialKind.managedIdentity
    /// `IDENTITY_ENDPOINT`: an address on this machine or its link, with its path and without a query.
    let endpoint: String
    /// `IDENTITY_HEADER`: proves that the request comes from within the site.
    let header: Secret
    let identity: ManagedIdentityID?
    let transport: any Transport

    func answer(
        _ scope: TokenScope, claims: ClaimsChallenge?, correlationID: CorrelationID
    ) async throws(AzureError) -> CredentialAnswer {
        var query = [("api-version", "2019-08-01"), ("resource", scope.resource)]
        switch identity {
        case nil: break
        case .clientID(let id): query.append(("client_id", id))
        case .resourceID(let id): query.append(("mi_res_id", id))
        case .objectID(let id): query.append(("principal_id", id))
        }
        let request = AzureRequest(
            operation: .fetchToken, resource: "\(scope.rawValue) of the site's identity",
            url: "\(endpoint)?\(PercentEncoding.form(query))",
            headers: ["x-identity-header": header.reveal(), "accept": "application/json"],
            bypassesProxy: true, correlationID: correlationID, timeout: Self.timeout,
            bodyBound: .refuse(aboveBytes: 1 << 20),
            secrets: [header])
        let asked = transport.clock.now()
        let reply = try await transport.send(request, bearer: nil)
        guard reply.isSuccess else { throw AzureError(reply, to: request, clock: transport.clock) }
        return .token(
            try IssuedToken.read(
                reply, to: request, since: asked, clock: transport.clock, refreshesAtHalfLife: true))
    }
}
