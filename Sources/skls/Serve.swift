import ArgumentParser
import AzureSimulator
import Daemon
import Foundation
import Logging

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the daemon.",
        discussion: """
            Serves Docker's API and the records API on a unix socket, and keeps Azure as the records say.

            Without --simulator the daemon reads AZURE_SUBSCRIPTION_ID, SKLS_RESOURCE_GROUP, SKLS_LOCATION and SKLS_PLAN \
            from the environment, and finds its credential as Azure's SDKs do: a secret or certificate in AZURE_*, a \
            workload or managed identity, or az login. SKLS_CLOUD names another cloud. `skls doctor` checks all of it. \
            The plan must be Elastic Premium or Dedicated; it bills whether sites run or not. In its place \
            SKLS_MANAGED_ENVIRONMENT names an environment of Container Apps. docs/azure-access.md lists what else \
            sites can be given.
            """)

    @Flag(help: "Use a simulated Azure in this process; it ends with the daemon.")
    var simulator = false

    @Option(help: ArgumentHelp("Where records and output are kept.", valueName: "directory"))
    var state: String = defaultStateDirectory()

    @Flag(help: "Write nothing to Azure until skls recover: for the first start after a restore from a backup.")
    var frozen = false

    @OptionGroup var hostOptions: HostOptions
    @OptionGroup var sessionOptions: SessionOptions
    @OptionGroup var simulatorOptions: SimulatorOptions
    @OptionGroup var logOptions: LogOptions

    func run() async throws {
        let azure: DaemonConfiguration.AzureChoice =
            simulator
            ? .simulator(try simulatorOptions.configuration())
            : .azure(try AzureSettings(environment: ProcessInfo.processInfo.environment))
        let traces = ProcessInfo.processInfo.environment["SKLS_TRACE_FILE"].flatMap { $0.isEmpty ? nil : $0 }
        var configuration = DaemonConfiguration(
            stateDirectory: state, socketPath: try hostOptions.socketPath(), azure: azure, traceFile: traces)
        configuration.startsFrozen = frozen
        configuration.sessions = try sessionOptions.choice()
        try await Daemon(configuration: configuration, logger: try logOptions.logger()).run()
    }
}

/// `$XDG_STATE_HOME/skls`, as root `/var/lib/skls`.
private func defaultStateDirectory() -> String {
    if getuid() == 0 { return "/var/lib/skls" }
    let environment = ProcessInfo.processInfo.environment
    let home = environment["XDG_STATE_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? NSHomeDirectory() + "/.local/state"
    return home + "/skls"
}

struct LogOptions: ParsableArguments {
    @Option(help: ArgumentHelp("trace, debug, info, notice, warning, error or critical.", valueName: "level"))
    var logLevel: String = "info"

    @Option(help: ArgumentHelp("text or json. Default: $SKLS_LOG_FORMAT, else text.", valueName: "format"))
    var logFormat: String?

    func validate() throws {
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError("unknown log level \(logLevel)")
        }
        _ = try format()
    }

    private func format() throws -> LogFormat {
        let variable = ProcessInfo.processInfo.environment["SKLS_LOG_FORMAT"].flatMap { $0.isEmpty ? nil : $0 }
        guard let text = logFormat ?? variable else { return .text }
        guard let format = LogFormat(rawValue: text) else {
            throw ValidationError("the log format is text or json, not \(text)")
        }
        return format
    }

    /// Writes to standard error.
    /// - Throws: `ValidationError` for an unknown format.
    func logger() throws -> Logger {
        let format = try format()
        var logger = Logger(label: "skls") { label -> any LogHandler in
            switch format {
            case .text: StreamLogHandler.standardError(label: label)
            case .json: JSONLogHandler.standardError()
            }
        }
        logger.logLevel = Logger.Level(rawValue: logLevel) ?? .info
        return logger
    }
}
