package import AzureClient
import DesiredState

/// The quotas that the controller's calls are paid from.
package enum CallClass: Int, Hashable, Sendable, CaseIterable {
    case reads, writes, deletes
}

/// What a call costs of each quota.
struct CallCost: Hashable {
    /// Where it stands in line.
    let line: CallClass
    var reads = 0
    var writes = 0
    var deletes = 0

    /// Nil for calls to agents.
    init?(_ call: Call) {
        switch call {
        case .putSite(_, let isUpdate):
            line = .writes
            // An update reads the site and its settings first; the list of settings is a POST, which counts as a write.
            writes = isUpdate ? 2 : 1
            reads = isUpdate ? 1 : 0
        case .releaseSite:
            line = .writes
            writes = 1
            reads = 1
        case .deleteSite:
            line = .deletes
            deletes = 1
        case .followOperation, .readSite:
            line = .reads
            reads = 1
        case .readDetails(let design, _):
            // The site and its configuration, and by POST the settings and the mounts where one of them is ours. It stands in
            // line for the scarcer quota: what is paid beside is not waited for, and users' writes would be in debt for it.
            line = .writes
            reads = 2
            writes = design.mounts.isEmpty ? 1 : 2
        case .readContainerLog:
            line = .writes  // a POST
            writes = 1
        // Log Analytics has a budget of its own, and a log is read once per lost run.
        case .greetAgent, .postRun, .followRun, .stopRun, .readRunLog: return nil
        }
    }

    func amount(of kind: CallClass) -> Int {
        switch kind {
        case .reads: reads
        case .writes: writes
        case .deletes: deletes
        }
    }
}

/// How fast calls of each class may be started: what the client below keeps to as well, so that nothing it is handed has to
/// wait there.
package struct CallRates: Hashable, Sendable {
    package var reads: RequestRate
    package var writes: RequestRate
    package var deletes: RequestRate

    package init(_ rates: RequestRates) {
        reads = rates.resourceManager(.reads)
        writes = rates.resourceManager(.writes)
        deletes = rates.resourceManager(.deletes)
    }

    func rate(_ kind: CallClass) -> RequestRate {
        switch kind {
        case .reads: reads
        case .writes: writes
        case .deletes: deletes
        }
    }
}

/// What the client says is left of one class: less than the controller thinks when others call with the same identity.
package struct BudgetReading: Hashable, Sendable {
    package var kind: CallClass
    package var remaining: Double
    package var frozenFor: Duration?

    package init(kind: CallClass, remaining: Double, frozenFor: Duration?) {
        self.kind = kind
        self.remaining = remaining
        self.frozenFor = frozenFor
    }

    /// Nil for other quotas than Azure Resource Manager's for our subscription.
    package init?(_ budget: RequestBudget) {
        guard let verb = budget.verb, budget.isOfSubscription else { return nil }
        switch verb {
        case .reads: kind = .reads
        case .writes: kind = .writes
        case .deletes: kind = .deletes
        }
        // Those that wait there already have a claim on what is left.
        remaining = Double(budget.remaining - budget.waiting)
        frozenFor = budget.frozenFor
    }
}

/// The controller's view of one quota. Unlike the client's it can be in debt: by side costs, which are not waited for.
struct CallBucket {
    let rate: RequestRate
    private var level: Double
    /// The time that `level` is about.
    private var updated: Instant?
    private var frozenUntil: Instant?

    init(_ rate: RequestRate) {
        self.rate = rate
        level = rate.burst
    }

    /// Whether a call may start.
    mutating func isReady(now: Instant) -> Bool {
        refill(now)
        return level >= CallBucket.enough && frozenUntil == nil
    }

    /// One, but for what is lost by rounding.
    private static let enough = 1 - 1e-6

    /// Pays; more than is there becomes a debt.
    mutating func charge(_ count: Int, now: Instant) {
        refill(now)
        level = max(level - Double(count), -rate.burst)
    }

    mutating func giveBack(_ count: Int) {
        level = min(level + Double(count), rate.burst)
    }

    /// What the client knows better: only ever lowers.
    mutating func lower(to count: Double, now: Instant) {
        refill(now)
        level = min(level, max(count, -rate.burst))
    }

    /// Nothing is started before that time, and no burst follows it.
    mutating func freeze(for wait: Duration, now: Instant) {
        refill(now)
        level = min(level, 0)
        frozenUntil = max(frozenUntil ?? now, now + wait)
    }

    /// When at least one will be there, if nobody takes any; a time that has passed if one is there.
    func readyTime(now: Instant) -> Instant {
        let missing = max(0, 1 - level)
        let refilled = (updated ?? now) + .nanoseconds(Int64((missing / rate.perSecond * 1e9).rounded(.up)))
        return max(refilled, frozenUntil ?? refilled)
    }

    /// How long until one is there once so many others were taken.
    func turn(after others: Int, now: Instant) -> Duration {
        max(.zero, readyTime(now: now) - now) + .nanoseconds(Int64(Double(others) / rate.perSecond * 1e9))
    }

    private mutating func refill(_ now: Instant) {
        let start = updated ?? now
        if now < start, let end = frozenUntil {
            frozenUntil = now + (end - start)  // the clock was put back: the wait stays as long as it was
        }
        if let end = frozenUntil, now >= end { frozenUntil = nil }
        if now > start {
            level = min(rate.burst, level + Double((now - start).wholeNanoseconds) * 1e-9 * rate.perSecond)
        }
        updated = now
    }
}
