import ArgumentParser
import Simulation

/// Runs seeds of the simulation and says what they found. Ends with a failure if one violates an invariant.
@main
struct Main: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "skls-simulation",
        abstract: "Runs the production controller against a simulated Azure under virtual time.")

    @Option(help: "The first seed.")
    var seed: UInt64 = 1
    @Option(help: "How many seeds.")
    var seeds = 1
    @Option(help: "Runs fresh seeds for so many seconds in place of a number of them.")
    var seconds: Int?
    @Option(
        help: "One of \(Scenario.allCases.map(\.rawValue).joined(separator: ", ")); by default each seed takes its own."
    )
    var scenario: String?
    @Option(help: "Ends after so many failed seeds.")
    var failures = 5
    @Flag(help: "Prints every step.")
    var trace = false
    @Flag(help: "Fails if something was never exercised.")
    var coverage = false

    func run() throws {
        let chosen = try scenario.map { name in
            guard let scenario = Scenario(rawValue: name) else { throw ValidationError("no scenario \(name)") }
            return scenario
        }
        var campaign = Campaign(scenario: chosen)
        campaign.printsTrace = trace
        campaign.mostFailures = failures
        if let seconds {
            campaign.soak(seconds: seconds)
        } else {
            campaign.run(seeds: seed..<seed + UInt64(seeds))
        }
        campaign.printSummary()
        if coverage { campaign.demandCoverage() }
        if campaign.hasFailed { throw ExitCode.failure }
    }
}
