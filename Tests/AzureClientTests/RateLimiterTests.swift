import NIOHTTP1
import Testing

@testable import AzureClient

@Suite struct RateLimiterTests {
    static let start = ContinuousClock().now
    static let reads = RequestClass.resourceManager(scope: "s", .reads)
    static let writes = RequestClass.resourceManager(scope: "s", .writes)

    /// Sends as many as may go at that time.
    func sent(_ limiter: inout RateLimiter, _ kind: RequestClass = reads, at now: ContinuousClock.Instant) -> Int {
        var count = 0
        while let ticket = limiter.enter(kind, .user, now: now) {
            guard limiter.reserve(ticket, now: now) == .go else {
                limiter.leave(ticket)
                return count
            }
            limiter.ended(kind)
            count += 1
        }
        return count
    }

    @Test func `a share of Azure's figures is used`() {
        var limiter = RateLimiter(.published)
        #expect(sent(&limiter, at: Self.start) == 175)
        #expect(sent(&limiter, at: Self.start + .seconds(2)) == 35)
        #expect(sent(&limiter, Self.writes, at: Self.start) == 140)
        #expect(sent(&limiter, Self.writes, at: Self.start + .seconds(2)) == 14)
        #expect(sent(&limiter, .resourceManager(scope: "s", .deletes), at: Self.start) == 140)
        #expect(sent(&limiter, .resourceManager(scope: "other", .reads), at: Self.start) == 175)
        #expect(sent(&limiter, .resourceGraph, at: Self.start) == 5)
        #expect(sent(&limiter, .logAnalytics, at: Self.start) == 70)
        #expect(limiter.enter(.uncounted, .user, now: Self.start) == nil)
    }

    @Test func `no window sees more than the burst and what refills in it`() {
        for seed in UInt64(1)...200 {
            var generator = SplitMix(seed: seed)
            var rates = RequestRates.published
            rates.share = .random(in: 0.1...1, using: &generator)
            let kind =
                [Self.reads, Self.writes, .resourceGraph, .logAnalytics].randomElement(using: &generator) ?? Self.reads
            guard let rate = rates.rate(kind) else { continue }
            var limiter = RateLimiter(rates)
            var now = Self.start
            var passed: [ContinuousClock.Instant] = []
            var (frozenUntil, tooEarly) = (Self.start, 0)
            for _ in 0..<100 {
                now += .milliseconds([0, 0, 1, 40, 500, 20_000].randomElement(using: &generator) ?? 0)
                switch Int.random(in: 0..<12, using: &generator) {
                case 0:
                    let wait = Duration.milliseconds(Int.random(in: 0...9000, using: &generator))
                    limiter.exceeded(kind, retryAfter: wait, now: now)
                    // Only a class that has been used has anything to freeze.
                    if !passed.isEmpty { frozenUntil = max(frozenUntil, now + wait) }
                case 1:
                    limiter.learn(
                        [("subscription-reads", Int.random(in: 0...250, using: &generator))], by: kind, now: now)
                default:
                    for _ in 0..<Int.random(in: 1...8, using: &generator) {
                        guard let ticket = limiter.enter(kind, .user, now: now) else { continue }
                        if limiter.reserve(ticket, now: now) == .go {
                            tooEarly += now < frozenUntil ? 1 : 0
                            passed.append(now)
                            limiter.ended(kind)
                        } else {
                            limiter.leave(ticket)
                        }
                    }
                }
            }
            #expect(tooEarly == 0 && worstExcess(passed, rate) <= 1e-6, "seed \(seed)")
        }
    }

    /// By how many requests the worst of all windows is above the burst and what refills in it. A window that begins
    /// with request `i` and ends with `j` holds `j - i + 1`; only the lowest `i - rate × time(i)` so far matters.
    func worstExcess(_ passed: [ContinuousClock.Instant], _ rate: RequestRate) -> Double {
        var (lowest, worst) = (Double.infinity, -Double.infinity)
        for (index, instant) in passed.enumerated() {
            let lead = Double(index) - rate.perSecond * (instant - Self.start).inSeconds
            lowest = min(lowest, lead)
            worst = max(worst, lead - lowest + 1 - rate.burst)
        }
        return worst
    }

