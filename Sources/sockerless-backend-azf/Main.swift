import ArgumentParser
import Daemon

/// The name under which callers of Sockerless' internal backend API start a backend. That API is not served yet, and saying so is better than
/// listening with half of it.
@main struct Main: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sockerless-backend-azf",
        abstract: "Not available in this release: the internal backend API (/internal/v1) is not served yet.",
        discussion: "Docker's own API and the records API are: `skls serve --help`.", version: sklsVersion)

    func run() throws {
        throw ValidationError("the internal backend API is not served yet; use `skls serve` and Docker's own API")
    }
}
