import ArgumentParser
import RecordsClient

struct Wait: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Wait for a condition of records, or for their end.",
        discussion: """
            Conditions: Provisioned, Ready, Running, Succeeded, Failed, Drifted, Stalled; each is True, False or Unknown.

            EXIT CODES
              0  met by all records
              1  error, such as no such record
              2  wrong usage
              3  timed out
              4  ended otherwise: it can no longer be met, for example Succeeded after the run has failed
            """)

    @Argument(help: ArgumentHelp("Names of records.", valueName: "name"))
    var names: [String]

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("condition=TYPE[=True|False|Unknown] or delete.", valueName: "goal"))
    var goal: WaitGoal

    @Option(help: ArgumentHelp("How long to wait, such as 30s, 5m or 1h.", valueName: "time"))
    var timeout = TimeoutArgument.thirtySeconds

    @OptionGroup var report: ReportOptions
    @OptionGroup var hostOptions: HostOptions

    func run() async throws {
        let goal = goal
        let report = report
        try await hostOptions.client().wait(for: goal, names, timeout: timeout.duration) { name in
            switch goal {
            case .condition: report.print(name, "condition met")
            case .deleted: report.print(name, "deleted")
            }
        }
    }
}

extension WaitGoal: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}
