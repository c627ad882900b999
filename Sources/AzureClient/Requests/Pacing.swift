/// How a client lets time pass and draws lots, so that tests do both by themselves.
struct Pacing: Sendable {
    /// Returns after that time.
    /// - Throws: only if the task was cancelled.
    var pause: @Sendable (Duration) async throws -> Void
    /// A number in 0..<1, evenly spread.
    var jitter: @Sendable () -> Double

    /// The machine's own.
    static let system = Pacing(
        pause: { try await ContinuousClock().sleep(for: $0) }, jitter: { Double.random(in: 0..<1) })
}
