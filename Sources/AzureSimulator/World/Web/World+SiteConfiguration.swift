// Microsoft.Web/sites/config. What holds secrets is read by `POST …/list`; GET answers 405 there.

extension World {
    /// - Parameter path: below the site, in lower case.
    mutating func answerConfig(_ path: [String], of site: Site, _ call: ResourceCall, at now: Instant) -> Reply {
        do throws(SiteRequest.Refusal) {
            switch (path.joined(separator: "/"), call.method) {
            case ("config", "GET"): return Self.list([configDocument(of: site)])
            case ("config/web", "GET"): return .json(200, configDocument(of: site))
            case ("config/web", "PUT"), ("config/web", "PATCH"): return try putConfig(of: site, call, at: now)
            case ("config/appsettings", "PUT"): return try putAppSettings(of: site, call, at: now)
            case ("config/appsettings/list", "POST"): return .json(200, appSettingsDocument(of: site))
            case ("config/publishingcredentials/list", "POST"): return .json(200, credentials(of: site))
            case ("basicpublishingcredentialspolicies", "GET"):
                return Self.list(SiteDocument.policies.map { policyDocument($0, of: site) })
            default: break
            }
            if path.count == 2, path[0] == "basicpublishingcredentialspolicies",
                let policy = SiteDocument.policies.first(where: { $0.spelling == path[1] })
            {
                return try answer(policy, of: site, isList: false, call, at: now)
            }
            let isList = path.count == 3 && path[2] == "list"
            if path.count == 2 || isList, let document = SiteDocument.all.first(where: { $0.path == path[1] }) {
                return try answer(document, of: site, isList: isList, call, at: now)
            }
            return call.methodNotAllowed
        } catch {
            return error.reply
        }
    }

    private mutating func answer(
        _ document: SiteDocument, of site: Site, isList: Bool, _ call: ResourceCall, at now: Instant
    ) throws(SiteRequest.Refusal) -> Reply {
        switch (call.method, isList) {
        case ("POST", true) where document.isSecret, ("GET", false) where !document.isSecret,
            ("GET", true) where document.path == "authsettingsv2":
            return .json(200, show(document, of: site))
        case ("PUT", false):
            let properties = try Self.properties(of: call)
            if document.path == "azurestorageaccounts" { try Self.checkMounts(properties) }
            return try change(site, at: now) { changed in
                changed.documents[document.path] = properties
            } reply: { world, changed in
                world.show(document, of: changed)
            }
        default: return call.methodNotAllowed
        }
    }

    /// Changes a site, unless it is busy. The `ETag` of the reply is that of the site *before* the change (decoded from
    /// recorded replies of 2022-03).
    private mutating func change(
        _ site: Site, at now: Instant, _ body: (inout Site) -> Void, reply: (World, Site) -> JSON
    ) throws(SiteRequest.Refusal) -> Reply {
        if let busy = busyReply(site: site.key, planKey: site.planKey, at: now) {
            throw SiteRequest.Refusal(reply: busy)
        }
        var changed = site
        body(&changed)
        changed.lastModified = now
        addPlatformParts(to: &changed, before: site)
        commit(changed, before: site, at: now)
        var answer = Reply.json(200, reply(self, changed))
        answer.add("ETag", "\"\(site.lastModified.fileTime)\"")
        return answer
    }

    private static func properties(of call: ResourceCall) throws(SiteRequest.Refusal) -> JSON {
        let properties = try SiteRequest.object(call.body)["properties"] ?? [:]
        if properties.isNull { return [:] }
        guard properties.members != nil else { throw SiteRequest.content("'properties' is not an object") }
        return properties
    }

    // MARK: Settings

    /// Replaces the whole set. Container Apps answer 202 with a location and no body, though the specification knows
    /// only 200 (azure-cli's `update_application_settings_polling`, read 2026-11).
    private mutating func putAppSettings(of site: Site, _ call: ResourceCall, at now: Instant)
        throws(SiteRequest.Refusal) -> Reply
    {
        let members = try Self.properties(of: call).members ?? []
        let elements = members.map {
            JSON.object([.init(name: "name", value: .string($0.name)), .init(name: "value", value: $0.value)])
        }
        let settings = try SiteRequest.appSettings(.array(elements)) ?? []
        let reply = try change(site, at: now) { changed in
            changed.appSettings = settings
        } reply: { world, changed in
            world.appSettingsDocument(of: changed)
        }
        guard site.isOnContainerApps else { return reply }
        let pace = beginWrite(
            .site(site.key.text), name: "Update", group: site.group, resourceID: id(of: site),
            slow: WebSettings.slowWrite, isOnContainerApps: true, at: now)
        guard case .accepted(let operation, _) = pace else { return reply }
        var accepted = accepted(operation, body: [:], call: call)
        accepted.body = []
        return accepted
    }

