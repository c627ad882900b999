/// A Container Apps environment: where Function Apps run that have no plan. Environments are there from the start; they
/// are not made here.
struct ManagedEnvironment: Sendable, Codable, Equatable {
    var name: String
    var group: String
    var id: String
    /// The end of its apps' host names: `{two words}-{8 hex}.{region}.azurecontainerapps.io` (recorded reply of 2025-05).
    var defaultDomain: String
}

extension World {
    /// Versions of Microsoft.App that are answered, all alike.
    static let appVersions = [
        "2022-03-01", "2022-10-01", "2023-05-01", "2024-03-01", "2024-10-02-preview", "2025-01-01", "2025-07-01",
    ]

    /// The environments of the settings. Domains follow from the seed.
    static func managedEnvironments(of settings: WorldSettings) -> [ManagedEnvironment] {
        settings.web.environments.map { setting in
            let group = setting.group ?? settings.resourceGroups.first ?? "skls"
            var generator = SeededGenerator(
                seed: "\(group)/\(setting.name)".lowercased().utf8.reduce(settings.seed) { $0 &* 31 &+ UInt64($1) })
            return ManagedEnvironment(
                name: setting.name, group: group,
                id: "/subscriptions/\(settings.subscriptionID)/resourceGroups/\(group)/providers/Microsoft.App/"
                    + "managedEnvironments/\(setting.name)",
                defaultDomain: "calmsky-\(generator.hex(8)).\(settings.location).azurecontainerapps.io")
        }
    }

    /// The environment of an id in any case.
    func managedEnvironment(id: String) -> ManagedEnvironment? {
        environments.first { $0.id.lowercased() == id.lowercased() }
    }

    mutating func answerContainerApps(_ call: ResourceCall) -> Reply {
        guard call.method == "GET" else { return call.methodNotAllowed }
        let group = call.path.group?.lowercased()
        guard let name = call.path.name else {
            let shown = environments.filter { group == nil || $0.group.lowercased() == group }
            return .json(200, ["value": .array(shown.map(document))])
        }
        guard call.path.suffix.isEmpty else { return call.methodNotAllowed }
        guard
            let environment = environments.first(where: {
                $0.group.lowercased() == group && $0.name.lowercased() == name.lowercased()
            })
        else { return notFound("Microsoft.App/managedEnvironments/\(name)", group: call.path.group ?? "") }
        return .json(200, document(of: environment))
    }

    /// Shape of the REST specification 2025-01-01, and of recorded replies of azure-cli.
    private func document(of environment: ManagedEnvironment) -> JSON {
        [
            "id": .string(environment.id), "name": .string(environment.name),
            "type": "Microsoft.App/managedEnvironments", "location": .string(settings.displayLocation), "tags": [:],
            "properties": [
                "provisioningState": "Succeeded", "defaultDomain": .string(environment.defaultDomain),
                "staticIp": "127.0.0.1", "zoneRedundant": false, "kedaConfiguration": ["version": "2.15.1"],
                "daprConfiguration": ["version": "1.12.5"],
                "eventStreamEndpoint": .string(
                    "https://\(settings.location).azurecontainerapps.dev/subscriptions/\(settings.subscriptionID)"
                        + "/resourceGroups/\(environment.group)/managedEnvironments/\(environment.name)/eventstream"),
                "workloadProfiles": [["workloadProfileType": "Consumption", "name": "Consumption"]],
                "customDomainConfiguration": ["customDomainVerificationId": .string(verificationID)],
                "peerAuthentication": ["mtls": ["enabled": false]],
            ],
        ]
    }
}
