/// Where a Resource Manager path leads. Names of types, subscriptions and groups are matched without case, and ids come
/// back in the case in which they were last sent (Azure Resource Manager RPC contract).
enum ResourceRoute: Equatable, Sendable {
    case sites(subscription: String, group: String?)
    case site(subscription: String, group: String, name: String, Suffix)
    case plan(subscription: String, group: String, name: String)
    /// A path under a subscription with a resource type that is not simulated.
    case unknownType(String)
    case unknown

    enum Suffix: String, Sendable {
        case none = ""
        case containerLogs = "containerlogs"
        case appSettings = "config/appsettings"
        case listAppSettings = "config/appsettings/list"
    }

    init(path: String) {
        let segments = path.split(separator: "/").map { URLText.decode($0) ?? "" }
        func has(_ index: Int, _ text: String) -> Bool {
            segments.indices.contains(index) && segments[index].lowercased() == text
        }
        guard has(0, "subscriptions"), segments.count >= 2 else {
            self = .unknown
            return
        }
        var group: String?
        var next = 2
        if has(2, "resourcegroups"), segments.count >= 4 {
            group = segments[3]
            next = 4
        }
        guard has(next, "providers"), segments.count >= next + 3 else {
            self = .unknown
            return
        }
        let type = segments[(next + 1)...(next + 2)].joined(separator: "/")
        let rest = Array(segments[(next + 3)...])
        self = Self.route(type: type, subscription: segments[1], group: group, rest: rest)
    }

    private static func route(type: String, subscription: String, group: String?, rest: [String]) -> ResourceRoute {
        switch (type.lowercased(), group, rest.first) {
        case ("microsoft.web/sites", _, nil): return .sites(subscription: subscription, group: group)
        case ("microsoft.web/sites", let group?, let name?):
            guard let suffix = Suffix(rawValue: rest.dropFirst().joined(separator: "/").lowercased()) else {
                return .unknownType("\(type)/\(rest.dropFirst().joined(separator: "/"))")
            }
            return .site(subscription: subscription, group: group, name: name, suffix)
        case ("microsoft.web/serverfarms", let group?, let name?) where rest.count == 1:
            return .plan(subscription: subscription, group: group, name: name)
        default: return .unknownType(type)
        }
    }

    /// The subscription and group that have to exist; nil where the path names none.
    var scope: (subscription: String, group: String?)? {
        switch self {
        case .sites(let subscription, let group): (subscription, group)
        case .site(let subscription, let group, _, _), .plan(let subscription, let group, _): (subscription, group)
        case .unknownType, .unknown: nil
        }
    }
}
