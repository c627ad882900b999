package import AzureClient
import DesiredState

/// From the design to what is sent: the fields that the ground asks for, and what others set and we carry over.
extension SiteDesign {
    /// The settings that we own on this ground, sorted by name, the list of their names among them.
    package func settings(on ground: Ground) -> [Setting] {
        var settings = appSettings
        if case .elasticPremium = ground {
            let names = Set(settings.map { $0.name.uppercased() })
            settings += contentShare.filter { !names.contains($0.name.uppercased()) }
        }
        let names = settings.map(\.name).sorted().joined(separator: ",")
        return (settings + [Setting(name: SiteSetting.owned, value: names)]).sorted { $0.name < $1.name }
    }

    /// The request that makes the site so.
    /// - Parameters:
    ///   - existing: the site as it was read a moment ago; nil for a new one.
    ///   - mounts: our own with their keys; nil where the site has none and is to have none.
    /// - Throws: if Azure would refuse it for its size.
    package func request(
        on ground: Ground, replacing existing: SiteDetails?, mounts keyed: [String: SiteMount]? = nil
    ) throws(DesignFault) -> SiteRequest {
        try checkMounts(on: ground)
        let allTags = foreignTags(of: existing?.site).merging(tags) { _, own in own }
        try SiteDesign.check(allTags)
        var identities = existing?.site.identities ?? ManagedIdentities()
        if let identity, let id = ResourceID(identity.resourceID) {
            identities = identities.union(ManagedIdentities(userAssigned: [id: identity.clientID]))
        }
        var request = SiteRequest(
            location: location, tags: allTags, image: image,
            appSettings: carryingOver(existing?.appSettings ?? [:], to: settings(on: ground)), hosting: hosting(ground),
            identities: identities.isEmpty ? nil : identities)
        if pullsWithIdentity { request.registryIdentity = registryIdentity(on: ground) }
        for field in fields(on: ground) { field.apply(to: &request) }
        if let keyed { request.mounts = foreignMounts(of: existing).merging(keyed) { _, own in own } }
        if (request.mounts ?? [:]).count > VolumeMount.maximumCount {
            throw DesignFault(
                reason: "TooManyMounts",
                description:
                    "the site would have \(request.mounts?.count ?? 0) mounts with those that others put there; "
                    + "App Service allows \(VolumeMount.maximumCount): take some of theirs away")
        }
        return request
    }

    private func checkMounts(on ground: Ground) throws(DesignFault) {
        guard !mounts.isEmpty else { return }
        if case .containerApps = ground {
            throw DesignFault(
                reason: "NoMounts",
                description: "Function Apps in a Container Apps environment mount no shares: take a plan, or no volumes"
            )
        }
        if mounts.values.contains(where: { $0.accountName.isEmpty }) {
            throw DesignFault(
                reason: "NoStorageAccount",
                description:
                    "the record mounts volumes, and no storage account is configured for them (azf.volumes_account)")
        }
    }

    /// Whether the site has mounts of ours, or is to have some: then its mounts are read before it is written.
    package func concernsMounts(_ existing: SiteDetails?) -> Bool {
        !mounts.isEmpty || !SiteDesign.ownedMounts(in: existing?.appSettings ?? [:]).isEmpty
    }

    private func foreignMounts(of existing: SiteDetails?) -> [String: SiteMount] {
        let own = SiteDesign.ownedMounts(in: existing?.appSettings ?? [:])
        return (existing?.mounts ?? [:]).filter { !own.contains($0.key) }
    }

    /// The mounts that were ours when the site was written last.
    private static func ownedMounts(in settings: [String: Secret]) -> Set<String> {
        let list = settings.first { $0.key.uppercased() == SiteSetting.mounts }?.value.reveal() ?? ""
        return Set(list.split(separator: ",").map(String.init))
    }

    private func hosting(_ ground: Ground) -> SiteRequest.Hosting {
        switch ground {
        case .elasticPremium(let id), .dedicated(let id): .plan(id)
        case .containerApps(let id): .managedEnvironment(id, workloadProfile: workloadProfile)
        }
    }

    /// App Service wants the client id, Container Apps the resource id (terraform-provider-azurerm,
    /// `container_registry_managed_identity_client_id`; Azure samples for Functions on Container Apps; read 2026-11).
    func registryIdentity(on ground: Ground) -> String? {
        if case .containerApps = ground { identity?.resourceID } else { identity?.clientID }
    }

    // MARK: what others set

    /// Our settings, and those that neither are ours nor ever were. Names are told apart without regard to case.
    private func carryingOver(_ existing: [String: Secret], to own: [Setting]) -> [SiteRequest.Setting] {
        var ours = SiteDesign.ownedNames(in: existing).union(own.map { $0.name.uppercased() })
        if pullsWithIdentity { ours.formUnion(SiteSetting.registry) }
        let foreign = existing.filter { !ours.contains($0.key.uppercased()) }.sorted { $0.key < $1.key }
        return own.map { .init(name: $0.name, value: Secret($0.value)) }
            + foreign.map { .init(name: $0.key, value: $0.value) }
    }

    /// In upper case: the settings that were ours when the site was written last.
    static func ownedNames(in settings: [String: Secret]) -> Set<String> {
        let list = settings.first { $0.key.uppercased() == SiteSetting.owned }?.value.reveal() ?? ""
        return Set(list.split(separator: ",").map { $0.uppercased() } + [SiteSetting.owned])
    }

    /// Tags that neither this record nor skls has set: the platform's `hidden-*`, and those of policies and people.
    private func foreignTags(of site: Site?) -> [String: String] {
        guard let site else { return [:] }
        let declared = site.tags.first { $0.key.lowercased() == SiteTag.declared }?.value ?? ""
        let ours = Set(declared.split(separator: ",").map { $0.lowercased() } + tags.keys.map { $0.lowercased() })
        return site.tags.filter { name, _ in
            !name.lowercased().hasPrefix(SiteTag.prefix) && !ours.contains(name.lowercased())
        }
    }

    // MARK: bounds

    /// Azure's limits (Azure docs, tag-resources, "Limitations", read 2026-11).
    private static func check(_ tags: [String: String]) throws(DesignFault) {
        guard tags.count <= 50 else {
            throw DesignFault(
                reason: "TooManyTags",
                description: "the site would have \(tags.count) tags with those that others have set, and Azure allows "
                    + "50: remove some from spec.azure.tags")
        }
        for (name, value) in tags.sorted(by: { $0.key < $1.key })
        where name.isEmpty || name.utf16.count > 512 || value.utf16.count > 256 {
            throw DesignFault(
                reason: "TagTooLong",
                description: "the tag \(name.prefix(64)) is longer than Azure allows (name 512, value 256 characters)")
        }
    }
}
