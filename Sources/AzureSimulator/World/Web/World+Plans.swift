// Microsoft.Web/serverfarms. azure-cli and azurerm take any of the recorded forms of the type's case.

extension World {
    func id(of plan: Plan) -> String {
        "/subscriptions/\(settings.subscriptionID)/resourceGroups/\(plan.group)/providers/Microsoft.Web/serverfarms/"
            + plan.name
    }

    static func planKey(group: String, name: String) -> String { "\(group)/\(name)".lowercased() }

    mutating func answerPlan(_ name: String, group: String, _ call: ResourceCall, at now: Instant) -> Reply {
        let key = Self.planKey(group: group, name: name)
        let plan = plans[key].flatMap { $0.hiddenUntil.map { $0 > now } == true ? nil : $0 }
        do throws(SiteRequest.Refusal) {
            switch (call.path.suffix, call.method) {
            case ("", "PUT"): return try putPlan(name, group: group, existing: plans[key], call, at: now)
            case ("", "PATCH") where plan != nil:
                return try putPlan(name, group: group, existing: plan, call, at: now)
            case ("", "DELETE"): return deletePlan(key, at: now)
            default: break
            }
        } catch {
            return error.reply
        }
        guard let plan else { return notFound("Microsoft.Web/serverFarms/\(name)", group: group) }
        switch (call.path.suffix, call.method) {
        case ("", "GET"): return .json(200, resource(plan, siteCount: siteCount(ofPlan: key)))
        case ("sites", "GET"): return listSites(call) { $0.planKey == key && !$0.isDeleted }
        case ("usages", "GET"), ("hybridconnectionrelays", "GET"), ("virtualnetworkconnections", "GET"),
            ("capabilities", "GET"):
            return Self.list([])
        case ("restartsites", "POST"): return restartSites(ofPlan: key, at: now)
        default: return call.methodNotAllowed
        }
    }

    func listPlans(group: String?) -> Reply {
        let shown = plans.values.filter {
            ($0.hiddenUntil == nil) && (group == nil || $0.group.lowercased() == group?.lowercased())
        }
        let sorted = shown.map { (key: $0.key, plan: $0) }.sorted { $0.key < $1.key }
        return Self.list(sorted.map { resource($0.plan, siteCount: siteCount(ofPlan: $0.key)) })
    }

    private mutating func putPlan(
        _ name: String, group: String, existing: Plan?, _ call: ResourceCall, at now: Instant
    ) throws(SiteRequest.Refusal) -> Reply {
        let body = try SiteRequest.object(call.body)
        let isPut = call.method == "PUT"
        if isPut { try SiteRequest.checkLocation(of: body, type: "Microsoft.Web/serverfarms", settings: settings) }
        // 1 to 60 letters, digits and hyphens (Azure docs, resource-name-rules, read 2026-02).
        guard (1...60).contains(name.utf8.count),
            name.unicodeScalars.allSatisfy({
                $0.properties.isAlphabetic || $0.properties.numericType != nil || $0 == "-"
            })
        else { throw SiteRequest.parameter("name") }
        let key = Self.planKey(group: group, name: name)
        if let busy = busyReply(planKey: key, webSpace: webSpace(of: group), at: now) {
            throw SiteRequest.Refusal(reply: busy)
        }
        var plan = existing ?? Plan(name: name, group: group, created: now)
        try Self.apply(body, isPut: isPut, isNew: existing == nil, to: &plan)
        plan.changed = now
        var reply = Reply.json(200, resource(plan, siteCount: siteCount(ofPlan: key)))
        if isPut {
            let pace = beginWrite(
                .plan(key), name: existing == nil ? "Create" : "Update", group: group, resourceID: id(of: plan),
                slow: WebSettings.slowPlanWrite, at: now)
            switch pace {
            case .now: break
            case .blocks(let end): delayReply(until: end)
            case .accepted(let operation, let isVisible):
                reply = accepted(operation, body: resource(plan, siteCount: 0), call: call)
                if operation.fails { return reply }
                if existing == nil, !isVisible { plan.hiddenUntil = operation.ends }
            }
        }
        plans[key] = plan
        // Without quotes, unlike a site's (recorded reply of 2026-05); that it is the time of this write is a guess.
        reply.add("ETag", now.fileTime)
        return reply
    }

    private static func apply(_ body: JSON, isPut: Bool, isNew: Bool, to plan: inout Plan) throws(SiteRequest.Refusal) {
        if let name = body["sku"]?["name"]?.string ?? body["sku"]?["size"]?.string {
            guard let sku = PlanSKU(sent: name) else { throw SiteRequest.parameter("SKU") }
            plan.sku = sku
        } else if isNew {
            // Without a SKU Azure makes a free one (REST specification: the default tier is Free).
            plan.sku = PlanSKU(name: "F1")
        }
        func number(_ value: JSON?) -> Int? {
            if case .number(let text)? = value { Int(text) } else { nil }
        }
        func flag(_ value: JSON?) -> Bool? {
            if case .bool(let flag)? = value { flag } else { nil }
        }
        let properties = body["properties"]
        if let capacity = number(body["sku"]?["capacity"]) { plan.capacity = capacity }
        if let count = number(properties?["maximumElasticWorkerCount"]) {
            plan.maximumElasticWorkers = count
        } else if isNew {
            plan.maximumElasticWorkers = 1
        }
        if let isLinux = flag(properties?["reserved"]) {
            plan.isLinux = isLinux
        } else if isNew {
            plan.isLinux = body["kind"]?.string?.lowercased().contains("linux") == true
        }
        if let value = flag(properties?["perSiteScaling"]) { plan.perSiteScaling = value }
        if let value = flag(properties?["zoneRedundant"]) { plan.zoneRedundant = value }
        let tags = try SiteRequest.tags(body["tags"])
        if isPut || body["tags"]?.members != nil { plan.tags = tags }
    }

