/// How a client lets time pass and draws lots, so that tests do both by themselves.
package struct Pacing: Sendable {
    /// Returns after that time.
    /// - Throws: only if the task was cancelled.
    package var pause: @Sendable (Duration) async throws -> Void
    /// A number in 0..<1, evenly spread.
    package var jitter: @Sendable () -> Double

    /// Begins work that belongs to several callers and so to none of their tasks.
    package var start: @Sendable (@escaping @Sendable () async -> Void) -> Void

    package init(
        pause: @escaping @Sendable (Duration) async throws -> Void, jitter: @escaping @Sendable () -> Double,
        start: @escaping @Sendable (@escaping @Sendable () async -> Void) -> Void = { work in
            // The work itself says when it ends, see where it is begun.
            Task { await work() }
        }
    ) {
        self.pause = pause
        self.jitter = jitter
        self.start = start
    }

    /// The machine's own.
    package static let system = Pacing(
        pause: { try await ContinuousClock().sleep(for: $0) }, jitter: { Double.random(in: 0..<1) })
}
