package import DesiredState

/// One moment by two clocks.
///
/// `wall` is what people read and what is stored; it may step back and forward. `steady` goes as fast and never steps within one life of the process:
/// timers, back-off and every interval are measured by it. It begins at the wall clock's time, so that both are near each other as long as that does
/// not step; but only differences of `steady` mean something, and none is ever stored.
package struct Moment: Hashable, Sendable {
    package var wall: Instant
    package var steady: Instant

    package init(wall: Instant, steady: Instant) {
        self.wall = wall
        self.steady = steady
    }

    /// What the wall clock will show at a steady time, unless it steps before.
    package func wall(at instant: Instant) -> Instant {
        wall + (instant - steady)
    }
}

/// Makes moments of a wall clock and the machine's monotonic one, which counts while the machine sleeps.
package struct SteadyClock: Sendable {
    private let wall: @Sendable () -> Instant
    private let clock = ContinuousClock()
    private let startedAt: ContinuousClock.Instant
    private let wallAtStart: Instant

    package init(wall: @escaping @Sendable () -> Instant) {
        self.wall = wall
        startedAt = clock.now
        wallAtStart = wall()
    }

    package func now() -> Moment {
        Moment(wall: wall(), steady: wallAtStart + (clock.now - startedAt))
    }
}
