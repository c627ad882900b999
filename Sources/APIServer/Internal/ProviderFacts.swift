/// What callers of the internal API are told about the cloud behind it.
package struct ProviderFacts: Hashable, Sendable {
    package var region: String
    /// Base address of what stands in for the cloud; `nil` = the cloud itself.
    package var endpoint: String?
    /// By kind: the subscription, the group and so on. Nothing secret.
    package var resources: [String: String]

    package init(region: String = "", endpoint: String? = nil, resources: [String: String] = [:]) {
        self.region = region
        self.endpoint = endpoint
        self.resources = resources
    }

    var json: JSON {
        [
            "provider": "azure", "mode": endpoint == nil ? "cloud" : "custom-endpoint", "region": .string(region),
            "endpoint": .string(endpoint ?? ""), "resources": .stringMap(resources),
        ]
    }
}
