import ArgumentParser
import Foundation
import RecordsClient

/// Where the daemon listens.
struct HostOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The daemon's socket. Default: $SKLS_HOST, else unix://$XDG_RUNTIME_DIR/skls.sock, as root unix:///run/skls.sock.",
            valueName: "unix://path"))
    var host: String?

    /// Whether it is said where the daemon listens, on the command line or in the environment.
    var isGiven: Bool {
        host != nil || ProcessInfo.processInfo.environment["SKLS_HOST"].map { !$0.isEmpty } ?? false
    }

    /// Throws `ValidationError` for anything but an absolute unix path.
    func socketPath() throws -> String {
        let environment = ProcessInfo.processInfo.environment
        if let text = host ?? environment["SKLS_HOST"].flatMap({ $0.isEmpty ? nil : $0 }) {
            guard text.hasPrefix("unix:///") else {
                throw ValidationError("the host must be unix:// and an absolute path, not \(text)")
            }
            return String(text.dropFirst("unix://".count))
        }
        if getuid() == 0 { return "/run/skls.sock" }
        guard let directory = environment["XDG_RUNTIME_DIR"], !directory.isEmpty else {
            throw ValidationError("XDG_RUNTIME_DIR is not set; say where the daemon listens with --host unix://PATH")
        }
        return directory + "/skls.sock"
    }

    func validate() throws {
        if host != nil { _ = try socketPath() }
    }

    func client() throws -> RecordsClient {
        RecordsClient(socketPath: try socketPath())
    }
}
