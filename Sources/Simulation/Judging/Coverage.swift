package import Controller

/// Where a crash can hit.
package enum CrashPoint: String, CaseIterable, Sendable {
    /// Between two jobs: at any await.
    case await = "await"
    case beforeCommit = "before-commit"
    case afterCommit = "after-commit"
    case beforeRequest = "before-request"
    case afterRequest = "after-request"
    /// At rest, at the end of each run.
    case atRest = "at-rest"
}

/// What is done about sites without records and about stores that are behind, as the World and the store show it.
package enum Deed: String, CaseIterable, Sendable {
    /// A site without a record is noted.
    case sighted = "sighted"
    case quarantined = "quarantined"
    /// A site has a record by now, and its quarantine ends.
    case released = "released"
    /// The quarantine is over.
    case leakDeleted = "leak-deleted"
    /// Its record was forgotten before it appeared.
    case forgottenDeleted = "forgotten-deleted"
    /// A sweep stops at its bound with more to delete.
    case capped = "capped"
    /// A leak stays, since leaks are only reported.
    case reported = "reported"
    /// By a user, out of the list of leaks.
    case adopted = "adopted"
    /// By the controller itself.
    case frozen = "frozen"
    case recovered = "recovered"
    // What a recovery does to records.
    case runGivenUp = "run-given-up"
    case suspended = "suspended"
    case siteRecovered = "site-recovered"
}

/// What runs have exercised. Runs add up.
package struct Coverage: Sendable {
    package private(set) var rules: [RuleName: Int] = [:]
    package private(set) var faults: [String: Int] = [:]
    package private(set) var crashes: [CrashPoint: Int] = [:]
    package private(set) var deeds: [Deed: Int] = [:]
    /// How often each invariant had something to judge.
    package private(set) var judged: [Invariant: Int] = [:]

    package init() {}

    mutating func add(rules more: [RuleName: Int]) { rules.merge(more, uniquingKeysWith: +) }
    mutating func add(fault: String) { faults[fault, default: 0] += 1 }
    mutating func add(crash: CrashPoint) { crashes[crash, default: 0] += 1 }
    mutating func add(deed: Deed) { deeds[deed, default: 0] += 1 }
    mutating func add(judged invariant: Invariant) { judged[invariant, default: 0] += 1 }

    package mutating func add(_ other: Coverage) {
        rules.merge(other.rules, uniquingKeysWith: +)
        faults.merge(other.faults, uniquingKeysWith: +)
        crashes.merge(other.crashes, uniquingKeysWith: +)
        deeds.merge(other.deeds, uniquingKeysWith: +)
        judged.merge(other.judged, uniquingKeysWith: +)
    }

    /// What no run has exercised, in words.
    package var gaps: [String] {
        RuleName.allCases.filter { rules[$0] == nil }.map { "rule \($0.rawValue)" }
            + Chaos.faultNames.filter { faults[$0] == nil }.map { "fault \($0)" }
            + CrashPoint.allCases.filter { crashes[$0] == nil }.map { "crash \($0.rawValue)" }
            + Deed.allCases.filter { deeds[$0] == nil }.map { "deed \($0.rawValue)" }
            + Invariant.allCases.filter { judged[$0] == nil }.map { "invariant \($0.rawValue)" }
    }
}
