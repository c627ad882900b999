import FoundationEssentials
import SystemPackage

/// Many seeds, one after the other.
package struct Campaign {
    /// Nil: each seed has its own.
    private let scenario: Scenario?
    package var printsTrace = false
    package private(set) var coverage = Coverage()
    package private(set) var seeds = 0
    package private(set) var steps = 0
    package private(set) var virtualSeconds = 0
    package private(set) var failures: [(seed: UInt64, scenario: Scenario, report: SimulationRun.Report)] = []
    private var gaps: [String] = []

    package init(scenario: Scenario?) { self.scenario = scenario }

    package var hasFailed: Bool { !failures.isEmpty || !gaps.isEmpty }

    /// The scenario that a seed has when none is asked for: half of them are mixed.
    package static func scenario(of seed: UInt64) -> Scenario {
        let all = Scenario.allCases
        let number = Int(seed % UInt64(2 * (all.count - 1)))
        return number < all.count ? all[number] : .mixed
    }

    /// Failed seeds beyond this number are not looked for: they say the same.
    package var mostFailures = 5

    package mutating func run(seeds: Range<UInt64>) {
        for seed in seeds where failures.count < mostFailures { run(seed) }
    }

    /// Fresh seeds until the time is over.
    package mutating func soak(seconds: Int) {
        let start = ContinuousClock.now
        var seed = UInt64.random(in: 0...UInt64.max / 2)
        while ContinuousClock.now - start < .seconds(seconds), failures.count < mostFailures {
            run(seed)
            seed += 1
        }
    }

    private mutating func run(_ seed: UInt64) {
        let scenario = scenario ?? Self.scenario(of: seed)
        var options = SimulationRun.Options(seed: seed, scenario: scenario)
        options.printsTrace = printsTrace
        let report = SimulationRun.report(options)
        seeds += 1
        steps += report.steps
        virtualSeconds += report.virtualSeconds
        coverage.add(report.coverage)
        guard !report.violations.isEmpty else { return }
        failures.append((seed, scenario, report))
        print(Self.text(options, report))
    }

    /// What a failed seed is shown as, with the command that runs it again.
    package static func text(_ options: SimulationRun.Options, _ report: SimulationRun.Report) -> String {
        (["seed \(options.seed), scenario \(options.scenario.rawValue), after \(report.steps) steps:"]
            + report.recent.suffix(40).map { "  " + $0 } + report.violations.prefix(3).map { "violated: \($0)" }
            + ["again: make replay SEED=\(options.seed) SCENARIO=\(options.scenario.rawValue)"])
            .joined(separator: "\n")
    }

    package mutating func demandCoverage() {
        gaps = coverage.gaps
        for gap in gaps { print("never exercised: \(gap)") }
    }

    package func printSummary() {
        print("seeds=\(seeds) steps=\(steps) violations=\(failures.count)")
    }
}

extension SimulationRun {
    /// Runs in a temporary folder of its own.
    package static func report(_ options: Options) -> Report {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("skls-simulation-\(UUID())")
        defer {
            try? FileManager.default.removeItem(at: folder)  // a folder that stays harms nobody
        }
        do {
            return try SimulationRun(options, directory: FilePath(folder.path)).run()
        } catch {
            return Report(
                violations: [Violation(invariant: .converged, detail: "the run could not be prepared: \(error)")],
                coverage: Coverage(), steps: 0, digest: 0, recent: [], requests: 0, commits: 0, virtualSeconds: 0)
        }
    }
}
