/// A Function App (or another site) as Azure described it. Absent and unknown fields are no error: Azure leaves out and
/// adds fields between API versions.
package struct Site: Sendable, Hashable {
    /// As Azure spells it. Case does not tell site names apart, see ``isNamed(_:)``.
    package var name: String
    package var resourceID: ResourceID
    /// A comma-separated set such as `functionapp,linux,container`; Azure recomputes it, so compare it as a set.
    package var kind: String?
    /// Azure answers with the display form, `East US` for `eastus`.
    package var location: String
    package var tags: [String: String]
    package var identities: ManagedIdentities
    /// `Running` or `Stopped`: the switch, not the health.
    package var state: String?
    package var enabled: Bool?
    /// The host name under which the container answers. Read, never built: it may carry a hash and a region.
    package var defaultHostName: String?
    /// As it was written, for instance `2022-07-11T19:23:26.67`; only a change of it means something.
    package var lastModifiedTime: String?
    /// For instance `DOCKER|registry/repository:tag`. Empty in the answer to a PUT.
    package var linuxFxVersion: String?
    package var serverFarmID: ResourceID?
    /// Set for Functions on Container Apps only.
    package var managedEnvironmentID: ResourceID?
    /// All of `properties`, known and unknown; empty for a site from a list.
    package var properties: JSONValue

    package init(
        name: String, resourceID: ResourceID, kind: String? = nil, location: String, tags: [String: String] = [:],
        identities: ManagedIdentities = ManagedIdentities(), state: String? = nil, enabled: Bool? = nil,
        defaultHostName: String? = nil, lastModifiedTime: String? = nil,
        linuxFxVersion: String? = nil, serverFarmID: ResourceID? = nil,
        managedEnvironmentID: ResourceID? = nil, properties: JSONValue = .object([:])
    ) {
        self.name = name
        self.resourceID = resourceID
        self.kind = kind
        self.location = location
        self.tags = tags
        self.identities = identities
        self.state = state
        self.enabled = enabled
        self.defaultHostName = defaultHostName
        self.lastModifiedTime = lastModifiedTime
        self.linuxFxVersion = linuxFxVersion
        self.serverFarmID = serverFarmID
        self.managedEnvironmentID = managedEnvironmentID
        self.properties = properties
    }

    /// The site without ``properties``, some 20 kB of each that nobody reads in a list of thousands.
    var withoutProperties: Site {
        var site = self
        site.properties = .object([:])
        return site
    }

    /// Whether this is the site of that name; case does not matter, as in host names.
    package func isNamed(_ name: SiteName) -> Bool {
        self.name.lowercased() == name.rawValue.lowercased()
    }
}
