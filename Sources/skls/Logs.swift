import ArgumentParser
import Foundation
import RecordsClient

struct Logs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the output of a record's runs.",
        discussion: "What was written to standard error goes to standard error.")

    @Argument(help: "Name of the record.")
    var name: String

    @Flag(name: .shortAndLong, help: "Go on until the open run ends.")
    var follow = false

    @Option(help: ArgumentHelp("Only so many of the last lines.", valueName: "lines"))
    var tail: Int?

    @Option(name: .customLong("run"), help: ArgumentHelp("Only the run with this number.", valueName: "number"))
    var runNumber: Int?

    @OptionGroup var hostOptions: HostOptions

    func validate() throws {
        if let tail, tail < 0 { throw ValidationError("--tail must not be negative") }
        if let runNumber, runNumber < 1 { throw ValidationError("--run counts from 1") }
    }

    func run() async throws {
        let log = try await hostOptions.client().log(name, follow: follow, tail: tail, run: runNumber)
        for try await piece in log {
            let file: FileHandle =
                switch piece.stream {
                case .standardOutput: .standardOutput
                case .standardError: .standardError
                }
            file.write(piece.bytes)
        }
    }
}
