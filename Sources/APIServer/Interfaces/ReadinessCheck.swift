/// Knows what keeps the daemon from doing its work.
package protocol ReadinessCheck: Sendable {
    /// A sentence for each thing that is missing; empty = ready. Asked often, so it must be quick.
    func failures() -> [String]
}
