/// A resource provider as Resource Manager knows it: the types it serves, and the versions of its API.
struct ResourceProvider: Sendable {
    /// As Azure spells it, such as `Microsoft.Web`.
    let namespace: String
    /// The first segment of each type, as Azure spells it: `sites` for `Microsoft.Web/sites`.
    let types: [String]
    /// All alike: the version of a call changes nothing in its answer.
    let versions: [String]
    let answer: @Sendable (inout World, ResourceCall, Instant) -> Reply

    /// Every simulated provider.
    static let all: [ResourceProvider] = [
        ResourceProvider(
            namespace: "Microsoft.Web", types: World.webTypes, versions: World.webVersions,
            answer: { world, call, now in world.answerWeb(call, at: now) }),
        // Answered by Resource Manager itself, see `answerResources`; here for the list of providers.
        ResourceProvider(
            namespace: "Microsoft.Resources", types: ["tags", "resourceGroups", "subscriptions"],
            versions: ["2021-04-01", "2022-09-01", "2025-04-01"],
            answer: { world, call, now in world.answerResources(call, at: now) }),
        ResourceProvider(
            namespace: "Microsoft.ResourceGraph", types: ["resources"], versions: World.graphVersions,
            answer: { world, call, now in world.answerResourceGraph(call, at: now) }),
        ResourceProvider(
            namespace: "Microsoft.Storage", types: ["storageAccounts", "checkNameAvailability", "locations"],
            versions: World.storageVersions, answer: { world, call, now in world.answerStorage(call, at: now) }),
        ResourceProvider(
            namespace: "Microsoft.ManagedIdentity", types: ["userAssignedIdentities"],
            versions: World.managedIdentityVersions,
            answer: { world, call, now in world.answerManagedIdentity(call, at: now) }),
        ResourceProvider(
            namespace: "Microsoft.OperationalInsights", types: ["workspaces"],
            versions: World.operationalInsightsVersions,
            answer: { world, call, now in world.answerOperationalInsights(call, at: now) }),
        ResourceProvider(
            namespace: "Microsoft.Insights", types: ["components", "diagnosticSettings", "eventTypes"],
            versions: World.insightsVersions, answer: { world, call, now in world.answerInsights(call, at: now) }),
        ResourceProvider(
            namespace: "Microsoft.App", types: ["managedEnvironments"], versions: World.appVersions,
            answer: { world, call, _ in world.answerContainerApps(call) }),
    ]

    /// The provider of a namespace in any case.
    static func named(_ namespace: String) -> ResourceProvider? {
        all.first { $0.namespace.lowercased() == namespace.lowercased() }
    }
}
