import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Testing

/// kill -9 of the daemon while it is in the middle of everything that it does for clients.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct RestartTests {
    /// Counts lines until a file of this name (`$0`) is there, and ends with the exit code `$1`.
    private static let counting =
        "i=0; while [ ! -e /tmp/$0 ]; do i=$((i+1)); echo line $i; sleep 0.01; done; echo end $i; exit $1"

    private static func count(until file: String, exitCode: Int) -> [String] {
        ["sh", "-c", counting, file, "\(exitCode)"]
    }

    /// Whether these are the counter's lines, each of them once and in order. They may break off unless the end `isDue`.
    private func isWhole(_ text: String, isDue: Bool) -> Bool {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        // What is behind the last line feed was cut, or is nothing.
        let rest = lines.removeLast()
        if isDue {
            guard rest.isEmpty, let end = lines.popLast(), end == "end \(lines.count)" else { return false }
        }
        return lines == (0..<lines.count).map { "line \($0 + 1)" }
    }

    /// The payloads of frames, the last of which may be cut.
    private func payloads(_ stream: ByteBuffer) -> String {
        var (stream, text) = (stream, "")
        while stream.readInteger(as: UInt32.self) != nil, let length = stream.readInteger(as: UInt32.self) {
            text += stream.readString(length: min(Int(length), stream.readableBytes)) ?? ""
        }
        return text
    }

    private func createExec(_ here: Installation, _ words: [String]) async throws -> String {
        let body = try JSONSerialization.data(withJSONObject: ["Cmd": words, "AttachStdout": true])
        let made = try await here.request(
            "POST", "/v1.50/containers/busy/exec", body: String(decoding: body, as: UTF8.self))
        #expect(made.status == 201, "\(made)")
        let object = try JSONSerialization.jsonObject(with: Data(made.body.utf8)) as? [String: Any]
        return try #require(object?["Id"] as? String)
    }

    private func inspectExec(_ here: Installation, _ id: String) async throws -> (isRunning: Bool, exitCode: Int?) {
        let reply = try await here.request("GET", "/v1.50/exec/\(id)/json")
        let object = try JSONSerialization.jsonObject(with: Data(reply.body.utf8)) as? [String: Any]
        return (try #require(object?["Running"] as? Bool, "\(reply)"), object?["ExitCode"] as? Int)
    }

    /// Executes a command and reads its output until the daemon is gone, or the command is.
    private func attach(_ here: Installation, exec id: String, onOutput: @Sendable () -> Void) async throws -> String {
        let socket = (here.folder + "/skls.sock").addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        var request = HTTPClientRequest(url: "http+unix://\(socket)/v1.50/exec/\(id)/start")
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.body = .bytes(ByteBuffer(string: #"{"Detach":false,"Tty":false}"#))
        let response = try await HTTPClient.shared.execute(request, deadline: .distantFuture)
        var stream = ByteBuffer()
        do {
            for try await var part in response.body {
                stream.writeBuffer(&part)
                onOutput()
            }
        } catch {
            // The daemon is gone.
        }
        return payloads(stream)
    }

    @Test func `kill -9 in the middle of everything loses nothing that clients were told`() async throws {
        let here = try await Installation.start()
        let run = try await here.docker(
            ["run", "-d", "--name", "busy", "--label", "job=7", "alpine"] + Self.count(until: "stop", exitCode: 7))
        #expect(run.status == 0, "\(run)")
        let done = try await here.docker("run", "--name", "done", "alpine", "sh", "-c", "echo out; exit 3")
        #expect(done.status == 3 && done.output == "out\n", "\(done)")
        let created = try await here.docker(
            "create", "--name", "later", "--label", "job=8", "alpine", "sh", "-c", "echo late; exit 4")
        #expect(created.status == 0, "\(created)")
        let ended = try await createExec(here, ["sh", "-c", "exit 5"])
        #expect(try await here.request("POST", "/v1.50/exec/\(ended)/start", body: #"{"Detach":true}"#).status == 200)
        while try await inspectExec(here, ended).isRunning { await Task.yield() }

        var running: [String] = []
        for life in 1...3 {
            let exec = try await createExec(here, Self.count(until: "stop\(life)", exitCode: 10 + life))
            running.append(exec)
            let (execWrites, wrote) = AsyncStream.makeStream(of: Void.self)
            async let executed = attach(here, exec: exec) { wrote.yield() }
            let follower = try here.beginDocker(["logs", "-f", "busy"])
            let attached = try here.beginDocker(["attach", "--no-stdin", "--sig-proxy=false", "busy"])
            let waiter = try here.beginDocker(["wait", "busy"])
            let foreground = try here.beginDocker(
                ["run", "--name", "front\(life)", "alpine"] + Self.count(until: "stop", exitCode: 20 + life))
            for await _ in execWrites { break }
            while follower.outputSoFar.isEmpty || attached.outputSoFar.isEmpty || foreground.outputSoFar.isEmpty {
                await Task.yield()
            }
            here.killDaemon()
            await here.waitForDaemon()
            let cut = try await executed
            #expect(!cut.isEmpty && isWhole(cut, isDue: false), "life \(life): \(cut)")
            #expect(await waiter.wait().output.isEmpty, "nothing has ended")
            let (followed, seen) = (await follower.wait().output, await attached.wait().output)
            #expect(isWhole(followed, isDue: false), "life \(life): \(followed)")
            _ = await foreground.wait()
            try await here.startDaemon()

            // Names, labels and states.
            let listed = try await here.docker(
                "ps", "-a", "--filter", "label=job", "--format", "{{.Names}} {{.State}} {{.Label \"job\"}}")
            #expect(
                listed.output.split(separator: "\n").sorted() == ["busy running 7", "later created 8"], "\(listed)")
            let state = try await here.docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "done")
            #expect(state.output == "exited 3\n")
            #expect(try await here.docker("logs", "done").output == "out\n")
            #expect(try await here.docker("wait", "done").output == "3\n")
            // What clients have seen is what the log says.
            let logged = try await here.docker("logs", "busy").output
            #expect(isWhole(logged, isDue: false) && logged.hasPrefix(followed) && logged.contains(seen))
            // Executed commands: those that ended have their codes, the others go on.
            let old = try await inspectExec(here, ended)
            #expect(!old.isRunning && old.exitCode == 5)
            for exec in running { #expect(try await inspectExec(here, exec).isRunning, "life \(life)") }
        }

        // Everything ends as if nothing had been.
        let waiter = try here.beginDocker(["wait", "busy", "front1", "front2", "front3"])
        let follower = try here.beginDocker(["logs", "-f", "busy"])
        for (index, exec) in running.enumerated() {
            let stopped = try await here.docker("exec", "busy", "touch", "/tmp/stop\(index + 1)")
            #expect(stopped.status == 0, "\(stopped)")
            while try await inspectExec(here, exec).isRunning { await Task.yield() }
            #expect(try await inspectExec(here, exec).exitCode == 11 + index)
        }
        for name in ["busy", "front1", "front2", "front3"] {
            #expect(try await here.docker("exec", name, "touch", "/tmp/stop").status == 0, "\(name)")
        }
        #expect(await waiter.wait().output == "7\n21\n22\n23\n")
        let followed = await follower.wait().output
        #expect(isWhole(followed, isDue: true), "\(followed)")
        for name in ["busy", "front1", "front2", "front3"] {
            let logged = try await here.docker("logs", name).output
            #expect(isWhole(logged, isDue: true), "\(name): \(logged)")
        }
        #expect(try await here.docker("start", "-a", "later").output == "late\n")
        #expect(try await here.docker("wait", "later").output == "4\n")
        let executions = try here.executions()
        #expect(executions.count == 6 && Set(executions.map(\.token)).count == 6)
        await here.stop()
    }
}
