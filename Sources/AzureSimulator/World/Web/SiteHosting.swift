/// What a site runs on.
enum SiteHosting: Sendable {
    case plan(Plan)
    case environment(ManagedEnvironment)

    /// Empty for an environment.
    var planKey: String {
        if case .plan(let plan) = self { plan.key } else { World.planKey(group: "", name: "") }
    }

    func apply(to site: inout Site) {
        switch self {
        case .plan(let plan):
            site.planName = plan.name
            site.planGroup = plan.group
            site.environmentID = nil
        case .environment(let environment):
            site.planName = ""
            site.planGroup = ""
            site.environmentID = environment.id
        }
    }
}

extension World {
    /// What the body asks for, or what the site runs on already.
    func hosting(of request: SiteRequest, group: String, existing: Site?) throws(SiteRequest.Refusal) -> SiteHosting {
        if let id = request.environmentID ?? (request.plan == nil ? existing?.environmentID : nil) {
            guard let environment = managedEnvironment(id: id) else {
                throw SiteRequest.Refusal(
                    reply: AzureErrorBody.web(
                        404, "NotFound", extended: "51004", "Cannot find {0} with name {1}.",
                        ["ManagedEnvironment", id]))
            }
            // 2 to 32 small letters, digits and hyphens, a letter first (Azure docs, functions-deploy-container-apps,
            // read 2026-02).
            let name = request.name
            guard name.utf8.count <= 32, name == name.lowercased(), name.first?.isLetter == true else {
                throw SiteRequest.parameter("name")
            }
            return .environment(environment)
        }
        if let reference = request.plan {
            let key = Self.planKey(group: reference.group ?? group, name: reference.name)
            guard let plan = plans[key], plan.hiddenUntil == nil else {
                throw SiteRequest.Refusal(
                    reply: AzureErrorBody.web(
                        404, "NotFound", extended: "51004", "Cannot find {0} with name {1}.",
                        ["ServerFarm", reference.name]))
            }
            return .plan(plan)
        }
        guard let existing else { throw SiteRequest.parameter("ServerFarmId") }
        return .plan(plans[existing.planKey] ?? Plan(name: existing.planName, group: existing.planGroup))
    }

    /// The plan of a site; nil on Container Apps.
    func plan(of site: Site) -> Plan? { site.isOnContainerApps ? nil : plans[site.planKey] }

    /// What the platform adds by itself.
    ///
    /// - `WEBSITE_CONTENTSHARE` where the content share's connection is set and the share has no name: "generated for you
    ///   when the site is first created" (Azure docs, functions-infrastructure-as-code, read 2026-02), on plans with such
    ///   a share. That it comes back whenever it is left out is a guess from reports of tools that remove it.
    /// - `WEBSITE_AUTH_ENCRYPTION_KEY` on Container Apps (recorded reply of 2025-05; azure-cli does not send it).
    /// - `hidden-link:` tags, if `WebSettings.linksApplicationInsights`.
    ///
    /// All others that tools meet (`DOCKER_CUSTOM_IMAGE_NAME`, `FUNCTION_APP_EDIT_MODE`, `MACHINEKEY_DecryptionKey`,
    /// `WEBSITES_ENABLE_APP_SERVICE_STORAGE`, `AzureWebJobsDashboard`) are written by azure-cli or the portal.
    mutating func addPlatformParts(to site: inout Site, before: Site?) {
        if site.isOnContainerApps {
            add("WEBSITE_AUTH_ENCRYPTION_KEY", to: &site) { Self.base64(of: $0.hex(64)) }
        } else if plan(of: site)?.sku.hasContentShare == true,
            site.setting("WEBSITE_CONTENTAZUREFILECONNECTIONSTRING") != nil
        {
            let name = site.name.lowercased()
            add("WEBSITE_CONTENTSHARE", to: &site) { name + $0.hex(4) }
        }
        let connection = site.setting(Self.insightsSetting)
        guard settings.web.linksApplicationInsights, let connection, connection != before?.setting(Self.insightsSetting)
        else { return }
        let fields = connection.split(separator: ";").map { $0.split(separator: "=", maxSplits: 1) }
        let key = fields.first { $0.count == 2 && $0[0].lowercased() == "instrumentationkey" }.map { String($0[1]) }
        site.tags.set("hidden-link: /app-insights-conn-string", .string(String(connection.prefix(256))))
        if let key { site.tags.set("hidden-link: /app-insights-instrumentation-key", .string(key)) }
    }

    private static let insightsSetting = "APPLICATIONINSIGHTS_CONNECTION_STRING"

    /// Adds a setting that the site lacks; its value is drawn once for each site.
    private mutating func add(_ name: String, to site: inout Site, draw: (inout SeededGenerator) -> String) {
        guard site.setting(name) == nil else { return }
        let value = site.platformValues[name] ?? draw(&random)
        site.platformValues[name] = value
        site.appSettings.append(AppSetting(name: name, value: value))
    }

    /// Base 64 with padding of the bytes that hex digits stand for.
    private static func base64(of hex: String) -> String {
        let digits = Array(hex.utf8).compactMap(hexDigitValue)
        let bytes = stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        let text = Base64URL.encode(bytes).replacing("-", with: "+").replacing("_", with: "/")
        return text + String(repeating: "=", count: (4 - text.count % 4) % 4)
    }
}
