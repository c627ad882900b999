/// A Function App as Microsoft.Web keeps it.
struct Site: Sendable, Codable {
    /// Name and group in the case in which they were last sent.
    var name: String
    var group: String
    var hostName: String
    var planName: String
    var planGroup: String
    var kind: String
    var tags: [JSON.Member] = []
    var identity: JSON?
    /// Members of `properties` that the client sent and that are kept, but not interpreted.
    var httpsOnly = false
    var publicNetworkAccess = "Enabled"
    var clientAffinityEnabled = false
    /// `siteConfig` without the settings: members that a PUT leaves out keep their value.
    var siteConfig: [JSON.Member] = []
    var appSettings: [AppSetting] = []
    var state = "Running"
    var lastModified: Instant
    var container = SiteContainer()

    var key: SiteKey { SiteKey(name) }

    /// `DOCKER|image`, or what else was sent.
    var linuxFxVersion: String { config("linuxFxVersion")?.string ?? "" }

    /// The image that the site runs; nil if it names none.
    var image: ImageReference? {
        let version = linuxFxVersion
        guard version.lowercased().hasPrefix("docker|") else { return nil }
        return ImageReference(version.dropFirst(7))
    }

    func config(_ name: String) -> JSON? {
        siteConfig.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    func setting(_ name: String) -> String? { appSettings.first { $0.name == name }?.value }

    /// A whole number of seconds from a setting, if it lies within `range`.
    func seconds(_ name: String, within range: ClosedRange<Int>) -> Duration? {
        setting(name).flatMap { Int($0) }.flatMap { range.contains($0) ? .seconds($0) : nil }
    }
}

/// A site's container. Exits of its states:
/// - nothing: the site is created, or started again → starting, or waiting if the image cannot be pulled;
/// - starting: answers the ping → serving; exits, or the start limit passes → waiting; replaced or deleted → nothing;
/// - serving: exits → starting or waiting; a changed site → starting beside it, which takes its place when it is ready;
/// - waiting: `retryAt` → starting.
struct SiteContainer: Sendable {
    struct Starting: Sendable {
        var instance: InstanceID
        /// When the start has failed.
        var deadline: Instant
    }

    struct Serving: Sendable {
        var instance: InstanceID
        var since: Instant
    }

    var starting: Starting?
    var serving: Serving?
    /// When a failed start is tried again.
    var retryAt: Instant?
    /// Starts that failed in a row.
    var failures = 0
    /// How often a container was started; part of the names in its log.
    var starts = 0
    /// Requests that wait for the start.
    var held: [RequestID] = []
    var log = ContainerLog()
}

/// An App Service plan of the Elastic Premium tier.
struct Plan: Sendable, Codable {
    var name: String
    var group: String
}

/// The last 256 KiB of a container log. Azure keeps more (files of several MiB); the bound is ours.
struct ContainerLog: Sendable {
    static let limitBytes = 256 * 1_024
    private var bytes: [UInt8] = []

    mutating func append(_ more: some Sequence<UInt8>) {
        bytes.append(contentsOf: more)
        // Dropping a quarter at a time keeps the cost per byte constant.
        if bytes.count > Self.limitBytes + Self.limitBytes / 4 { bytes.removeFirst(bytes.count - Self.limitBytes) }
    }

    var tail: ArraySlice<UInt8> { bytes.suffix(Self.limitBytes) }
}
