/// Resource Graph's own copy of every resource, which follows changes after a while.
struct GraphMirror: Sendable {
    struct Change: Sendable {
        var due: Instant
        var key: String
        /// Nil once the resource is gone.
        var row: KQL.Row?
    }

    /// What queries see, by id in lower case. Not used where changes show at once.
    private(set) var rows: [String: KQL.Row] = [:]
    /// In the order of their times: the lag is the same for all.
    private(set) var pending: [Change] = []

    mutating func reset(_ rows: [String: KQL.Row]) {
        self.rows = rows
        pending = []
    }

    /// Takes in what is due as well, so that never more waits than was changed within one lag, also where nobody asks.
    mutating func note(_ change: Change, at now: Instant) {
        settle(at: now)
        pending.append(change)
    }

    /// Lets queries see what is due.
    mutating func settle(at now: Instant) {
        let due = pending.prefix { $0.due <= now }
        for change in due { rows[change.key] = change.row }
        pending.removeFirst(due.count)
    }
}

extension World {
    private var graphLag: Duration { settings.scaled(ResourceLatency.graph) }

    /// Tells Resource Graph that a resource may have changed, come or gone. To be called after the change; costs nothing
    /// where changes show at once. A deleted site that holds its name stays in Resource Graph as it does in lists.
    mutating func noteGraphChange(of id: String, at now: Instant) {
        guard graphLag > .zero else { return }
        let path = ResourcePath(path: id)
        if ResourceInventory.named(path.type)?.type == ResourceInventory.sites.type,
            sites[SiteKey(path.name ?? "")]?.isDeleted == true
        {
            return
        }
        let row = trackedResource(at: path).map { graphRow($0.0) }
        graphMirror.note(GraphMirror.Change(due: now + graphLag, key: id.lowercased(), row: row), at: now)
    }

    /// The same for a request that a provider has answered: what is below a resource counts as the resource. A plan can
    /// go with its last site.
    mutating func noteGraphChange(by call: ResourceCall, at now: Instant) {
        guard graphLag > .zero, !["GET", "HEAD"].contains(call.method), let group = call.path.group,
            let namespace = call.path.namespace, call.path.segments.count >= 2
        else { return }
        let type = call.path.segments[0]
        noteGraphChange(
            of: "\(subscriptionPath)/resourceGroups/\(group)/providers/\(namespace)/\(type)/\(call.path.segments[1])",
            at: now)
        guard type.lowercased() == "sites" else { return }
        for key in graphMirror.rows.keys where key.contains("/serverfarms/") { noteGraphChange(of: key, at: now) }
    }

    /// Makes Resource Graph know all that there is, as at a start.
    mutating func resetGraphMirror() {
        guard graphLag > .zero else { return }
        graphMirror.reset(
            Dictionary(trackedResources().map { ($0.key, graphRow($0)) }, uniquingKeysWith: { first, _ in first }))
    }

    /// What a query sees now, in the order of ids.
    mutating func graphRows(at now: Instant) -> [KQL.Row] {
        guard graphLag > .zero else { return trackedResources().map(graphRow) }
        graphMirror.settle(at: now)
        return graphMirror.rows.sorted { $0.key < $1.key }.map(\.value)
    }
}
