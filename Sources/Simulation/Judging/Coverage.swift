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

/// What runs have exercised. Runs add up.
package struct Coverage: Sendable {
    package private(set) var rules: [RuleName: Int] = [:]
    package private(set) var faults: [String: Int] = [:]
    package private(set) var crashes: [CrashPoint: Int] = [:]
    /// How often each invariant had something to judge.
    package private(set) var judged: [Invariant: Int] = [:]

    package init() {}

    mutating func add(rules more: [RuleName: Int]) { rules.merge(more, uniquingKeysWith: +) }
    mutating func add(fault: String) { faults[fault, default: 0] += 1 }
    mutating func add(crash: CrashPoint) { crashes[crash, default: 0] += 1 }
    mutating func add(judged invariant: Invariant) { judged[invariant, default: 0] += 1 }

    package mutating func add(_ other: Coverage) {
        rules.merge(other.rules, uniquingKeysWith: +)
        faults.merge(other.faults, uniquingKeysWith: +)
        crashes.merge(other.crashes, uniquingKeysWith: +)
        judged.merge(other.judged, uniquingKeysWith: +)
    }

    /// What no run has exercised, in words.
    package var gaps: [String] {
        RuleName.allCases.filter { rules[$0] == nil }.map { "rule \($0.rawValue)" }
            + Chaos.faultNames.filter { faults[$0] == nil }.map { "fault \($0)" }
            + CrashPoint.allCases.filter { crashes[$0] == nil }.map { "crash \($0.rawValue)" }
            + Invariant.allCases.filter { judged[$0] == nil }.map { "invariant \($0.rawValue)" }
    }
}
