package import AzureSimulator

/// Everything that the daemon needs to know to run.
package struct DaemonConfiguration: Sendable {
    /// Held by one daemon at a time.
    package var stateDirectory: String
    /// Path of the unix socket.
    package var socketPath: String
    package var azure: AzureChoice

    package enum AzureChoice: Sendable {
        /// A simulator in this process; its state goes when the daemon goes.
        case simulator(SimulatorConfiguration)
        case azure(AzureSettings)
    }

    package init(stateDirectory: String, socketPath: String, azure: AzureChoice) {
        self.stateDirectory = stateDirectory
        self.socketPath = socketPath
        self.azure = azure
    }
}

/// Which Azure, and as whom.
package struct AzureSettings: Sendable {
    package var tenantID: String
    package var clientID: String
    /// Not printed by anything: see the type's mirror.
    package var clientSecret: String
    package var subscriptionID: String
    package var resourceGroup: String
    package var location: String
    /// Resource id or name of the plan for records that name no hosting; `nil` = the group's only one that fits.
    package var plan: String?
    /// Base address of Azure Resource Manager; `nil` = the public cloud's.
    package var resourceManager: String?
    /// Base address of the token service; `nil` = the public cloud's.
    package var authority: String?
    /// What to connect to instead of the sites' own host names; `nil` = the sites themselves.
    package var siteAddress: String?
    /// Base address of the registry that images are looked up in at `docker pull`; `nil` = none is asked.
    package var registry: String?
    /// What every site is given.
    package var sites: SiteSettings
}

extension AzureSettings: CustomReflectable, CustomStringConvertible {
    package var customMirror: Mirror { Mirror(self, children: [:]) }
    package var description: String { "subscription \(subscriptionID), resource group \(resourceGroup)" }
}

/// All that is missing or wrong in the configuration, at once.
package struct ConfigurationFaults: Error, CustomStringConvertible {
    package let faults: [String]
    package var description: String { faults.joined(separator: "\n") }
}

extension AzureSettings {
    /// Reads the settings from environment variables, those of Azure's SDKs where they have one. Throws every fault at once.
    package init(environment: [String: String]) throws(ConfigurationFaults) {
        var missing: [String] = []
        func required(_ name: String, _ meaning: String) -> String {
            guard let value = environment[name], !value.isEmpty else {
                missing.append("\(name) is not set: \(meaning)")
                return ""
            }
            return value
        }
        func optional(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        tenantID = required("AZURE_TENANT_ID", "the Entra tenant of the service principal")
        clientID = required("AZURE_CLIENT_ID", "the service principal's application id")
        clientSecret = required("AZURE_CLIENT_SECRET", "the service principal's secret")
        subscriptionID = required("AZURE_SUBSCRIPTION_ID", "where the Function Apps go")
        resourceGroup = required("SKLS_RESOURCE_GROUP", "where the Function Apps go; it must exist")
        location = required("SKLS_LOCATION", "the region of the plan, such as westeurope")
        plan = optional("SKLS_PLAN")
        resourceManager = optional("SKLS_AZURE_ENDPOINT")
        authority = optional("AZURE_AUTHORITY_HOST")
        siteAddress = optional("SKLS_SITE_ADDRESS")
        registry = optional("SKLS_REGISTRY")
        sites = SiteSettings(environment: environment, faults: &missing)
        if !missing.isEmpty {
            throw ConfigurationFaults(faults: missing + ["without an Azure account: skls serve --simulator"])
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
        ]
    }
}
