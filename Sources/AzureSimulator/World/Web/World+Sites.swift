// Microsoft.Web/sites: a site as a whole.

extension World {
    /// A site of this group that can be seen; the case of both names does not matter.
    func site(_ name: String, group: String) -> Site? {
        guard let site = sites[SiteKey(name)], site.group.lowercased() == group.lowercased(), !site.isDeleted,
            site.visibility.hiddenUntil == nil
        else { return nil }
        return site
    }

    func siteNotFound(_ name: String, group: String) -> Reply { notFound("Microsoft.Web/sites/\(name)", group: group) }

    func notFound(_ resource: String, group: String) -> Reply {
        AzureErrorBody.resourceManager(
            404, "ResourceNotFound",
            "The Resource '\(resource)' under resource group '\(group)' was not found. For more details please go to "
                + "https://aka.ms/ARMResourceNotFoundFix")
    }

    /// 204 while Container Apps build the app (hashicorp/terraform-provider-azurerm, pull request for
    /// `linux_function_app_on_container`).
    mutating func getSite(_ name: String, group: String) -> Reply {
        guard let site = site(name, group: group) else { return siteNotFound(name, group: group) }
        if site.visibility.buildingUntil != nil { return Reply(status: 204) }
        if let before = site.visibility.before, faults.strikes(.staleRead) { return .json(200, before) }
        var reply = Reply.json(200, resource(site))
        reply.add("ETag", "\"\(site.lastModified.fileTime)\"")
        return reply
    }

    // MARK: Create and update

    mutating func putSite(
        _ verb: SiteRequest.Verb, _ name: String, group: String, _ call: ResourceCall, at now: Instant
    )
        -> Reply
    {
        do throws(SiteRequest.Refusal) {
            return try write(verb, name, group: group, call, at: now)
        } catch {
            return error.reply
        }
    }

    private mutating func write(
        _ verb: SiteRequest.Verb, _ name: String, group: String, _ call: ResourceCall, at now: Instant
    ) throws(SiteRequest.Refusal) -> Reply {
        let request = try SiteRequest(verb, call.body, name: name, settings: settings)
        let key = SiteKey(name)
        let existing = sites[key]
        if verb == .patch, site(name, group: group) == nil { return siteNotFound(name, group: group) }
        try checkName(name, group: group, existing: existing)
        let hosting = try hosting(of: request, group: group, existing: existing)
        if let busy = busyReply(site: key, planKey: hosting.planKey, at: now) {
            throw SiteRequest.Refusal(reply: busy)
        }
        var site = existing ?? created(request, group: group, hosting: hosting, at: now)
        site.group = group
        hosting.apply(to: &site)
        site.lastModified = now
        request.apply(to: &site)
        if let identity = request.identity {
            site.identity = try self.identity(from: identity, of: site, merges: verb == .patch)
        }
        addPlatformParts(to: &site, before: existing)

        let pace: WritePace =
            verb == .patch
            ? .now
            : beginWrite(
                .site(key.text), name: existing == nil ? "Create" : "Update", group: group, resourceID: id(of: site),
                slow: WebSettings.slowWrite, isOnContainerApps: site.isOnContainerApps, at: now)
        var reply = Reply.json(200, resource(site, isStale: verb == .put))
        switch pace {
        case .now: break
        case .blocks(let end): delayReply(until: end)
        case .accepted(let operation, let isVisible):
            reply = accepted(operation, body: resource(site, isStale: true), call: call)
            if operation.fails { return reply }
            if existing == nil, !isVisible { site.visibility.hiddenUntil = operation.ends }
            if operation.isOnContainerApps { site.visibility.buildingUntil = operation.ends }
        }
        if existing == nil, faults.strikes(.lateVisibility) { site.visibility.hiddenUntil = now + inconsistency }
        commit(site, before: existing, at: now)
        reply.add("ETag", "\"\((existing ?? site).lastModified.fileTime)\"")
        return reply
    }

    /// Names are one namespace over all subscriptions, and a deleted site holds its own for a while.
    private func checkName(_ name: String, group: String, existing: Site?) throws(SiteRequest.Refusal) {
        if let existing, existing.isDeleted, existing.group.lowercased() == group.lowercased() {
            throw SiteRequest.Refusal(
                reply: AzureErrorBody.resourceManager(
                    409, "Conflict",
                    "Request specified that resource '\(id(of: existing))' is new, but resource already exists. This "
                        + "may be due to a pending delete operation, try again later."))
        }
        if settings.web.takenNames.contains(where: { SiteKey($0) == SiteKey(name) })
            || existing.map({ $0.group.lowercased() != group.lowercased() }) == true
        {
            throw SiteRequest.Refusal(
                reply: AzureErrorBody.web(
                    409, "Conflict", extended: "54001", "Website with given name {0} already exists.", [name]))
        }
    }

    private mutating func created(_ request: SiteRequest, group: String, hosting: SiteHosting, at now: Instant) -> Site
    {
        let hosts: (site: String, scm: String?)
        switch hosting {
        case .environment(let environment): hosts = ("\(request.name.lowercased()).\(environment.defaultDomain)", nil)
        case .plan:
            let scope = request.properties["autoGeneratedDomainNameLabelScope"]?.string
            hosts = hostNames(of: request.name, group: group, scope: scope)
        }
        return Site(
            name: request.name, group: group, hostName: hosts.site, scmHostName: hosts.scm, planName: "", planGroup: "",
            kind: request.kind ?? "app", publishingPassword: random.hex(60), created: now, lastModified: now)
    }

    /// Puts a changed site in the place of what was, and restarts its container if it is made from what changed.
    mutating func commit(_ site: Site, before: Site?, at now: Instant) {
        let key = site.key
        var site = site
        if let before, settings.faults.rules.contains(where: { $0.kind == .staleRead }) {
            site.visibility.before = resource(before)
            site.visibility.beforeUntil = now + inconsistency
        }
        sites[key] = site
        if site.visibility.next != nil { unsettledSites.insert(key) }
        if before == nil {
            siteOrder.insert(key, at: insertionIndex(of: key))
            hosts[site.hostName] = key
        }
        if before?.containerInputs != site.containerInputs || before?.planKey != site.planKey {
            sites[key]?.container.failures = 0
            startContainer(of: key, at: now)
        }
    }

    // MARK: Delete

    mutating func deleteSite(_ name: String, group: String, deletesEmptyPlan: Bool, at now: Instant) -> Reply {
        guard let site = sites[SiteKey(name)], site.group.lowercased() == group.lowercased(), !site.isDeleted else {
            return Reply(status: 204)
        }
        if let busy = busyReply(site: site.key, planKey: site.planKey, at: now) { return busy }
        removeSite(site.key, at: now)
        if deletesEmptyPlan, siteCount(ofPlan: site.planKey) == 0 { plans[site.planKey] = nil }
        return Reply(status: 200)
    }

    /// Deletes a site whatever is under way with it. It holds its name from now on for the time in the settings.
    mutating func removeSite(_ key: SiteKey, at now: Instant) {
        guard let site = sites[key], !site.isDeleted else { return }
        stopContainers(of: key, page: FrontEndPage.notFound)
        hosts[site.hostName] = nil
        recordDeletion(of: site, at: now)
        let lag = settings.scaled(settings.web.deleteLag)
        if lag > .zero {
            sites[key]?.visibility = .init(deletedUntil: now + lag)
            unsettledSites.insert(key)
        } else {
            forget(key, at: now)
        }
    }

    func siteCount(ofPlan key: String) -> Int { sites.values.count { $0.planKey == key && !$0.isDeleted } }
}
