import FoundationEssentials
import NIOCore
import NIOHTTP1

/// An application of Microsoft Entra that proves itself by a shared secret: the OAuth 2.0 client credentials flow of
/// the v2.0 endpoint (Microsoft identity platform docs, "OAuth 2.0 client credentials flow", read 2026-02).
package struct ClientSecretCredential: TokenCredential {
    /// A token endpoint answers within a second or two; a longer wait means that it does not answer.
    static let timeout = Duration.seconds(30)

    private let tokenURL: String
    private let tenant: String
    private let clientID: String
    private let secret: Secret
    private let transport: any Transport

    package init(
        environment: AzureEnvironment, tenant: String, clientID: String, secret: Secret, transport: AzureTransport
    ) {
        self.init(
            authority: environment.authority, tenant: tenant, clientID: clientID, secret: secret, transport: transport)
    }

    init(authority: ServiceURL, tenant: String, clientID: String, secret: Secret, transport: any Transport) {
        tokenURL = authority.url(escapedPath: "/\(PercentEncoding.encoded(tenant))/oauth2/v2.0/token")
        self.tenant = tenant
        self.clientID = clientID
        self.secret = secret
        self.transport = transport
    }

    package func token(_ scope: TokenScope, correlationID: CorrelationID) async throws(AzureError) -> AccessToken {
        let form = PercentEncoding.form([
            ("grant_type", "client_credentials"), ("client_id", clientID), ("client_secret", secret.reveal()),
            ("scope", scope.rawValue),
        ])
        let request = AzureRequest(
            operation: .fetchToken, resource: "\(scope.rawValue) of tenant \(tenant)", method: .POST, url: tokenURL,
            headers: ["content-type": "application/x-www-form-urlencoded", "accept": "application/json"],
            body: ByteBuffer(string: form), correlationID: correlationID, timeout: Self.timeout,
            bodyBound: .refuse(aboveBytes: 1 << 20),
            secrets: [secret, Secret(PercentEncoding.encoded(secret.reveal()))])
        // The lifetime counts from when the issuer wrote it; taking the time before asking errs on the safe side.
        let asked = transport.clock.now()
        let reply = try await transport.send(request, bearer: nil)
        guard reply.isSuccess else { throw AzureError(reply, to: request, clock: transport.clock) }
        do {
            let issued = try JSONDecoder().decode(IssuedToken.self, from: Data(reply.body.readableBytesView))
            return issued.accessToken(since: asked)
        } catch {
            throw AzureError(unusable: reply, to: request, message: "the token endpoint's answer holds no token")
        }
    }
}

/// The token endpoint's answer. Entra writes the lifetimes as numbers, managed identity endpoints as strings.
struct IssuedToken: Decodable {
    private let token: String
    private let lifetimeSeconds: Int64
    private let refreshSeconds: Int64?

    private enum CodingKeys: String, CodingKey {
        case token = "access_token"
        case lifetimeSeconds = "expires_in"
        case refreshSeconds = "refresh_in"
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        token = try fields.decode(String.self, forKey: .token)
        lifetimeSeconds = try Self.seconds(fields.decode(JSONValue.self, forKey: .lifetimeSeconds), in: decoder)
        refreshSeconds = try fields.decodeIfPresent(JSONValue.self, forKey: .refreshSeconds)
            .map { try Self.seconds($0, in: decoder) }
    }

    /// A day is the longest lifetime Azure issues; a longer claim is cut, a negative one is refused.
    private static func seconds(_ value: JSONValue, in decoder: any Decoder) throws -> Int64 {
        guard let number = value.integer ?? value.string.flatMap({ Int64($0) }), number >= 0 else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "no duration"))
        }
        return min(number, 86_400)
    }

    func accessToken(since asked: ContinuousClock.Instant) -> AccessToken {
        AccessToken(
            secret: Secret(token), expiresAt: asked.advanced(by: .seconds(lifetimeSeconds)),
            refreshAt: refreshSeconds.map { asked.advanced(by: .seconds($0)) })
    }
}
