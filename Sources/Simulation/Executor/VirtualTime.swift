import HeapModule

/// The time of a simulation: it stands still while jobs run, and jumps to the next timer when all are done.
///
/// Unchecked: see `Once`.
final class VirtualTime: @unchecked Sendable {
    private struct Timer: Comparable {
        let at: Int64
        let number: UInt64

        static func < (left: Timer, right: Timer) -> Bool { (left.at, left.number) < (right.at, right.number) }
    }

    /// 2027-01-15T08:00:00Z; any time would do.
    static let start: Int64 = 1_800_000_000_000_000_000

    /// Nanoseconds since the start, never moved back.
    private(set) var elapsed: Int64 = 0
    /// How far the controller's wall clock is off. Azure's own clock never is.
    private(set) var wallOffset: Int64 = 0
    private var timers = Heap<Timer>()
    private var actions: [UInt64: @Sendable () -> Void] = [:]
    private var lastNumber: UInt64 = 0

    /// Nanoseconds since 1970 on Azure's clock, and on a controller's that was never set.
    var steady: Int64 { Self.start + elapsed }
    /// Nanoseconds since 1970 on the clock that somebody may set.
    var wall: Int64 { steady + wallOffset }

    func stepWall(by nanoseconds: Int64) { wallOffset += nanoseconds }

    /// What it returns takes the order back.
    @discardableResult
    func after(_ delay: Duration, _ action: @escaping @Sendable () -> Void) -> @Sendable () -> Void {
        lastNumber += 1
        let number = lastNumber
        timers.insert(Timer(at: elapsed + max(0, nanoseconds(delay)), number: number))
        actions[number] = action
        return { [weak self] in self?.actions[number] = nil }
    }

    /// When the next timer is due, in nanoseconds since the start.
    var nextDue: Int64? {
        while let first = timers.min, actions[first.number] == nil { timers.removeMin() }
        return timers.min?.at
    }

    /// Moves on to the next timer and fires it.
    func advance() {
        guard let due = nextDue, let first = timers.popMin() else { return }
        elapsed = max(elapsed, due)
        actions.removeValue(forKey: first.number)?()
    }

    /// Moves on without a timer.
    func advance(to instant: Int64) { elapsed = max(elapsed, instant) }

    /// - Throws: only if the task is cancelled.
    func pause(_ duration: Duration) async throws {
        let done = Once<Bool>()
        let cancel = after(duration) { done.resolve(true) }
        guard await done.wait(onCancel: false) else {
            cancel()
            throw CancellationError()
        }
    }
}

func nanoseconds(_ duration: Duration) -> Int64 {
    let (seconds, attoseconds) = duration.components
    return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
}
