import FoundationEssentials
import NIOHTTP1

/// What a request counts against. Azure counts each class by itself.
enum RequestClass: Sendable, Hashable {
    /// Azure Resource Manager counts per subscription (or tenant) and kind of verb; `scope` is the subscription's id in
    /// lower case, or `tenant`.
    case resourceManager(scope: String, Verb)
    case resourceGraph
    case logAnalytics
    /// Nobody publishes a figure.
    case uncounted

    typealias Verb = RequestVerb

    /// Told from method and address alone. POST counts as a write, also where it only reads: whether Azure counts the
    /// `list` actions so is a guess on the safe side.
    init(_ request: AzureRequest, resourceManager: ServiceURL) {
        let path = URLComponents(string: request.url)?.path.lowercased() ?? ""
        // Told by the path alone: a stand-in for Azure may have one address for everything.
        if path.hasPrefix("/v1/"), path.hasSuffix("/query") {
            self = .logAnalytics
            return
        }
        guard resourceManager.owns(request.url) else {
            self = .uncounted
            return
        }
        let segments = path.dropFirst(resourceManager.pathPrefix.count).split(separator: "/")
        if segments.starts(with: ["providers", "microsoft.resourcegraph"]) {
            self = .resourceGraph
            return
        }
        if segments.suffix(2) == ["api", "query"] {
            self = .logAnalytics
            return
        }
        let verb: Verb =
            switch request.method {
            case .GET, .HEAD: .reads
            case .DELETE: .deletes
            default: .writes
            }
        let isInSubscription = segments.count >= 2 && segments[0] == "subscriptions"
        self = .resourceManager(scope: isInSubscription ? String(segments[1]) : "tenant", verb)
    }

    var verb: Verb? {
        guard case .resourceManager(_, let verb) = self else { return nil }
        return verb
    }

    var isOfSubscription: Bool {
        guard case .resourceManager(let scope, _) = self else { return false }
        return scope != "tenant"
    }

    /// For logs, metrics and `explain`.
    var name: String {
        switch self {
        case .resourceManager(let scope, let verb): "\(scope) \(verb.rawValue)"
        case .resourceGraph: "resource graph"
        case .logAnalytics: "log analytics"
        case .uncounted: "uncounted"
        }
    }
}

/// Kinds of requests that Azure Resource Manager counts apart.
package enum RequestVerb: String, Sendable, Hashable, CaseIterable {
    case reads
    case writes
    case deletes
}

/// How fast requests of one class may be sent.
package struct RequestRate: Sendable, Hashable {
    /// How many at once after a pause.
    package var burst: Double
    package var perSecond: Double
    /// How many may be under way, nil for any number.
    package var mostConcurrent: Int?

    package init(burst: Double, perSecond: Double, mostConcurrent: Int? = nil) {
        self.burst = burst
        self.perSecond = perSecond
        self.mostConcurrent = mostConcurrent
    }

    /// A limit on the number in any window. A burst and what refills during the same window share it half and half,
    /// so that no window sees more.
    static func window(_ count: Double, seconds: Double, mostConcurrent: Int? = nil) -> RequestRate {
        RequestRate(burst: count / 2, perSecond: count / 2 / seconds, mostConcurrent: mostConcurrent)
    }

    func shared(_ share: Double) -> RequestRate {
        RequestRate(burst: max(1, burst * share), perSecond: perSecond * share, mostConcurrent: mostConcurrent)
    }
}

/// The rates a client keeps to.
package struct RequestRates: Sendable, Hashable {
    /// What part of Azure's figures this client uses. The rest is left to others with the same identity, and to what
    /// is under way when a reply says how much is left.
    package var share = 0.7
    /// Azure docs, "Understand how Azure Resource Manager throttles requests" (read 2026-02).
    package var reads = RequestRate(burst: 250, perSecond: 25)
    package var writes = RequestRate(burst: 200, perSecond: 10)
    package var deletes = RequestRate(burst: 200, perSecond: 10)
    /// Azure docs, "Guidance for throttled requests in Azure Resource Graph" (read 2026-02): 15 in 5 s.
    package var resourceGraph = RequestRate.window(15, seconds: 5)
    /// Azure docs, "Azure Monitor service limits" (read 2026-02): 200 in 30 s, 5 at once.
    package var logAnalytics = RequestRate.window(200, seconds: 30, mostConcurrent: 5)
    /// How long a call waits for its turn before it fails as throttled.
    package var patience = Duration.seconds(30)
    private var isUnlimited = false

    package init() {}

    package static let published = RequestRates()
    /// Nothing is held back but what Azure freezes.
    package static let unlimited: RequestRates = {
        var rates = RequestRates()
        rates.isUnlimited = true
        return rates
    }()

    /// What this client allows itself of one of Azure Resource Manager's quotas.
    package func resourceManager(_ verb: RequestVerb) -> RequestRate {
        let whole: RequestRate =
            switch verb {
            case .reads: reads
            case .writes: writes
            case .deletes: deletes
            }
        return isUnlimited ? RequestRate(burst: 1e9, perSecond: 1e9) : whole.shared(share)
    }

    func rate(_ kind: RequestClass) -> RequestRate? {
        let rate: RequestRate? =
            switch kind {
            case .resourceManager(_, .reads): reads
            case .resourceManager(_, .writes): writes
            case .resourceManager(_, .deletes): deletes
            case .resourceGraph: resourceGraph
            case .logAnalytics: logAnalytics
            case .uncounted: nil
            }
        return isUnlimited ? rate.map { _ in RequestRate(burst: 1e9, perSecond: 1e9) } : rate?.shared(share)
    }
}
