// Microsoft.Web's paths that belong to no site and no plan: names, runtimes, regions, deleted sites, operations.

/// A site that was deleted. Azure can restore it for 30 days; nothing is restored here.
struct DeletedSite: Sendable, Codable {
    var number: Int
    var name: String
    var group: String
    var kind: String
    var time: Instant

    /// More are forgotten, the oldest first. The bound is ours.
    static let limit = 1_000
}

extension World {
    /// - Parameter type: the first segment, in lower case.
    mutating func answerCatalogue(_ type: String, _ call: ResourceCall, at now: Instant) -> Reply {
        let rest = call.path.segments.dropFirst().map { $0.lowercased() }
        switch (type, rest.count, call.method) {
        case ("checknameavailability", 0, "POST"): return checkName(call)
        case ("deletedsites", 0, "GET"): return Self.list(deletedSites.map(document))
        case ("deletedsites", 1, "GET"):
            guard let site = deletedSites.first(where: { String($0.number) == rest[0] }) else {
                return notFound("Microsoft.Web/deletedSites/\(rest[0])", group: "")
            }
            return .json(200, document(of: site))
        case ("functionappstacks", 0, "GET"): return Self.list([Self.customStack])
        case ("webappstacks", 0, "GET"), ("availablestacks", 0, "GET"), ("sourcecontrols", 0, "GET"):
            return Self.list([])
        case ("georegions", 0, "GET"): return Self.list([region])
        case ("locations", 2, "GET"):
            switch rest[1] {
            case "deletedsites": return Self.list(deletedSites.map(document))
            case "functionappstacks": return Self.list([Self.customStack])
            case "webappstacks": return Self.list([])
            default: return call.methodNotAllowed
            }
        case ("locations", 2, "POST") where rest[1] == "checknameavailability": return checkName(call)
        case ("locations", 3, "GET") where rest[1] == "operationresults" || rest[1] == "operations":
            return operationResult(rest[2], call: call, at: now)
        default: return call.methodNotAllowed
        }
    }

    // MARK: Names

    private func checkName(_ call: ResourceCall) -> Reply {
        let body: JSON
        do throws(SiteRequest.Refusal) { body = try SiteRequest.object(call.body) } catch { return error.reply }
        let name = body["name"]?.string ?? ""
        func answer(_ reason: String, _ message: String) -> Reply {
            .json(
                200, ["nameAvailable": .bool(reason.isEmpty), "reason": .string(reason), "message": .string(message)])
        }
        guard SiteRequest.isValidName(name) else {
            return answer("Invalid", "The site name '\(name)' is not valid.")
        }
        let isTaken =
            sites[SiteKey(name)] != nil || settings.web.takenNames.contains { SiteKey($0) == SiteKey(name) }
        return isTaken
            ? answer(
                "AlreadyExists",
                "Hostname '\(name)' already exists. Please select a different name.")
            : answer("", "")
    }

    // MARK: Deleted sites

    mutating func recordDeletion(of site: Site, at now: Instant) {
        let number = (deletedSites.last?.number ?? 0) + 1
        deletedSites.append(
            DeletedSite(
                number: number, name: site.name, group: site.group,
                kind: site.shownKind(isLinux: plan(of: site)?.isLinux ?? true), time: now))
        if deletedSites.count > DeletedSite.limit { deletedSites.removeFirst() }
    }

    private func document(of site: DeletedSite) -> JSON {
        [
            "id": .string(
                "/subscriptions/\(settings.subscriptionID)/providers/Microsoft.Web/locations/\(settings.displayLocation)"
                    + "/deletedSites/\(site.number)"),
            "name": .string(String(site.number)), "type": "Microsoft.Web/deletedSites",
            "location": .string(settings.displayLocation),
            "properties": [
                "deletedSiteId": .number(site.number), "deletedTimestamp": .string(site.time.lastModified),
                "subscription": .string(settings.subscriptionID), "resourceGroup": .string(site.group),
                "deletedSiteName": .string(site.name), "slot": "Production", "kind": .string(site.kind),
                "geoRegionName": .string(settings.displayLocation),
            ],
        ]
    }

    // MARK: Regions and runtimes

    private var region: JSON {
        [
            "id": .string(
                "/subscriptions/\(settings.subscriptionID)/providers/Microsoft.Web/geoRegions/\(settings.displayLocation)"
            ),
            "name": .string(settings.displayLocation), "type": "Microsoft.Web/geoRegions",
            "properties": [
                "name": .string(settings.displayLocation), "description": nil,
                "displayName": .string(settings.displayLocation),
                "orgDomain": "PUBLIC;FUNCTIONS;DYNAMIC;LINUX;LINUXDYNAMIC;ELASTICPREMIUM;ELASTICLINUX",
            ],
        ]
    }

    /// The one runtime that has to do with containers; azure-cli asks for runtimes when settings change, and only warns
    /// of those that it does not find (`check_language_runtime`, read 2026-11).
    private static let customStack: JSON = [
        "id": nil, "name": "custom", "type": "Microsoft.Web/functionAppStacks?stackOsType=All",
        "properties": [
            "displayText": "Custom Handler", "value": "custom", "preferredOs": "windows",
            "majorVersions": [
                [
                    "displayText": "Custom Handler", "value": "custom",
                    "minorVersions": [
                        [
                            "displayText": "Custom Handler", "value": "custom",
                            "stackSettings": [
                                "linuxRuntimeSettings": [
                                    "runtimeVersion": "", "isDeprecated": false, "isPreview": false, "isHidden": false,
                                    "isDefault": false, "isAutoUpdate": false, "isEarlyAccess": false,
                                    "remoteDebuggingSupported": false,
                                    "appInsightsSettings": ["isSupported": true],
                                    "gitHubActionSettings": ["isSupported": false],
                                    "appSettingsDictionary": ["FUNCTIONS_WORKER_RUNTIME": "custom"],
                                    "siteConfigPropertiesDictionary": [
                                        "use32BitWorkerProcess": false, "linuxFxVersion": "",
                                    ],
                                    "supportedFunctionsExtensionVersions": ["~4"],
                                ]
                            ],
                        ]
                    ],
                ]
            ],
        ],
    ]
}
