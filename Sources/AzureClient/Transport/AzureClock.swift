import FoundationEssentials

/// The time, as the client is allowed to know it. A value, so that tests and simulations bring their own.
package struct AzureClock: Sendable {
    /// Measures how long things take and when tokens expire; not moved by a change of the wall clock.
    package var now: @Sendable () -> ContinuousClock.Instant
    /// Seconds since 1970. Used only where a reply names a point in time and carries no `Date` of its own.
    package var unixSeconds: @Sendable () -> Int64

    package init(
        now: @escaping @Sendable () -> ContinuousClock.Instant, unixSeconds: @escaping @Sendable () -> Int64
    ) {
        self.now = now
        self.unixSeconds = unixSeconds
    }

    /// The machine's own clocks.
    package static let system = AzureClock(
        now: { ContinuousClock().now }, unixSeconds: { Int64(Date().timeIntervalSince1970) })
}
