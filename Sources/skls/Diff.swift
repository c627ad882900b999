import ArgumentParser
import DesiredState
import Foundation
import RecordsClient

struct Diff: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell what apply would change, and what would be done then.",
        discussion: """
            For each record: its fields that would change (+ added, - removed, ~ changed), values of environment variables and \
            application settings redacted, and what the controller would do next with what it knows now, if all goes well. Changes \
            nothing.

            The last line names the plan: apply -f FILE --plan DIGEST does that or refuses.

            Exit codes: 0 apply would change no record, 1 it would, 2 or more an error.
            """)

    @Option(
        name: .shortAndLong, parsing: .singleValue,
        help: ArgumentHelp("A file, a folder, or - for standard input; may be repeated.", valueName: "path"))
    var filename: [String]

    @Flag(name: [.customShort("R"), .long], help: "Look into the folders of folders, too.")
    var recursive = false

    @OptionGroup var hostOptions: HostOptions

    func run() async throws {
        let manifests: [Manifest]
        do throws(ManifestFaults) {
            manifests = try ManifestFiles.read(filename, recursively: recursive)
        } catch {
            for fault in error.faults { Output.error(fault.description) }
            throw ExitCode(2)
        }
        if manifests.isEmpty {
            Output.error("no manifests in \(filename.joined(separator: ", "))")
            throw ExitCode(2)
        }
        let client = try hostOptions.client()
        let plans: [ApplyPlan]
        do throws(RecordsClientError) {
            plans = try await client.plans(manifests)
        } catch {
            Output.error(error.description)
            // 1 says that there are differences.
            throw ExitCode(max(2, error.exitCode))
        }
        Output.result(PlanText.text(plans))
        if plans.contains(where: { $0.outcome != .unchanged }) { throw ExitCode(1) }
    }
}

/// How `apply` is told to plan first.
struct PlanOptions: ParsableArguments {
    @Option(help: ArgumentHelp("server: print what would be done as diff does, and do nothing.", valueName: "server"))
    var dryRun: DryRun?

    @Option(
        help: ArgumentHelp(
            "Do what diff or a dry run has printed, or refuse because something has moved.", valueName: "digest"))
    var plan: String?

    enum DryRun: String, ExpressibleByArgument { case server }

    func validate() throws {
        if let plan, PlanDigest(codedText: plan) == nil {
            throw ValidationError("--plan takes the digest that diff prints in its last line, not \(plan)")
        }
        if plan != nil, dryRun != nil { throw ValidationError("--plan and --dry-run do not go together") }
    }

    /// True when all was done that was asked for, without a plain apply.
    func apply(_ manifests: [Manifest], with client: RecordsClient, _ report: ReportOptions) async throws -> Bool {
        guard let wanted = plan.flatMap({ PlanDigest(codedText: $0) }) else {
            guard dryRun != nil else { return false }
            Output.result(PlanText.text(try await client.plans(manifests)))
            return true
        }
        let plans = try await client.plans(manifests)
        if let digest = PlanDigest(combining: plans.map(\.digest)), digest != wanted {
            let moved = digest.moved(since: wanted).joined(separator: ", ")
            throw RecordsClientError(.conflict, "it is not as planned: \(moved); nothing was applied")
        }
        for (manifest, plan) in zip(manifests, plans) {
            let (outcome, record) = try await client.apply(manifest, asPlanned: plan.digest)
            report.print(record.metadata.name.text, outcome.rawValue)
        }
        return true
    }
}