    /// 204 for a plan that is not there; a plan with apps stays. The message is that of threads on the subject.
    private mutating func deletePlan(_ key: String, at now: Instant) -> Reply {
        guard let plan = plans[key] else { return Reply(status: 204) }
        if let busy = busyReply(planKey: key, webSpace: webSpace(of: plan.group), at: now) { return busy }
        let count = siteCount(ofPlan: key)
        guard count == 0 else {
            let names = siteOrder.compactMap { sites[$0] }.filter { $0.planKey == key && !$0.isDeleted }.map(\.name)
            return AzureErrorBody.web(
                409, "Conflict", extended: "11003",
                "Server farm '{0}' cannot be deleted because it has web app(s) {1} assigned to it.",
                [plan.name, names.prefix(10).joined(separator: ", ")])
        }
        plans[key] = nil
        return Reply(status: 200)
    }

    private mutating func restartSites(ofPlan key: String, at now: Instant) -> Reply {
        for site in siteOrder where sites[site]?.planKey == key { startContainer(of: site, at: now) }
        return Reply(status: 204)
    }

    // MARK: In replies

    /// Members as in recorded replies of Azure/azure-cli (2019 and 2025-01, read 2026-11).
    func resource(_ plan: Plan, siteCount: Int) -> JSON {
        let sku: JSON = [
            "name": .string(plan.sku.name), "tier": .string(plan.sku.tier), "size": .string(plan.sku.name),
            "family": .string(plan.sku.family), "capacity": .number(plan.sku.isConsumption ? 0 : plan.capacity),
        ]
        let kind = plan.sku.kind(isLinux: plan.isLinux)
        var members: [JSON.Member] = [
            .init(name: "id", value: .string(id(of: plan))), .init(name: "name", value: .string(plan.name)),
            .init(name: "type", value: "Microsoft.Web/serverfarms"), .init(name: "kind", value: .string(kind)),
            .init(name: "location", value: .string(settings.displayLocation)),
        ]
        // A plan without tags has no such member (recorded replies of 2019-11 and 2026-05).
        if !plan.tags.isEmpty { members.append(.init(name: "tags", value: .object(plan.tags))) }
        var properties: JSON = [
            "serverFarmId": .number(planNumber(plan)), "name": .string(plan.name), "sku": sku,
            "workerSize": .string(plan.sku.workerSize), "workerSizeId": 0, "workerTierName": nil,
            "numberOfWorkers": .number(plan.capacity), "currentWorkerSize": .string(plan.sku.workerSize),
            "currentWorkerSizeId": 0, "currentNumberOfWorkers": .number(plan.capacity), "status": "Ready",
            "webSpace": .string(webSpace(of: plan.group)), "subscription": .string(settings.subscriptionID),
            "adminSiteName": nil, "hostingEnvironment": nil, "hostingEnvironmentProfile": nil,
            "maximumNumberOfWorkers": .number(plan.sku.isElastic ? 0 : 10), "planName": "VirtualDedicatedPlan",
            "adminRuntimeSiteName": nil,
            "computeMode": .string(plan.sku.isConsumption ? "Dynamic" : "Dedicated"), "siteMode": nil,
            "geoRegion": .string(settings.displayLocation), "perSiteScaling": .bool(plan.perSiteScaling),
            "elasticScaleEnabled": .bool(plan.sku.isElastic),
            "maximumElasticWorkerCount": .number(plan.maximumElasticWorkers),
            "numberOfSites": .number(siteCount), "hostingEnvironmentId": nil, "isSpot": false,
            "spotExpirationTime": nil, "freeOfferExpirationTime": nil,
            "tags": plan.tags.isEmpty ? nil : .object(plan.tags),
            "kind": .string(kind), "resourceGroup": .string(plan.group), "reserved": .bool(plan.isLinux),
            "isXenon": false, "hyperV": false, "mdmId": .string("waws-prod-simulator_\(planNumber(plan))"),
            "targetWorkerCount": 0, "targetWorkerSizeId": 0, "targetWorkerSku": nil,
            "provisioningState": "Succeeded",
            "webSiteId": nil, "existingServerFarmIds": nil, "kubeEnvironmentProfile": nil,
            "zoneRedundant": .bool(plan.zoneRedundant), "maximumNumberOfZones": 3,
            "currentNumberOfZonesUtilized": .number(plan.zoneRedundant ? 3 : 1), "migrateToVMSS": nil,
            "vnetConnectionsUsed": nil, "vnetConnectionsMax": nil, "asyncScalingEnabled": false,
            "isCustomMode": false, "powerState": "Running", "eligibleLogCategories": "",
        ]
        if let created = plan.created { properties.add("createdTime", .string(created.lastModified)) }
        members += [.init(name: "properties", value: properties), .init(name: "sku", value: sku)]
        return .object(members)
    }

    /// A number that stays the same for a plan's name.
    private func planNumber(_ plan: Plan) -> Int { Int(plan.key.utf8.reduce(0) { ($0 &* 31 &+ UInt32($1)) % 100_000 }) }
}
