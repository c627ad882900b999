/// Keeps the tokens of one credential and fetches each of them once, however many callers wait.
///
/// A token is used until five minutes before its end. From `refreshAt` on it is renewed in the background while it is
/// still handed out; after that callers wait for the new one. If renewing fails while the old one is still valid, the
/// old one is handed out. Failures are handed to those who waited and are not kept. What a service demands of the next
/// token is passed on until a token was issued for it.
package actor TokenCache {
    /// As the Microsoft Authentication Libraries do (read 2026-02).
    static let margin = Duration.seconds(300)
    /// How long a failed renewal of a token that still works is not tried again.
    static let pauseAfterFailure = Duration.seconds(30)

    private struct Entry {
        var token: AccessToken?
        /// From here on callers wait for a new token: five minutes before the end, or half of a shorter life.
        var waitFrom: ContinuousClock.Instant?
        var isFetching = false
        /// What a service demanded when it refused the last token; the next fetch carries it.
        var claims: ClaimsChallenge?
        var noRenewalBefore: ContinuousClock.Instant?
        var waiters: [UInt64: CheckedContinuation<Result<AccessToken, AzureError>, Never>] = [:]
    }

    private let credential: any TokenCredential
    private let now: @Sendable () -> ContinuousClock.Instant
    private var entries: [TokenScope: Entry] = [:]
    private var nextWaiter: UInt64 = 0

    private let start: @Sendable (@escaping @Sendable () async -> Void) -> Void

    /// - Parameter start: see ``Pacing/start``.
    package init(
        credential: any TokenCredential, now: @escaping @Sendable () -> ContinuousClock.Instant,
        start: @escaping @Sendable (@escaping @Sendable () async -> Void) -> Void = Pacing.system.start
    ) {
        self.credential = credential
        self.now = now
        self.start = start
    }

    /// A token that is valid now.
    /// - Throws: what the credential threw, `cancelled` if the caller's task was cancelled while waiting.
    package func token(
        _ scope: TokenScope, correlationID: CorrelationID
    ) async throws(AzureError) -> AccessToken {
        let entry = entries[scope] ?? Entry()
        let now = now()
        guard let token = entry.token, now < token.expiresAt else {
            return try await fetched(scope, correlationID: correlationID)
        }
        let mayRenew = entry.noRenewalBefore.map { now >= $0 } ?? true
        if let waitFrom = entry.waitFrom, now >= waitFrom, mayRenew {
            do {
                return try await fetched(scope, correlationID: correlationID)
            } catch  where error.code != .cancelled {
                return token
            }
        }
        if let refreshAt = token.refreshAt, now >= refreshAt, mayRenew {
            startFetching(scope, correlationID: correlationID)
        }
        return token
    }

    /// A token other than the one that a service refused.
    /// - Parameter claims: what the service demands of it. A token that was fetched without is not handed out.
    /// - Throws: as ``token(_:correlationID:)``.
    func replacement(
        for refused: AccessToken, _ scope: TokenScope, claims: ClaimsChallenge? = nil, correlationID: CorrelationID
    ) async throws(AzureError) -> AccessToken {
        if entries[scope]?.token?.secret == refused.secret {
            entries[scope]?.token = nil
            entries[scope]?.claims = claims
        }
        return try await token(scope, correlationID: correlationID)
    }

    private func fetched(_ scope: TokenScope, correlationID: CorrelationID) async throws(AzureError) -> AccessToken {
        let waiter = nextWaiter
        nextWaiter += 1
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation {
                (continuation: CheckedContinuation<Result<AccessToken, AzureError>, Never>) in
                // A cancellation before this line is seen here, a later one finds the waiter in the table.
                guard !Task.isCancelled else {
                    continuation.resume(returning: .failure(Self.cancelled(scope, correlationID)))
                    return
                }
                entries[scope, default: Entry()].waiters[waiter] = continuation
                startFetching(scope, correlationID: correlationID)
            }
        } onCancel: {
            // Ends by itself: it only hops to the actor to resume the waiter.
            start { await self.giveUp(waiter, scope, correlationID) }
        }
        return try result.get()
    }

    private func giveUp(_ waiter: UInt64, _ scope: TokenScope, _ correlationID: CorrelationID) {
        entries[scope]?.waiters.removeValue(forKey: waiter)?
            .resume(returning: .failure(Self.cancelled(scope, correlationID)))
    }

    private func startFetching(_ scope: TokenScope, correlationID: CorrelationID) {
        guard entries[scope]?.isFetching != true else { return }
        entries[scope, default: Entry()].isFetching = true
        // Belongs to all who wait for the token, so none of them may cancel it. It ends within the time limit of the
        // credential's call, and resumes every waiter when it does.
        start { await self.fetch(scope, correlationID: correlationID) }
    }

    private func fetch(_ scope: TokenScope, correlationID: CorrelationID) async {
        var result: Result<AccessToken, AzureError>
        var carried: ClaimsChallenge?
        // A demand that came while the fetch was under way is not met by its token. Each turn of the loop but the
        // first follows a refused token, so it ends.
        repeat {
            carried = entries[scope]?.claims
            do throws(AzureError) {
                result = .success(try await credential.token(scope, claims: carried, correlationID: correlationID))
            } catch {
                result = .failure(error)
            }
        } while carried != entries[scope]?.claims
        var entry = entries[scope] ?? Entry()
        let waiters = entry.waiters
        entry.waiters = [:]
        entry.isFetching = false
        switch result {
        case .success(let token):
            let now = now()
            entry.token = token
            entry.claims = nil
            entry.waitFrom = token.expiresAt - min(Self.margin, max(.zero, token.expiresAt - now) / 2)
            entry.noRenewalBefore = nil
        case .failure: entry.noRenewalBefore = now().advanced(by: Self.pauseAfterFailure)
        }
        entries[scope] = entry
        for continuation in waiters.values { continuation.resume(returning: result) }
    }

    private static func cancelled(_ scope: TokenScope, _ correlationID: CorrelationID) -> AzureError {
        AzureError(
            code: .cancelled, operation: .fetchToken, resource: scope.rawValue, message: "cancelled",
            correlationID: correlationID.description)
    }
}
