import ArgumentParser
import DesiredState
import Foundation
import RecordsClient

struct Apply: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Declare records by manifests.",
        discussion: """
            Reads YAML files, folders of them (*.yaml, *.yml) or standard input (-). All files are checked first: if there is any \
            fault, all faults are printed and nothing is applied.

            Prints a line for each record: functionapp/NAME created, configured or unchanged.
            """)

    @Option(
        name: .shortAndLong, parsing: .singleValue,
        help: ArgumentHelp("A file, a folder, or - for standard input; may be repeated.", valueName: "path"))
    var filename: [String]

    @Flag(name: [.customShort("R"), .long], help: "Look into the folders of folders, too.")
    var recursive = false

    @OptionGroup var planning: PlanOptions
    @OptionGroup var hostOptions: HostOptions

    func run() async throws {
        let manifests: [Manifest]
        do throws(ManifestFaults) {
            manifests = try ManifestFiles.read(filename, recursively: recursive)
        } catch {
            for fault in error.faults { Output.error(fault.description) }
            throw ExitCode(1)
        }
        if manifests.isEmpty {
            Output.error("no manifests in \(filename.joined(separator: ", "))")
            throw ExitCode(1)
        }
        let client = try hostOptions.client()
        if try await planning.apply(manifests, with: client) { return }
        for manifest in manifests {
            let (outcome, record) = try await client.apply(manifest)
            Output.result("functionapp/\(record.metadata.name) \(outcome.rawValue)\n")
        }
    }
}
