/// A Log Analytics workspace.
struct Workspace: Sendable, Codable {
    var name: String
    var group: String
    /// The GUID by which queries name it.
    var customerID: String
    var location: String
    var tags: [JSON.Member]
    var retentionDays: Int
    var sku: String
    var primaryKey: String
    var secondaryKey: String
    var created: Instant
    var modified: Instant
}

/// An Application Insights component that writes into a workspace.
struct InsightsComponent: Sendable, Codable {
    var name: String
    var group: String
    var kind: String
    var location: String
    var tags: [JSON.Member]
    var instrumentationKey: String
    var appID: String
    var applicationType: String
    /// The resource id of the workspace, in the case in which it was sent.
    var workspaceResourceID: String
    var created: Instant
}

/// Where a resource's logs go.
struct DiagnosticSetting: Sendable, Codable {
    var name: String
    var workspaceResourceID: String
    /// Categories that are on, such as `AppServiceConsoleLogs`.
    var categories: [String]
    /// As it was sent, for the reply.
    var properties: JSON
}

/// Everything about logs in one World. Resources are kept by their id in lower case.
struct LogsState: Sendable {
    var workspaces: [String: Workspace] = [:]
    /// Deleted ones, which come back with their data if one of the same name is made (docs, delete-workspace, read
    /// 2026-02).
    var deletedWorkspaces: [String: Workspace] = [:]
    /// More deleted workspaces are forgotten with their data, the oldest first. The bound is ours: Azure keeps them for
    /// 14 days.
    static let deletedLimit = 20
    var components: [String: InsightsComponent] = [:]
    /// By the resource's id in lower case, then by the setting's name in lower case.
    var diagnostics: [String: [String: DiagnosticSetting]] = [:]
    /// By the workspace's GUID.
    var stores: [String: LogStore] = [:]
    /// When each caller's recent queries came: at most `LogSettings.quota` for each principal that has a token.
    var queries: [String: [Instant]] = [:]
    /// When each caller's running queries end.
    var slots: [String: [Instant]] = [:]
    /// Requests that follow a site's log.
    var followers: [RequestID: LogFollower] = [:]
    /// Delays and duplicates come from a generator of their own: they change no identifier elsewhere.
    var random: SeededGenerator

    init(settings: WorldSettings) {
        random = SeededGenerator(seed: settings.seed ^ 0x6C6F_6773)
        let group = settings.resourceGroups.first ?? "skls"
        let start = Instant(nanoseconds: 0)
        let workspace = Workspace(
            name: settings.logs.workspaceName, group: group, customerID: settings.logs.workspaceID.lowercased(),
            location: settings.location, tags: [], retentionDays: 30, sku: "PerGB2018", primaryKey: random.key(),
            secondaryKey: random.key(), created: start, modified: start)
        workspaces[
            settings.resourceID(group, "Microsoft.OperationalInsights/workspaces", workspace.name).lowercased()] =
            workspace
    }

    /// The workspace of a GUID.
    func workspace(customerID: String) -> Workspace? {
        workspaces.values.first { $0.customerID == customerID.lowercased() }
    }

    /// Draws a duration between two bounds.
    mutating func draw(_ bounds: ClosedRange<Duration>) -> Duration {
        func nanoseconds(_ duration: Duration) -> Int64 {
            duration.components.seconds * 1_000_000_000 + duration.components.attoseconds / 1_000_000_000
        }
        return .nanoseconds(
            Int64.random(in: nanoseconds(bounds.lowerBound)...nanoseconds(bounds.upperBound), using: &random))
    }
}

extension SeededGenerator {
    /// 64 bytes in base 64, as a workspace's keys are.
    mutating func key() -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        return String(decoding: (0..<86).map { _ in alphabet[Int(next() & 63)] } + Array("==".utf8), as: UTF8.self)
    }
}

extension WorldSettings {
    /// The id of a resource of this subscription.
    func resourceID(_ group: String, _ type: String, _ name: String) -> String {
        "/subscriptions/\(subscriptionID)/resourceGroups/\(group)/providers/\(type)/\(name)"
    }
}

extension DurablePart {
    /// Workspaces, components and diagnostic settings. Rows are lost with the process.
    static let logs = DurablePart("logs") { world in
        DurableLogs(
            workspaces: world.logs.workspaces, deletedWorkspaces: world.logs.deletedWorkspaces,
            components: world.logs.components, diagnostics: world.logs.diagnostics)
    } restore: { world, state, _ in
        world.logs.workspaces = state.workspaces
        world.logs.deletedWorkspaces = state.deletedWorkspaces
        world.logs.components = state.components
        world.logs.diagnostics = state.diagnostics
    }
}

private struct DurableLogs: Codable, Sendable {
    var workspaces: [String: Workspace]
    var deletedWorkspaces: [String: Workspace]
    var components: [String: InsightsComponent]
    var diagnostics: [String: [String: DiagnosticSetting]]
}
