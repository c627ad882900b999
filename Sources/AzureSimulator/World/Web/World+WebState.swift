extension DurablePart {
    /// Sites, plans and what is under way with them. Containers start again, as after a restart of the platform.
    static let web = DurablePart("web") { world in
        WebState(
            sites: world.siteOrder.compactMap { world.sites[$0] }, plans: world.plans,
            operations: world.webOperations, deleted: world.deletedSites)
    } restore: { world, state, now in
        world.plans = state.plans
        world.webOperations = state.operations
        world.deletedSites = state.deleted
        for site in state.sites {
            world.sites[site.key] = site
            world.siteOrder.insert(site.key, at: world.insertionIndex(of: site.key))
            if site.visibility.next != nil { world.unsettledSites.insert(site.key) }
            guard !site.isDeleted else { continue }
            world.hosts[site.hostName] = site.key
            world.startContainer(of: site.key, at: now)
        }
    }
}

private struct WebState: Codable, Sendable {
    var sites: [Site]
    var plans: [String: Plan]
    var operations: [WebOperation]
    var deleted: [DeletedSite]
}

extension SiteContainer: Codable {
    /// A container does not outlive the simulator: nothing of it is kept.
    init(from decoder: any Decoder) throws { self.init() }

    func encode(to encoder: any Encoder) throws { _ = encoder.container(keyedBy: NoKey.self) }

    private enum NoKey: CodingKey {}
}
