/// A resource as Resource Manager knows it, whatever provider it is of.
struct TrackedResource: Sendable {
    /// In the case in which its provider shows it.
    var id: String
    /// As Azure spells it, such as `Microsoft.Web/sites`.
    var type: String
    var name: String
    var group: String
    /// The region's name, such as `eastus`.
    var location: String
    var tags: [JSON.Member]
    /// When it was made and last changed, where its provider knows.
    var created: Instant?
    var changed: Instant?
    /// The resource as its provider's own GET shows it.
    var document: @Sendable (World) -> JSON

    /// What sorts and compares ids.
    var key: String { id.lowercased() }
}

/// What Resource Manager needs of each type that can stand in a group: to list, find, tag and delete. A provider that is
/// missing here is missing in lists, in Resource Graph and in the deletion of groups.
struct ResourceInventory: Sendable {
    /// As Azure spells it.
    let type: String
    let list: @Sendable (World) -> [TrackedResource]
    /// By group and name, both in any case.
    let find: @Sendable (_ world: World, _ group: String, _ name: String) -> TrackedResource?
    /// Replaces the tags of a resource that is there.
    let setTags: @Sendable (inout World, TrackedResource, [JSON.Member], Instant) -> Void
    /// Deletes a resource along with its group.
    let delete: @Sendable (inout World, TrackedResource, Instant) -> Void

    /// In the order in which a group's resources are deleted: sites in front of their plans.
    static let all: [ResourceInventory] = [
        .sites, .plans, .managedEnvironments, .storageAccounts, .userAssignedIdentities, .components, .workspaces,
    ]

    /// The inventory of a type in any case.
    static func named(_ type: String) -> ResourceInventory? {
        all.first { $0.type.lowercased() == type.lowercased() }
    }
}

extension World {
    /// Every resource, or those of one group, in the order of their ids.
    func trackedResources(inGroup group: String? = nil) -> [TrackedResource] {
        var resources = ResourceInventory.all.flatMap { $0.list(self) }
        if let group = group?.lowercased() { resources.removeAll { $0.group.lowercased() != group } }
        return resources.map { (key: $0.key, resource: $0) }.sorted { $0.key < $1.key }.map(\.resource)
    }

    /// The resource that a path names, and the inventory that it is of.
    func trackedResource(at path: ResourcePath) -> (TrackedResource, ResourceInventory)? {
        guard let group = path.group, let name = path.name, path.suffix.isEmpty,
            let inventory = ResourceInventory.named(path.type), let resource = inventory.find(self, group, name)
        else { return nil }
        return (resource, inventory)
    }
}

// MARK: - Microsoft.Web

extension ResourceInventory {
    static let sites = ResourceInventory(
        type: "Microsoft.Web/sites",
        list: { world in
            world.siteOrder.compactMap { world.sites[$0] }.filter { $0.visibility.hiddenUntil == nil }.map(
                world.tracked)
        },
        find: { world, group, name in
            world.site(name, group: group).map(world.tracked)
        },
        setTags: { world, resource, tags, now in
            // Only tags: a change of settings or image would restart the container, this does not. That the time of
            // the last change moves is a guess.
            world.sites[SiteKey(resource.name)]?.tags = tags
            world.sites[SiteKey(resource.name)]?.lastModified = now
        },
        delete: { world, resource, now in world.removeSite(SiteKey(resource.name), at: now) })

    static let plans = ResourceInventory(
        type: "Microsoft.Web/serverFarms",
        list: { world in world.plans.values.filter { $0.hiddenUntil == nil }.map(world.tracked) },
        find: { world, group, name in
            world.plans[World.planKey(group: group, name: name)].flatMap { plan in
                plan.hiddenUntil == nil ? world.tracked(plan) : nil
            }
        },
        setTags: { world, resource, tags, now in
            let key = World.planKey(group: resource.group, name: resource.name)
            world.plans[key]?.tags = tags
            world.plans[key]?.changed = now
        },
        delete: { world, resource, _ in
            world.plans[World.planKey(group: resource.group, name: resource.name)] = nil
        })
}

extension World {
    fileprivate func tracked(_ site: Site) -> TrackedResource {
        TrackedResource(
            id: id(of: site), type: "Microsoft.Web/sites", name: site.name, group: site.group,
            location: settings.location, tags: site.tags, created: site.created, changed: site.lastModified,
            document: { world in world.resource(site) })
    }

    fileprivate func tracked(_ plan: Plan) -> TrackedResource {
        TrackedResource(
            id: id(of: plan), type: "Microsoft.Web/serverFarms", name: plan.name, group: plan.group,
            location: settings.location, tags: plan.tags, created: plan.created, changed: plan.changed,
            document: { world in world.resource(plan, siteCount: world.siteCount(ofPlan: plan.key)) })
    }
}
