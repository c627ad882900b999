import Glibc
import NIOCore

/// The container's clocks, in nanoseconds.
enum Clocks {
    /// Since 1970; may jump. For people to read, never to decide by.
    static func wallNanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Since 1970, by the clock that the kernel stamps files with: the one for people, but a tick behind it at most.
    static func fileNanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// The clock that timers of the event loop go by (CLOCK_MONOTONIC).
    static func monotonicNanoseconds() -> UInt64 {
        NIODeadline.now().uptimeNanoseconds
    }
}
