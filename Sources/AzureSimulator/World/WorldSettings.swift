/// What the simulated Azure consists of at its start, and the bounds it keeps.
struct WorldSettings: Sendable {
    var tenantID: String
    var clientID: String
    var clientSecret: SimulatorSecret
    var subscriptionID: String
    /// The groups of the subscription. The plan is in the first one.
    var resourceGroups: [String]
    /// The region's name as in requests, for example `eastus`.
    var location: String
    var planName: String
    /// Known images by registry and repository (`docker.io/library/alpine`), each with the key of its base root.
    var images: [String: String]
    /// Audiences that Resource Manager accepts, besides those of the public cloud.
    var audiences: [String] = []
    var domain = "azurewebsites.net"
    /// Resources in one page of a list.
    var pageSize = 100
    /// What Azure's own durations are multiplied by: 0 is an Azure without delays, 1 the real one.
    var latencyScale = 0.0
    var logs = LogSettings()
    /// How Microsoft.Web behaves.
    var web = WebSettings()
    /// What fails, and when.
    var faults = FaultPlan()
    /// Namespaces of providers that the subscription is not registered for at the start.
    var unregisteredProviders: [String] = []
    /// Names of storage accounts that are there from the start, in the first group.
    var storageAccounts: [String] = []
    /// Names of storage accounts that belong to somebody else, in lower case.
    var takenStorageNames: Set<String> = []
    /// Key of the tokens' signatures. Tokens that another key signed are worthless.
    var tokenKey: TokenKey
    /// Certificates of the application registration.
    var certificates: [RegisteredCertificate] = []
    /// Issuers and subjects whose tokens stand for the application's secret.
    var federation: [TrustedIssuer] = []
    /// Whether a client on this machine gets a token of the system-assigned identity when it names none.
    var hasMachineIdentity = true
    /// User-assigned identities of the machine.
    var managedIdentities: [Principal] = []
    /// What `X-IDENTITY-HEADER` has to say.
    var identityHeader = SimulatorSecret("")
    /// How many requests Resource Manager takes.
    var quota = QuotaPolicy()
    /// What the application may touch.
    var access = PrincipalAccess.subscription
    /// Seed of every identifier that the World draws.
    var seed: UInt64

    /// An access token lives 3599 s (Microsoft identity platform, client credentials flow).
    static let tokenLifetime = Duration.seconds(3_599)
    /// A token for a managed identity lives for a day (recorded in SDKs' tests: 86399 s).
    static let managedTokenLifetime = Duration.seconds(86_399)
    /// How long a container may take until it answers the warm-up ping, unless `WEBSITES_CONTAINER_START_TIME_LIMIT`
    /// says otherwise (Azure docs, reference-app-settings, read 2026-02).
    static let startLimit = Duration.seconds(230)
    /// SIGTERM to SIGKILL, unless `WEBSITES_CONTAINER_STOP_TIME_LIMIT` says otherwise (same source).
    static let stopLimit = Duration.seconds(5)

    /// A duration of Azure's as long as it is in this world: `settings.scaled(.seconds(25))` for a slow PUT.
    /// Use it for latencies, lags and limits of the platform, not for what a client may choose (`exp`, `Retry-After`).
    func scaled(_ duration: Duration) -> Duration { duration * latencyScale }

    /// The subscription's display form of the location (`East US`), as sites show it. Regions outside this table are
    /// shown as they were configured.
    var displayLocation: String { Self.regions[location.lowercased()] ?? location }

    static func isSameLocation(_ left: String, _ right: String) -> Bool {
        func normal(_ text: String) -> String { text.lowercased().filter { $0 != " " } }
        return normal(left) == normal(right)
    }

    /// Display names of regions by name.
    static let regions = [
        "centralus": "Central US", "eastus": "East US", "eastus2": "East US 2",
        "germanywestcentral": "Germany West Central",
        "northeurope": "North Europe", "southcentralus": "South Central US", "southeastasia": "Southeast Asia",
        "swedencentral": "Sweden Central", "uksouth": "UK South", "westeurope": "West Europe", "westus": "West US",
        "westus2": "West US 2", "westus3": "West US 3",
    ]
}
