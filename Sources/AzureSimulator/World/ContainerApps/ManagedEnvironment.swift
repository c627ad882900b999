/// A Container Apps environment: where Function Apps run that have no plan. Environments are there from the start; they
/// are not made here.
struct ManagedEnvironment: Sendable, Codable, Equatable {
    var name: String
    var group: String
    var id: String
    /// The end of its apps' host names: `{two words}-{8 hex}.{region}.azurecontainerapps.io` (recorded reply of 2025-05).
    var defaultDomain: String
    var tags: [JSON.Member] = []
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
                id: settings.resourceID(group, "Microsoft.App/managedEnvironments", setting.name),
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
            let environment = managedEnvironment(
                id: settings.resourceID(group ?? "", "Microsoft.App/managedEnvironments", name))
        else { return notFound("Microsoft.App/managedEnvironments/\(name)", group: call.path.group ?? "") }
        return .json(200, document(of: environment))
    }

    /// Shape of the REST specification 2025-01-01, and of recorded replies of azure-cli.
    fileprivate func document(of environment: ManagedEnvironment) -> JSON {
        [
            "id": .string(environment.id), "name": .string(environment.name),
            "type": "Microsoft.App/managedEnvironments", "location": .string(settings.displayLocation),
            "tags": .object(environment.tags),
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

extension ResourceInventory {
    static let managedEnvironments = ResourceInventory(
        type: "Microsoft.App/managedEnvironments",
        list: { world in world.environments.map(world.tracked) },
        find: { world, group, name in
            world.managedEnvironment(id: world.settings.resourceID(group, "Microsoft.App/managedEnvironments", name))
                .map(world.tracked)
        },
        setTags: { world, resource, tags, _ in
            for index in world.environments.indices where world.environments[index].id == resource.id {
                world.environments[index].tags = tags
            }
        },
        delete: { world, resource, _ in world.environments.removeAll { $0.id == resource.id } })
}

extension DurablePart {
    /// Environments that are left, with their tags.
    static let environments = DurablePart("environments") { world in
        world.environments
    } restore: { world, state, _ in
        world.environments = state
    }
}

extension World {
    fileprivate func tracked(_ environment: ManagedEnvironment) -> TrackedResource {
        TrackedResource(
            id: environment.id, type: "Microsoft.App/managedEnvironments", name: environment.name,
            group: environment.group, location: settings.location, tags: environment.tags, created: nil, changed: nil,
            document: { world in world.document(of: environment) })
    }
}
