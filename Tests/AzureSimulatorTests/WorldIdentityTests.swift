import CryptoExtras
import Foundation
import SwiftASN1
import Testing
import X509

@testable import AzureSimulator

/// The identity plane beyond the secret: discovery, version 1, assertions and managed identities.
@Suite struct WorldIdentityTests {
    private static let resource = "https://management.azure.com/"

    private func form(_ fields: [String: String]) -> String {
        fields.sorted { $0.key < $1.key }.map { "\($0.key)=\(URLText.encode($0.value))" }.joined(separator: "&")
    }

    private func get(
        _ script: inout WorldScript, _ path: String, query: String = "", headers: [String: String] = [:]
    ) -> Reply {
        script.send(
            ControlRequest(
                method: "GET", path: path, query: query,
                headers: headers.map { Reply.Header(name: $0.key, value: $0.value) }))
    }

    /// Whether Resource Manager takes a token.
    private func isAccepted(_ token: String, by script: inout WorldScript) -> Bool {
        script.send(
            ControlRequest(
                method: "GET", path: WorldScript.site("a1"), query: "api-version=2023-12-01",
                authorization: "Bearer \(token)")
        ).status == 404
    }

    // MARK: Discovery

    @Test func `discovery leads to endpoints at the address that was asked`() throws {
        var script = WorldScript()
        for (path, endpoint) in [
            ("/tenant/v2.0/.well-known/openid-configuration", "/tenant/oauth2/v2.0/token"),
            ("/tenant/.well-known/openid-configuration", "/tenant/oauth2/token"),
            ("/organizations/v2.0/.well-known/openid-configuration", "/organizations/oauth2/v2.0/token"),
        ] {
            let reply = script.send(ControlRequest(method: "GET", path: path, baseURL: "https://127.0.0.1:7"))
            #expect(json(reply).string("token_endpoint") == "https://127.0.0.1:7" + endpoint)
            #expect(!json(reply).string("authorization_endpoint").isEmpty)
        }
        #expect(get(&script, "/nosuch/v2.0/.well-known/openid-configuration").status == 400)
        let instance = json(get(&script, "/common/discovery/instance", query: "api-version=1.1"))
        #expect(instance.string("tenant_discovery_endpoint").hasSuffix("/v2.0/.well-known/openid-configuration"))
        #expect(json(get(&script, "/common/UserRealm/u@example.com")).string("account_type") == "Unknown")
    }

