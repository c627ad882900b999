// Microsoft.Web/sites and /serverfarms, the operations that a Function App with a container needs.

extension World {
    /// Versions of Microsoft.Web that are answered, all alike.
    static let webVersions = [
        "2021-02-01", "2021-03-01", "2022-03-01", "2022-09-01", "2023-01-01", "2023-12-01", "2024-04-01", "2024-11-01",
        "2025-03-01",
    ]

    mutating func answerWeb(_ call: ResourceCall, at now: Instant) -> Reply {
        let type = call.path.segments[0].lowercased()
        guard let group = call.path.group, let name = call.path.name else {
            return type == "sites" && call.path.name == nil && call.method == "GET"
                ? listSites(call) : call.methodNotAllowed
        }
        switch (type, call.path.suffix, call.method) {
        case ("sites", "", "GET"): return getSite(name, group: group)
        case ("sites", "", "PUT"): return putSite(name, group: group, body: call.body, at: now)
        case ("sites", "", "DELETE"):
            let deletesPlan = call.parameter("deleteEmptyServerFarm")?.lowercased() != "false"
            return deleteSite(name, group: group, deletesEmptyPlan: deletesPlan)
        case ("sites", "containerlogs", "POST"): return containerLogs(name, group: group)
        case ("sites", "config/appsettings/list", "POST"): return appSettings(name, group: group)
        case ("serverfarms", "", "GET"): return getPlan(name, group: group)
        default: return call.methodNotAllowed
        }
    }

    func getSite(_ name: String, group: String) -> Reply {
        guard let site = site(name, group: group) else { return siteNotFound(name, group: group) }
        return .json(200, resource(site))
    }

    /// The site if it is in this group; the case of both names does not matter.
    private func site(_ name: String, group: String) -> Site? {
        guard let site = sites[SiteKey(name)], site.group.lowercased() == group.lowercased() else { return nil }
        return site
    }

    private func siteNotFound(_ name: String, group: String) -> Reply {
        notFound("Microsoft.Web/sites/\(name)", group: group)
    }

    private func notFound(_ resource: String, group: String) -> Reply {
        AzureErrorBody.resourceManager(
            404, "ResourceNotFound",
            "The Resource '\(resource)' under resource group '\(group)' was not found. For more details please go to "
                + "https://aka.ms/ARMResourceNotFoundFix")
    }

    // MARK: Lists

    /// One page, in the order of names. The skip token names the last site of the page before, so that sites that
    /// come and go between two pages make none of the others appear twice or not at all.
    func listSites(_ call: ResourceCall) -> Reply {
        let group = call.path.group
        var start = siteOrder.startIndex
        if let token = call.parameter("$skiptoken") {
            guard let bytes = Base64URL.decode(token), let last = String(validating: bytes, as: UTF8.self) else {
                return AzureErrorBody.resourceManager(400, "InvalidSkipToken", "The provided skip token is not valid.")
            }
            start = insertionIndex(of: SiteKey(last))
            if start < siteOrder.endIndex, siteOrder[start] == SiteKey(last) { start += 1 }
        }
        var page: [JSON] = []
        var last: SiteKey?
        var hasMore = false
        for key in siteOrder[start...] {
            guard let site = sites[key], group == nil || site.group.lowercased() == group?.lowercased() else {
                continue
            }
            if page.count == settings.pageSize {
                hasMore = true
                break
            }
            page.append(resource(site))
            last = key
        }
        var nextLink: String?
        if hasMore, let last {
            let token = Base64URL.encode(Array(last.text.utf8))
            nextLink = "\(call.request.baseURL)\(call.request.path)?api-version=\(call.version)&%24skiptoken=\(token)"
        }
        return .json(200, ["value": .array(page), "nextLink": .text(nextLink), "id": nil])
    }

