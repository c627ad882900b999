import ArgumentParser
import Foundation
import RecordsClient

/// The command line. Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 error, 2 wrong usage, and what a command's
/// own help says.
@main
struct Skls: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "skls",
        abstract: "Containers as Azure Function Apps, declared once and kept true.",
        discussion: """
            Records are declared by manifests (apply) or by Docker's own clients; a daemon (serve) makes Azure match them.

            EXAMPLES
              skls serve --simulator            run the daemon with a simulated Azure
              skls apply -f manifests/          declare what should exist
              skls wait hello --for=condition=Succeeded --timeout=60s
              skls logs hello
            """,
        subcommands: [
            Apply.self, Diff.self, Inventories.self, Get.self, Explain.self, Events.self, Pause.self, Resume.self,
            Wait.self, Logs.self, Delete.self, Leaks.self, Recover.self, Serve.self, DoctorCommand.self, Simulator.self,
            ShowVersion.self,
        ])

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let error as RecordsClientError {
            Output.error(error.description)
            Foundation.exit(error.exitCode)
        } catch {
            // The parser's own number for wrong usage is 64; everybody else's is 2.
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            Output.note(fullMessage(for: error))
            Foundation.exit(2)
        }
    }
}
