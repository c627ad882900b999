/// A way in which the simulated Azure fails when it is told to. The raw value is the fault's name on the command line
/// and in the journal of requests.
package enum FaultKind: String, CaseIterable, Sendable, Codable {
    /// A 500 before anything was done.
    case internalError = "500"
    /// A 502 with Resource Manager's body, before anything was done.
    case badGateway = "502"
    /// A 503 before anything was done.
    case unavailable = "503"
    /// A 504 *after* the request was carried out: Resource Manager gives a provider 60 s (RPC contract).
    case gatewayTimeout = "504"
    /// A page of HTML with status 502, as front ends send it, before anything was done.
    case htmlBadGateway = "html-502"
    /// The connection is reset before anything was done.
    case resetBefore = "reset-before"
    /// The connection is reset after a write was carried out: the client cannot know.
    case resetAfter = "reset-after"
    /// A 429 for quota with a `Retry-After` of ten minutes, longer than SDKs wait by themselves.
    case throttled = "throttle"
    /// Microsoft.Web is busy with the site: 409 with ExtendedCode 59203, to writes.
    case busyConflict = "busy-409"
    /// The same body with status 429, as it is sometimes seen.
    case busyThrottled = "busy-429"
    /// A byte order mark in front of a JSON body.
    case byteOrderMark = "bom"
    /// A list begins with a page that has no elements and a `nextLink`, which is legal (RPC contract).
    case emptyPage = "empty-page"
    /// A GET shows a resource as it was before its last PUT, for a while.
    case staleRead = "stale-read"
    /// A resource is not found for a while after it was created.
    case lateVisibility = "not-found-after-create"
    /// The URL of a long-running operation answers 404 for ever.
    case lostOperation = "lost-operation"
    /// A long-running operation ends as `Failed`.
    case failedOperation = "failed-operation"
}

/// When a fault strikes, counted over the occasions on which it could.
package enum FaultTrigger: Equatable, Sendable {
    /// Each time with this probability, drawn from the plan's seed.
    case probability(Double)
    /// On every n-th occasion: the n-th, the 2n-th and so on.
    case every(Int)
    /// On the first n occasions, and then never again.
    case first(Int)
}

/// Which faults strike, and when. Without rules nothing fails.
package struct FaultPlan: Equatable, Sendable {
    package struct Rule: Equatable, Sendable {
        package var kind: FaultKind
        package var trigger: FaultTrigger

        package init(_ kind: FaultKind, _ trigger: FaultTrigger) {
            self.kind = kind
            self.trigger = trigger
        }

        /// Reads `KIND`, `KIND:PROBABILITY`, `KIND:every=N` or `KIND:count=N`; nil for anything else. A kind alone strikes
        /// every time.
        package init?(_ text: String) {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let kind = FaultKind(rawValue: String(parts[0])) else { return nil }
            guard parts.count == 2 else {
                self.init(kind, .every(1))
                return
            }
            let number = parts[1].split(separator: "=", maxSplits: 1).last.map(String.init) ?? ""
            if parts[1].hasPrefix("every="), let count = Int(number), count > 0 {
                self.init(kind, .every(count))
            } else if parts[1].hasPrefix("count="), let count = Int(number), count >= 0 {
                self.init(kind, .first(count))
            } else if let probability = Double(parts[1]), (0...1).contains(probability) {
                self.init(kind, .probability(probability))
            } else {
                return nil
            }
        }
    }

    package var rules: [Rule] = []

    package init(_ rules: [Rule] = []) { self.rules = rules }
}

/// The plan while it is carried out: how often each rule had its occasion. It draws from a generator of its own, so
/// that faults do not change which identifiers the World draws.
struct FaultState: Sendable {
    private let plan: FaultPlan
    private var occasions: [Int]
    private var random: SeededGenerator
    /// What struck during the step under way.
    private(set) var struck: [FaultKind] = []

    init(plan: FaultPlan, seed: UInt64) {
        self.plan = plan
        occasions = plan.rules.map { _ in 0 }
        random = SeededGenerator(seed: seed ^ 0xFA17_FA17_FA17_FA17)
    }

    mutating func beginStep() { struck.removeAll(keepingCapacity: true) }

    /// Whether a fault of this kind strikes now. This is an occasion for each rule of the kind.
    mutating func strikes(_ kind: FaultKind) -> Bool {
        var strikes = false
        for (index, rule) in plan.rules.enumerated() where rule.kind == kind {
            occasions[index] += 1
            switch rule.trigger {
            case .probability(let probability):
                if Double.random(in: 0..<1, using: &random) < probability { strikes = true }
            case .every(let count): if occasions[index].isMultiple(of: count) { strikes = true }
            case .first(let count): if occasions[index] <= count { strikes = true }
            }
        }
        if strikes { struck.append(kind) }
        return strikes
    }
}