    /// Where `key` stands in `siteOrder`, or would stand.
    func insertionIndex(of key: SiteKey) -> Int {
        var low = siteOrder.startIndex
        var high = siteOrder.endIndex
        while low < high {
            let middle = (low + high) / 2
            if siteOrder[middle] < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: Create and update

    mutating func putSite(_ name: String, group: String, body: [UInt8], at now: Instant) -> Reply {
        let request: SiteRequest
        switch SiteRequest.read(body, name: name, settings: settings) {
        case .success(let read): request = read
        case .failure(let refusal): return refusal.reply
        }
        let key = SiteKey(name)
        let existing = sites[key]
        if let existing, existing.group.lowercased() != group.lowercased() {
            return AzureErrorBody.web(
                409, "Conflict", extended: "54001", "Website with given name {0} already exists.", [name])
        }
        let plan: Plan
        switch (request.plan, existing) {
        case (let reference?, _):
            let planGroup = reference.group ?? group
            guard let known = plans[Self.planKey(group: planGroup, name: reference.name)] else {
                return AzureErrorBody.web(
                    404, "NotFound", extended: "51004", "Cannot find {0} with name {1}.",
                    ["ServerFarm", reference.name])
            }
            plan = known
        case (nil, let existing?): plan = Plan(name: existing.planName, group: existing.planGroup)
        case (nil, nil):
            return AzureErrorBody.web(
                400, "BadRequest", extended: "51021", "The parameter {0} has an invalid value.", ["ServerFarmId"])
        }

        var site =
            existing
            ?? Site(
                name: name, group: group, hostName: "\(key.text).\(settings.domain)", planName: plan.name,
                planGroup: plan.group, kind: request.kind, lastModified: now)
        site.planName = plan.name
        site.planGroup = plan.group
        site.lastModified = now
        request.apply(to: &site)
        sites[key] = site
        if existing == nil {
            siteOrder.insert(key, at: insertionIndex(of: key))
            hosts[site.hostName] = key
        }
        // A site restarts when its settings or image change, and not for its tags (Azure docs, configure-common).
        if existing == nil || existing?.appSettings != site.appSettings || existing?.siteConfig != site.siteConfig {
            sites[key]?.container.failures = 0
            startContainer(of: key, at: now)
        }
        return .json(200, resource(site, isStale: true))
    }

    // MARK: Delete

    mutating func deleteSite(_ name: String, group: String, deletesEmptyPlan: Bool) -> Reply {
        guard let site = site(name, group: group) else { return Reply(status: 204) }
        stopContainers(of: site.key)
        sites[site.key] = nil
        hosts[site.hostName] = nil
        siteOrder.remove(at: insertionIndex(of: site.key))
        let planKey = Self.planKey(group: site.planGroup, name: site.planName)
        if deletesEmptyPlan,
            !sites.values.contains(where: { Self.planKey(group: $0.planGroup, name: $0.planName) == planKey })
        {
            plans[planKey] = nil
        }
        return Reply(status: 200)
    }

    // MARK: What belongs to a site

    func containerLogs(_ name: String, group: String) -> Reply {
        guard let site = site(name, group: group) else { return siteNotFound(name, group: group) }
        let log = site.container.log.tail
        if log.isEmpty { return Reply(status: 204) }
        return Reply(status: 200, headers: [.init(name: "Content-Type", value: "text/plain")], body: Array(log))
    }

    func appSettings(_ name: String, group: String) -> Reply {
        guard let site = site(name, group: group) else { return siteNotFound(name, group: group) }
        return .json(
            200,
            [
                "id": .string(id(of: site) + "/config/appsettings"), "name": "appsettings",
                "type": "Microsoft.Web/sites/config", "location": .string(settings.displayLocation),
                "properties": .object(site.appSettings.map { .init(name: $0.name, value: .string($0.value)) }),
            ])
    }

    func getPlan(_ name: String, group: String) -> Reply {
        guard let plan = plans[Self.planKey(group: group, name: name)] else {
            return notFound("Microsoft.Web/serverFarms/\(name)", group: group)
        }
        let siteCount = sites.values.count {
            Self.planKey(group: $0.planGroup, name: $0.planName) == Self.planKey(group: plan.group, name: plan.name)
        }
        return .json(200, resource(plan, siteCount: siteCount))
    }
}
