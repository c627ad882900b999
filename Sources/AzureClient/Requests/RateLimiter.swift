/// Who may send when: a bucket and a waiting line per class of requests. Pure; time comes in.
struct RateLimiter: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// A place in a line.
    struct Ticket: Sendable, Hashable {
        let kind: RequestClass
        /// Where it stands: earlier goes first.
        fileprivate let rank: Instant
        fileprivate let number: UInt64

        fileprivate func precedes(_ other: Ticket) -> Bool {
            (rank, number) < (other.rank, other.number)
        }
    }

    enum Turn: Sendable, Hashable {
        case go
        /// Not before this has passed; then ask again, others may have come in front.
        case wait(Duration)
        case frozen(until: Instant)
    }

    /// How much later than it came a background request counts as having come: it lets users pass, but not for ever.
    static let handicap = Duration.seconds(10)
    /// How soon a request looks again that waits for another one to end.
    static let slotWait = Duration.milliseconds(100)
    /// How long a quota freezes if Azure does not say. A guess; Azure always says so far.
    static let usualFreeze = Duration.seconds(10)

    private struct Line {
        var bucket: TokenBucket
        var waiting: [Ticket] = []
        var underWay = 0

        mutating func insert(_ ticket: Ticket) {
            let place = waiting.lastIndex { $0.precedes(ticket) }.map { $0 + 1 } ?? 0
            waiting.insert(ticket, at: place)
        }
    }

    private let rates: RequestRates
    private var lines: [RequestClass: Line] = [:]
    private var tickets: UInt64 = 0

    init(_ rates: RequestRates) {
        self.rates = rates
    }

    /// Takes a place; nil where nothing is counted. It has to be used up by ``reserve(_:now:)`` or given back.
    mutating func enter(_ kind: RequestClass, _ priority: RequestPriority, now: Instant) -> Ticket? {
        guard let rate = rates.rate(kind) else { return nil }
        let rank = priority == .background ? now + Self.handicap : now
        let ticket = Ticket(kind: kind, rank: rank, number: tickets)
        tickets += 1
        lines[kind, default: Line(bucket: TokenBucket(rate, now: now))].insert(ticket)
        return ticket
    }

    /// Whether the holder may send now. `go` uses the ticket up; ``ended(_:)`` must follow.
    mutating func reserve(_ ticket: Ticket, now: Instant) -> Turn {
        guard let line = lines[ticket.kind], let place = line.waiting.firstIndex(of: ticket) else { return .go }
        if let end = line.bucket.frozenUntil, now < end { return .frozen(until: end) }
        if let most = line.bucket.rate.mostConcurrent, line.underWay + place >= most {
            return .wait(max(Self.slotWait, line.bucket.wait(for: place + 1, now: now)))
        }
        guard place == 0, lines[ticket.kind]?.bucket.take(now: now) == true else {
            return .wait(max(.milliseconds(1), line.bucket.wait(for: place + 1, now: now)))
        }
        lines[ticket.kind]?.waiting.removeFirst()
        lines[ticket.kind]?.underWay += 1
        return .go
    }

    /// Gives a place back unused.
    mutating func leave(_ ticket: Ticket) {
        guard let place = lines[ticket.kind]?.waiting.firstIndex(of: ticket) else { return }
        lines[ticket.kind]?.waiting.remove(at: place)
    }

    /// A request has been answered or has failed.
    mutating func ended(_ kind: RequestClass) {
        guard let underWay = lines[kind]?.underWay, underWay > 0 else { return }
        lines[kind]?.underWay = underWay - 1
    }

    /// A quota is used up: freezes the class for all callers. Answers that something is busy do not come here.
    mutating func exceeded(_ kind: RequestClass, retryAfter: Duration?, now: Instant) {
        lines[kind]?.bucket.freeze(until: now + (retryAfter ?? Self.usualFreeze), now: now)
    }

    /// Azure says what is left. Only ever lowers a bucket: what is under way is not in Azure's figure yet.
    mutating func learn(_ left: [(name: String, count: Int)], by kind: RequestClass, now: Instant) {
        for (name, count) in left {
            guard case .resourceManager(let scope, let own) = kind else { continue }
            let verb = RequestClass.Verb.allCases.first { name.hasSuffix("-\($0.rawValue)") }
            // Other names are a resource provider's count in place of Resource Manager's, of unknown size.
            let isPlain = verb != nil && !name.contains("global")
            lines[.resourceManager(scope: scope, verb ?? own)]?.bucket
                .lower(to: Double(count) * (isPlain ? rates.share : 1), now: now)
        }
    }

    /// Azure Resource Graph says what is left, and when its window ends.
    mutating func learn(left: Int, resetsAfter: Duration?, by kind: RequestClass, now: Instant) {
        lines[kind]?.bucket.lower(to: Double(left), now: now)
        if left <= 0, let resetsAfter { lines[kind]?.bucket.freeze(until: now + resetsAfter, now: now) }
    }

    /// What is left of each class that was used, sorted by name.
    func snapshot(now: Instant) -> [RequestBudget] {
        lines.map { kind, line in
            RequestBudget(
                name: kind.name, verb: kind.verb, isOfSubscription: kind.isOfSubscription,
                remaining: Int(line.bucket.remaining(now: now)), burst: Int(line.bucket.rate.burst),
                waiting: line.waiting.count, underWay: line.underWay,
                frozenFor: line.bucket.frozenUntil.flatMap { now < $0 ? $0 - now : nil })
        }.sorted { $0.name < $1.name }
    }
}

/// Whose request it is.
package enum RequestPriority: Sendable, Hashable {
    /// Somebody waits for it.
    case user
    /// Upkeep: it stands behind users who come up to ten seconds later.
    case background

    /// Of all requests that the present task makes: whoever begins a piece of work knows who waits for it, and none of the typed
    /// calls in between needs to.
    @TaskLocal package static var current = RequestPriority.user
}

/// What is left of one class of requests, for metrics and `explain`.
package struct RequestBudget: Sendable, Hashable {
    /// For instance `{subscription} reads`.
    package let name: String
    /// Nil for services beside Azure Resource Manager.
    package let verb: RequestVerb?
    /// Whether it counts a subscription's requests, and not those about the tenant.
    package let isOfSubscription: Bool
    /// How many may be sent at once.
    package let remaining: Int
    package let burst: Int
    package let waiting: Int
    package let underWay: Int
    /// How long Azure wants to be left alone, nil if it does not.
    package let frozenFor: Duration?
}