    private func appSettingsDocument(of site: Site) -> JSON {
        child(
            of: site, "config/appsettings", type: "Microsoft.Web/sites/config", name: "appsettings",
            .object(site.appSettings.map { .init(name: $0.name, value: .string($0.value)) }))
    }

    // MARK: The site's configuration

    /// PUT merges as PATCH does: a guess, as the specification does not say what becomes of members that are left out.
    private mutating func putConfig(of site: Site, _ call: ResourceCall, at now: Instant)
        throws(SiteRequest.Refusal) -> Reply
    {
        let config = try Self.properties(of: call)
        try SiteRequest.checkConfig(config)
        let settings = try SiteRequest.appSettings(config["appSettings"])
        return try change(site, at: now) { changed in
            SiteRequest.merge(config, into: &changed)
            // The command line writes a blank to take an image away.
            if changed.linuxFxVersion.allSatisfy({ $0 == " " }) { changed.siteConfig.set("linuxFxVersion", "") }
            if let settings { changed.appSettings = settings }
        } reply: { world, changed in
            world.configDocument(of: changed)
        }
    }

    private func configDocument(of site: Site) -> JSON {
        child(of: site, "config/web", type: "Microsoft.Web/sites/config", name: site.name, fullConfig(of: site))
    }

    // MARK: Other documents

    private func show(_ document: SiteDocument, of site: Site) -> JSON {
        if document.path.hasPrefix("policy-") { return policyDocument(document, of: site) }
        var value = document.value(in: site)
        if document.path == "azurestorageaccounts" {
            value = .object(
                (value.members ?? []).map { member in
                    var mount = member.value
                    if mount["state"] == nil { mount.add("state", .string(mountState(mount))) }
                    if mount["protocol"] == nil { mount.add("protocol", "Smb") }
                    return .init(name: member.name, value: mount)
                })
        }
        if document.path == "slotconfignames" {
            return [
                "id": nil, "name": .string(site.name), "type": "Microsoft.Web/sites",
                "location": .string(settings.displayLocation), "properties": value,
            ]
        }
        return child(
            of: site, "config/\(document.spelling)", type: "Microsoft.Web/sites/config", name: document.spelling, value)
    }

    private func policyDocument(_ policy: SiteDocument, of site: Site) -> JSON {
        child(
            of: site, "basicPublishingCredentialsPolicies/\(policy.spelling)",
            type: "Microsoft.Web/sites/basicPublishingCredentialsPolicies", name: policy.spelling,
            policy.value(in: site))
    }

    /// At most five mounts, not on `/` or `/home` (Azure docs, configure-connect-to-azure-storage, read 2026-02). The
    /// codes are guesses.
    private static func checkMounts(_ mounts: JSON) throws(SiteRequest.Refusal) {
        let members = mounts.members ?? []
        guard members.count <= 5 else { throw SiteRequest.parameter("AzureStorageAccounts") }
        for mount in members {
            guard mount.value.members != nil, mount.value["accountName"]?.string?.isEmpty == false,
                mount.value["shareName"]?.string?.isEmpty == false
            else { throw SiteRequest.parameter("AzureStorageAccounts") }
            let path = mount.value["mountPath"]?.string ?? ""
            guard path != "/", path != "/home", path.isEmpty || path.hasPrefix("/") else {
                throw SiteRequest.parameter("MountPath")
            }
        }
    }

    private func credentials(of site: Site) -> JSON {
        let user = "$\(site.name)"
        return child(
            of: site, "publishingcredentials/\(user)", type: "Microsoft.Web/sites/publishingcredentials",
            name: site.name,
            [
                "name": nil, "publishingUserName": .string(user),
                "publishingPassword": .string(site.publishingPassword),
                "publishingPasswordHash": nil, "publishingPasswordHashSalt": nil, "metadata": nil, "isDeleted": false,
                "scmUri": .text(site.scmHostName.map { "https://\(user):\(site.publishingPassword)@\($0)" }),
            ])
    }
}

extension Instant {
    /// A Windows file time in hex, as Microsoft.Web writes its `ETag`s (decoded from recorded replies of 2022-03).
    var fileTime: String { String(nanoseconds / 100 + 116_444_736_000_000_000, radix: 16, uppercase: true) }
}
