/// Where a Resource Manager path leads. Names of types, subscriptions and groups are matched without case, and ids come
/// back in the case in which they were last sent (Azure Resource Manager RPC contract).
struct ResourcePath: Equatable, Sendable {
    /// Nil for tenant-wide paths such as `/providers/Microsoft.ResourceGraph/resources`.
    var subscription: String?
    var group: String?
    /// The resource provider, such as `Microsoft.Web`; nil for what belongs to Resource Manager itself.
    var namespace: String?
    /// What follows the provider, or the subscription and group where there is none: types, names and actions in turn,
    /// such as `sites`, `my-site`, `config`, `appsettings`, `list`. In the case in which they were sent.
    var segments: [String]

    /// Of nested providers (`…/providers/Microsoft.Web/sites/x/providers/Microsoft.Insights/…`) the last one counts.
    init(path: String) {
        var rest = path.split(separator: "/").map { URLText.decode($0) ?? "" }[...]
        func isNext(_ text: String) -> Bool { rest.first?.lowercased() == text && rest.count >= 2 }
        if isNext("subscriptions") {
            subscription = rest[rest.startIndex + 1]
            rest = rest.dropFirst(2)
            if isNext("resourcegroups") {
                group = rest[rest.startIndex + 1]
                rest = rest.dropFirst(2)
            }
        }
        if let last = rest.lastIndex(where: { $0.lowercased() == "providers" }), last + 1 < rest.endIndex {
            namespace = rest[last + 1]
            segments = Array(rest[(last + 2)...])
        } else {
            segments = Array(rest)
        }
    }

    /// Whether the path names a provider and nothing of it, or its registration: `/subscriptions/{s}/providers/{namespace}`
    /// and `…/register`.
    var isAboutProvider: Bool {
        namespace != nil
            && (segments.isEmpty
                || segments.count == 1 && ["register", "unregister"].contains(segments[0].lowercased()))
    }

    /// The resource type without names, in the case in which it was sent: `Microsoft.Web/sites`.
    var type: String { ([namespace].compactMap(\.self) + segments.prefix(1)).joined(separator: "/") }

    /// The name of the resource of the first type; nil in the path of a collection.
    var name: String? { segments.count > 1 ? segments[1] : nil }

    /// What follows that name, in lower case: `config/appsettings/list`; empty for the resource itself.
    var suffix: String { segments.dropFirst(2).joined(separator: "/").lowercased() }
}

/// A request to Resource Manager after the checks that are the same for every provider: who calls, whether the type and
/// version are known, and whether subscription and group exist.
struct ResourceCall: Sendable {
    var path: ResourcePath
    var method: String
    var query: [(name: String, value: String)]
    /// The value of `api-version`.
    var version: String
    var request: ControlRequest

    var body: [UInt8] { request.body }

    /// A parameter of the query; names have no case.
    func parameter(_ name: String) -> String? { query.first { $0.name.lowercased() == name.lowercased() }?.value }

    /// The reply to a verb that the path does not know.
    var methodNotAllowed: Reply {
        AzureErrorBody.resourceManager(
            405, "MethodNotAllowed", "The requested resource does not support http method '\(method)'.")
    }
}
