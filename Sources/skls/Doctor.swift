import ArgumentParser
import Daemon
import Foundation
import RecordsClient

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check that Azure can be used.",
        discussion: """
            Reads the environment as `skls serve` does, asks Azure (reading only) and prints what it finds: the cloud, \
            which credential is used and why each other is not, a token, the subscription, the resource group, the plan \
            and the registry. Each failure says what to do.

            Exit codes: 0 everything is right, 1 something is not.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case table, json
    }

    @Option(help: "How to print it.")
    var format: Format = .table

    @Option(help: ArgumentHelp("A YAML file with settings, as for skls serve.", valueName: "path"))
    var config: String?

    @Option(help: ArgumentHelp("trace, debug, info, notice, warning, error or critical.", valueName: "level"))
    var logLevel: String = "error"

    func run() async throws {
        var logOptions = LogOptions()
        logOptions.logLevel = logLevel
        logOptions.logFormat = nil
        try logOptions.validate()
        let settings = try LoadedSettings.ofProcess(configurationPath: config)
        let doctor = Doctor(settings: settings, logger: try logOptions.logger())
        let report = try await doctor.report()
        switch format {
        case .table: Output.result(table(report))
        case .json:
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            Output.result(String(decoding: try encoder.encode(report), as: UTF8.self) + "\n")
        }
        if !report.isHealthy { throw ExitCode(1) }
    }

    /// One line for each check; what to do stands on a line of its own below a failure.
    private func table(_ report: DoctorReport) -> String {
        let lines = TerminalText.table(
            [["STATUS", "CHECK", "FOUND"]] + report.checks.map { [$0.status.rawValue, $0.name, $0.detail] }
        ).split(separator: "\n", omittingEmptySubsequences: true)
        return zip(lines, [nil] + report.checks.map(\.advice)).map { line, advice in
            "\(line)\n" + (advice.map { "        to do: \(TerminalText.escaped($0))\n" } ?? "")
        }.joined()
    }
}
