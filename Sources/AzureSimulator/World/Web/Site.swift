/// A Function App as Microsoft.Web keeps it.
struct Site: Sendable, Codable {
    /// Name and group in the case in which they were last sent.
    var name: String
    var group: String
    var hostName: String
    /// The host of Kudu; nil on Container Apps, which have none.
    var scmHostName: String?
    /// Empty on Container Apps.
    var planName: String
    var planGroup: String
    /// The Container Apps environment in place of a plan.
    var environmentID: String?
    /// As it was sent; what is shown is recomputed.
    var kind: String
    var tags: [JSON.Member] = []
    var identity: SiteIdentity?
    /// Members of `properties` that the client may set and that are kept as they are: `SiteRequest.keptProperties`.
    var properties: [JSON.Member] = []
    /// `siteConfig` without the settings: members that a PUT leaves out keep their value.
    var siteConfig: [JSON.Member] = []
    var appSettings: [AppSetting] = []
    /// Other configurations by their path below `config`, in lower case; see `SiteDocument`.
    var documents: [String: JSON] = [:]
    /// What the platform made up for settings that it adds, by name: they keep their value when they are added again.
    var platformValues: [String: String] = [:]
    var publishingPassword = ""
    var state = "Running"
    var created: Instant
    var lastModified: Instant
    var visibility = Visibility()
    var container = SiteContainer()

    /// What is not yet, or no more, as it should be.
    struct Visibility: Sendable, Codable {
        /// Until then GET answers 404 and lists do not show the site.
        var hiddenUntil: Instant?
        /// Until then GET answers 204: Container Apps still build the app.
        var buildingUntil: Instant?
        /// The site is deleted; until then it holds its name and stands in lists.
        var deletedUntil: Instant?
        /// How GET showed the site before its last change, and until when a fault may show that again.
        var before: JSON?
        var beforeUntil: Instant?

        /// The next time at which something of this changes.
        var next: Instant? { [hiddenUntil, buildingUntil, deletedUntil, beforeUntil].compactMap(\.self).min() }
    }

    var key: SiteKey { SiteKey(name) }
    var planKey: String { World.planKey(group: planGroup, name: planName) }
    var isOnContainerApps: Bool { environmentID != nil }
    /// Whether the site is deleted and only holds its name.
    var isDeleted: Bool { visibility.deletedUntil != nil }

    /// `DOCKER|image`, or what else was sent.
    var linuxFxVersion: String { config("linuxFxVersion")?.string ?? "" }

    /// The image that the site runs; nil if it names none.
    var image: ImageReference? {
        let version = linuxFxVersion
        guard version.lowercased().hasPrefix("docker|") else { return nil }
        return ImageReference(version.dropFirst(7))
    }

    /// Azure recomputes the kind: `container` stays only with an image (a recorded creation of 2022-07 sent
    /// `functionapp,linux,container` with a language stack and got `functionapp,linux`).
    func shownKind(isLinux: Bool) -> String {
        let sent = Set(kind.lowercased().split(separator: ",").map(String.init))
        let base = sent.contains("functionapp") ? "functionapp" : "app"
        if isOnContainerApps { return base + ",linux,container,azurecontainerapps" }
        return base + (isLinux ? ",linux" : "") + (sent.contains("container") && image != nil ? ",container" : "")
    }

    func config(_ name: String) -> JSON? { siteConfig.value(of: name) }

    func property(_ name: String) -> JSON? { properties.value(of: name) }

    func setting(_ name: String) -> String? { appSettings.first { $0.name == name }?.value }

    /// A whole number of seconds from a setting, if it lies within `range`.
    func seconds(_ name: String, within range: ClosedRange<Int>) -> Duration? {
        setting(name).flatMap { Int($0) }.flatMap { range.contains($0) ? .seconds($0) : nil }
    }

    /// What a container is made from: it restarts when this changes, and not for tags (Azure docs, configure-common and
    /// configure-connect-to-azure-storage, read 2026-02).
    var containerInputs: ContainerInputs {
        ContainerInputs(settings: appSettings, config: siteConfig, mounts: documents["azurestorageaccounts"])
    }

    struct ContainerInputs: Equatable, Sendable {
        var settings: [AppSetting]
        var config: [JSON.Member]
        var mounts: JSON?
    }
}

extension [JSON.Member] {
    /// The value of a member, without regard to the case of its name.
    func value(of name: String) -> JSON? { first { $0.name.lowercased() == name.lowercased() }?.value }

    /// Replaces a member's value, or adds the member.
    mutating func set(_ name: String, _ value: JSON) {
        if let index = firstIndex(where: { $0.name.lowercased() == name.lowercased() }) {
            self[index].value = value
        } else {
            append(JSON.Member(name: name, value: value))
        }
    }
}
