package import AzureClient
import DesiredState

/// One owned field of a site that is not as designed.
package struct Difference: Hashable, Sendable {
    /// Such as `siteConfig.linuxFxVersion`, `appSettings.NAME`, `tags.NAME`, `mounts.ID`.
    package let field: String
    /// Nil = should not be there. Values of settings and keys are redacted.
    package let desired: String?
    /// Nil = is not there.
    package let observed: String?
}

extension SiteDesign {
    /// Where the site differs from its design, in the fields that we own and no others, in a fixed order. What Azure
    /// leaves out of its answers is not taken for a difference, except where its absence has a meaning.
    package func differences(on ground: Ground, from details: SiteDetails) -> [Difference] {
        var found: [Difference] = []
        func compare(_ field: String, _ desired: String?, _ observed: String?) {
            if desired != observed { found.append(Difference(field: field, desired: desired, observed: observed)) }
        }
        compareKind(on: ground, details.site, compare)
        compare("location", AppServicePlan.region(location), AppServicePlan.region(details.site.location))
        compareHosting(ground, details.site, compare)
        let image = ImageText.canonical(fxVersion: details.config["linuxFxVersion"]?.string ?? "")
        compare("siteConfig.linuxFxVersion", ImageText.canonical(fxVersion: self.image), image)
        for field in fields(on: ground) { compareField(field, details, compare) }
        compareIdentity(on: ground, details, compare)
        compareTags(details.site, compare)
        compareSettings(on: ground, details.appSettings, compare)
        compareMounts(details.mounts, compare)
        // The switch alone: what else keeps a site from running, such as a quota, is not undone by switching it on.
        if details.site.isStopped { compare("state", "Running", details.site.state) }
        return found
    }

    private typealias Compare = (_ field: String, _ desired: String?, _ observed: String?) -> Void

    /// As a set that has to hold what makes it a Linux Function App: Azure recomputes the text, and `container` comes
    /// and goes (azure-cli recordings, read 2026-02).
    private func compareKind(on ground: Ground, _ site: Site, _ compare: Compare) {
        guard let kind = site.kind else { return }
        let words = Set(kind.lowercased().split(separator: ",").map { $0.filter { !$0.isWhitespace } })
        var wanted: Set = ["functionapp", "linux"]
        if case .containerApps = ground { wanted.insert("azurecontainerapps") }
        if !wanted.isSubset(of: words) { compare("kind", wanted.sorted().joined(separator: ","), kind) }
    }

    private func compareHosting(_ ground: Ground, _ site: Site, _ compare: Compare) {
        switch ground {
        case .elasticPremium(let id), .dedicated(let id):
            if let observed = site.serverFarmID, observed != id {
                compare("serverFarmId", id.description, observed.description)
            }
        case .containerApps(let id):
            if let observed = site.managedEnvironmentID, observed != id {
                compare("managedEnvironmentId", id.description, observed.description)
            }
        }
    }

    private func compareField(_ field: SiteField, _ details: SiteDetails, _ compare: Compare) {
        guard let (name, desired, observed) = field.comparison(in: details), let observed, observed != .null else {
            return
        }
        compare(name, desired, text(observed))
    }

    private func compareIdentity(on ground: Ground, _ details: SiteDetails, _ compare: Compare) {
        if let identity, let id = ResourceID(identity.resourceID), details.site.identities.userAssigned[id] == nil {
            compare("identity", identity.resourceID, nil)
        }
        guard pullsWithIdentity else { return }
        let uses = details.config["acrUseManagedIdentityCreds"]?.bool ?? false
        compare("siteConfig.acrUseManagedIdentityCreds", "true", "\(uses)")
        // Without one the site's own identity is used, so its absence is a difference.
        compare(
            "siteConfig.acrUserManagedIdentityID", registryIdentity(on: ground)?.lowercased(),
            details.config["acrUserManagedIdentityID"]?.string?.lowercased())
    }

    /// But for the writer, which says who wrote and not what.
    private func compareTags(_ site: Site, _ compare: Compare) {
        let observed = Dictionary(site.tags.map { ($0.key.lowercased(), $0.value) }, uniquingKeysWith: { $1 })
        for (name, value) in tags.sorted(by: { $0.key < $1.key })
        where name != SiteTag.writer && name != SiteTag.recordName {
            compare("tags.\(name)", value, observed[name.lowercased()])
        }
    }

    private func compareSettings(on ground: Ground, _ settings: [String: Secret], _ compare: Compare) {
        let observed = Dictionary(settings.map { ($0.key.uppercased(), $0.value) }, uniquingKeysWith: { $1 })
        let own = self.settings(on: ground)
        for setting in own where observed[setting.name.uppercased()] != Secret(setting.value) {
            let shown = observed[setting.name.uppercased()].map { _ in "another value" }
            compare("appSettings.\(setting.name)", Secret.redacted, shown)
        }
        let names = Set(own.map { $0.name.uppercased() })
        for name in SiteDesign.ownedNames(in: settings).subtracting(names).sorted() where observed[name] != nil {
            compare("appSettings.\(name)", nil, Secret.redacted)
        }
        guard pullsWithIdentity else { return }
        for name in SiteSetting.registry where observed[name] != nil && !names.contains(name) {
            compare("appSettings.\(name)", nil, Secret.redacted)
        }
    }

    private func compareMounts(_ observed: [String: SiteMount], _ compare: Compare) {
        for (id, mount) in mounts.sorted(by: { $0.key < $1.key }) {
            let found = observed[id]
            compare("mounts.\(id)", text(mount), found.map(text))
            // The account's key was changed since; it is read anew with the next write.
            if found?.state?.lowercased() == "invalidcredentials" {
                compare("mounts.\(id).accessKey", Secret.redacted, "one that the account does not take")
            }
        }
    }

    /// Without the key: Azure need not tell it.
    private func text(_ mount: SiteMount) -> String {
        "\(mount.type) \(mount.accountName)/\(mount.shareName) at \(mount.mountPath)"
    }

    private func text(_ value: JSONValue) -> String {
        switch value {
        case .bool(let truth): "\(truth)"
        case .integer(let number): "\(number)"
        case .string(let text): text
        case .null, .number, .array, .object: "another kind of value"
        }
    }
}

/// Images as Azure's tools spell them.
enum ImageText {
    /// One spelling for all that name the same image: `Docker|` or `DOCKER|` or neither in front, a scheme, Docker
    /// Hub's several hosts (terraform-provider-azurerm `fx_strings.go` and issues 16483, 22379; azure-cli
    /// `_format_fx_version`; read 2026-11). What is no image is returned in lower case.
    static func canonical(fxVersion text: String) -> String {
        var text = text.trimmingPrefix(while: \.isWhitespace)
        for prefix in ["docker|", "https://", "http://"] where text.lowercased().hasPrefix(prefix) {
            text = text.dropFirst(prefix.count)
        }
        for host in ["index.docker.io/", "registry-1.docker.io/", "registry.hub.docker.com/"]
        where text.lowercased().hasPrefix(host) {
            text = "docker.io/" + text.dropFirst(host.count)
        }
        while let last = text.last, last == "/" || last.isWhitespace { text.removeLast() }
        do {
            return try ImageReference(parsing: String(text)).canonical
        } catch {
            return text.lowercased()
        }
    }
}
