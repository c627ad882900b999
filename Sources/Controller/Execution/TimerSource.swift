import NIOCore
import NIOPosix

/// Where the controller's timer comes from. A value, so that a simulation brings its own.
package struct TimerSource: Sendable {
    /// Calls the closure once, after that time; what it returns takes the order back, if it is not too late.
    package var after: @Sendable (Duration, @escaping @Sendable () -> Void) -> @Sendable () -> Void

    package init(after: @escaping @Sendable (Duration, @escaping @Sendable () -> Void) -> @Sendable () -> Void) {
        self.after = after
    }

    /// The machine's own.
    package static let system = TimerSource { delay, fire in
        let nanoseconds = delay.components.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (wait, isTooLong) = nanoseconds.partialValue.addingReportingOverflow(
            delay.components.attoseconds / 1_000_000_000)
        let amount: TimeAmount = nanoseconds.overflow || isTooLong ? .hours(24) : .nanoseconds(wait)
        let scheduled = MultiThreadedEventLoopGroup.singleton.next().scheduleTask(in: amount, fire)
        return { scheduled.cancel() }
    }
}
