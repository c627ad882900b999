import Crypto

/// Somebody in the tenant who can have tokens: the application registration, or a managed identity.
struct Principal: Equatable, Hashable, Sendable, Codable {
    var clientID: String
    /// Of the service principal.
    var objectID: String
    /// Of a user-assigned identity.
    var resourceID: String?
}

/// A service that takes tokens, and the audiences with which it takes them (Azure docs, national clouds; azure-cli's
/// cloud table, read 2026-11).
enum TokenService: CaseIterable, Sendable {
    case resourceManager, logs, storage, graph, registry, keyVault, monitor

    var audiences: [String] {
        switch self {
        case .resourceManager: ["https://management.azure.com", "https://management.core.windows.net"]
        // The query API also takes tokens for Resource Manager (Azure Monitor docs, api/access-api, read 2026-02).
        case .logs:
            ["https://api.loganalytics.io", "https://api.loganalytics.azure.com"] + Self.resourceManager.audiences
        case .storage: ["https://storage.azure.com"]
        case .graph: ["https://graph.microsoft.com", "https://graph.windows.net"]
        case .registry: ["https://containerregistry.azure.net"] + Self.resourceManager.audiences
        case .keyVault: ["https://vault.azure.net"]
        case .monitor: ["https://monitor.azure.com"]
        }
    }
}

/// Why a token is not accepted.
enum TokenFault: Error, Equatable {
    case missing, malformed
    case expired(Instant)
    case wrongAudience(String)
}

/// Tokens whose signature was found to be right, by the hash of their text, so that a client that sends one a thousand
/// times costs one check. Bounded at 1,024: then it starts anew, which costs each token one more check.
struct TokenCache: Sendable {
    struct Entry: Sendable {
        var principal: Principal
        var audience: String
        var notBefore: Instant
        var end: Instant
    }

    static let limit = 1_024
    private var entries: [SHA256Digest: Entry] = [:]

    subscript(digest: SHA256Digest) -> Entry? {
        get { entries[digest] }
        set {
            if entries.count >= Self.limit { entries.removeAll(keepingCapacity: true) }
            entries[digest] = newValue
        }
    }
}

extension World {
    /// A token for an audience. Claims are those of Azure's version 1 tokens for applications (Microsoft identity
    /// platform docs, access-token-claims-reference, read 2026-02), which Resource Manager takes.
    mutating func accessToken(
        for principal: Principal, audience: String, lifetime: Duration = WorldSettings.tokenLifetime, at now: Instant
    ) -> String {
        var claims: JSON = [
            "aud": .string(audience), "iss": .string("https://sts.windows.net/\(settings.tenantID)/"),
            "iat": .number(Int(now.seconds)), "nbf": .number(Int(now.seconds)),
            "exp": .number(String((now + lifetime).seconds)), "appid": .string(principal.clientID),
            "appidacr": "1", "idp": .string("https://sts.windows.net/\(settings.tenantID)/"), "idtyp": "app",
            "oid": .string(principal.objectID), "sub": .string(principal.objectID), "tid": .string(settings.tenantID),
            "uti": .string(random.hex(22)), "ver": "1.0",
        ]
        if let id = principal.resourceID { claims.add("xms_mirid", .string(id)) }
        return settings.tokenKey.token(claims)
    }

    /// Who sent a request to a service, by the `Authorization` header.
    mutating func caller(
        of request: ControlRequest, for service: TokenService = .resourceManager, at now: Instant
    ) -> Result<Principal, TokenFault> {
        guard let header = request.authorization, !header.isEmpty else { return .failure(.missing) }
        guard header.lowercased().hasPrefix("bearer ") else { return .failure(.malformed) }
        let text = header.dropFirst(7)
        let digest = SHA256.hash(data: Array(text.utf8))
        guard let entry = tokens[digest] ?? verified(text) else { return .failure(.malformed) }
        tokens[digest] = entry
        if entry.end <= now { return .failure(.expired(entry.end)) }
        // Clocks of client and server are one here; Azure allows for five minutes.
        if entry.notBefore > now + .seconds(300) { return .failure(.malformed) }
        let audience = Self.normalAudience(entry.audience)
        let accepted = service.audiences + settings.audiences + [request.baseURL]
        guard accepted.contains(where: { Self.normalAudience($0) == audience }) else {
            return .failure(.wrongAudience(entry.audience))
        }
        return .success(entry.principal)
    }

    private func verified(_ text: Substring) -> TokenCache.Entry? {
        guard let token = JSONWebToken(text), token.header["alg"]?.string == "RS256",
            settings.tokenKey.isValid(signature: token.signature, of: token.signed),
            let audience = token.claims["aud"]?.string, let client = token.claims["appid"]?.string,
            let object = token.claims["oid"]?.string, let end = token.time("exp"), let notBefore = token.time("nbf")
        else { return nil }
        return .init(
            principal: Principal(
                clientID: client, objectID: object, resourceID: token.claims["xms_mirid"]?.string),
            audience: audience, notBefore: notBefore, end: end)
    }

    /// Whether a token may be asked for with this audience: one of a service's, or the simulator's own address, which
    /// is what a client takes that was told of nothing else.
    func isKnown(audience: String, request: ControlRequest) -> Bool {
        let normal = Self.normalAudience(audience)
        let known = TokenService.allCases.flatMap(\.audiences) + settings.audiences + [request.baseURL]
        return known.contains { Self.normalAudience($0) == normal } || normal.hasSuffix(".core.windows.net")
    }

    static func normalAudience(_ audience: String) -> String {
        var normal = audience.lowercased()
        while normal.last == "/" { normal.removeLast() }
        return normal
    }
}
