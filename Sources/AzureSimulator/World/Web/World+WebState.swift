extension DurablePart {
    /// Sites and plans. Containers start again, as after a restart of the platform.
    static let web = DurablePart("web") { world in
        WebState(sites: world.siteOrder.compactMap { world.sites[$0] }, plans: world.plans)
    } restore: { world, state, now in
        world.plans = state.plans
        for site in state.sites {
            world.sites[site.key] = site
            world.siteOrder.insert(site.key, at: world.insertionIndex(of: site.key))
            world.hosts[site.hostName] = site.key
            if site.state == "Running" { world.startContainer(of: site.key, at: now) }
        }
    }
}

private struct WebState: Codable, Sendable {
    var sites: [Site]
    var plans: [String: Plan]
}

extension SiteContainer: Codable {
    /// A container does not outlive the simulator: nothing of it is kept.
    init(from decoder: any Decoder) throws { self.init() }

    func encode(to encoder: any Encoder) throws { _ = encoder.container(keyedBy: NoKey.self) }

    private enum NoKey: CodingKey {}
}
