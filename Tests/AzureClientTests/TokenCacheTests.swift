import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import AzureClient

@Suite(.timeLimit(.minutes(1))) struct TokenCacheTests {
    let time = ScriptedTransport { _, _ in .json(500, "") }
    let scope = TokenScope(rawValue: "https://management.example/.default")
    let refusal = AzureError(code: .unauthorized, operation: .fetchToken, resource: "r", message: "refused")

    func cache(_ credential: CountingCredential) -> TokenCache {
        TokenCache(credential: credential, now: time.clock.now)
    }

    func token(_ cache: TokenCache) async throws(AzureError) -> String {
        try await cache.token(scope, correlationID: Sample.correlation).secret.reveal()
    }

    @Test func `many callers at once cause one fetch`() async throws {
        let credential = CountingCredential(now: time.clock.now)
        let cache = cache(credential)
        let tokens = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<50 { group.addTask { try await token(cache) } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(tokens == ["token-1"])
        #expect(credential.calls == 1)
    }

    @Test func `scopes do not share a token`() async throws {
        let credential = CountingCredential(now: time.clock.now)
        let cache = cache(credential)
        let first = try await token(cache)
        let other = try await cache.token(TokenScope(rawValue: "other"), correlationID: Sample.correlation)
        #expect(first != other.secret.reveal())
        #expect(try await token(cache) == first)
    }

    @Test func `a token is used until five minutes before its end`() async throws {
        let credential = CountingCredential(lifetime: .seconds(3600), now: time.clock.now)
        let cache = cache(credential)
        #expect(try await token(cache) == "token-1")
        time.advance(by: .seconds(3299))
        #expect(try await token(cache) == "token-1")
        time.advance(by: .seconds(1))
        #expect(try await token(cache) == "token-2")
    }

    @Test func `a short-lived token is used for half of its life`() async throws {
        let credential = CountingCredential(lifetime: .seconds(60), now: time.clock.now)
        let cache = cache(credential)
        #expect(try await token(cache) == "token-1")
        time.advance(by: .seconds(29))
        #expect(try await token(cache) == "token-1")
        time.advance(by: .seconds(1))
        #expect(try await token(cache) == "token-2")
    }

    @Test func `after refresh_in the old token is handed out while a new one is fetched`() async throws {
        let credential = CountingCredential(refreshIn: .seconds(1800), now: time.clock.now)
        let cache = cache(credential)
        #expect(try await token(cache) == "token-1")
        time.advance(by: .seconds(1800))
        #expect(try await token(cache) == "token-1")
        while try await token(cache) == "token-1" { await Task.yield() }
        #expect(try await token(cache) == "token-2")
        #expect(credential.calls == 2)
    }

    @Test func `a failed renewal is survived with the token that still works, and not repeated at once`() async throws {
        let credential = CountingCredential(lifetime: .seconds(3600), now: time.clock.now)
        let cache = cache(credential)
        #expect(try await token(cache) == "token-1")
        credential.fail(with: refusal)
        time.advance(by: .seconds(3300))
        #expect(try await token(cache) == "token-1")
        #expect(try await token(cache) == "token-1")
        #expect(credential.calls == 2)
        time.advance(by: .seconds(30))
        credential.fail(with: nil)
        #expect(try await token(cache) == "token-3")
    }

    @Test func `a failure is told to those who waited and not kept`() async throws {
        let credential = CountingCredential(now: time.clock.now)
        let cache = cache(credential)
        credential.fail(with: refusal)
        let errors = await withTaskGroup(of: AzureError?.self) { group in
            for _ in 0..<5 {
                group.addTask { try? await failure { () throws(AzureError) in try await token(cache) } }
            }
            return await group.reduce(into: [AzureError?]()) { $0.append($1) }
        }
        #expect(errors == Array(repeating: refusal, count: 5))
        #expect(credential.calls == 1)
        credential.fail(with: nil)
        #expect(try await token(cache) == "token-2")
    }

    @Test func `an expired token is never handed out`() async throws {
        let credential = CountingCredential(now: time.clock.now)
        let cache = cache(credential)
        _ = try await token(cache)
        credential.fail(with: refusal)
        time.advance(by: .seconds(3600))
        #expect(try await failure { () throws(AzureError) in try await token(cache) } == refusal)
    }

    @Test func `a caller who gives up leaves the others their token`() async throws {
        let credential = CountingCredential(now: time.clock.now)
        let cache = cache(credential)
        let patient = Task { try await token(cache) }
        let hasty = Task { try await failure { () throws(AzureError) in try await token(cache) } }
        hasty.cancel()
        #expect(try await hasty.value.code == .cancelled)
        #expect(try await patient.value == "token-1")
    }

    @Test func `a refused token is replaced once for all who held it`() async throws {
        let credential = CountingCredential(now: time.clock.now)
        let cache = cache(credential)
        let refused = try await cache.token(scope, correlationID: Sample.correlation)
        let replacements = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    try await cache.replacement(for: refused, scope, correlationID: Sample.correlation).secret.reveal()
                }
            }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(replacements == ["token-2"])
        #expect(credential.calls == 2)
    }
}

