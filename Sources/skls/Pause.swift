import ArgumentParser
import DesiredState
import Foundation
import RecordsClient

struct Pause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let nothing be written to Azure for records.",
        discussion: """
            A paused record's Function App stays as it is, and a run that is open goes on; no new one begins. Deleting a paused \
            record works. Applying its manifest does not end the pause.
            """)

    @Argument(help: ArgumentHelp("Names of records.", valueName: "name"))
    var names: [String]

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp(
            "End the pause after this time, such as 30m, 2h or 7d; without it, by resume.", valueName: "time"))
    var time: TimeoutArgument?

    @Option(help: ArgumentHelp("Why, for others to read.", valueName: "text"))
    var reason: String?

    @Option(help: ArgumentHelp("Who pauses. Default: $USER.", valueName: "name"))
    var by: String?

    @OptionGroup var report: ReportOptions
    @OptionGroup var hostOptions: HostOptions

    func validate() throws {
        if names.isEmpty { throw ValidationError("name the records to pause") }
        if let time, time.duration < .seconds(1) { throw ValidationError("--for needs at least one second") }
    }

    func run() async throws {
        let client = try hostOptions.client()
        let author = by ?? ProcessInfo.processInfo.environment["USER"]
        for name in names {
            let (_, record) = try await client.suspend(name, by: author, for: time?.duration, reason: reason)
            let until = record.spec.suspend?.until.map { " until \($0.rfc3339(fractionDigits: 0))" } ?? ""
            report.print(name, "paused" + until)
        }
    }
}

struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "End the pause of records.")

    @Argument(help: ArgumentHelp("Names of records.", valueName: "name"))
    var names: [String]

    @OptionGroup var report: ReportOptions
    @OptionGroup var hostOptions: HostOptions

    func validate() throws {
        if names.isEmpty { throw ValidationError("name the records to resume") }
    }

    func run() async throws {
        let client = try hostOptions.client()
        for name in names {
            let (outcome, _) = try await client.resume(name)
            report.print(name, outcome == .unchanged ? "was not paused" : "resumed")
        }
    }
}
