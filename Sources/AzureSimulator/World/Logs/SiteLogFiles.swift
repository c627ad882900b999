/// A site's files below `/home/LogFiles` as Kudu shows them: what its containers wrote, and what the platform did with
/// them (KuduLite source of 2021, read 2026-02). The last 256 KiB of each are kept.
struct SiteLogFiles: Sendable {
    var console = ContainerLog()
    var platform = ContainerLog()
    var changed: Instant?
}

/// A request that follows a site's log. It ends when the client goes away, with the site, or at the time limit.
struct LogFollower: Sendable {
    var site: SiteKey
    var since: Instant
    var lastTrace: Instant

    /// How often a follower is told that nothing came (KuduLite source of 2021, read 2026-02).
    static let heartbeat = Duration.seconds(60)
    /// `SCM_LOGSTREAM_TIMEOUT` (same source).
    static let timeLimit = Duration.seconds(7_200)
}

extension World {
    /// Puts bytes into a site's files, and sends them to those who follow the site.
    mutating func keep(_ bytes: [UInt8], of key: SiteKey, isPlatform: Bool = false, at now: Instant) {
        guard sites[key] != nil else { return }
        if isPlatform {
            sites[key]?.container.files.platform.append(bytes)
        } else {
            sites[key]?.container.files.console.append(bytes)
        }
        sites[key]?.container.files.changed = now
        for id in logs.followers.keys.sorted(by: { $0.number < $1.number }) where logs.followers[id]?.site == key {
            logs.followers[id]?.lastTrace = now
            effects.append(.output(id, bytes))
        }
    }
}
