/// What a simulator is made of. Every value but the agent's executable has a default that serves a single user.
package struct SimulatorConfiguration: Sendable {
    package static let defaultTenantID = "5ba5e000-7e4a-4000-8000-000000000001"
    package static let defaultClientID = "5ba5e000-7e4a-4000-8000-000000000002"
    package static let defaultSubscriptionID = "5ba5e000-7e4a-4000-8000-000000000003"
    package static let defaultResourceGroup = "skls"
    package static let defaultLocation = "eastus"
    package static let defaultPlanName = "skls-plan"
    package static let defaultPort = 0
    package static let defaultStorageAccount = "sklsvolumes"

    package var tenantID = Self.defaultTenantID
    package var clientID = Self.defaultClientID
    /// Drawn at random unless it is set.
    package var clientSecret = SimulatorSecret.random()
    package var subscriptionID = Self.defaultSubscriptionID
    package var resourceGroup = Self.defaultResourceGroup
    /// Groups beside the main one. They are empty.
    package var otherResourceGroups: [String] = []
    /// The region's name, for example `eastus`.
    package var location = Self.defaultLocation
    /// The name of the one Elastic Premium plan (EP1), in the main group.
    package var planName = Self.defaultPlanName
    /// A storage account that is there from the start, in the main group; nil = none is.
    package var storageAccount: String?
    /// The port on 127.0.0.1; 0 takes a free one.
    package var port = Self.defaultPort
    /// The port of HTTPS on 127.0.0.1; 0 takes a free one.
    package var securePort = 0
    /// The sites' domain.
    package var domain = "azurewebsites.net"
    /// Certificates in PEM that the application registration knows, for clients that prove themselves with a key.
    package var clientCertificates: [String] = []
    /// Issuers and subjects whose tokens stand for the application's secret.
    package var federatedCredentials: [TrustedIssuer] = []
    /// What `X-IDENTITY-HEADER` has to say at the identity endpoint of App Service. Drawn at random unless it is set.
    package var identityHeader = SimulatorSecret.random()
    /// What the application may touch.
    package var access = PrincipalAccess.subscription
    /// How many requests Resource Manager takes, and whether it refuses more.
    package var quota = QuotaPolicy()
    /// What Azure's own durations are multiplied by: 0 is an Azure without delays, 1 the real one.
    package var latencyScale = 0.0
    /// The first workspace, and how late and in what order lines come into it.
    package var logs = LogSettings()
    /// What fails, and when.
    package var faults = FaultPlan()
    /// Whether resources, keys and identifiers outlive the simulator, in its directory. Needs `directory`.
    package var keepsState = false
    /// Resources in one page of a list.
    package var pageSize = 100
    /// The static agent that every container starts with.
    package var agentExecutable: String
    /// Folders with root file systems, by image name without a tag. They are copied for each container.
    package var imageRoots: [String: String] = [:]
    /// Where files go; a fresh directory under the system's temporary one unless it is set.
    package var directory: String?
    /// The executable of bubblewrap; looked up in `PATH` unless it is set.
    package var bubblewrap: String?
    /// The static busybox from which `alpine` and `busybox` are made.
    package var busybox = "/bin/busybox"
    /// When the front end cuts a response. Azure's limit is 230 s (Azure docs, functions-scale, read 2026-02).
    package var responseLimit = Duration.seconds(230)
    /// When the front end closes a WebSocket over which nothing comes. Azure's load balancers promise a connection no
    /// longer than 4 minutes without traffic (Azure docs, Load Balancer TCP Reset and Idle Timeout, read 2026-11).
    package var idleLimit = Duration.seconds(240)
    /// Where containers may connect to, through the relay that stands for a site's own way out. Without any there is no
    /// relay.
    package var egress: [EgressTarget] = []
    /// How Microsoft.Web behaves, and its further plans and environments.
    package var web = WebSettings()
    /// Seed of all identifiers that are drawn; random unless it is set.
    package var seed: UInt64?

    package init(agentExecutable: String) { self.agentExecutable = agentExecutable }
}

/// The client secret of the simulated application registration. It does not print.
package struct SimulatorSecret: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// The secret itself, for the one client that is given it.
    package var revealed: String

    package init(_ revealed: String) { self.revealed = revealed }

    /// 32 random bytes in hex.
    package static func random() -> SimulatorSecret {
        var generator = SystemRandomNumberGenerator()
        return SimulatorSecret(hexString((0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }))
    }

    package var description: String { "<redacted>" }
    package var debugDescription: String { description }
}

/// Where a running simulator is found.
package struct SimulatorAddress: Equatable, Sendable {
    /// `http://127.0.0.1:PORT`: Resource Manager, login and registry alike.
    package var url: String
    package var port: Int
    /// `https://127.0.0.1:PORT`: the same with TLS, for clients that insist on it.
    package var secureURL: String
    /// The file with the certificate, in PEM, that such clients have to trust.
    package var authorityFile: String
    /// The directory with its journals.
    package var directory: String
}
