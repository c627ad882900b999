import AzureClient

/// A field whose value the ground alone decides. Sources of each stand in
/// `Tests/ControllerTests/Fixtures/SiteBodies/README.md`.
enum SiteField {
    case httpsOnly
    /// For sessions, which run over a WebSocket.
    case webSockets
    /// Else the platform unloads a site without traffic, and an open run with it.
    case alwaysOn
    /// A second instance would be a second container that knows nothing of the run in the first.
    case oneInstance
    case oneWorker
    /// Keeps the instance while a run is open, whatever the traffic.
    case keptInstance
    /// A host name that nobody can take over once the site is gone. Counts at creation only.
    case freshHostName

    func apply(to request: inout SiteRequest) {
        switch self {
        case .httpsOnly: request.httpsOnly = true
        case .webSockets: request.webSocketsEnabled = true
        case .alwaysOn: request.alwaysOn = true
        case .oneInstance: request.functionAppScaleLimit = 1
        case .oneWorker: request.numberOfWorkers = 1
        case .keptInstance: request.minimumElasticInstanceCount = 1
        case .freshHostName: request.domainNameLabelScope = "NoReuse"
        }
    }

    /// The field's name, its value as it should be, and as it was read; nil where it cannot be compared.
    func comparison(in details: SiteDetails) -> (name: String, desired: String, observed: JSONValue?)? {
        func config(_ name: String, _ desired: String) -> (String, String, JSONValue?) {
            ("siteConfig." + name, desired, details.config[name])
        }
        return switch self {
        case .httpsOnly: ("httpsOnly", "true", details.site.properties["httpsOnly"])
        case .webSockets: config("webSocketsEnabled", "true")
        case .alwaysOn: config("alwaysOn", "true")
        case .oneInstance: config("functionAppScaleLimit", "1")
        case .oneWorker: config("numberOfWorkers", "1")
        case .keptInstance: config("minimumElasticInstanceCount", "1")
        case .freshHostName: nil
        }
    }
}

extension SiteDesign {
    func fields(on ground: Ground) -> [SiteField] {
        switch ground {
        case .elasticPremium: [.httpsOnly, .webSockets, .oneInstance, .keptInstance, .freshHostName]
        case .dedicated: [.httpsOnly, .webSockets, .alwaysOn, .oneWorker, .freshHostName]
        // It scales to zero between runs; an open run's long polls are the traffic that keeps its instance (guess: as
        // for any Container App that scales by HTTP).
        case .containerApps: [.oneInstance]
        }
    }
}
