/// A resource group. Its states: there → being deleted, when it is asked to go → gone, at `goneAt`. While it is being
/// deleted it can be read, and nothing can be put into it.
struct ResourceGroup: Sendable, Codable {
    /// In the case in which it was first sent.
    var name: String
    /// The region's name, such as `eastus`.
    var location: String
    var tags: [JSON.Member] = []
    var managedBy: String?
    var created: Instant
    var changed: Instant
    /// When it is gone; nil unless it is being deleted.
    var goneAt: Instant?
}

/// What Resource Manager itself keeps of the subscription.
struct SubscriptionState: Sendable, Codable {
    /// A provider's registration. Its states: unregistered → registering → registered, at `registeredAt` → unregistered.
    struct Registration: Sendable, Codable {
        /// Nil while it is not registered.
        var registeredAt: Instant?
    }

    /// How long the address of a finished operation answers. Ours; Azure documents no bound.
    static let operationLife = Duration.seconds(86_400)
    /// Deletions beyond this number are forgotten before their time, those that ended first (ours).
    static let operationLimit = 1_000

    /// Groups by name in lower case.
    var groups: [String: ResourceGroup] = [:]
    var tags: [JSON.Member] = []
    /// By namespace in lower case. Providers that are not here are registered.
    var registrations: [String: Registration] = [:]
    /// When a group's deletion ends or has ended, by the operation's token.
    var groupDeletions: [String: Instant] = [:]

    init(settings: WorldSettings) {
        let start = Instant(nanoseconds: 0)
        for name in settings.resourceGroups {
            groups[name.lowercased()] = ResourceGroup(
                name: name, location: settings.location, created: start, changed: start)
        }
        for namespace in settings.unregisteredProviders { registrations[namespace.lowercased()] = Registration() }
    }
}

/// How long things take in the real Azure; `WorldSettings.scaled` makes them of this world.
enum ResourceLatency {
    /// Storage accounts answered their Location after 17 to 18 s (recorded creations, Azure/azure-cli, 2022-05).
    static let storageAccount = Duration.seconds(17)
    /// An empty group was gone after a minute (recorded deletion, Azure/azure-cli, 2020-07).
    static let groupDeletion = Duration.seconds(60)
    /// Registrations end within a minute or two (guess).
    static let registration = Duration.seconds(60)
    /// Resource Graph shows a change typically within a minute, without guarantee (Azure docs, resource-graph overview,
    /// read 2026-02); half of that is a guess.
    static let graph = Duration.seconds(30)
}

extension Reply {
    /// `Retry-After` in whole seconds, rounded up. Zero if nothing is left to wait for.
    mutating func addRetryAfter(_ wait: Duration, atMost bound: Duration) {
        let (seconds, attoseconds) = max(.zero, min(wait, bound)).components
        add("Retry-After", String(seconds + (attoseconds > 0 ? 1 : 0)))
    }
}
