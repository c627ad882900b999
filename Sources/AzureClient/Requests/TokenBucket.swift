/// Counts what may be sent now: starts full, loses one per request and refills steadily up to its size. Pure.
struct TokenBucket: Sendable, Hashable {
    typealias Instant = ContinuousClock.Instant

    let rate: RequestRate
    private var level: Double
    /// The time that `level` is about. Ahead of now while the bucket is frozen: nothing refills until then.
    private var updated: Instant
    /// Until when nothing may be sent.
    private(set) var frozenUntil: Instant?

    init(_ rate: RequestRate, now: Instant) {
        self.rate = rate
        level = rate.burst
        updated = now
    }

    /// How many may be sent at once.
    func remaining(now: Instant) -> Double {
        guard now > updated else { return level }
        return min(rate.burst, level + (now - updated).inSeconds * rate.perSecond)
    }

    /// Takes one, if there is one.
    mutating func take(now: Instant) -> Bool {
        guard !isFrozen(now: now) else { return false }
        refill(now)
        guard level >= 1 else { return false }
        level -= 1
        return true
    }

    func isFrozen(now: Instant) -> Bool {
        frozenUntil.map { now < $0 } ?? false
    }

    /// How long until that many have been there, if nobody else takes any. A little more than needed rather than less.
    func wait(for count: Int, now: Instant) -> Duration {
        let missing = Double(count) - remaining(now: now)
        let frozen = max(.zero, updated - now)
        guard missing > 0 else { return isFrozen(now: now) ? frozen : .zero }
        return frozen + .nanoseconds(Int64((missing / rate.perSecond * 1e9).rounded(.up)) + 1)
    }

    /// Azure counts less than we do.
    mutating func lower(to count: Double, now: Instant) {
        refill(now)
        level = min(level, max(0, count))
    }

    /// Nothing is sent before that time, and no burst follows it. A freeze is never shortened.
    mutating func freeze(until end: Instant, now: Instant) {
        refill(now)
        level = 0
        updated = max(updated, end)
        frozenUntil = max(frozenUntil ?? end, end)
    }

    private mutating func refill(_ now: Instant) {
        guard now > updated else { return }
        level = remaining(now: now)
        updated = now
    }
}

extension Duration {
    var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