    @Test(arguments: [(RequestClass.resourceGraph, 15, 5), (.logAnalytics, 200, 30)])
    func `a limit per window holds in every window`(_ kind: RequestClass, _ most: Int, _ seconds: Int) {
        var rates = RequestRates.published
        rates.share = 1
        var limiter = RateLimiter(rates)
        // Greedy: whatever may go goes, a hundred times a second.
        let counts = (0..<6000).map { tick in
            sent(&limiter, kind, at: Self.start + .milliseconds(tick * 10))
        }
        let window = seconds * 100
        var inWindow = counts.prefix(window).reduce(0, +)
        for first in 0..<(counts.count - window) {
            #expect(inWindow <= most)
            inWindow += counts[first + window] - counts[first]
        }
        #expect(counts.reduce(0, +) >= most * 60 / seconds / 2)
    }

    @Test func `what Azure says is left lowers a bucket and never raises it`() {
        var limiter = RateLimiter(.published)
        #expect(sent(&limiter, at: Self.start) == 175)
        limiter.learn([("subscription-reads", 249)], by: Self.reads, now: Self.start)
        #expect(sent(&limiter, at: Self.start) == 0)
        limiter = RateLimiter(.published)
        _ = limiter.enter(Self.reads, .user, now: Self.start).map { limiter.leave($0) }
        limiter.learn([("subscription-reads", 10)], by: Self.reads, now: Self.start)
        #expect(sent(&limiter, at: Self.start) == 7)
        // A resource provider's own count, of a size that is not known.
        _ = limiter.enter(Self.writes, .user, now: Self.start).map { limiter.leave($0) }
        limiter.learn([("subscription-resource-requests", 4)], by: Self.writes, now: Self.start)
        #expect(sent(&limiter, Self.writes, at: Self.start) == 4)
        limiter.learn([("subscription-writes", -7)], by: Self.writes, now: Self.start)
        #expect(sent(&limiter, Self.writes, at: Self.start) == 0)
    }

    @Test func `a freeze holds for everybody, and no burst follows it`() {
        var limiter = RateLimiter(.published)
        #expect(sent(&limiter, at: Self.start) == 175)
        #expect(sent(&limiter, Self.writes, at: Self.start) == 140)
        limiter.exceeded(Self.reads, retryAfter: .seconds(60), now: Self.start)
        limiter.exceeded(Self.reads, retryAfter: .seconds(5), now: Self.start)
        for second in 0..<60 {
            #expect(sent(&limiter, at: Self.start + .seconds(second)) == 0)
        }
        #expect(sent(&limiter, Self.writes, at: Self.start + .seconds(10)) == 70)
        #expect(sent(&limiter, at: Self.start + .seconds(60)) == 0)
        #expect(sent(&limiter, at: Self.start + .seconds(62)) == 35)
        let ticket = limiter.enter(Self.reads, .user, now: Self.start)
        #expect(ticket.map { limiter.reserve($0, now: Self.start) } == .frozen(until: Self.start + .seconds(60)))
    }

    @Test func `the graph's own headers freeze it until its window ends`() {
        var limiter = RateLimiter(.published)
        #expect(sent(&limiter, .resourceGraph, at: Self.start) == 5)
        limiter.learn(left: 0, resetsAfter: .seconds(4), by: .resourceGraph, now: Self.start)
        #expect(sent(&limiter, .resourceGraph, at: Self.start + .milliseconds(3999)) == 0)
        #expect(sent(&limiter, .resourceGraph, at: Self.start + .seconds(6)) == 2)
        #expect(RequestGate.clockTime("00:00:05") == .seconds(5))
        #expect(["", "5", "0:0", "00:00:xx", "-1:00:00", "99:00:00"].allSatisfy { RequestGate.clockTime($0) == nil })
    }

