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