    @Test func `the published key verifies a token`() throws {
        var script = WorldScript()
        let key = try #require(json(get(&script, "/tenant/discovery/v2.0/keys"))["keys"]?.array?.first)
        let modulus = try #require(Base64URL.decode(key.string("n")))
        let exponent = try #require(Base64URL.decode(key.string("e")))
        let token = try #require(JSONWebToken(script.token))
        #expect(token.header.string("alg") == "RS256")
        #expect(token.header.string("kid") == key.string("kid"))
        let publicKey = try _RSA.Signing.PublicKey(n: modulus, e: exponent)
        #expect(
            publicKey.isValidSignature(
                .init(rawRepresentation: token.signature), for: Array(token.signed.utf8), padding: .insecurePKCS1v1_5))
    }

    @Test func `the cloud is described in each of the three forms, without a token`() {
        var script = WorldScript()
        func endpoints(_ version: String) -> JSON {
            json(get(&script, "/metadata/endpoints", query: "api-version=\(version)"))
        }
        #expect(endpoints("2015-01-01")["authentication"]?.string("loginEndpoint") == "https://management.azure.com/")
        #expect(endpoints("2019-05-01").array?.first?.string("name") == "AzureSimulator")
        let cloud = endpoints("2022-09-01")
        #expect(cloud.string("resourceManager") == "https://management.azure.com/")
        #expect(cloud["suffixes"]?.string("storage") == "core.windows.net")
        #expect(get(&script, "/metadata/endpoints").errorCode == "MissingApiVersionParameter")
    }

    // MARK: Tokens

    @Test func `version 1 of the endpoint takes a resource and writes numbers as strings`() {
        var script = WorldScript()
        let fields = [
            "grant_type": "client_credentials", "client_id": "client", "client_secret": "secret",
            "resource": Self.resource,
        ]
        let body = json(script.send("POST", "/tenant/oauth2/token", body: form(fields)))
        #expect(body.string("expires_in") == "3599")
        #expect(body.string("resource") == Self.resource)
        #expect(isAccepted(body.string("access_token"), by: &script))
    }

    @Test func `each service takes tokens for its own audiences only`() {
        var script = WorldScript()
        func token(_ audience: String) -> String {
            json(script.login(scope: "\(audience)/.default")).string("access_token")
        }
        for audience in ["https://api.loganalytics.io", "https://storage.azure.com", "https://graph.microsoft.com"] {
            let token = token(audience)
            #expect(!token.isEmpty)
            #expect(!isAccepted(token, by: &script))
        }
        let logs = ControlRequest(
            method: "GET", path: "/", authorization: "Bearer \(token("https://api.loganalytics.io"))")
        #expect(throws: Never.self) { try script.world.caller(of: logs, for: .logs, at: script.now).get() }
        #expect(throws: TokenFault.wrongAudience("https://api.loganalytics.io")) {
            try script.world.caller(of: logs, for: .storage, at: script.now).get()
        }
        #expect(script.login(scope: "https://nosuch.example/.default").status == 400)
    }

    @Test func `a token with one changed claim is refused`() throws {
        var script = WorldScript()
        #expect(isAccepted(script.token, by: &script))
        var parts = script.token.split(separator: ".").map(String.init)
        let claims = String(decoding: try #require(Base64URL.decode(parts[1])), as: UTF8.self)
        parts[1] = Base64URL.encode(Array(claims.replacing("\"ver\":\"1.0\"", with: "\"ver\":\"1.1\"").utf8))
        #expect(!isAccepted(parts.joined(separator: "."), by: &script))
    }

    // MARK: Assertions

    @Test func `a registered certificate's key stands for the secret`() throws {
        let (key, pem, thumbprint) = try Self.clientCertificate()
        let (strangeKey, _, _) = try Self.clientCertificate()
        var script = WorldScript { settings in
            settings.certificates = [try? RegisteredCertificate(pem: pem)].compactMap(\.self)  // none fails the test
        }
        func login(
            _ key: _RSA.Signing.PrivateKey, thumbprint: String, audience: String = "/tenant/oauth2/v2.0/token",
            lifetime: Int64 = 600
        ) throws -> Reply {
            let claims: JSON = [
                "aud": .string("https://management.azure.com" + audience), "iss": "client", "sub": "client",
                "jti": "1", "nbf": .number(Int(script.now.seconds)),
                "exp": .number("\(script.now.seconds + lifetime).25"),
            ]
            let header: JSON = ["alg": "PS256", "typ": "JWT", "x5t#S256": .string(thumbprint)]
            let signed = Base64URL.encode(header.encoded) + "." + Base64URL.encode(claims.encoded)
            let signature = try key.signature(for: Array(signed.utf8), padding: .PSS)
            return assert(&script, signed + "." + Base64URL.encode(Array(signature.rawRepresentation)))
        }
        let token = json(try login(key, thumbprint: thumbprint)).string("access_token")
        #expect(isAccepted(token, by: &script))
        #expect(try login(key, thumbprint: thumbprint + "=").status == 200)
        #expect(try codes(login(strangeKey, thumbprint: thumbprint)) == [700027])
        #expect(try codes(login(key, thumbprint: "nosuch")) == [700027])
        #expect(try codes(login(key, thumbprint: thumbprint, audience: "/other")) == [700023])
        #expect(try codes(login(key, thumbprint: thumbprint, lifetime: -1)) == [700024])
    }

    @Test func `a federated token is taken for its issuer, subject and audience`() {
        var script = WorldScript {
            $0.federation = [TrustedIssuer(issuer: "https://issuer.example", subject: "repo:a/b")]
        }
        func login(_ issuer: String, _ subject: String, _ audience: String = "api://AzureADTokenExchange") -> Reply {
            let claims: JSON = [
                "iss": .string(issuer), "sub": .string(subject), "aud": [.string(audience)],
                "exp": .number(Int(script.now.seconds + 60)),
            ]
            return assert(&script, Base64URL.encode(Array("{}".utf8)) + "." + Base64URL.encode(claims.encoded) + ".AA")
        }
        let token = json(login("https://issuer.example", "repo:a/b")).string("access_token")
        #expect(isAccepted(token, by: &script))
        #expect(codes(login("https://other.example", "repo:a/b")) == [700211])
        #expect(codes(login("https://issuer.example", "repo:a/c")) == [700213])
        #expect(codes(login("https://issuer.example", "repo:a/b", "api://other")) == [700212])
        #expect(codes(assert(&script, "no token")) == [50027])
    }

    @Test func `a managed identity is asked for by its names, and takes tokens of its federated issuer`() {
        var script = WorldScript()
        let path =
            "/subscriptions/sub/resourceGroups/skls/providers/Microsoft.ManagedIdentity/userAssignedIdentities/identity1"
        let query = "api-version=2023-01-31"
        func put(_ path: String, _ body: String) -> JSON {
            json(
                script.send(
                    ControlRequest(
                        method: "PUT", path: path, query: query, authorization: "Bearer \(script.token)",
                        body: Array(body.utf8))))
        }
        let identity = put(path, #"{"location":"eastus"}"#)
        let client = identity["properties"]?.string("clientId") ?? ""
        let credential =
            #"{"properties":{"issuer":"https://i","subject":"s","audiences":["api://AzureADTokenExchange"]}}"#
        _ = put(path + "/federatedIdentityCredentials/f1", credential)

        let ask = "api-version=2018-02-01&resource=\(URLText.encode(Self.resource))&msi_res_id=\(URLText.encode(path))"
        let metadata = json(
            get(&script, "/metadata/identity/oauth2/token", query: ask, headers: ["Metadata": "true"]))
        #expect(metadata.string("client_id") == client)
        #expect(isAccepted(metadata.string("access_token"), by: &script))

        let claims: JSON = [
            "iss": "https://i", "sub": "s", "aud": "api://AzureADTokenExchange",
            "exp": .number(Int(script.now.seconds + 60)),
        ]
        let assertion = Base64URL.encode(Array("{}".utf8)) + "." + Base64URL.encode(claims.encoded) + ".AA"
        let token = json(assert(&script, assertion, client: client)).string("access_token")
        #expect(isAccepted(token, by: &script))
        let secret = script.login(client: client)
        #expect(codes(secret) == [7_000_215])
    }

    private func assert(_ script: inout WorldScript, _ assertion: String, client: String = "client") -> Reply {
        script.send(
            "POST", "/tenant/oauth2/v2.0/token",
            body: form([
                "grant_type": "client_credentials", "client_id": client, "scope": "\(Self.resource).default",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": assertion,
            ]))
    }

    private func codes(_ reply: Reply) -> [Int] {
        json(reply)["error_codes"]?.array?.compactMap { if case .number(let text) = $0 { Int(text) } else { nil } }
            ?? []
    }

    private static func clientCertificate() throws -> (_RSA.Signing.PrivateKey, pem: String, thumbprint: String) {
        let key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let issuerKey = Certificate.PrivateKey(key)
        let name = try DistinguishedName { CommonName("client") }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: issuerKey.publicKey,
            notValidBefore: Date(timeIntervalSince1970: 1_790_000_000),
            notValidAfter: Date(timeIntervalSince1970: 1_890_000_000), issuer: name, subject: name,
            signatureAlgorithm: .sha256WithRSAEncryption, extensions: Certificate.Extensions {},
            issuerPrivateKey: issuerKey)
        let pem = try certificate.serializeAsPEM().pemString
        let thumbprints = try RegisteredCertificate(pem: pem).thumbprints
        // SHA-256 is the longer one.
        return (key, pem, thumbprints.max { $0.count < $1.count } ?? "")
    }

    // MARK: Managed identities

    @Test func `instance metadata hands out tokens to who sends its header`() {
        var script = WorldScript { settings in
            settings.managedIdentities = [Principal(clientID: "c1", objectID: "o1", resourceID: "/x/y")]
        }
        let path = "/metadata/identity/oauth2/token"
        func ask(_ query: String, headers: [String: String] = ["Metadata": "true"]) -> Reply {
            get(
                &script, path, query: "api-version=2018-02-01&resource=\(URLText.encode(Self.resource))\(query)",
                headers: headers)
        }
        #expect(ask("", headers: [:]).status == 400)
        let body = json(ask(""))
        #expect(body.string("expires_in") == "86399")
        #expect(body.string("expires_on") == "\(script.now.seconds + 86399)")
        #expect(isAccepted(body.string("access_token"), by: &script))
        for query in ["&client_id=C1", "&object_id=o1", "&msi_res_id=%2Fx%2Fy"] {
            #expect(json(ask(query)).string("client_id") == "c1")
        }
        let unknown = ask("&client_id=nosuch")
        #expect(unknown.status == 400)
        #expect(json(unknown).string("error_description") == "Identity not found")
        #expect(get(&script, path, query: "api-version=2018-02-01", headers: ["Metadata": "true"]).status == 400)
    }

    @Test func `the identity endpoint of App Service wants its secret header`() {
        var script = WorldScript { $0.identityHeader = SimulatorSecret("shared") }
        let query = "api-version=2019-08-01&resource=\(URLText.encode(Self.resource))"
        #expect(get(&script, "/msi/token", query: query, headers: ["X-IDENTITY-HEADER": "wrong"]).status == 401)
        #expect(get(&script, "/msi/token", query: query).status == 401)
        let body = json(get(&script, "/msi/token", query: query, headers: ["x-identity-header": "shared"]))
        #expect(isAccepted(body.string("access_token"), by: &script))
        let unknown = get(
            &script, "/msi/token", query: query + "&client_id=nosuch", headers: ["X-IDENTITY-HEADER": "shared"])
        #expect(unknown.status == 400)
    }
}
