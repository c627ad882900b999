// Where a call of Microsoft.Web leads.

extension World {
    /// Versions of Microsoft.Web that are answered, all alike.
    static let webVersions = [
        "2015-08-01", "2016-03-01", "2016-08-01", "2018-02-01", "2018-11-01", "2019-08-01", "2020-06-01", "2020-09-01",
        "2020-10-01", "2020-12-01", "2021-01-01", "2021-01-15", "2021-02-01", "2021-03-01", "2022-03-01", "2022-09-01",
        "2023-01-01", "2023-12-01", "2024-04-01", "2024-11-01", "2025-03-01", "2025-05-01",
    ]

    /// Types of Microsoft.Web, as Azure spells them.
    static let webTypes = [
        "sites", "serverFarms", "locations", "checkNameAvailability", "deletedSites", "availableStacks",
        "functionAppStacks", "webAppStacks", "geoRegions", "sourceControls", "publishingUsers",
    ]

    /// Every reply shows what App Service's front is made of (recorded replies, 2019 to 2026).
    mutating func answerWeb(_ call: ResourceCall, at now: Instant) -> Reply {
        var reply = route(call, at: now)
        reply.add("X-AspNet-Version", "4.0.30319")
        reply.add("X-Powered-By", "ASP.NET")
        return reply
    }

    private mutating func route(_ call: ResourceCall, at now: Instant) -> Reply {
        let type = call.path.segments[0].lowercased()
        switch (type, call.path.group, call.path.name) {
        case ("sites", let group?, let name?): return answerSite(name, group: group, call, at: now)
        case ("serverfarms", let group?, let name?): return answerPlan(name, group: group, call, at: now)
        case ("sites", nil, .some) where call.path.segments.count == 4:
            guard call.path.segments[2].lowercased() == "operationresults", call.method == "GET" else {
                return call.methodNotAllowed
            }
            return operationResult(call.path.segments[3], call: call, at: now)
        case ("sites", let group, nil):
            guard call.method == "GET" else { return call.methodNotAllowed }
            return listSites(call) { group == nil || $0.group.lowercased() == group?.lowercased() }
        case ("serverfarms", let group, nil):
            return call.method == "GET" ? listPlans(group: group) : call.methodNotAllowed
        default: return answerCatalogue(type, call, at: now)
        }
    }

    private mutating func answerSite(_ name: String, group: String, _ call: ResourceCall, at now: Instant) -> Reply {
        if call.path.suffix.isEmpty {
            switch call.method {
            case "GET": return getSite(name, group: group)
            case "PUT": return putSite(.put, name, group: group, call, at: now)
            case "PATCH": return putSite(.patch, name, group: group, call, at: now)
            case "DELETE":
                let deletesPlan = call.parameter("deleteEmptyServerFarm")?.lowercased() != "false"
                return deleteSite(name, group: group, deletesEmptyPlan: deletesPlan, at: now)
            default: return call.methodNotAllowed
            }
        }
        guard let site = site(name, group: group) else { return siteNotFound(name, group: group) }
        let path = call.path.segments.dropFirst(2).map { $0.lowercased() }
        if path[0] == "config" || path[0] == "basicpublishingcredentialspolicies" {
            return answerConfig(Array(path), of: site, call, at: now)
        }
        return answerSiteAction(path.joined(separator: "/"), of: site, call, at: now)
    }
}
