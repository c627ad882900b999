import AzureClient
import DesiredState

@testable import Controller

/// Values of sites that tests share; ids, names and keys are invented.
enum SiteSample {
    static let group = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/containers"
    static let planID = group + "/providers/Microsoft.Web/serverfarms/plan"
    static let environmentID = group + "/providers/Microsoft.App/managedEnvironments/environment"
    static let identity = SiteIdentityReference(
        resourceID: group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/puller",
        clientID: "99999999-8888-7777-6666-555555555555")
    static let connection =
        "DefaultEndpointsProtocol=https;AccountName=state;AccountKey=aW52ZW50ZWQ=;EndpointSuffix=core.windows.net"
    static let correlation: CorrelationID = {
        var generator = SplitMix64(state: 7)
        return CorrelationID(.random(using: &generator))
    }()

    static func designer(
        _ change: (inout SiteDesigner.Configuration) -> Void = { _ in }
    ) -> SiteDesigner {
        var configuration = SiteDesigner.Configuration(
            location: "westeurope", defaultPlan: planID, resourceGroupID: group)
        change(&configuration)
        return SiteDesigner(
            configuration: configuration, instance: InstanceID("instance0000000000ab"),
            key: StoreKey(Array(repeating: 7, count: 32)), writer: "w")
    }

    static func id(_ text: String) throws -> ResourceID {
        guard let id = ResourceID(text) else { throw Missing() }
        return id
    }

    static func plan(_ sku: String = "EP1", name: String = "plan", sites: Int64 = 0) throws -> AppServicePlan {
        AppServicePlan(
            resourceID: try id(group + "/providers/Microsoft.Web/serverfarms/" + name), name: name,
            location: "West Europe", kind: "linux", skuName: sku, skuTier: nil, capacity: 1, reserved: true,
            numberOfSites: sites, provisioningState: "Succeeded")
    }

    /// The site as Azure shows it right after it was written so.
    static func details(of design: SiteDesign, on ground: Ground) throws -> SiteDetails {
        let request = try design.request(on: ground, replacing: nil)
        var site = Site(
            name: design.name, resourceID: try id(group + "/providers/Microsoft.Web/sites/" + design.name),
            kind: "functionapp,linux", location: "West Europe", tags: request.tags,
            identities: request.identities ?? ManagedIdentities(), state: "Running",
            properties: .object(["httpsOnly": .bool(true)]))
        if case .plan(let id) = request.hosting {
            site.serverFarmID = ResourceID(
                id.description.uppercased().replacing("/SUBSCRIPTIONS", with: "/subscriptions"))
        }
        if case .managedEnvironment(let id, _) = request.hosting {
            site.managedEnvironmentID = id
            site.kind = "functionapp,linux,container,azurecontainerapps"
        }
        var config: [String: JSONValue] = [
            "linuxFxVersion": .string("DOCKER|" + design.image), "webSocketsEnabled": .bool(true),
            "functionAppScaleLimit": .integer(1), "acrUseManagedIdentityCreds": .bool(request.registryIdentity != nil),
        ]
        config["acrUserManagedIdentityID"] = request.registryIdentity.map { .string($0) }
        config["alwaysOn"] = request.alwaysOn.map { .bool($0) }
        config["minimumElasticInstanceCount"] = request.minimumElasticInstanceCount.map { .integer(Int64($0)) }
        config["numberOfWorkers"] = .integer(1)
        return SiteDetails(
            site: site,
            appSettings: Dictionary(request.appSettings.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }),
            config: .object(config))
    }

    struct Missing: Error {}
}
