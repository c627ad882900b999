import Foundation
import NIOConcurrencyHelpers
import Testing

/// The scenarios of the simulation over the wire: a faulty Azure, the real docker CLI and skls, and kill -9 of the daemon
/// at seeded moments. What is judged is what Azure and its journal of executions hold in the end.
@Suite(.serialized, .timeLimit(.minutes(15)))
struct FaultTests {
    /// About every tenth request of each kind. No quotas: Azure's freeze of ten minutes belongs to virtual time.
    private static let faults = [
        "500", "502", "503", "504", "html-502", "reset-before", "reset-after", "busy-409", "busy-429", "bom",
        "empty-page", "stale-read", "not-found-after-create", "lost-operation", "failed-operation",
    ].flatMap { ["--fault", "\($0):0.05"] }

    @Test(arguments: ["instant", "accepted-visible"])
    func `a faulty Azure and a daemon that is killed cost time and nothing else`(writes: String) async throws {
        let here = try await Installation.start(
            simulator: FaultTests.faults + ["--site-writes", writes, "--seed", "7"])
        var generator = SeededGenerator(state: 3)
        for moment in 0..<5 {
            let name = "job\(moment)"
            let after = Int.random(in: 0..<60, using: &generator)
            let seen = NIOLockedValueBox(0)
            here.onDaemonLogLine { _ in
                let count = seen.withLockedValue { seen in
                    seen += 1
                    return seen
                }
                if count == after + 1 { here.killDaemon() }
            }
            let isApplied = moment.isMultiple(of: 2)
            if isApplied {
                let manifest = """
                    {apiVersion: skls.dev/v1, kind: FunctionApp, metadata: {name: \(name)},
                     spec: {image: alpine, command: [sh, -c, "echo done; exit 3"]}}
                    """
                _ = try await here.skls("apply", "-f", "-", input: manifest)
            } else {
                _ = try await here.docker("run", "-d", "--name", name, "alpine", "sh", "-c", "echo done; exit 3")
            }
            here.onDaemonLogLine(nil)
            here.killDaemon()
            await here.waitForDaemon()
            try await here.startDaemon()
            let waited = try await here.docker("wait", name)
            // Not created, or created and never started, or ended; and never anything else.
            #expect(
                waited.output == "3\n" || waited.errors.contains("No such container") || waited.output == "0\n",
                "moment \(moment), line \(after): \(waited)")
            if waited.output == "3\n" {
                #expect(try await here.docker("logs", name).output == "done\n", "moment \(moment), line \(after)")
            }
            _ = try await here.docker("rm", "-f", name)
        }
        let bySite = Dictionary(grouping: try here.executions(), by: \.site)
        #expect(!bySite.isEmpty && bySite.values.allSatisfy { $0.count == 1 }, "a site ran twice: \(bySite)")
        #expect(try await sites(here).isEmpty)
        await here.stop()
    }

    /// The test's own look at Azure meets the faults, too.
    private func sites(_ here: Installation) async throws -> [String] {
        for _ in 0..<30 {
            do {
                return try await here.sites().map(\.name)
            } catch {
                continue
            }
        }
        return try await here.sites().map(\.name)
    }
}
