import Crypto

// Microsoft Entra ID, as far as the client credentials flow with a secret needs it (Microsoft identity platform docs,
// "OAuth 2.0 client credentials flow" and "error codes", read 2026-02).

extension World {
    mutating func answerToken(_ request: ControlRequest, tenant: String, at now: Instant) -> Reply {
        guard request.method == "POST" else { return Reply(status: 405) }
        let form = URLText.pairs(String(decoding: request.body, as: UTF8.self))
        func field(_ name: String) -> String? { form.first { $0.name == name }?.value }

        guard tenant.lowercased() == settings.tenantID.lowercased() else {
            return loginError(
                400, "invalid_request", 90002,
                "Tenant '\(tenant)' not found. Check to make sure you have the correct tenant ID and are signing into "
                    + "the correct cloud. Check with your subscription administrator, this may happen if there are no "
                    + "active subscriptions for the tenant.", at: now)
        }
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
        guard client.lowercased() == settings.clientID.lowercased() else {
            return loginError(
                400, "unauthorized_client", 700016,
                "Application with identifier '\(client)' was not found in the directory '\(settings.tenantID)'. This "
                    + "can happen if the application has not been installed by the administrator of the tenant or "
                    + "consented to by any user in the tenant.", at: now)
        }
        guard let secret = field("client_secret"), !secret.isEmpty else {
            return loginError(
                401, "invalid_client", 7_000_218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.", at: now
            )
        }
        guard isEqualInConstantTime(secret, settings.clientSecret.revealed) else {
            return loginError(
                401, "invalid_client", 7_000_215,
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                    + "value, not the client secret ID, for a secret added to app '\(settings.clientID)'.", at: now)
        }
        let scope = field("scope") ?? ""
        guard scope.hasSuffix("/.default"), !scope.contains(" ") else {
            return loginError(
                400, "invalid_scope", 1_002_012,
                "The provided value for scope \(scope) is not valid. Client credential flows must have a scope value "
                    + "with /.default suffixed to the resource identifier (application ID URI).", at: now)
        }
        let audience = String(scope.dropLast("/.default".count))
        guard audiences.contains(Self.normalAudience(audience)) else {
            return loginError(
                400, "invalid_resource", 500011,
                "The resource principal named \(audience) was not found in the tenant named \(settings.tenantID).",
                at: now)
        }
        let lifetime = WorldSettings.tokenLifetime.components.seconds
        var reply = Reply.json(
            200,
            [
                "token_type": "Bearer", "expires_in": .number(Int(lifetime)), "ext_expires_in": .number(Int(lifetime)),
                "access_token": .string(accessToken(audience: audience, at: now)),
            ])
        reply.add("Cache-Control", "no-store, no-cache")
        reply.add("Pragma", "no-cache")
        reply.add("x-ms-request-id", random.guid())
        return reply
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

    /// Audiences of Resource Manager in the public cloud (Azure docs, national clouds), and those that were configured.
    private var audiences: Set<String> {
        Set(
            (["https://management.azure.com", "https://management.core.windows.net"] + settings.audiences)
                .map(Self.normalAudience))
    }

    private static func normalAudience(_ audience: String) -> String {
        var normal = audience.lowercased()
        while normal.last == "/" { normal.removeLast() }
        return normal
    }
}

// MARK: - Access tokens

extension World {
    /// Why a token is not accepted.
    enum TokenFault: Equatable {
        case missing, malformed
        case expired(Instant)
        case wrongAudience(String)
    }

    /// A JSON Web Token signed with HMAC-SHA256. Azure signs with RSA, but a client has to take a token as opaque
    /// (Microsoft identity platform docs, "access tokens"), so the cheaper signature is not visible to it.
    private mutating func accessToken(audience: String, at now: Instant) -> String {
        let claims: JSON = [
            "aud": .string(audience), "iss": .string("https://sts.windows.net/\(settings.tenantID)/"),
            "iat": .number(Int(now.seconds)), "nbf": .number(Int(now.seconds)),
            "exp": .number(String((now + WorldSettings.tokenLifetime).seconds)), "appid": .string(settings.clientID),
            "appidacr": "1", "oid": .string(servicePrincipalID), "sub": .string(servicePrincipalID),
            "tid": .string(settings.tenantID), "uti": .string(random.hex(22)), "ver": "1.0",
        ]
        let header: JSON = ["typ": "JWT", "alg": "HS256"]
        let signed = Base64URL.encode(header.encoded) + "." + Base64URL.encode(claims.encoded)
        return signed + "." + Base64URL.encode(Array(signature(of: signed)))
    }

    /// What is wrong with an `Authorization` header, or nil.
    func fault(inAuthorization header: String?, at now: Instant) -> TokenFault? {
        guard let header, !header.isEmpty else { return .missing }
        guard header.lowercased().hasPrefix("bearer ") else { return .malformed }
        let parts = header.dropFirst(7).split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let claimed = Base64URL.decode(parts[2]), let body = Base64URL.decode(parts[1]),
            HMAC<SHA256>.isValidAuthenticationCode(
                claimed, authenticating: Array("\(parts[0]).\(parts[1])".utf8),
                using: settings.tokenKey),
            let claims = parsed(body), let audience = claims["aud"]?.string,
            case .number(let expiry) = claims["exp"], let seconds = Int64(expiry)
        else { return .malformed }
        let end = Instant(nanoseconds: seconds * 1_000_000_000)
        if end <= now { return .expired(end) }
        return audiences.contains(Self.normalAudience(audience)) ? nil : .wrongAudience(audience)
    }

    private func parsed(_ bytes: [UInt8]) -> JSON? {
        do throws(JSON.SyntaxError) { return try JSON(parsing: bytes) } catch { return nil }
    }

    private func signature(of text: String) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: settings.tokenKey)
    }

    private func isEqualInConstantTime(_ left: String, _ right: String) -> Bool {
        // Digests are of one length and say nothing of where two secrets differ.
        SHA256.hash(data: Array(left.utf8)) == SHA256.hash(data: Array(right.utf8))
    }
}

/// Base 64 with the alphabet for URLs and no padding (RFC 4648 §5), as tokens use it.
enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 0xFF, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        var word: UInt32 = 0
        var bits = 0
        for byte in bytes {
            word = word << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(alphabet[Int(word >> UInt32(bits)) & 63])
            }
        }
        if bits > 0 { text.append(alphabet[Int(word << UInt32(6 - bits)) & 63]) }
        return String(decoding: text, as: UTF8.self)
    }

    static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var word: UInt32 = 0
        var bits = 0
        for character in text.utf8 {
            let value = values[Int(character)]
            guard value != 0xFF else { return nil }
            word = word << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(bits)))
            }
        }
        return bytes
    }
}
