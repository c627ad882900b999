/// An App Service plan as Azure described it.
package struct AppServicePlan: Sendable, Hashable {
    package var resourceID: ResourceID
    package var name: String
    package var location: String
    package var kind: String?
    /// For instance `EP1`, `B1`, `P0v3`; `Y1` and `FC1` cannot run containers.
    package var skuName: String?
    /// For instance `ElasticPremium`.
    package var skuTier: String?
    /// How many machines it has at present.
    package var capacity: Int64?
    /// Whether it is a Linux plan.
    package var reserved: Bool?
    package var numberOfSites: Int64?
    /// `Succeeded`, `Failed`, `Canceled`, `InProgress`, `Deleting` or a later word.
    package var provisioningState: String?
    /// All of `properties`, known and unknown.
    package var properties: JSONValue

    package init(
        resourceID: ResourceID, name: String, location: String, kind: String? = nil, skuName: String? = nil,
        skuTier: String? = nil, capacity: Int64? = nil, reserved: Bool? = nil, numberOfSites: Int64? = nil,
        provisioningState: String? = nil, properties: JSONValue = .object([:])
    ) {
        self.resourceID = resourceID
        self.name = name
        self.location = location
        self.kind = kind
        self.skuName = skuName
        self.skuTier = skuTier
        self.capacity = capacity
        self.reserved = reserved
        self.numberOfSites = numberOfSites
        self.provisioningState = provisioningState
        self.properties = properties
    }
}

/// An App Service plan as JSON in Azure's replies.
struct PlanDocument: ResourceDocument, Sendable {
    struct SKU: Decodable {
        let name: String?
        let tier: String?
        let capacity: Int64?
    }

    let id: String
    let name: String
    let kind: String?
    let location: String?
    let sku: SKU?
    let properties: JSONValue?

    /// Nil if the id is no resource id.
    var value: AppServicePlan? {
        guard let resourceID = ResourceID(id) else { return nil }
        let properties = properties ?? .object([:])
        return AppServicePlan(
            resourceID: resourceID, name: name, location: location ?? "", kind: kind, skuName: sku?.name,
            skuTier: sku?.tier, capacity: sku?.capacity, reserved: properties["reserved"]?.bool,
            numberOfSites: properties["numberOfSites"]?.integer,
            provisioningState: properties["provisioningState"]?.string, properties: properties)
    }
}
