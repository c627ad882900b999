/// What a Function App shall be: the fields this project owns of a site that runs a custom container on Linux.
///
/// What is nil is left out of the request. Which fields belong to which hosting is the caller's decision; what each is
/// for and where that is from stands in `Tests/ControllerTests/Fixtures/SiteBodies/README.md`.
package struct SiteRequest: Sendable, Hashable {
    /// One app setting. The value may be a secret, so it prints as redacted.
    package struct Setting: Sendable, Hashable {
        package var name: String
        package var value: Secret

        package init(name: String, value: Secret) {
            self.name = name
            self.value = value
        }
    }

    /// What the site runs on.
    package enum Hosting: Sendable, Hashable {
        /// A Linux plan: Elastic Premium or Dedicated.
        case plan(ResourceID)
        /// Functions on Container Apps. `workloadProfile` nil is the environment's own default.
        case managedEnvironment(ResourceID, workloadProfile: String?)
    }

    /// The region; on an App Service plan that of the plan, on Container Apps that of the environment.
    package var location: String
    /// All of the site's tags: a PUT replaces the whole set, so foreign tags must be carried over by the caller.
    package var tags: [String: String]
    /// All of the site's identities; nil leaves them as they are.
    package var identities: ManagedIdentities?
    /// The image as the platform pulls it, without the `DOCKER|` in front.
    package var image: String
    /// All of the site's settings: a PUT with settings replaces the whole set, so foreign ones must be carried over.
    package var appSettings: [Setting]
    package var hosting: Hosting
    /// The identity that pulls the image from an Azure registry: its client id on a plan, its resource id on Container
    /// Apps. Nil = registry settings, or none.
    package var registryIdentity: String?
    /// Only Dedicated plans know it.
    package var alwaysOn: Bool?
    package var httpsOnly: Bool?
    package var webSocketsEnabled: Bool?
    /// The most instances the platform may start; known on Elastic Premium and Container Apps.
    package var functionAppScaleLimit: Int?
    /// How many instances stay up without traffic; known on Elastic Premium and Container Apps.
    package var minimumElasticInstanceCount: Int?
    /// How many of a Dedicated plan's machines the site runs on, where the plan scales each site for itself.
    package var numberOfWorkers: Int?
    /// How far a generated host name may be used again, such as `NoReuse`; decided at creation.
    package var domainNameLabelScope: String?
    /// All of the site's mounts by id, with their keys; nil leaves them as they are.
    package var mounts: [String: SiteMount]?

    package init(
        location: String, tags: [String: String], image: String, appSettings: [Setting], hosting: Hosting,
        identities: ManagedIdentities? = nil, registryIdentity: String? = nil, alwaysOn: Bool? = nil,
        httpsOnly: Bool? = nil, webSocketsEnabled: Bool? = nil, functionAppScaleLimit: Int? = nil,
        minimumElasticInstanceCount: Int? = nil, numberOfWorkers: Int? = nil, domainNameLabelScope: String? = nil
    ) {
        self.location = location
        self.tags = tags
        self.identities = identities
        self.image = image
        self.appSettings = appSettings
        self.hosting = hosting
        self.registryIdentity = registryIdentity
        self.alwaysOn = alwaysOn
        self.httpsOnly = httpsOnly
        self.webSocketsEnabled = webSocketsEnabled
        self.functionAppScaleLimit = functionAppScaleLimit
        self.minimumElasticInstanceCount = minimumElasticInstanceCount
        self.numberOfWorkers = numberOfWorkers
        self.domainNameLabelScope = domainNameLabelScope
    }
}

/// A change of some of a site's fields; what is nil stays as it is.
package struct SitePatch: Sendable, Hashable {
    /// All of the site's tags: a patch replaces the whole set (azure-resource-manager-rpc v1.0, read 2026-02).
    package var tags: [String: String]?
    /// As in ``SiteRequest/image``.
    package var image: String?
    package var identities: ManagedIdentities?
    package var httpsOnly: Bool?
    package var functionAppScaleLimit: Int?
    package var minimumElasticInstanceCount: Int?

    package init(
        tags: [String: String]? = nil, image: String? = nil, identities: ManagedIdentities? = nil,
        httpsOnly: Bool? = nil, functionAppScaleLimit: Int? = nil, minimumElasticInstanceCount: Int? = nil
    ) {
        self.tags = tags
        self.image = image
        self.identities = identities
        self.httpsOnly = httpsOnly
        self.functionAppScaleLimit = functionAppScaleLimit
        self.minimumElasticInstanceCount = minimumElasticInstanceCount
    }
}
