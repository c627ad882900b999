import ArgumentParser
import AzureSimulator
import Daemon
import Foundation
import Logging

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the daemon.",
        discussion: """
            Serves Docker's API and the records API on a unix socket, and keeps Azure as the records say. With --tcp it is served \
            on TCP, too; docs/api-access.md says what that takes.

            Without --simulator the daemon reads AZURE_SUBSCRIPTION_ID, SKLS_RESOURCE_GROUP, SKLS_LOCATION and SKLS_PLAN \
            from the environment, and finds its credential as Azure's SDKs do: a secret or certificate in AZURE_*, a \
            workload or managed identity, or az login. SKLS_CLOUD names another cloud. `skls doctor` checks all of it. \
            The plan must be Elastic Premium or Dedicated; it bills whether sites run or not. In its place \
            SKLS_MANAGED_ENVIRONMENT names an environment of Container Apps. docs/azure-access.md lists what else \
            sites can be given.
            """)

    @Flag(help: "Use a simulated Azure in this process; it ends with the daemon.")
    var simulator = false

    @Option(
        help: ArgumentHelp(
            "Where records and output are kept. Default: $XDG_STATE_HOME/skls, as root /var/lib/skls.",
            valueName: "directory"))
    var state: String?

    @Option(
        help: ArgumentHelp("A YAML file with settings; see docs/configuration.md.", valueName: "path"))
    var config: String?

    @Flag(help: "Show every setting, its value and where that comes from, and end. Secrets are hidden.")
    var printConfig = false

    @Flag(help: "Write nothing to Azure until skls recover: for the first start after a restore from a backup.")
    var frozen = false

    @OptionGroup var hostOptions: HostOptions
    @OptionGroup var accessOptions: AccessOptions
    @OptionGroup var sessionOptions: SessionOptions
    @OptionGroup var simulatorOptions: SimulatorOptions
    @OptionGroup var logOptions: LogOptions

    func run() async throws {
        let typed: [(setting: String, flag: String, value: String?)] =
            [
                ("state.path", "--state", state), ("logging.level", "--log-level", logOptions.logLevel),
                ("logging.format", "--log-format", logOptions.logFormat),
                ("listen.socket", "--host or $SKLS_HOST", hostOptions.isGiven ? try hostOptions.socketPath() : nil),
                ("listen.group", "--group", accessOptions.group),
                ("listen.tcp", "--tcp", accessOptions.tcp.isEmpty ? nil : accessOptions.tcp.joined(separator: ",")),
                ("listen.tls_cert", "--tlscert", accessOptions.certificate),
                ("listen.tls_key", "--tlskey", accessOptions.key),
                ("listen.tls_ca_cert", "--tlscacert", accessOptions.clientAuthority),
                ("listen.token_file", "--token-file", accessOptions.tokenFile),
            ] + sessionOptions.typed
        let flags = typed.compactMap { option in
            option.value.map { LoadedSettings.Flag(option.setting, flag: option.flag, value: $0) }
        }
        var loaded = try LoadedSettings.ofProcess(flags: flags, configurationPath: config)
        let socketPath = try loaded["listen.socket"] ?? hostOptions.socketPath()
        let state = loaded["state.path"] ?? defaultStateDirectory()
        loaded.fill("listen.socket", socketPath)
        loaded.fill("state.path", state)
        if printConfig { Output.result(loaded.tableText) }
        let (azure, access, sessions, logger) = try loaded.choices(
            simulator: simulator ? try simulatorOptions.configuration() : nil, label: "skls")
        guard !printConfig else { return }
        let traces = ProcessInfo.processInfo.environment["SKLS_TRACE_FILE"].flatMap { $0.isEmpty ? nil : $0 }
        var configuration = DaemonConfiguration(
            stateDirectory: state, socketPath: socketPath, azure: azure, traceFile: traces)
        configuration.startsFrozen = frozen
        configuration.access = access
        configuration.sessions = sessions
        try await Daemon(configuration: configuration, logger: logger).run()
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
    @Option(
        help: ArgumentHelp("trace, debug, info, notice, warning, error or critical. Default: info.", valueName: "level")
    )
    var logLevel: String?

    @Option(help: ArgumentHelp("text or json. Default: $SKLS_LOG_FORMAT, else text.", valueName: "format"))
    var logFormat: String?

    func validate() throws {
        if let logLevel, Logger.Level(rawValue: logLevel) == nil {
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
        Logger.daemon("skls", level: logLevel ?? "info", format: try format())
    }
}
