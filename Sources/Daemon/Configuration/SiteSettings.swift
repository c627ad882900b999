import AzureClient
import Controller

/// What every site is given, from environment variables. Prints nothing: some of it is secret.
package struct SiteSettings: Sendable, CustomReflectable, CustomStringConvertible {
    private let managedEnvironment: String?
    private let workloadProfile: String?
    private let identity: SiteIdentityReference?
    private var storage: SiteDesigner.Configuration.Storage?
    /// An account without an identity that reaches it: its key has to be asked for.
    private(set) var keylessAccount: StorageAccountName?
    private let hasContentShare: Bool
    /// Where volumes' shares go.
    private let volumeAccount: StorageAccountName?
    private let applicationInsights: Secret?
    private let registry: SiteDesigner.Configuration.Registry?

    package var customMirror: Mirror { Mirror(self, children: [:]) }
    package var description: String { "settings of sites" }

    /// Adds every fault to `faults`.
    init(environment: [String: String], faults: inout [String]) {
        func optional(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        managedEnvironment = optional("SKLS_MANAGED_ENVIRONMENT")
        workloadProfile = optional("SKLS_WORKLOAD_PROFILE")
        if managedEnvironment != nil, optional("SKLS_PLAN") != nil {
            faults.append("SKLS_PLAN and SKLS_MANAGED_ENVIRONMENT are both set: sites go to one of them")
        }
        identity = SiteSettings.identity(optional, &faults)
        switch (optional("SKLS_STORAGE_CONNECTION_STRING"), optional("SKLS_STORAGE_ACCOUNT")) {
        case (nil, nil): storage = nil
        case (.some(let connection), nil): storage = .connectionString(Secret(connection))
        case (nil, .some(let account)):
            let name = StorageAccountName(rawValue: account)
            if name == nil {
                faults.append("SKLS_STORAGE_ACCOUNT: 3 to 24 lower-case letters and digits, not \(account)")
            }
            storage = identity == nil ? nil : .account(name: account)
            keylessAccount = identity == nil ? name : nil
        case (.some, .some):
            storage = nil
            faults.append("SKLS_STORAGE_CONNECTION_STRING and SKLS_STORAGE_ACCOUNT are both set: one is enough")
        }
        switch optional("SKLS_CONTENT_SHARE") {
        case nil, "on": hasContentShare = true
        case "off": hasContentShare = false
        case .some(let other):
            hasContentShare = true
            faults.append("SKLS_CONTENT_SHARE is neither on nor off: \(other)")
        }
        volumeAccount = SiteSettings.volumeAccount(optional, &faults)
        applicationInsights = optional("SKLS_APPINSIGHTS_CONNECTION_STRING").map { Secret($0) }
        let parts = ["SERVER", "USERNAME", "PASSWORD"].map { optional("SKLS_REGISTRY_" + $0) }
        if let server = parts[0], let username = parts[1], let password = parts[2] {
            registry = .init(server: server, username: username, password: Secret(password))
        } else {
            registry = nil
            if parts.contains(where: { $0 != nil }) {
                faults.append("SKLS_REGISTRY_SERVER, SKLS_REGISTRY_USERNAME and SKLS_REGISTRY_PASSWORD belong together")
            }
        }
    }

    /// The account of the platform's state unless another one, or none, is said. A fault of that one is told where it is read.
    private static func volumeAccount(
        _ optional: (String) -> String?, _ faults: inout [String]
    ) -> StorageAccountName? {
        guard let text = optional("SKLS_VOLUMES_ACCOUNT") else {
            return optional("SKLS_STORAGE_ACCOUNT").flatMap { StorageAccountName(rawValue: $0) }
        }
        guard text != "off" else { return nil }
        let name = StorageAccountName(rawValue: text)
        if name == nil {
            faults.append("SKLS_VOLUMES_ACCOUNT: 3 to 24 lower-case letters and digits, or off, not \(text)")
        }
        return name
    }

    /// With the key of the account that has no identity. `suffix` = of the cloud's storage services.
    mutating func useKey(_ key: Secret, of account: StorageAccountName, suffix: String) {
        keylessAccount = nil
        storage = .connectionString(
            Secret(
                "DefaultEndpointsProtocol=https;AccountName=\(account);AccountKey=\(key.reveal());EndpointSuffix=\(suffix)"
            ))
    }

    private static func identity(
        _ optional: (String) -> String?, _ faults: inout [String]
    ) -> SiteIdentityReference? {
        switch (optional("SKLS_IDENTITY"), optional("SKLS_IDENTITY_CLIENT_ID")) {
        case (nil, nil): return nil
        case (.some(let id), .some(let client)):
            if ResourceID(id) == nil { faults.append("SKLS_IDENTITY is not an identity's resource id: \(id)") }
            return SiteIdentityReference(resourceID: id, clientID: client)
        case (.some, nil), (nil, .some):
            faults.append("SKLS_IDENTITY (resource id) and SKLS_IDENTITY_CLIENT_ID belong together")
            return nil
        }
    }

    /// Puts them into the configuration of sites.
    /// - Throws: if the environment is neither a name nor a resource id.
    func apply(to configuration: inout SiteDesigner.Configuration) throws(ConfigurationFaults) {
        let environment = managedEnvironment.map { text in
            text.contains("/")
                ? text : configuration.resourceGroupID + "/providers/Microsoft.App/managedEnvironments/" + text
        }
        if let environment, ResourceID(environment) == nil {
            throw ConfigurationFaults(faults: [
                "SKLS_MANAGED_ENVIRONMENT is neither an environment's name nor its resource id: \(environment)"
            ])
        }
        configuration.managedEnvironment = environment
        configuration.workloadProfile = workloadProfile
        configuration.identity = identity
        configuration.storage = storage
        configuration.hasContentShare = hasContentShare
        // A Function App in a Container Apps environment mounts no shares.
        configuration.volumeAccount = environment == nil ? volumeAccount : nil
        configuration.applicationInsights = applicationInsights
        configuration.registry = registry
    }
}
