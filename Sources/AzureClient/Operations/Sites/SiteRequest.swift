/// What a Function App shall be: the fields this project owns of a site that runs a custom container on Linux.
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

    /// The region; on an App Service plan that of the plan.
    package var location: String
    /// All of the site's tags: a PUT replaces the whole set, so foreign tags must be carried over by the caller.
    package var tags: [String: String]
    /// The image as the platform pulls it, without the `DOCKER|` in front.
    package var image: String
    /// All of the site's settings: a PUT with settings replaces the whole set. `FUNCTIONS_EXTENSION_VERSION` and
    /// `WEBSITES_ENABLE_APP_SERVICE_STORAGE` are added unless they are named here.
    package var appSettings: [Setting]
    /// The App Service plan.
    package var serverFarmID: ResourceID
    /// Only Dedicated plans know it; nil leaves it out.
    package var alwaysOn: Bool?
    package var httpsOnly: Bool
    package var webSocketsEnabled: Bool
    /// The most instances the platform may start; 1 keeps a run from starting twice on Elastic Premium.
    package var functionAppScaleLimit: Int?

    package init(
        location: String, tags: [String: String], image: String, appSettings: [Setting], serverFarmID: ResourceID,
        alwaysOn: Bool? = nil, httpsOnly: Bool = true, webSocketsEnabled: Bool = true, functionAppScaleLimit: Int? = 1
    ) {
        self.location = location
        self.tags = tags
        self.image = image
        self.appSettings = appSettings
        self.serverFarmID = serverFarmID
        self.alwaysOn = alwaysOn
        self.httpsOnly = httpsOnly
        self.webSocketsEnabled = webSocketsEnabled
        self.functionAppScaleLimit = functionAppScaleLimit
    }
}
