/// A token bucket of Azure Resource Manager.
///
/// Since 2024 each (region, subscription, principal, kind of operation) has one; the figures below are those for
/// subscriptions (Azure docs, request-limits-and-throttling, read 2025-05).
struct TokenBucket: Sendable {
    var capacity: Double
    var refillPerSecond: Double
    private var tokens: Double
    private var updated: Instant

    init(capacity: Double, refillPerSecond: Double, at now: Instant) {
        self.capacity = capacity
        self.refillPerSecond = refillPerSecond
        tokens = capacity
        updated = now
    }

    static func subscriptionBucket(for operation: Operation, at now: Instant) -> TokenBucket {
        switch operation {
        case .reads: TokenBucket(capacity: 250, refillPerSecond: 25, at: now)
        case .writes, .deletes: TokenBucket(capacity: 200, refillPerSecond: 10, at: now)
        }
    }

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

    /// Takes one token and says how many whole ones remain, never less than none.
    mutating func take(at now: Instant) -> Int {
        let elapsed = max(
            0, Double((now - updated).components.seconds) + Double((now - updated).components.attoseconds) / 1e18)
        tokens = max(0, min(capacity, tokens + elapsed * refillPerSecond) - 1)
        updated = max(updated, now)
        return Int(tokens)
    }
}
