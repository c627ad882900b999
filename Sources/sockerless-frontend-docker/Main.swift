import ArgumentParser
import Daemon
import Logging

/// The name and the flags under which Sockerless' users start a frontend for Docker's clients.
@main struct Main: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sockerless-frontend-docker",
        abstract: "Serve Docker's API on a unix socket for a backend that is somewhere else.",
        discussion: """
            The backend serves Docker's API itself, so this is for those who are used to two programs, or have the backend \
            on a TCP port: docker -H unix:///var/run/sockerless-backend.sock works as well.
            """, version: sklsVersion)

    @Option(
        name: [.customLong("backend", withSingleDash: true), .customLong("backend")],
        help: ArgumentHelp("Where the backend is: http://host:port, unix:///path or a path.", valueName: "address"))
    var backend = "http://localhost:9100"

    @Option(
        name: [.customLong("addr", withSingleDash: true), .customLong("addr")],
        help: ArgumentHelp("Where Docker's clients connect.", valueName: "unix:///path"))
    var address = "unix:///var/run/sockerless.sock"

    @Option(
        name: [.customLong("log-level", withSingleDash: true), .customLong("log-level")],
        help: ArgumentHelp("debug, info, warn or error.", valueName: "level"))
    var logLevel = "info"

    func validate() throws {
        guard !backend.hasPrefix("https://") else {
            throw ValidationError(
                "a backend behind TLS is not supported: use a tunnel, or docker --tlsverify -H directly")
        }
        guard ListenAddress(backend) != nil else {
            throw ValidationError("-backend is http://host:port, unix:///path or a path, not \(backend)")
        }
        guard case .unix? = ListenAddress(address) else {
            throw ValidationError(
                "-addr is unix:// and an absolute path, not \(address): on a TCP port any web page could reach it")
        }
        guard level != nil else { throw ValidationError("-log-level is debug, info, warn or error, not \(logLevel)") }
    }

    private var level: Logger.Level? {
        Logger.Level(rawValue: logLevel == "warn" ? "warning" : logLevel)
    }

    func run() async throws {
        guard let upstream = ListenAddress(backend), case .unix(let path)? = ListenAddress(address) else { return }
        let logger = Logger.daemon(
            "sockerless-frontend-docker", level: (level ?? .info).rawValue, format: .text)
        try await runFrontend(socketPath: path, backend: upstream, logger: logger)
    }
}
