import ArgumentParser
import AzureSimulator
import Daemon
import Foundation

struct Simulator: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the simulated Azure on its own.",
        discussion: """
            Prints the environment variables with which `skls serve` uses it, then serves until it is told to stop. Its \
            sites run on this machine, each in a private copy of a root file system under bubblewrap.
            """)

    @OptionGroup var simulatorOptions: SimulatorOptions
    @OptionGroup var logOptions: LogOptions

    func run() async throws {
        let configuration = try simulatorOptions.configuration()
        try await runSimulator(configuration: configuration, logger: logOptions.logger()) { address in
            let lines = AzureSettings.environment(of: configuration, at: address).map { name, value in
                "export \(name)=\(value)\n"
            }
            FileHandle.standardOutput.write(Data((["# files: \(address.directory)\n"] + lines).joined().utf8))
        }
    }
}

struct SimulatorOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The simulator's port on 127.0.0.1; 0 takes a free one.", valueName: "port"))
    var simulatorPort: Int = 0

    @Option(
        help: ArgumentHelp(
            "A folder to copy as the root file system of an image; may be repeated.", valueName: "name=folder"))
    var imageRoot: [String] = []

    @Option(
        help: ArgumentHelp(
            "Where the simulator keeps its files; by default a temporary folder.", valueName: "directory"))
    var simulatorDirectory: String?

    @Option(help: ArgumentHelp("The agent's executable; by default beside this program.", valueName: "path"))
    var agent: String?

    func validate() throws {
        for root in imageRoot where root.split(separator: "=", maxSplits: 1).count != 2 {
            throw ValidationError("--image-root takes NAME=FOLDER, not \(root)")
        }
    }

    func configuration() throws -> SimulatorConfiguration {
        var configuration = SimulatorConfiguration(agentExecutable: try agent ?? siblingExecutable("skls-agent"))
        configuration.port = simulatorPort
        configuration.directory = simulatorDirectory
        for root in imageRoot {
            let parts = root.split(separator: "=", maxSplits: 1).map(String.init)
            if parts.count == 2 { configuration.imageRoots[parts[0]] = parts[1] }
        }
        return configuration
    }

    private func siblingExecutable(_ name: String) throws -> String {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent(name).path
    }
}
