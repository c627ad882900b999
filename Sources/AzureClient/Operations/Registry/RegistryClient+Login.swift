import NIOHTTP1

extension RegistryClient {
    /// Whether the registry takes somebody's name and password, or access token in the password's place. Nothing is kept of them.
    ///
    /// As the Docker CLI's engine does: `/v2/` with the credentials, or where that asks for tokens, the token service it names (OCI distribution-spec v1.1;
    /// Docker registry token authentication, read 2026-02). They go nowhere but to the registry itself and, over TLS, to that service.
    /// - Throws: what kept an answer from arriving, and `malformedReply` for a challenge that cannot be followed.
    package func accepts(user: String, password: Secret, correlationID: CorrelationID) async throws(AzureError) -> Bool
    {
        let basic = Secret("Basic " + Base64.encoded(Array("\(user):\(password.reveal())".utf8)))
        let request = loginRequest(endpoint.url(escapedPath: "/v2/"), basic, password, correlationID)
        let reply = try await transport.send(request, bearer: nil)
        if reply.isSuccess { return true }
        guard reply.status == 401 else {
            if reply.status == 403 { return false }
            throw AzureError(reply, to: request, clock: transport.clock)
        }
        let challenges = reply.headers["www-authenticate"].compactMap(AuthenticationChallenge.parse).flatMap(\.self)
        guard let bearer = challenges.first(where: { $0.scheme == "bearer" }) else { return false }
        guard let realm = bearer.parameters["realm"], isTrusted(realm) else {
            throw AzureError(
                unusable: reply, to: request, message: "the registry sends its users to no token service over TLS")
        }
        var query: [(name: String, value: String)] = [("account", user)]
        if let service = bearer.parameters["service"] { query.append(("service", service)) }
        let url = realm + (realm.contains("?") ? "&" : "?") + PercentEncoding.form(query)
        let tokenRequest = loginRequest(url, basic, password, correlationID)
        let tokens = try await transport.send(tokenRequest, bearer: nil)
        if tokens.isSuccess { return true }
        // Token services answer 400 and 403 for credentials as well.
        if [400, 401, 403].contains(tokens.status) { return false }
        throw AzureError(tokens, to: tokenRequest, clock: transport.clock)
    }

    /// The registry's own origin, or any service over TLS.
    private func isTrusted(_ realm: String) -> Bool {
        guard !realm.contains("#") else { return false }
        if endpoint.owns(realm) { return true }
        let base = realm.prefix { $0 != "?" }
        // Why it is no address does not matter.
        return (try? ServiceURL(String(base)))?.scheme == "https"
    }

    private func loginRequest(
        _ url: String, _ basic: Secret, _ password: Secret, _ correlationID: CorrelationID
    ) -> AzureRequest {
        AzureRequest(
            operation: .resolveImage, resource: "login to \(endpoint)", url: url,
            headers: ["authorization": basic.reveal(), "accept": "application/json"], correlationID: correlationID,
            timeout: Self.timeout, bodyBound: .refuse(aboveBytes: 1 << 20), secrets: [basic, password])
    }
}
