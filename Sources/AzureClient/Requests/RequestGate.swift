import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1

/// What every request passes on its way out: waits its turn, and learns from the replies. Copies share their state.
struct RequestGate: Sendable {
    private let limiter: NIOLockedValueBox<RateLimiter>
    private let resourceManager: ServiceURL
    private let patience: Duration
    /// How long a waiter sleeps at most before it looks again: those in front may have given up.
    private static let longestNap = Duration.seconds(1)

    init(_ rates: RequestRates, resourceManager: ServiceURL) {
        limiter = NIOLockedValueBox(RateLimiter(rates))
        self.resourceManager = resourceManager
        patience = rates.patience
    }

    /// Returns when the request may be sent; ``ended(_:reply:error:now:)`` must follow.
    /// - Throws: `throttled` without anything sent if its turn is too far away, with the time until then;
    ///   `cancelled`.
    func pass(_ request: AzureRequest, by client: AzureClient) async throws(AzureError) -> RequestClass {
        let kind = RequestClass(request, resourceManager: resourceManager)
        let entered = client.now
        let place = limiter.withLockedValue { $0.enter(kind, request.priority, now: entered) }
        guard let ticket = place else { return kind }
        while true {
            let now = client.now
            let wait: Duration
            var nap = Self.longestNap
            switch limiter.withLockedValue({ $0.reserve(ticket, now: now) }) {
            case .go: return kind
            case .wait(let duration): wait = duration
            case .frozen(let end):
                wait = end - now
                nap = wait
            }
            guard now - entered + wait <= patience else {
                limiter.withLockedValue { $0.leave(ticket) }
                var error = AzureError(
                    code: .throttled, operation: request.operation, resource: request.resource,
                    message: "the quota of \(kind.name) is used up; nothing was sent",
                    correlationID: request.correlationID.description, retryAfter: wait)
                error.isUnsent = true
                throw error
            }
            do throws(AzureError) {
                try await client.pause(min(wait, nap), for: request.operation, request.resource)
            } catch {
                limiter.withLockedValue { $0.leave(ticket) }
                throw error
            }
        }
    }

    /// Takes note of how a request ended.
    /// - Parameter error: what the reply stands for, where it is no success.
    func ended(_ kind: RequestClass, reply: AzureReply?, error: AzureError?, now: ContinuousClock.Instant) {
        limiter.withLockedValue { limiter in
            limiter.ended(kind)
            guard let reply else { return }
            limiter.learn(reply.remaining, by: kind, now: now)
            if kind == .resourceGraph,
                let left = reply.headers.first(name: "x-ms-user-quota-remaining").flatMap({ Int($0) })
            {
                let resets = reply.headers.first(name: "x-ms-user-quota-resets-after").flatMap(Self.clockTime)
                limiter.learn(left: left, resetsAfter: resets, by: kind, now: now)
            }
            // A creation of plans is throttled by itself (terraform-provider-azurerm issues, read 2026-02): other
            // writes still go through.
            if let error, error.status == 429, error.code == .throttled, !error.names("51025") {
                limiter.exceeded(kind, retryAfter: error.retryAfter, now: now)
            }
        }
    }

    func snapshot(now: ContinuousClock.Instant) -> [RequestBudget] {
        limiter.withLockedValue { $0.snapshot(now: now) }
    }

    /// `hh:mm:ss`, at most a day.
    static func clockTime(_ text: String) -> Duration? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 3, let hours = parts[0], let minutes = parts[1], let seconds = parts[2],
            (0...24).contains(hours), (0..<60).contains(minutes), (0..<60).contains(seconds)
        else { return nil }
        return .seconds(hours * 3600 + minutes * 60 + seconds)
    }
}
