/// What the simulated application may touch. Managed identities may touch everything.
package enum PrincipalAccess: Equatable, Sendable {
    /// The whole subscription.
    case subscription
    /// One resource group and what is in it. The URLs of long-running operations lie at the subscription and are
    /// forbidden: the trap that many tools fall into (public issue reports).
    case resourceGroup(String)
}

extension World {
    /// The refusal of a request outside of what a principal may touch. The subscription itself and the list of groups can
    /// be read by everybody who has a role below them (guess: Azure filters lists by what a principal may read).
    func forbidden(_ method: String, _ path: ResourcePath, _ principal: Principal) -> Reply? {
        guard case .resourceGroup(let group) = settings.access, principal == application,
            path.group?.lowercased() != group.lowercased(), let subscription = path.subscription
        else { return nil }
        let isAboveGroups = path.namespace == nil && path.group == nil
        if isAboveGroups, method == "GET" { return nil }
        // Types without names: `Microsoft.Web/locations/operationResults`.
        let types = path.segments.enumerated().filter { $0.offset.isMultiple(of: 2) }.map(\.element)
        let verb =
            switch method {
            case "GET", "HEAD": "read"
            case "DELETE": "delete"
            case "POST": "action"
            default: "write"
            }
        let action = ([path.namespace ?? "Microsoft.Resources"] + types + [verb]).joined(separator: "/")
        let scope = "/subscriptions/\(subscription)" + (path.group.map { "/resourceGroups/\($0)" } ?? "")
        return AzureErrorBody.resourceManager(
            403, "AuthorizationFailed",
            "The client '\(principal.clientID)' with object id '\(principal.objectID)' does not have authorization to "
                + "perform action '\(action)' over scope '\(scope)' or the scope is invalid. If access was recently "
                + "granted, please refresh your credentials.")
    }
}
