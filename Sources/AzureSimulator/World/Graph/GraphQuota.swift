/// How often one user may query Resource Graph: 15 times in each 5 s. The quota does not fill up bit by bit; it is whole
/// again when the time has passed (Azure docs, guidance-for-throttled-requests, read 2026-02).
struct GraphQuota: Sendable {
    static let queries = 15
    static let window = Duration.seconds(5)

    private var began: Instant?
    private var used = 0

    /// What one query finds: how many more there may be, and for how long that is so.
    struct Grant: Equatable, Sendable {
        /// Nil if there was none left for this query itself.
        var remaining: Int?
        var resetsAfter: Duration
    }

    mutating func take(at now: Instant) -> Grant {
        if began.map({ $0 + Self.window <= now }) ?? true {
            began = now
            used = 0
        }
        let left = (began ?? now) + Self.window - now
        guard used < Self.queries else { return Grant(remaining: nil, resetsAfter: left) }
        used += 1
        return Grant(remaining: Self.queries - used, resetsAfter: left)
    }
}

extension Reply {
    /// The headers that every answer of Resource Graph carries; the time is `hh:mm:ss`, rounded up.
    mutating func add(_ grant: GraphQuota.Grant) {
        let (whole, attoseconds) = grant.resetsAfter.components
        let seconds = whole + (attoseconds > 0 ? 1 : 0)
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : String(number) }
        add("x-ms-user-quota-remaining", String(grant.remaining ?? 0))
        add("x-ms-user-quota-resets-after", "\(two(seconds / 3_600)):\(two(seconds / 60 % 60)):\(two(seconds % 60))")
    }
}
