import ArgumentParser
import DesiredState
import Foundation
import RecordsClient

struct Apply: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Declare records by manifests.",
        discussion: """
            Reads YAML and JSON files, folders of them (*.yaml, *.yml, *.json) or standard input (-). All files are checked first: if there is any \
            fault, all faults are printed and nothing is applied.

            Prints a line for each record: functionapp/NAME created, configured or unchanged.

            With --inventory NAME the records are listed under that name, each by the very commit that applies it, until they are gone. \
            With --prune, too, the records of the inventory that the files do not name are deleted: what would be deleted is printed \
            first, all else is applied before, and when that fails nothing is deleted. An apply that was interrupted is simply repeated. \
            A record that another inventory lists is not pruned.
            """)

    @Option(
        name: .shortAndLong, parsing: .singleValue,
        help: ArgumentHelp("A file, a folder, or - for standard input; may be repeated.", valueName: "path"))
    var filename: [String]

    @Flag(name: [.customShort("R"), .long], help: "Look into the folders of folders, too.")
    var recursive = false

    @OptionGroup var planning: PlanOptions
    @OptionGroup var pruning: PruneOptions
    @OptionGroup var report: ReportOptions
    @OptionGroup var hostOptions: HostOptions

    func validate() throws {
        if planning.plan != nil, pruning.inventory != nil {
            throw ValidationError(
                "--plan and --inventory do not go together: a plan does not tell what is listed or pruned")
        }
        if planning.dryRun != nil, pruning.prune {
            throw ValidationError("--dry-run does not tell what is pruned: use --prune-dry-run")
        }
    }

    func run() async throws {
        let manifests: [Manifest]
        do throws(ManifestFaults) {
            manifests = try ManifestFiles.read(filename, recursively: recursive)
        } catch {
            for fault in error.faults { Output.error(fault.description) }
            throw ExitCode(1)
        }
        if manifests.isEmpty, !pruning.prune {
            Output.error("no manifests in \(filename.joined(separator: ", "))")
            throw ExitCode(1)
        }
        let client = try hostOptions.client()
        if try await planning.apply(manifests, with: client, report) { return }
        if pruning.prune {
            try await pruning.apply(manifests, with: client, report)
        } else {
            for manifest in manifests {
                let (outcome, record) = try await client.apply(manifest, inventory: pruning.inventory)
                report.print(record.metadata.name.text, outcome.rawValue)
            }
        }
    }
}

struct PruneOptions: ParsableArguments {
    @Option(help: ArgumentHelp("List the records under this name.", valueName: "name"))
    var inventory: String?

    @Flag(help: "Delete the records of the inventory that the files do not name.")
    var prune = false

    @Flag(help: "Let --prune delete all records of the inventory when the files name none.")
    var allowEmpty = false

    @Flag(help: "Print what --prune would delete, and do nothing.")
    var pruneDryRun = false

    func validate() throws {
        if let inventory, RecordName(inventory) == nil {
            throw ValidationError("an inventory's name is 1 to 255 of a-z A-Z 0-9 _ . -, not \(inventory)")
        }
        if prune, inventory == nil { throw ValidationError("--prune needs --inventory NAME") }
        if !prune, allowEmpty || pruneDryRun {
            throw ValidationError("--allow-empty and --prune-dry-run need --prune")
        }
    }

    func apply(_ manifests: [Manifest], with client: RecordsClient, _ report: ReportOptions) async throws {
        let listed = try await client.inventory(inventory ?? "")
        let plan = try PruningApply(manifests: manifests, inventory: listed, allowsEmpty: allowEmpty)
        if pruneDryRun {
            for manifest in plan.manifests { report.print(manifest.name.text, "would be applied") }
            for entry in plan.prunes { report.print(entry.name.text, "would be pruned") }
            return
        }
        if !plan.prunes.isEmpty {
            Output.note(
                "Will delete from the inventory \(plan.inventory): \(plan.prunes.map(\.name.text).joined(separator: ", "))"
            )
        }
        try await plan.run(with: client) { result in
            switch result {
            case .applied(let outcome, let record): report.print(record.metadata.name.text, outcome.rawValue)
            case .pruned(let entry), .gone(let entry): report.print(entry.name.text, "pruned")
            }
        }
    }
}
