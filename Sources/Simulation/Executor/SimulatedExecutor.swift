import Glibc
import NIOConcurrencyHelpers

/// Runs every job of a simulation on the one thread that made it, one after the other, in an order that a seed decides.
///
/// Tasks that are begun with it as their preference, their children and the default actors that they enter all come
/// here. A job that comes from another thread means that something of the simulated part waits for the machine: it is
/// counted, and the run is judged to have failed.
final class SimulatedExecutor: TaskExecutor {
    private struct State {
        var ready: [UnownedJob] = []
        var strayJobs = 0
    }

    private let state = NIOLockedValueBox(State())
    private let thread = pthread_self()

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isStray = pthread_equal(pthread_self(), thread) == 0
        state.withLockedValue { state in
            state.ready.append(job)
            if isStray { state.strayJobs += 1 }
        }
    }

    /// Jobs that came from other threads: none in a simulation that is one.
    var strayJobs: Int { state.withLockedValue { $0.strayJobs } }

    var isIdle: Bool { state.withLockedValue { $0.ready.isEmpty } }

    /// Runs one of the jobs that are ready. False if there is none.
    /// - Parameter pick: the place of the job in the order of their coming, given their number.
    func runOne(pick: (Int) -> Int) -> Bool {
        let job = state.withLockedValue { state in
            state.ready.isEmpty ? nil : state.ready.remove(at: pick(state.ready.count))
        }
        guard let job else { return false }
        job.runSynchronously(on: asUnownedTaskExecutor())
        return true
    }
}
