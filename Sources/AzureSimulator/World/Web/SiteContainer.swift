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
