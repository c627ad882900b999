package import AzureClient
package import AzureSimulator
package import Controller

/// Everything that the daemon needs to know to run.
package struct DaemonConfiguration: Sendable {
    /// Held by one daemon at a time.
    package var stateDirectory: String
    /// Path of the unix socket.
    package var socketPath: String
    /// Who can connect, and where else.
    package var access = AccessSettings()
    package var azure: AzureChoice
    /// Where spans are written as JSON lines; `nil` = none are made.
    package var traceFile: String?
    /// The store may be an older copy: nothing is written to Azure until `skls recover`.
    package var startsFrozen = false
    /// Off also means the contract of a backend without sessions, in the words that Sockerless' callers look for.
    package var sessions = SessionChoice.forward

    package enum AzureChoice: Sendable {
        /// A simulator in this process; its state goes when the daemon goes.
        case simulator(SimulatorConfiguration)
        case azure(AzureSettings)
    }

    package init(stateDirectory: String, socketPath: String, azure: AzureChoice, traceFile: String? = nil) {
        self.stateDirectory = stateDirectory
        self.socketPath = socketPath
        self.azure = azure
        self.traceFile = traceFile
    }
}

/// Which Azure, and as whom.
package struct AzureSettings: Sendable {
    /// By what the daemon proves itself. Which credential serves shows when the first token is asked for.
    package var credentials: CredentialSettings
    package var cloud: CloudChoice
    package var subscriptionID: String
    package var resourceGroup: String
    package var location: String
    /// Resource id or name of the plan for records that name no hosting; `nil` = the group's only one that fits.
    package var plan: String?
    /// Base address of Azure Resource Manager; `nil` = the cloud's.
    package var resourceManager: String?
    /// Base address of the token service; `nil` = the cloud's.
    package var authority: String?
    /// What tokens for Azure Resource Manager are issued for; `nil` = as in the cloud.
    package var audience: String?
    /// Base address of the Log Analytics query API; `nil` = the cloud's.
    package var logAnalytics: String?
    /// The Log Analytics workspace with the sites' logs: the GUID that queries name, or the workspace's resource id, of which the GUID is then
    /// asked; `nil` = none is asked.
    package var logWorkspace: String?
    /// What runs of containers are limited to, unless a manifest says otherwise; 0 = nothing.
    package var runTimeoutSeconds: Int
    /// Rows are in the workspace so long after what they tell of.
    package var logSettlesAfter: Duration
    /// Whether what commands write is copied to the containers' consoles. Unless it is said, it is where there is a workspace to read it from.
    package var copiesOutput: Bool
    /// Whether calls are held back to Azure's published rates. Only a stand-in for Azure is without limits.
    package var keepsPublishedRates: Bool
    /// What to connect to instead of the sites' own host names; `nil` = the sites themselves.
    package var siteAddress: String?
    /// Base address of the registry that images are looked up in at `docker pull`; `nil` = none is asked.
    package var registry: String?
    /// What every site is given.
    package var sites: SiteSettings
    /// What is done about sites that no record knows.
    package var leaks: SweepSettings
    /// Proxies and private authorities on the way to Azure.
    package var http: HTTPSettings
}

extension AzureSettings: CustomReflectable, CustomStringConvertible {
    package var customMirror: Mirror { Mirror(self, children: [:]) }
    package var description: String { "subscription \(subscriptionID), resource group \(resourceGroup)" }
}

/// All that is missing or wrong in the configuration, at once.
package struct ConfigurationFaults: Error, CustomStringConvertible {
    package let faults: [String]
    /// Ways out that are no fault by themselves.
    package var hints: [String] = []
    package var description: String { (faults + hints).joined(separator: "\n") }
}

