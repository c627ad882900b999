import ArgumentParser
import Daemon
import Foundation
import Logging

/// The name and the flags under which callers of Sockerless' internal backend API start a backend for Azure Functions.
@main struct Main: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sockerless-backend-azf",
        abstract: "Serve Sockerless' internal backend API (/internal/v1) and Docker's API over Azure Functions.",
        discussion: """
            Settings come from flags before the environment (SOCKERLESS_AZF_*, SKLS_*) before the file (-config) before \
            the usual values; docs/configuration.md lists them all. SIGTERM ends it after the requests that are under way.

            Exit codes: 0 told to end, 1 something failed or the configuration is wrong, 64 wrong usage.
            """, version: sklsVersion)

    @Option(
        name: [.customLong("addr", withSingleDash: true), .customLong("addr")],
        help: ArgumentHelp(
            "Where to listen: unix:///path, or :port for TCP on this machine. Default: unix:///var/run/sockerless-backend.sock.",
            valueName: "address"))
    var address: String?

    @Option(
        name: [.customLong("log-level", withSingleDash: true), .customLong("log-level")],
        help: ArgumentHelp("debug, info, warn or error.", valueName: "level"))
    var logLevel: String?

    @Option(
        name: [.customLong("config", withSingleDash: true), .customLong("config")],
        help: ArgumentHelp("A YAML file.", valueName: "path"))
    var file: String?

    @Option(
        name: [.customLong("tls-cert", withSingleDash: true), .customLong("tls-cert")],
        help: ArgumentHelp("The server's certificate in PEM.", valueName: "path"))
    var certificate: String?

    @Option(
        name: [.customLong("tls-key", withSingleDash: true), .customLong("tls-key")],
        help: ArgumentHelp("The certificate's key in PEM.", valueName: "path"))
    var key: String?

    @Flag(
        name: [.customLong("print-config", withSingleDash: true), .customLong("print-config")],
        help: "Show every setting, its value and where that comes from, and end. Secrets are hidden.")
    var printsConfiguration = false

    func run() async throws {
        let loaded = try LoadedSettings.ofProcess(flags: flags, configurationPath: file)
        let settings: BackendSettings
        do throws(ConfigurationFaults) {
            settings = try BackendSettings(
                loaded, environment: ProcessInfo.processInfo.environment, .ofProcess)
        } catch {
            if printsConfiguration { show(loaded) }
            throw error
        }
        guard !printsConfiguration else { return show(settings.loaded) }
        let logger = Logger.daemon("sockerless-backend-azf", level: settings.logLevel, format: settings.logFormat)
        for notice in settings.notices { logger.notice("\(notice)") }
        try await Daemon(configuration: settings.daemon, logger: logger).run()
    }

    private func show(_ settings: LoadedSettings) {
        FileHandle.standardOutput.write(Data(settings.tableText.utf8))
    }

    private var flags: [LoadedSettings.Flag] {
        let typed: [(setting: String, flag: String, value: String?)] = [
            ("logging.level", "-log-level", logLevel), ("listen.tls_cert", "-tls-cert", certificate),
            ("listen.tls_key", "-tls-key", key), (addressKey, "-addr", address),
        ]
        return typed.compactMap { option in
            option.value.map { LoadedSettings.Flag(option.setting, flag: option.flag, value: $0) }
        }
    }

    /// The one flag sets a socket or a TCP address.
    private var addressKey: String {
        if case .unix? = address.flatMap({ ListenAddress($0) }) { "listen.socket" } else { "listen.tcp" }
    }
}
