import Foundation
import Testing

/// `skls get --watch` against a real daemon.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct WatchTests {
    /// A watch whose lines can be waited for.
    private final class Watch: Sendable {
        private let process: ChildProcess
        private let lines: AsyncStream<String>

        init(_ here: Installation, _ options: String...) throws {
            let (lines, continuation) = AsyncStream.makeStream(of: String.self)
            self.lines = lines
            // What it prints goes where it is read line by line; a note of its own would come there, too.
            process = try ChildProcess(
                "/bin/sh", ["-c", "exec \"$0\" get --watch \"$@\" 1>&2", Installation.binaries + "/skls"] + options,
                environment: ["SKLS_HOST": here.host]
            ) { continuation.yield($0) }
        }

        /// Lines up to the first that is as wanted.
        @discardableResult
        func read(until isWanted: (String) -> Bool) async -> [String] {
            var read: [String] = []
            for await line in lines {
                read.append(line)
                if isWanted(line) { break }
            }
            return read
        }

        func interrupt() { process.send(SIGINT) }
        func end() async -> ChildProcess.Result { await process.wait() }
    }

    private func manifest(_ name: String) -> String {
        """
        {apiVersion: skls.dev/v1, kind: FunctionApp, metadata: {name: \(name), labels: {app: web}},
         spec: {image: alpine, command: [sh, -c, "exit 3"], invocations: 1}}
        """
    }

    @Test func `a watch prints a line per change, goes on after a restart, and ends by an interrupt`() async throws {
        let here = try await Installation.start()
        #expect(try await here.skls("apply", "-f", "-", input: manifest("first")).status == 0)
        let watch = try Watch(here)
        let begin = await watch.read { $0.contains("1 Failed (3)") }
        #expect(begin.first?.hasPrefix("NAME") == true, "\(begin)")
        #expect(begin.dropFirst().allSatisfy { $0.hasPrefix("first ") }, "\(begin)")

        here.killDaemon()
        await here.waitForDaemon()
        try await here.startDaemon()
        #expect(try await here.skls("apply", "-f", "-", input: manifest("second")).status == 0)
        let changes = await watch.read { $0.hasPrefix("second ") && $0.contains("1 Failed (3)") }
        // A watch that is connected again when the run is over shows its end only.
        #expect(!changes.contains { $0.hasPrefix("NAME") }, "what was shown is not shown again: \(changes)")
        #expect(Set(changes).count == changes.count, "each line is a change: \(changes)")
        #expect(try await here.skls("delete", "first").status == 0)
        let gone = await watch.read { $0.hasPrefix("first ") && $0.contains("Gone") }
        #expect(gone.contains { $0.contains("Deleting") }, "\(gone)")

        watch.interrupt()
        let end = await watch.end()
        // As a shell tells the end by SIGINT; nothing was printed for it.
        #expect(end.status == 130 && !end.errors.contains("error"), "\(end)")
        await here.stop()
    }

    @Test func `a watch ends well when its time is over, and not at all well without a daemon`() async throws {
        let here = try await Installation.start()
        #expect(try await here.skls("apply", "-f", "-", input: manifest("first")).status == 0)
        let timed = try await here.skls("get", "-w", "-o", "name", "-l", "app=web", "--timeout", "1500ms")
        #expect(timed.status == 0 && timed.errors.isEmpty && timed.output.hasPrefix("functionapp/first\n"), "\(timed)")
        let none = try await here.skls("get", "--watch", "-l", "app=none", "--timeout", "100ms")
        #expect(none.status == 0 && none.output.isEmpty && none.errors.isEmpty, "\(none)")
        let wrong = try await here.skls("get", "--timeout", "1s")
        #expect(wrong.status == 2 && wrong.errors.contains("--timeout goes with --watch"), "\(wrong)")
        await here.stopDaemon()
        let unreachable = try await here.skls("get", "-w", "--timeout", "60s")
        #expect(unreachable.status == 1 && unreachable.errors.hasPrefix("error: "), "\(unreachable)")
        await here.stop()
    }
}