extension AzureSettings {
    /// Reads the settings from environment variables, those of Azure's SDKs where they have one. Throws every fault at once.
    package init(environment: [String: String]) throws(ConfigurationFaults) {
        var faults: [String] = []
        func required(_ name: String, _ meaning: String) -> String {
            guard let value = environment[name], !value.isEmpty else {
                faults.append("\(name) is not set: \(meaning)")
                return ""
            }
            return value
        }
        func optional(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        /// Checks an address without its cloud being known yet.
        func address(_ name: String) -> String? {
            guard var text = optional(name) else { return nil }
            // The SDKs take a bare host name for this one.
            if name == "AZURE_AUTHORITY_HOST", !text.contains("://") { text = "https://\(text)" }
            do throws(AzureError) {
                _ = try AzureEnvironment(resourceManager: text)
            } catch {
                faults.append("\(name): \(error.message): \(error.resource)")
            }
            return text
        }
        subscriptionID = required("AZURE_SUBSCRIPTION_ID", "where the Function Apps go")
        resourceGroup = required("SKLS_RESOURCE_GROUP", "where the Function Apps go; it must exist")
        location = required("SKLS_LOCATION", "the region of the plan, such as westeurope")
        credentials = CredentialSettings(environment: environment, faults: &faults)
        cloud = .published(.publicCloud)
        do throws(AzureError) {
            if let text = optional("SKLS_CLOUD") { cloud = try CloudChoice(text) }
        } catch {
            faults.append("SKLS_CLOUD: \(error.message): \(error.resource)")
        }
        plan = optional("SKLS_PLAN")
        resourceManager = address("SKLS_AZURE_ENDPOINT")
        authority = address("AZURE_AUTHORITY_HOST")
        audience = optional("SKLS_AZURE_AUDIENCE")
        logAnalytics = address("SKLS_LOGS_ENDPOINT")
        logWorkspace = optional("SKLS_LOG_WORKSPACE")
        if let logWorkspace, GUID(logWorkspace) == nil, AzureSettings.workspaceResource(logWorkspace) == nil {
            faults.append(
                "SKLS_LOG_WORKSPACE: the workspace's GUID (its customerId) or its resource id is wanted, not "
                    + logWorkspace)
        }
        runTimeoutSeconds = 600
        if let text = optional("SKLS_TIMEOUT_SECONDS") {
            if let seconds = Int(text), AzureSettings.runTimeouts.contains(seconds) {
                runTimeoutSeconds = seconds
            } else {
                faults.append(
                    "SKLS_TIMEOUT_SECONDS: a number of seconds from 0 (no limit) to "
                        + "\(AzureSettings.runTimeouts.upperBound), not \(text)")
            }
        }
        logSettlesAfter = RunLogReader.usualSettling
        if let text = optional("SKLS_LOG_SETTLE_SECONDS") {
            if let seconds = Int(text), (0...86_400).contains(seconds) {
                logSettlesAfter = .seconds(seconds)
            } else {
                faults.append("SKLS_LOG_SETTLE_SECONDS: a number of seconds from 0 to 86400, not \(text)")
            }
        }
        copiesOutput = logWorkspace != nil
        switch optional("SKLS_CONSOLE_LOGS") {
        case nil: break
        case "on": copiesOutput = true
        case "off": copiesOutput = false
        case let text?: faults.append("SKLS_CONSOLE_LOGS is neither on nor off: \(text)")
        }
        keepsPublishedRates = true
        switch optional("SKLS_REQUEST_RATES") {
        case nil, "published": break
        case "unlimited" where resourceManager != nil: keepsPublishedRates = false
        case "unlimited":
            faults.append(
                "SKLS_REQUEST_RATES: unlimited is for a stand-in for Azure, so SKLS_AZURE_ENDPOINT must be set")
        case let text?: faults.append("SKLS_REQUEST_RATES: published or unlimited, not \(text)")
        }
        siteAddress = optional("SKLS_SITE_ADDRESS")
        registry = optional("SKLS_REGISTRY").map { $0.contains("://") ? $0 : "https://" + $0 }
        if let registry, (try? ServiceURL(registry)) == nil {
            // The reason why it is none is the same for all.
            faults.append("SKLS_REGISTRY is not a registry's host or address: \(registry)")
        }
        AzureSettings.checkSockerless(optional, &faults)
        sites = SiteSettings(environment: environment, faults: &faults)
        leaks = SweepSettings(environment: environment, faults: &faults)
        http = HTTPSettings(environment: environment, faults: &faults)
        if !faults.isEmpty {
            throw ConfigurationFaults(
                faults: faults,
                hints: [
                    "the credential comes from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET or "
                        + "AZURE_CLIENT_CERTIFICATE_PATH, a workload or managed identity, or az login; skls doctor "
                        + "shows which",
                    "without an Azure account: skls serve --simulator",
                ])
        }
    }

    /// Bound of a run's time limit, as in manifests: a year.
    private static let runTimeouts = 0...31_536_000

    /// The workspace whose resource id the text is.
    static func workspaceResource(_ text: String) -> ResourceID? {
        guard let id = ResourceID(text), id.segments.count == 8,
            id.segments[5].lowercased() == "microsoft.operationalinsights", id.segments[6].lowercased() == "workspaces"
        else { return nil }
        return id
    }

    /// Settings of Sockerless of which one value only is what this backend does.
    private static func checkSockerless(_ value: (String) -> String?, _ faults: inout [String]) {
        if let text = value("SOCKERLESS_AZF_NETWORK_DISCOVERY"), text != "nat-gateway-only" {
            faults.append(
                "SOCKERLESS_AZF_NETWORK_DISCOVERY: only nat-gateway-only is possible, not \(text): Function Apps have no "
                    + "network in common")
        }
        if let text = value("SOCKERLESS_AZF_ACCESS"), text != "none-internal" {
            faults.append(
                "SOCKERLESS_AZF_ACCESS: only none-internal is possible, not \(text): daemon and agent prove themselves "
                    + "to each other with a secret of the site")
        }
    }

    /// The settings with which a daemon uses a simulator, as environment variables.
    package static func environment(
        of simulator: SimulatorConfiguration, at address: SimulatorAddress
    ) -> [(name: String, value: String)] {
        [
            ("AZURE_TENANT_ID", simulator.tenantID), ("AZURE_CLIENT_ID", simulator.clientID),
            ("AZURE_CLIENT_SECRET", simulator.clientSecret.revealed),
            ("AZURE_SUBSCRIPTION_ID", simulator.subscriptionID), ("SKLS_RESOURCE_GROUP", simulator.resourceGroup),
            ("SKLS_LOCATION", simulator.location), ("SKLS_PLAN", simulator.planName),
            ("SKLS_AZURE_ENDPOINT", address.url), ("AZURE_AUTHORITY_HOST", address.url),
            ("SKLS_SITE_ADDRESS", address.url), ("SKLS_REGISTRY", address.url),
            ("SKLS_LOGS_ENDPOINT", address.url), ("SKLS_LOG_WORKSPACE", simulator.logs.workspaceID),
            ("SKLS_LOG_SETTLE_SECONDS", String(Int((900 * simulator.latencyScale).rounded(.up)))),
        ] + (simulator.quota.isEnforced ? [] : [("SKLS_REQUEST_RATES", "unlimited")])
    }
}
