import Foundation
import Simulation
import Testing

/// Seeds of the whole controller against the World. A failure prints the command that runs its seed again.
@Suite struct SimulationTests {
    @Test func oneSeedTwiceIsOneRun() async {
        for seed: UInt64 in 1...10 {
            let options = SimulationRun.Options(seed: seed, scenario: Campaign.scenario(of: seed))
            let first = await Workers.shared.run { SimulationRun.report(options) }
            let second = await Workers.shared.run { SimulationRun.report(options) }
            #expect(first.digest == second.digest && first.steps == second.steps)
        }
    }

    @Test(.timeLimit(.minutes(20)))
    func noSeedViolatesAnInvariantAndAllIsExercised() async {
        let campaigns = await withTaskGroup { group in
            for first in stride(from: UInt64(1), to: 2_001, by: 50) {
                group.addTask {
                    await Workers.shared.run {
                        var campaign = Campaign(scenario: nil)
                        campaign.run(seeds: first..<first + 50)
                        return campaign
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var coverage = Coverage()
        for campaign in campaigns {
            coverage.add(campaign.coverage)
            #expect(campaign.failures.map(\.seed) == [])
        }
        #expect(coverage.gaps == [])
    }

    /// One misfortune at the N-th place, for N = 1, 2, 3 … until it finds no place any more.
    @Test(.timeLimit(.minutes(20)), arguments: Scenario.allCases.filter { $0 != .mixed })
    func oneMisfortuneAnywhereIsSurvived(_ scenario: Scenario) async {
        for (name, anomaly) in Self.anomalies {
            var count = 0
            var isHit = true
            while isHit {
                count += 1
                let wanted = anomaly(count)
                let options = SimulationRun.Options(seed: 7, scenario: scenario, anomaly: wanted)
                let report = await Workers.shared.run { SimulationRun.report(options) }
                #expect(report.violations.isEmpty, "\(name) \(count):\n\(Campaign.text(options, report))")
                if !report.violations.isEmpty { break }
                isHit = report.isHit
            }
            #expect(count > 1, "\(scenario) meets no misfortune")
        }
    }

    private static let anomalies: [(String, @Sendable (Int) -> SimulationRun.Anomaly)] = [
        ("lose request", { .loseRequest($0) }), ("lose reply", { .loseReply($0) }),
        ("crash before commit", { .crashBeforeCommit($0) }), ("crash after commit", { .crashAfterCommit($0) }),
    ]
}

/// Threads for runs, as many as there are processors. A run holds its thread from its beginning to its end, so that thread
/// should not be one of the tests' own, and more of them at once would only be in each other's way.
///
/// Unchecked: the condition protects `waiting`.
private final class Workers: @unchecked Sendable {
    static let shared = Workers()

    private let condition = NSCondition()
    private var waiting: [@Sendable () -> Void] = []

    private init() {
        for _ in 0..<max(ProcessInfo.processInfo.activeProcessorCount, 1) {
            let thread = Thread { [self] in
                while true { next()() }
            }
            thread.stackSize = 8 << 20
            thread.start()
        }
    }

    func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            condition.withLock { waiting.append { continuation.resume(returning: work()) } }
            condition.signal()
        }
    }

    private func next() -> @Sendable () -> Void {
        condition.lock()
        defer { condition.unlock() }
        while waiting.isEmpty { condition.wait() }
        return waiting.removeFirst()
    }
}
