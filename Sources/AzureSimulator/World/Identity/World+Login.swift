import Crypto

// Microsoft Entra ID's token endpoint, as far as the client credentials flow needs it (Microsoft identity platform docs,
// "OAuth 2.0 client credentials flow" and "error codes", read 2026-02). Version 1 of the endpoint differs in naming the
// resource and in writing numbers as strings (Azure AD v1.0 docs, service-to-service calls).

extension World {
    /// - Parameter isFirstVersion: `/oauth2/token` and not `/oauth2/v2.0/token`.
    mutating func answerToken(
        _ request: ControlRequest, tenant: String, isFirstVersion: Bool, at now: Instant
    ) -> Reply {
        guard request.method == "POST" else { return Reply(status: 405) }
        let form = URLText.pairs(String(decoding: request.body, as: UTF8.self))
        func field(_ name: String) -> String? { form.first { $0.name == name }?.value }

        guard isKnown(tenant: tenant) else { return unknownTenant(tenant, at: now) }
        for name in ["grant_type", "client_id"] where (field(name) ?? "").isEmpty {
            return loginError(
                400, "invalid_request", 900144,
                "The request body must contain the following parameter: '\(name)'.", at: now)
        }
        guard field("grant_type") == "client_credentials" else {
            return loginError(
                400, "unsupported_grant_type", 70003,
                "The app requested an unsupported grant type '\(field("grant_type") ?? "")'.", at: now)
        }
        let client = field("client_id") ?? ""
        guard let registration = registration(of: client) else {
            return loginError(
                400, "unauthorized_client", 700016,
                "Application with identifier '\(client)' was not found in the directory '\(settings.tenantID)'. This "
                    + "can happen if the application has not been installed by the administrator of the tenant or "
                    + "consented to by any user in the tenant.", at: now)
        }
        if let fault = proofFault(field, of: registration, request: request, at: now) {
            return loginError(fault.status, fault.error, fault.code, fault.text, at: now)
        }
        let audience: String
        if isFirstVersion {
            audience = field("resource") ?? ""
            if audience.isEmpty {
                return loginError(
                    400, "invalid_request", 900144,
                    "The request body must contain the following parameter: 'resource'.",
                    at: now)
            }
        } else {
            let scope = field("scope") ?? ""
            guard scope.hasSuffix("/.default"), !scope.contains(" ") else {
                return loginError(
                    400, "invalid_scope", 1_002_012,
                    "The provided value for scope \(scope) is not valid. Client credential flows must have a scope "
                        + "value with /.default suffixed to the resource identifier (application ID URI).", at: now)
            }
            audience = String(scope.dropLast("/.default".count))
        }
        guard isKnown(audience: audience, request: request) else {
            return loginError(
                400, "invalid_resource", 500011,
                "The resource principal named \(audience) was not found in the tenant named \(settings.tenantID).",
                at: now)
        }
        let body = tokenBody(registration.principal, audience: audience, isFirstVersion: isFirstVersion, at: now)
        var reply = Reply.json(200, body)
        reply.add("Cache-Control", "no-store, no-cache")
        reply.add("Pragma", "no-cache")
        reply.add("x-ms-request-id", random.guid())
        return reply
    }

    private mutating func tokenBody(_ principal: Principal, audience: String, isFirstVersion: Bool, at now: Instant)
        -> JSON
    {
        let lifetime = WorldSettings.tokenLifetime.components.seconds
        let token = accessToken(for: principal, audience: audience, at: now)
        if isFirstVersion {
            return [
                "token_type": "Bearer", "expires_in": .string("\(lifetime)"), "ext_expires_in": .string("\(lifetime)"),
                "expires_on": .string("\((now + WorldSettings.tokenLifetime).seconds)"),
                "not_before": .string("\(now.seconds)"), "resource": .string(audience), "access_token": .string(token),
            ]
        }
        return [
            "token_type": "Bearer", "expires_in": .number(Int(lifetime)), "ext_expires_in": .number(Int(lifetime)),
            "access_token": .string(token),
        ]
    }

    /// The application registration that the configuration names.
    var application: Principal { Principal(clientID: settings.clientID, objectID: servicePrincipalID) }

    /// Somebody who may ask for tokens here, and how they may prove themselves.
    struct Registration: Sendable {
        var principal: Principal
        /// Whether a secret and certificates are known: managed identities have none.
        var hasSecrets: Bool
        var federation: [TrustedIssuer]
    }

    /// The registration with this client id, in any case.
    func registration(of client: String) -> Registration? {
        if client.lowercased() == settings.clientID.lowercased() {
            return Registration(principal: application, hasSecrets: true, federation: settings.federation)
        }
        return userAssignedIdentity(clientID: client).map { identity in
            Registration(
                principal: principal(of: identity), hasSecrets: false,
                federation: identity.credentials.sorted { $0.key < $1.key }.flatMap { _, credential in
                    credential.audiences.map {
                        TrustedIssuer(issuer: credential.issuer, subject: credential.subject, audience: $0)
                    }
                })
        }
    }

    /// The tenant by its id.
    func isKnown(tenant: String) -> Bool { tenant.lowercased() == settings.tenantID.lowercased() }

    mutating func unknownTenant(_ tenant: String, at now: Instant) -> Reply {
        loginError(
            400, "invalid_request", 90002,
            "Tenant '\(tenant)' not found. Check to make sure you have the correct tenant ID and are signing into "
                + "the correct cloud. Check with your subscription administrator, this may happen if there are no "
                + "active subscriptions for the tenant.", at: now)
    }

    /// What is wrong with the secret or the assertion in a form.
    private func proofFault(
        _ field: (String) -> String?, of registration: Registration, request: ControlRequest, at now: Instant
    ) -> ProofFault? {
        if let assertion = field("client_assertion"), !assertion.isEmpty {
            return fault(inAssertion: assertion, of: registration, request: request, at: now)
        }
        guard let secret = field("client_secret"), !secret.isEmpty else {
            return ProofFault(
                code: 7_000_218,
                text: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
        }
        guard registration.hasSecrets, isEqualInConstantTime(secret, settings.clientSecret.revealed) else {
            return ProofFault(
                code: 7_000_215,
                text:
                    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                    + "value, not the client secret ID, for a secret added to app '\(settings.clientID)'.")
        }
        return nil
    }

    private mutating func loginError(_ status: Int, _ error: String, _ code: Int, _ text: String, at now: Instant)
        -> Reply
    {
        let trace = random.guid()
        let correlation = random.guid()
        let stamp = now.iso8601.prefix(19).replacing("T", with: " ") + "Z"
        var reply = Reply.json(
            status,
            [
                "error": .string(error),
                "error_description": .string(
                    "AADSTS\(code): \(text) Trace ID: \(trace) Correlation ID: \(correlation) Timestamp: \(stamp)"),
                "error_codes": [.number(code)], "timestamp": .string(String(stamp)), "trace_id": .string(trace),
                "correlation_id": .string(correlation),
                "error_uri": .string("https://login.microsoftonline.com/error?code=\(code)"),
            ])
        reply.add("Cache-Control", "no-store, no-cache")
        reply.add("x-ms-request-id", trace)
        return reply
    }

    private func isEqualInConstantTime(_ left: String, _ right: String) -> Bool {
        // Digests are of one length and say nothing of where two secrets differ.
        SHA256.hash(data: Array(left.utf8)) == SHA256.hash(data: Array(right.utf8))
    }
}