    @Test func `first come, first served, and users pass upkeep for ten seconds`() throws {
        var limiter = RateLimiter(.published)
        _ = sent(&limiter, at: Self.start)
        let upkeepTicket = limiter.enter(Self.reads, .background, now: Self.start)
        let userTicket = limiter.enter(Self.reads, .user, now: Self.start + .seconds(9))
        let lateTicket = limiter.enter(Self.reads, .user, now: Self.start + .seconds(11))
        let (upkeep, user, late) = (
            try #require(upkeepTicket), try #require(userTicket), try #require(lateTicket)
        )
        let now = Self.start + .seconds(12)
        #expect(limiter.reserve(late, now: now) != .go)
        #expect(limiter.reserve(upkeep, now: now) != .go)
        #expect(limiter.reserve(user, now: now) == .go)
        #expect(limiter.reserve(late, now: now) != .go)
        #expect(limiter.reserve(upkeep, now: now) == .go)
        #expect(limiter.reserve(late, now: now) == .go)
    }

    @Test func `a waiter is told the time of its own turn`() throws {
        var limiter = RateLimiter(.published)
        _ = sent(&limiter, Self.writes, at: Self.start)
        let tickets = (0..<7).compactMap { _ in limiter.enter(Self.writes, .user, now: Self.start) }
        for (place, ticket) in tickets.enumerated() {
            guard case .wait(let wait) = limiter.reserve(ticket, now: Self.start) else {
                Issue.record("may go")
                continue
            }
            #expect(abs(wait.inSeconds - Double(place + 1) / 7) < 1e-6)
        }
        limiter.leave(tickets[0])
        let now = Self.start + .milliseconds(150)
        #expect(limiter.reserve(tickets[2], now: now) != .go)
        #expect(limiter.reserve(tickets[1], now: now) == .go)
        #expect(limiter.snapshot(now: now).map(\.waiting) == [5])
    }

    @Test func `no more than five log queries are under way`() throws {
        var limiter = RateLimiter(.published)
        let tickets = (0..<6).compactMap { _ in limiter.enter(.logAnalytics, .user, now: Self.start) }
        for ticket in tickets.prefix(5) { #expect(limiter.reserve(ticket, now: Self.start) == .go) }
        #expect(limiter.reserve(tickets[5], now: Self.start) == .wait(RateLimiter.slotWait))
        limiter.ended(.logAnalytics)
        #expect(limiter.reserve(tickets[5], now: Self.start) == .go)
    }

    @Test(arguments: [
        (HTTPMethod.GET, "/subscriptions/S1/resourceGroups/g?api-version=1", "s1 reads"),
        (.HEAD, "/subscriptions/s1/resourceGroups/g", "s1 reads"), (.PUT, "/subscriptions/s1", "s1 writes"),
        (.PATCH, "/subscriptions/s1/x", "s1 writes"), (.POST, "/subscriptions/s1/x/start", "s1 writes"),
        (.DELETE, "/subscriptions/s1/x", "s1 deletes"), (.GET, "/subscriptions?api-version=1", "tenant reads"),
        (.GET, "/providers", "tenant reads"),
        (.POST, "/providers/Microsoft.ResourceGraph/resources?api-version=1", "resource graph"),
        (.POST, "/subscriptions/s/resourceGroups/g/providers/m/workspaces/w/api/query", "log analytics"),
    ]) func `a request counts against its subscription and verb`(_ method: HTTPMethod, _ path: String, _ name: String)
        throws
    {
        var request = Sample.request()
        request.method = method
        for base in ["https://management.example", "https://management.example/arm"] {
            request.url = base + path
            #expect(RequestClass(request, resourceManager: try ServiceURL(base)).name == name)
        }
    }

    @Test func `other services count by themselves or not at all`() throws {
        var request = Sample.request()
        let manager = try ServiceURL("https://management.example")
        request.url = "https://api.loganalytics.example/v1/workspaces/w/query?x=1"
        #expect(RequestClass(request, resourceManager: manager) == .logAnalytics)
        request.url = "https://account.file.example/share"
        #expect(RequestClass(request, resourceManager: manager) == .uncounted)
    }
}
