/// An App Service plan.
struct Plan: Sendable, Codable {
    var name: String
    var group: String
    var sku = PlanSKU(name: "EP1")
    var capacity = 1
    var tags: [JSON.Member] = []
    /// At most this many instances on Elastic Premium.
    var maximumElasticWorkers = 20
    var perSiteScaling = false
    var zoneRedundant = false
    /// Linux; a plan is one or the other for ever.
    var isLinux = true
    /// Until when its creation takes and it cannot be seen.
    var hiddenUntil: Instant?
    /// When it was made and last written; nil for one that is there from the start.
    var created: Instant?
    var changed: Instant?

    var key: String { World.planKey(group: group, name: name) }
}

/// A pricing tier by its name, such as `EP1`. Tiers, families and kinds as in recorded replies and in the
/// documentation's table of SKUs (REST specification 2025-03-01; azure-cli's `get_sku_tier`, read 2026-11).
struct PlanSKU: Sendable, Codable, Equatable {
    var name: String

    private struct Tier {
        var prefix: String
        var tier: String
        /// What sites show as `sku`.
        var siteSKU: String
        var family: String
    }

    // Longer prefixes first.
    private static let tiers = [
        Tier(prefix: "EP", tier: "ElasticPremium", siteSKU: "ElasticPremium", family: "EP"),
        Tier(prefix: "FC", tier: "FlexConsumption", siteSKU: "FlexConsumption", family: "FC"),
        Tier(prefix: "WS", tier: "WorkflowStandard", siteSKU: "WorkflowStandard", family: "WS"),
        Tier(prefix: "Y", tier: "Dynamic", siteSKU: "Dynamic", family: "Y"),
        Tier(prefix: "F", tier: "Free", siteSKU: "Free", family: "F"),
        Tier(prefix: "D", tier: "Shared", siteSKU: "Shared", family: "D"),
        Tier(prefix: "B", tier: "Basic", siteSKU: "Basic", family: "B"),
        Tier(prefix: "S", tier: "Standard", siteSKU: "Standard", family: "S"),
        Tier(prefix: "I", tier: "IsolatedV2", siteSKU: "IsolatedV2", family: "Iv2"),
    ]

    /// The SKU of a name in any case, as Azure writes it; nil if there is none of that kind.
    init?(sent name: String) {
        let upper = name.uppercased()
        guard let digits = upper.firstIndex(where: \.isNumber) else { return nil }
        let letters = String(upper[..<digits])
        guard letters == "P" || Self.tiers.contains(where: { $0.prefix == letters }) else { return nil }
        // `P0v3`: the version's letter is small.
        self.name = letters + upper[digits...].replacing("V", with: "v").replacing("Mv", with: "mv")
    }

    init(name: String) { self.name = name }

    private var known: Tier {
        if name.hasPrefix("P") {
            let version = name.firstIndex(of: "v").map { String(name[name.index(after: $0)...]) } ?? ""
            let isMemory = name.contains("mv")
            let tier = "Premium" + (isMemory ? "M" : "") + (version.isEmpty ? "" : "V\(version)")
            return Tier(prefix: "P", tier: tier, siteSKU: tier, family: "P" + (version.isEmpty ? "" : "v\(version)"))
        }
        return Self.tiers.first { name.hasPrefix($0.prefix) }
            ?? Tier(prefix: "", tier: "Standard", siteSKU: "Standard", family: "S")
    }

    var tier: String { known.tier }
    var family: String { known.family }
    var siteSKU: String { known.siteSKU }
    var isElastic: Bool { tier == "ElasticPremium" }
    /// Consumption in its two forms: custom containers are accepted and never start (Azure docs, functions-scale, read
    /// 2025-12; MicrosoftDocs/azure-docs 63657 and 81696).
    var isConsumption: Bool { tier == "Dynamic" || tier == "FlexConsumption" }
    /// Whether the platform wants a content share for Function Apps: Elastic Premium and Consumption (Azure docs,
    /// functions-app-settings, read 2026-02).
    var hasContentShare: Bool { isElastic || tier == "Dynamic" }

    /// `kind` of a plan: `elastic`, `functionapp` for Consumption, `linux` for dedicated ones on Linux.
    func kind(isLinux: Bool) -> String {
        if isElastic { return "elastic" }
        if isConsumption { return isLinux && tier == "FlexConsumption" ? "functionapp,linux" : "functionapp" }
        return isLinux ? "linux" : "app"
    }

    /// The name of the worker's size as plans show it.
    var workerSize: String {
        if isElastic { return "D\(name.dropFirst(2))" }
        switch name.last(where: \.isNumber) {
        case "2": return "Medium"
        case "3": return "Large"
        default: return isConsumption ? "Dynamic" : "Small"
        }
    }
}
