package import AzureClient

extension SiteDesigner {
    /// What every site is given, whatever its record says.
    package struct Configuration: Hashable, Sendable {
        /// The storage account that the Functions platform keeps its own state in.
        package enum Storage: Hashable, Sendable {
            case connectionString(Secret)
            /// Reached by the sites' identity.
            case account(name: String)
        }

        /// Credentials for a registry that is not reached by identity.
        package struct Registry: Hashable, Sendable {
            /// Such as `https://index.docker.io/v1`.
            package var server: String
            package var username: String
            package var password: Secret

            package init(server: String, username: String, password: Secret) {
                self.server = server
                self.username = username
                self.password = password
            }
        }

        /// How agents call the daemon for sessions.
        package struct Callback: Hashable, Sendable {
            /// What they put their path behind.
            package var url: String
            /// Certificates in PEM that they trust beside the well-known ones; `nil` = none.
            package var authority: String?

            package init(url: String, authority: String?) {
                self.url = url
                self.authority = authority
            }
        }

        /// Azure region, such as `westeurope`.
        package var location: String
        /// Resource id of the plan for records that name no hosting; `nil` = the group's only plan that runs containers.
        package var defaultPlan: String?
        /// Resource id of the Container Apps environment for such records. Not beside `defaultPlan`.
        package var managedEnvironment: String?
        /// Of the environment; `nil` = its own default.
        package var workloadProfile: String?
        /// `/subscriptions/…/resourceGroups/…`: a plan or environment given by its bare name is looked for here.
        package var resourceGroupID: String
        /// Given to every site; pulls images from Azure registries unless `registry` is set.
        package var identity: SiteIdentityReference?
        package var storage: Storage?
        /// Whether sites on Elastic Premium get a share of their own in the storage account. Only with a connection
        /// string: the platform does not mount it by identity (Azure docs, functions-app-settings, read 2026-11).
        package var hasContentShare = true
        package var applicationInsights: Secret?
        package var registry: Registry?
        /// `nil` = agents call nobody.
        package var callback: Callback?
        /// Whether agents copy what commands write to the container's console, where a diagnostic setting can send it to a log workspace.
        package var copiesOutput = false

        package init(location: String, defaultPlan: String?, resourceGroupID: String) {
            self.location = location
            self.defaultPlan = defaultPlan
            self.resourceGroupID = resourceGroupID
        }
    }

    /// Settings that we own on every kind of hosting, sorted by name. The command and its environment are not among
    /// them: they travel in the run request only. Sources of each stand in
    /// `Tests/ControllerTests/Fixtures/SiteBodies/README.md`.
    ///
    /// - Parameter keepsLog: where nothing is kept nothing is copied to the console either.
    func appSettings(
        of declared: [String: String], agentSecret: String, uid: String, keepsLog: Bool = true
    ) -> [SiteDesign.Setting] {
        var settings = [
            "FUNCTIONS_EXTENSION_VERSION": "~4",
            // Where the agent listens; the platform tells the container as PORT.
            "WEBSITES_PORT": "80",
            "WEBSITES_CONTAINER_START_TIME_LIMIT": "230",
            // Stop means SIGTERM and then, after so many seconds, KILL; the platform's default of 5 leaves the agent
            // too little.
            "WEBSITES_CONTAINER_STOP_TIME_LIMIT": "20",
            // Always written: changing the image with other tools flips it, and the platform's share over /home would
            // hide the image's own files.
            "WEBSITES_ENABLE_APP_SERVICE_STORAGE": "false",
            "SKLS_AGENT_SECRET": agentSecret,
        ]
        switch configuration.storage {
        case .connectionString(let secret): settings["AzureWebJobsStorage"] = secret.reveal()
        case .account(let name):
            settings["AzureWebJobsStorage__accountName"] = name
            settings["AzureWebJobsStorage__credential"] = "managedidentity"
            settings["AzureWebJobsStorage__clientId"] = configuration.identity?.clientID
        case nil: break
        }
        settings["APPLICATIONINSIGHTS_CONNECTION_STRING"] = configuration.applicationInsights?.reveal()
        if let registry = configuration.registry {
            settings["DOCKER_REGISTRY_SERVER_URL"] = registry.server
            settings["DOCKER_REGISTRY_SERVER_USERNAME"] = registry.username
            settings["DOCKER_REGISTRY_SERVER_PASSWORD"] = registry.password.reveal()
        }
        if let callback = configuration.callback {
            settings["SOCKERLESS_CALLBACK_URL"] = callback.url
            settings["SKLS_AGENT_SITE"] = uid
            settings["SKLS_CALLBACK_CA"] = callback.authority
        }
        if configuration.copiesOutput, keepsLog { settings["SKLS_AGENT_CONSOLE"] = "1" }
        let taken = Set(declared.keys.map { $0.uppercased() })
        return (settings.filter { !taken.contains($0.key.uppercased()) }.merging(declared) { $1 })
            .sorted { $0.key < $1.key }.map { SiteDesign.Setting(name: $0.key, value: $0.value) }
    }

    /// The share's name must be in lower case; the site's name is, and no other site ever has it.
    func contentShare(siteName: String) -> [SiteDesign.Setting] {
        guard configuration.hasContentShare, case .connectionString(let secret) = configuration.storage else {
            return []
        }
        return [
            SiteDesign.Setting(name: "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING", value: secret.reveal()),
            SiteDesign.Setting(name: "WEBSITE_CONTENTSHARE", value: siteName.lowercased()),
        ]
    }
}
