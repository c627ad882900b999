import ArgumentParser
import AzureSimulator
import Daemon
import Foundation

struct Simulator: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the simulated Azure on its own.",
        discussion: """
            Prints the environment variables with which `skls serve` uses it, and as comments those with which \
            Microsoft's own clients do, then serves until it is told to stop. Its sites run on this machine, each in a \
            private copy of a root file system under bubblewrap.
            """)

    @OptionGroup var simulatorOptions: SimulatorOptions
    @OptionGroup var logOptions: LogOptions

    func run() async throws {
        let configuration = try simulatorOptions.configuration()
        try await runSimulator(configuration: configuration, logger: try logOptions.logger()) { address in
            var lines = ["# files: \(address.directory)", "# https: \(address.secureURL)"]
            lines += AzureSettings.environment(of: configuration, at: address).map { "export \($0.name)=\($0.value)" }
            lines.append("# for az and the SDKs:")
            lines += Self.environmentOfMicrosoftClients(configuration, address).map {
                "# export \($0.name)=\($0.value)"
            }
            lines.append("# ready")
            FileHandle.standardOutput.write(Data(lines.map { $0 + "\n" }.joined().utf8))
        }
    }
}

extension Simulator {
    /// For clients that insist on HTTPS. Commented out in the output, so that `eval` of it leaves the shell's own trust
    /// alone.
    private static func environmentOfMicrosoftClients(
        _ configuration: SimulatorConfiguration, _ address: SimulatorAddress
    ) -> [(name: String, value: String)] {
        [
            ("REQUESTS_CA_BUNDLE", address.authorityFile), ("SSL_CERT_FILE", address.authorityFile),
            ("AZURE_AUTHORITY_HOST", address.secureURL), ("AZURE_CORE_INSTANCE_DISCOVERY", "false"),
            ("ARM_CLOUD_METADATA_URL", "\(address.secureURL)/metadata/endpoints?api-version=2019-05-01"),
            ("AZURE_POD_IDENTITY_AUTHORITY_HOST", address.url), ("IDENTITY_ENDPOINT", "\(address.url)/msi/token"),
            ("IDENTITY_HEADER", configuration.identityHeader.revealed),
        ]
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

    @Option(help: ArgumentHelp("The simulator's port for HTTPS on 127.0.0.1; 0 takes a free one.", valueName: "port"))
    var simulatorTLSPort: Int = 0

    @Flag(help: "Keep the simulator's resources and keys in its directory, and go on with them at the next start.")
    var keepState = false

    @Flag(help: "Refuse requests beyond Resource Manager's quotas with 429, as Azure does.")
    var quotas = false

    @Option(
        help: ArgumentHelp(
            "What Azure's own durations are multiplied by: 0 is no delay, 1 is as slow as Azure.", valueName: "factor"))
    var latencyScale: Double = 0

    @Option(help: ArgumentHelp("Rows in one answer of Log Analytics; more make it partial.", valueName: "count"))
    var logAnswerRows: Int = 500_000

    @Option(help: ArgumentHelp("How many log rows out of a thousand come twice.", valueName: "count"))
    var logDuplicates: Int = 0

    @Option(
        help: ArgumentHelp(
            "Let requests fail; may be repeated. KIND, KIND:PROBABILITY, KIND:every=N or KIND:count=N, where KIND is "
                + FaultKind.allCases.map(\.rawValue).joined(separator: ", ") + ".", valueName: "fault"))
    var fault: [String] = []

    @Option(
        help: ArgumentHelp(
            "A further App Service plan, such as dedicated=B1; may be repeated.", valueName: "name=sku"))
    var simulatorPlan: [String] = []

    @Option(
        help: ArgumentHelp(
            "The storage account that is there from the start, for volumes; none to have none.", valueName: "name"))
    var storageAccount = SimulatorConfiguration.defaultStorageAccount

    @Option(help: ArgumentHelp("A Container Apps environment; may be repeated.", valueName: "name"))
    var simulatorEnvironment: [String] = []

    @Option(help: ArgumentHelp("A site's name that belongs to somebody else; may be repeated.", valueName: "name"))
    var takenName: [String] = []

    @Option(
        help: ArgumentHelp(
            "How writes of sites and plans are answered: "
                + WebSettings.WriteMode.allCases.map(\.rawValue).joined(separator: ", ") + ".", valueName: "mode"))
    var siteWrites = WebSettings.WriteMode.instant.rawValue

    @Option(
        help: ArgumentHelp(
            "How long a deleted site holds its name, before the latency scale.", valueName: "seconds"))
    var deleteLag = 0

    @Option(help: ArgumentHelp("Seed of the simulator's identifiers and faults; random by default.", valueName: "seed"))
    var seed: UInt64?

    @Option(
        help: ArgumentHelp(
            "A certificate in PEM with whose key a client may prove itself; may be repeated.", valueName: "path"))
    var clientCertificate: [String] = []

    @Option(
        help: ArgumentHelp(
            "An issuer and a subject whose tokens stand for the client's secret; may be repeated.",
            valueName: "issuer,subject"))
    var federated: [String] = []

    @Option(
        help: ArgumentHelp(
            "Where the sites' containers may connect to through their relay; may be repeated. By default nowhere.",
            valueName: "host:port"))
    var egress: [String] = []

    @Option(help: ArgumentHelp("The agent's executable; by default beside this program.", valueName: "path"))
    var agent: String?

    func validate() throws {
        for text in fault where FaultPlan.Rule(text) == nil { throw ValidationError("--fault does not know \(text)") }
        if WebSettings.WriteMode(rawValue: siteWrites) == nil {
            throw ValidationError("--site-writes does not know \(siteWrites)")
        }
        for plan in simulatorPlan where plan.split(separator: "=").count != 2 {
            throw ValidationError("--simulator-plan takes NAME=SKU, not \(plan)")
        }
        for text in egress where EgressTarget(text) == nil {
            throw ValidationError("--egress takes HOST:PORT, not \(text)")
        }
        if deleteLag < 0 { throw ValidationError("--delete-lag is below 0") }
        if latencyScale < 0 { throw ValidationError("--latency-scale is below 0") }
        if keepState, simulatorDirectory == nil { throw ValidationError("--keep-state needs --simulator-directory") }
        for text in federated where text.split(separator: ",").count != 2 {
            throw ValidationError("--federated takes ISSUER,SUBJECT, not \(text)")
        }
        for root in imageRoot where root.split(separator: "=", maxSplits: 1).count != 2 {
            throw ValidationError("--image-root takes NAME=FOLDER, not \(root)")
        }
    }

    func configuration() throws -> SimulatorConfiguration {
        var configuration = SimulatorConfiguration(agentExecutable: try agent ?? siblingExecutable("skls-agent"))
        configuration.port = simulatorPort
        configuration.securePort = simulatorTLSPort
        configuration.directory = simulatorDirectory
        configuration.keepsState = keepState
        configuration.quota.isEnforced = quotas
        configuration.latencyScale = latencyScale
        configuration.logs.resultRows = max(0, logAnswerRows)
        configuration.logs.duplicatesPerMille = min(1_000, max(0, logDuplicates))
        configuration.faults = FaultPlan(fault.compactMap { FaultPlan.Rule($0) })
        configuration.seed = seed
        configuration.web.plans = simulatorPlan.map { text in
            let parts = text.split(separator: "=").map(String.init)
            return .init(name: parts[0], sku: parts[1])
        }
        configuration.storageAccount = storageAccount == "none" ? nil : storageAccount
        configuration.web.environments = simulatorEnvironment.map { .init(name: $0) }
        configuration.web.takenNames = Set(takenName)
        configuration.web.writes = WebSettings.WriteMode(rawValue: siteWrites) ?? .instant  // refused by validate
        configuration.web.deleteLag = .seconds(deleteLag)
        configuration.egress = egress.compactMap { EgressTarget($0) }
        configuration.clientCertificates = try clientCertificate.map {
            try String(contentsOfFile: $0, encoding: .utf8)
        }
        configuration.federatedCredentials = federated.map { text in
            let parts = text.split(separator: ",").map(String.init)
            return TrustedIssuer(issuer: parts[0], subject: parts[1])
        }
        // In the environment and not an option: other users see a program's arguments.
        if let secret = ProcessInfo.processInfo.environment["SKLS_SIMULATOR_SECRET"], !secret.isEmpty {
            configuration.clientSecret = SimulatorSecret(secret)
        }
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
