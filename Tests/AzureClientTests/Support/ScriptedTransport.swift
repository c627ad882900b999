import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1

@testable import AzureClient

/// Answers requests from a script and remembers them; its clock stands still until it is moved.
final class ScriptedTransport: Transport {
    typealias Script = @Sendable (AzureRequest, AccessToken?) async throws(AzureError) -> AzureReply

    private let script: Script
    private let sent = NIOLockedValueBox<[(request: AzureRequest, bearer: String?)]>([])
    private let instant = NIOLockedValueBox(ContinuousClock().now)

    init(_ script: @escaping Script) {
        self.script = script
    }

    var clock: AzureClock {
        AzureClock(now: { [instant] in instant.withLockedValue(\.self) }, unixSeconds: { 1_000_000_000 })
    }

    var requests: [AzureRequest] { sent.withLockedValue { $0.map(\.request) } }
    var bearers: [String?] { sent.withLockedValue { $0.map(\.bearer) } }

    func advance(by duration: Duration) {
        instant.withLockedValue { $0 += duration }
    }

    func send(_ request: AzureRequest, bearer: AccessToken?) async throws(AzureError) -> AzureReply {
        sent.withLockedValue { $0.append((request, bearer?.secret.reveal())) }
        return try await script(request, bearer)
    }
}

/// Hands out `token-1`, `token-2`, … and counts; can be told to fail.
final class CountingCredential: TokenCredential {
    private let count = NIOLockedValueBox(0)
    private let claimed = NIOLockedValueBox<[ClaimsChallenge?]>([])
    private let failure = NIOLockedValueBox<AzureError?>(nil)
    private let now: @Sendable () -> ContinuousClock.Instant
    private let lifetime: Duration
    private let refreshIn: Duration?

    init(
        lifetime: Duration = .seconds(3600), refreshIn: Duration? = nil,
        now: @escaping @Sendable () -> ContinuousClock.Instant
    ) {
        self.lifetime = lifetime
        self.refreshIn = refreshIn
        self.now = now
    }

    var calls: Int { count.withLockedValue(\.self) }
    /// What was demanded of each token.
    var claims: [ClaimsChallenge?] { claimed.withLockedValue(\.self) }

    func fail(with error: AzureError?) {
        failure.withLockedValue { $0 = error }
    }

    func token(
        _ scope: TokenScope, claims: ClaimsChallenge?, correlationID: CorrelationID
    ) async throws(AzureError) -> AccessToken {
        claimed.withLockedValue { $0.append(claims) }
        let number = count.withLockedValue { count in
            count += 1
            return count
        }
        // Long enough for every caller of a test to arrive while the call is under way.
        for _ in 0..<500 { await Task.yield() }
        if let failure = failure.withLockedValue(\.self) { throw failure }
        return AccessToken(
            secret: Secret("token-\(number)"), expiresAt: now() + lifetime, refreshAt: refreshIn.map { now() + $0 })
    }
}

extension AzureReply {
    /// A reply of a status with a JSON body.
    static func json(_ status: Int, _ body: String, headers: HTTPHeaders = [:]) -> AzureReply {
        AzureReply(status: status, headers: headers, body: ByteBuffer(string: body), requestID: .testing)
    }
}

extension GUID {
    static let testing: GUID = {
        var generator = SplitMix(seed: 42)
        return .random(using: &generator)
    }()
}
