import DesiredState

/// One record in the machine.
struct KeyState {
    enum Phase: Equatable {
        case idle
        /// Woken, and waiting for its turn in this lane.
        case queued(Lane)
        case loading
        case committing(PlanSteps)

        var isActive: Bool {
            switch self {
            case .idle, .queued: false
            case .loading, .committing: true
            }
        }
    }

    var phase = Phase.idle
    /// Something happened since the newest load began.
    var isDirty = false
    /// The most urgent reason since it came to rest; nil at rest.
    var woken: WakeReason?
    /// It counts among the keys that a list brought up.
    var isResync = false
    /// The newest plan asked for calls to Azure: some may wait or be granted.
    var asksForCalls = false
    var nextLook: Instant?
    var storeFailures = 0
    var log = LogFacts(generation: 0, rule: .steady, reason: "")
    var memory = KeyMemory()
}