@Suite struct ClientSecretCredentialTests {
    func credential(_ transport: ScriptedTransport, secret: String = "s3cret/+&") throws -> ClientSecretCredential {
        ClientSecretCredential(
            authority: try ServiceURL("https://login.example"), tenant: "contoso tenant", clientID: "client",
            secret: Secret(secret), transport: transport)
    }

    let scope = TokenScope(rawValue: "https://management.example/.default")

    @Test func `the secret is sent in the form and nowhere else`() async throws {
        let transport = ScriptedTransport { _, _ in
            .json(200, #"{"token_type":"Bearer","expires_in":3599,"refresh_in":"1800","access_token":"abc"}"#)
        }
        let token = try await credential(transport).token(scope, correlationID: Sample.correlation)
        let start = transport.clock.now()
        #expect(token.secret.reveal() == "abc")
        #expect(token.expiresAt == start + .seconds(3599))
        #expect(token.refreshAt == start + .seconds(1800))
        let request = try #require(transport.requests.first)
        #expect(request.url == "https://login.example/contoso%20tenant/oauth2/v2.0/token")
        #expect(
            request.body.map { String(buffer: $0) }
                == "grant_type=client_credentials&client_id=client&client_secret=s3cret%2F%2B%26"
                + "&scope=https%3A%2F%2Fmanagement.example%2F.default")
        #expect(!request.url.contains("s3cret") && !"\(request.headers)".contains("s3cret"))
        #expect(transport.bearers == [nil])
    }

    @Test func `a refused secret is named as Entra names it`() async throws {
        let transport = ScriptedTransport { _, _ in
            .json(
                401,
                #"{"error":"invalid_client","error_description":"AADSTS7000215: not s3cret/+&, not s3cret%2F%2B%26","error_codes":[7000215],"correlation_id":"c-9"}"#
            )
        }
        let credential = try credential(transport)
        let error = try await failure { () throws(AzureError) in
            try await credential.token(scope, correlationID: Sample.correlation)
        }
        #expect(error.code == .unauthorized)
        #expect(error.innerCode == "AADSTS7000215")
        #expect(error.correlationID == "c-9")
        #expect(error.message == "AADSTS7000215: not <redacted>, not <redacted>")
    }

    @Test(arguments: [
        "", "{}", #"{"access_token":"a"}"#, #"{"access_token":"a","expires_in":-1}"#,
        #"{"access_token":"a","expires_in":"soon"}"#, "<html>",
    ])
    func `an answer without a token is malformed`(_ body: String) async throws {
        let transport = ScriptedTransport { _, _ in .json(200, body) }
        let credential = try credential(transport)
        let error = try await failure { () throws(AzureError) in
            try await credential.token(scope, correlationID: Sample.correlation)
        }
        #expect(error.code == .malformedReply)
        #expect(!error.effectIsUnknown)
    }
}
