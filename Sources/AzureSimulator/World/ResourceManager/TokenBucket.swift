/// A token bucket of Azure Resource Manager.
///
/// A request that finds no token is refused, and told how long to wait. One that comes before that time is refused as
/// well, and the wait begins anew (Azure docs, request-limits-and-throttling, read 2025-05).
struct TokenBucket: Sendable {
    enum Outcome: Equatable, Sendable {
        /// How many whole tokens remain.
        case taken(remaining: Int)
        case refused(retryAfter: Duration)
    }

    var figures: QuotaPolicy.Bucket
    private var tokens: Double
    private var updated: Instant
    private var blockedUntil: Instant?

    init(_ figures: QuotaPolicy.Bucket, at now: Instant) {
        self.figures = figures
        tokens = figures.capacity
        updated = now
    }

    /// Kinds of requests that have buckets of their own.
    enum Operation: String, Hashable, Sendable {
        case reads, writes, deletes

        /// POST actions count as writes (guess: the documentation does not say).
        init(method: String) {
            self =
                switch method {
                case "GET", "HEAD": .reads
                case "DELETE": .deletes
                default: .writes
                }
        }
    }

    /// Takes one token.
    /// - Parameter isEnforced: whether a request can be refused; if not, an empty bucket stays empty.
    mutating func take(at now: Instant, isEnforced: Bool) -> Outcome {
        let elapsed = max(0, (now - updated) / .seconds(1))
        tokens = min(figures.capacity, tokens + elapsed * figures.refillPerSecond)
        updated = max(updated, now)
        let isBlocked = blockedUntil.map { now < $0 } ?? false
        if isEnforced, isBlocked || tokens < 1 {
            // Whole seconds, as the header has them, and never none.
            let seconds = max(1, ((1 - tokens) / figures.refillPerSecond).rounded(.up))
            blockedUntil = now + .seconds(seconds)
            return .refused(retryAfter: .seconds(seconds))
        }
        blockedUntil = nil
        tokens = max(0, tokens - 1)
        return .taken(remaining: Int(tokens))
    }
}

/// How many requests Resource Manager takes. The defaults are Azure's (docs, request-limits-and-throttling, read
/// 2025-05): the same for a subscription and for a tenant, each for one principal.
package struct QuotaPolicy: Equatable, Sendable {
    package struct Bucket: Equatable, Sendable {
        package var capacity: Double
        package var refillPerSecond: Double

        package init(capacity: Double, refillPerSecond: Double) {
            self.capacity = capacity
            self.refillPerSecond = refillPerSecond
        }
    }

    package var reads = Bucket(capacity: 250, refillPerSecond: 25)
    package var writes = Bucket(capacity: 200, refillPerSecond: 10)
    package var deletes = Bucket(capacity: 200, refillPerSecond: 10)
    /// All principals of a subscription together have this many times as much.
    package var globalFactor = 15.0
    /// Microsoft.Web's own quota for a PUT of a site, in place of `writes`; nil is none. Recorded PUTs of 2022 and 2025
    /// showed 499 left; that it fills up in five minutes is a guess.
    package var siteWrites: Bucket? = Bucket(capacity: 500, refillPerSecond: 500.0 / 300)
    /// The quota of providers for actions that list secrets, in place of `writes`; nil is none. Recorded lists of app
    /// settings and storage keys showed 11999 left; that it fills up in an hour is a guess.
    package var listActions: Bucket? = Bucket(capacity: 12_000, refillPerSecond: 12_000.0 / 3_600)
    /// Whether an empty bucket refuses; if not, the headers count and nothing is refused.
    package var isEnforced = false

    package init() {}

    func bucket(for operation: TokenBucket.Operation) -> Bucket {
        switch operation {
        case .reads: reads
        case .writes: writes
        case .deletes: deletes
        }
    }
}
