import Foundation
import NIOConcurrencyHelpers
import Testing

/// kill -9 at seeded moments. A moment is "when the daemon has logged so many lines", which needs no clock and hits every step of a run.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct CrashTests {
    /// Moments tried of each kind.
    private static let moments = 50
    /// A run takes some 30 debug lines; later moments hit the time after it.
    private static let linesOfARun = 40

    @Test func `kill -9 of the daemon at any moment repeats nothing and loses nothing`() async throws {
        let here = try await Installation.start()
        var generator = SeededGenerator(state: 1)
        var executedBefore = 0
        for moment in 0..<CrashTests.moments {
            let name = "job\(moment)"
            let after = Int.random(in: 0..<CrashTests.linesOfARun, using: &generator)
            let seen = NIOLockedValueBox(0)
            here.onDaemonLogLine { _ in
                let count = seen.withLockedValue { seen in
                    seen += 1
                    return seen
                }
                if count == after + 1 { here.killDaemon() }
            }
            let run = try await here.docker("run", "-d", "--name", name, "alpine", "sh", "-c", "echo done; exit 3")
            let hasStarted = run.status == 0
            here.onDaemonLogLine(nil)
            here.killDaemon()
            await here.waitForDaemon()
            try await here.startDaemon()

            let waited = try await here.docker("wait", name)
            if hasStarted { #expect(waited.status == 0 && waited.output == "3\n", "line \(after): \(waited)") }
            // Without an answer to `start` the container may not exist, or never have been started; an answer there must be all the same.
            #expect(waited.status == 0 || waited.errors.contains("No such container"), "line \(after): \(waited)")
            _ = try await here.docker("rm", "-f", name)
            let executions = try here.executions()
            let bySite = Dictionary(grouping: executions, by: \.site)
            #expect(bySite.values.allSatisfy { $0.count == 1 }, "line \(after): a site ran twice")
            if hasStarted { #expect(executions.count == executedBefore + 1, "line \(after): not executed") }
            executedBefore = executions.count
            #expect(try await here.sites().isEmpty, "line \(after)")
        }
        await here.stop()
    }

    @Test func `kill -9 of the agent at any moment never runs a command twice`() async throws {
        let here = try await Installation.start()
        var generator = SeededGenerator(state: 2)
        for moment in 0..<CrashTests.moments {
            let name = "job\(moment)"
            let after = Int.random(in: 3..<CrashTests.linesOfARun, using: &generator)
            let seen = NIOLockedValueBox(0)
            here.onDaemonLogLine { _ in
                let count = seen.withLockedValue { seen in
                    seen += 1
                    return seen
                }
                // A site without a process has nothing to kill.
                if count == after { try? here.killAgents() }
            }
            _ = try await here.docker("run", "-d", "--name", name, "alpine", "sh", "-c", "echo done; sleep 1; exit 3")
            let waited = try await here.docker("wait", name)
            here.onDaemonLogLine(nil)
            #expect(waited.status == 0 && ["3\n", "125\n"].contains(waited.output), "line \(after): \(waited)")
            #expect(try await here.docker("rm", "-f", name).status == 0)
            let bySite = Dictionary(grouping: try here.executions(), by: \.site)
            #expect(bySite.values.allSatisfy { $0.count == 1 }, "line \(after): a site ran twice")
            #expect(try await here.sites().isEmpty, "line \(after)")
        }
        await here.stop()
    }
}

/// SplitMix64: the same moments in each run.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
