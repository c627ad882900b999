import ArgumentParser
import DesiredState
import RecordsClient

struct Delete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Delete records and their Function Apps.",
        discussion: """
            Returns when the Function Apps are gone; with --no-wait as soon as their deletion is certain.

            EXIT CODES
              0  deleted
              1  error, such as no such record
              2  wrong usage
              3  still being deleted when the time was over
            """)

    @Argument(help: ArgumentHelp("Names of records.", valueName: "name"))
    var names: [String]

    @Flag(inversion: .prefixedNo, help: "Wait until they are gone.")
    var wait = true

    @Option(help: ArgumentHelp("How long to wait.", valueName: "time"))
    var timeout = TimeoutArgument.fiveMinutes

    @OptionGroup var report: ReportOptions
    @OptionGroup var hostOptions: HostOptions

    func run() async throws {
        let client = try hostOptions.client()
        var namesByUID: [String: String] = [:]
        var uids: [UID] = []
        for name in names {
            let record = try await client.delete(name)
            uids.append(record.uid)
            namesByUID[record.uid.text] = name
            if !wait { report.print(name, "is being deleted") }
        }
        guard wait else { return }
        let labels = namesByUID
        let report = report
        try await client.waitUntilGone(uids, timeout: timeout.duration) { uid in
            report.print(labels[uid] ?? uid, "deleted")
        }
    }
}
