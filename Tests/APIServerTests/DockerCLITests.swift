import AgentLink
import AgentProtocol
import Foundation
import Testing

@testable import APIServer

@Suite("The real docker CLI", .enabled(if: DockerCLI.path != nil), .timeLimit(.minutes(1)))
struct DockerCLITests {
    @Test("run pulls what it does not know, keeps the streams apart and exits with the command's code")
    func runs() async throws {
        try await TestServer.with { server in
            let first = try await server.docker("run", "--rm", "alpine", "echo", "hello")
            #expect(first.output == "hello\n")
            #expect(first.exitCode == 0)
            #expect(first.errors.contains("Status: Downloaded newer image for alpine:latest"))
            let both = try await server.docker("run", "--rm", "alpine", "play", "out:out\\n", "err:err\\n", "exit:7")
            #expect(both.output == "out\n")
            #expect(both.errors == "err\n")
            #expect(both.exitCode == 7)
            let piped = try await server.docker("run", "-i", "--rm", "alpine", "cat", input: "a\nb\n")
            #expect(piped.output == "a\nb\n")
            #expect(piped.exitCode == 0)
            let list = try await server.docker("ps", "-aq")
            #expect(list.output.isEmpty)
        }
    }

    @Test("large input arrives whole")
    func largeInput() async throws {
        try await TestServer.with { server in
            let text = String(repeating: "0123456789abcdef\n", count: 40_000)
            let piped = try await server.docker("run", "-i", "--rm", "alpine", "cat", input: text)
            #expect(piped.output == text)
        }
    }

    @Test("input survives connections to the agent that break")
    func brokenInput() async throws {
        try await TestServer.with { server in
            _ = try await server.docker("pull", "alpine")
            await server.controller.failInput(times: 4)
            let piped = try await server.docker("run", "-i", "--rm", "alpine", "cat", input: "a\nb\n")
            #expect(piped.output == "a\nb\n" && piped.exitCode == 0, "\(piped)")
        }
    }

    @Test("what cannot be started ends the CLI with 127, 126 or 125, and --rm does not hang")
    func cannotStart() async throws {
        try await TestServer.with { server in
            for (word, code, text) in [
                ("nosuch", Int32(127), "executable file not found"), ("denied", 126, "permission denied"),
                ("stall", 125, "there is no plan named"), ("vanish", 125, "nobody knows whether the command ran"),
            ] {
                let result = try await server.docker("run", "--rm", "alpine", word)
                #expect(result.exitCode == code, "\(word)")
                #expect(result.errors.contains(text), "\(result.errors)")
            }
            #expect(try await server.docker("ps", "-aq").output.isEmpty)
        }
    }

    @Test("a detached container can be waited for, read, listed, inspected and removed")
    func detached() async throws {
        try await TestServer.with { server in
            let run = try await server.docker("run", "-d", "--name", "j", "alpine", "play", "out:done\\n", "exit:3")
            #expect(run.output.count == 65)
            #expect(try await server.docker("wait", "j").output == "3\n")
            #expect(try await server.docker("logs", "j").output == "done\n")
            #expect(try await server.docker("logs", "-f", "--tail", "1", "j").output == "done\n")
            #expect(try await server.docker("ps", "-a", "--format", "{{.Names}} {{.State}}").output == "j exited\n")
            #expect(try await server.docker("inspect", "-f", "{{.State.ExitCode}}", "j").output == "3\n")
            #expect(try await server.docker("rm", "j").output == "j\n")
            let again = try await server.docker("create", "--name", "j", "alpine", "true")
            #expect(again.exitCode == 0)
            let taken = try await server.docker("create", "--name", "j", "alpine", "true")
            #expect(taken.exitCode == 1)
            #expect(taken.errors.contains("is already in use by container"))
            #expect(try await server.docker("inspect", "nobody").errors.contains("No such object: nobody"))
        }
    }

    @Test("create and start -a; a second start is another run")
    func startAttached() async throws {
        try await TestServer.with { server in
            _ = try await server.docker("create", "--name", "web", "alpine", "play", "out:x\\n", "exit:4")
            for _ in 0..<2 {
                let result = try await server.docker("start", "-a", "web")
                #expect(result.output == "x\n")
                #expect(result.exitCode == 4)
            }
            #expect(try await server.docker("logs", "web").output == "x\nx\n")
        }
    }

    @Test("attach sees the rest of a run, and force removes a running container")
    func attachAndForce() async throws {
        try await TestServer.with { server in
            _ = try await server.docker("run", "-d", "--name", "web", "alpine", "hold")
            async let attached = server.docker("attach", "web")
            let refused = try await server.docker("rm", "web")
            #expect(refused.errors.contains("container is running: stop the container before removing or force remove"))
            #expect(try await server.docker("stop", "-t", "1", "web").exitCode == 0)
            let end = try await attached
            // The client may have come after the stop.
            #expect(end.exitCode == 143 || end.errors.contains("cannot attach to a stopped"))
            _ = try await server.docker("start", "web")
            #expect(try await server.docker("rm", "-f", "web").output == "web\n")
            #expect(try await server.docker("ps", "-aq").output.isEmpty)
        }
    }

    @Test("a pseudo-terminal's output arrives as it is")
    func terminal() async throws {
        try await TestServer.with { server in
            let result = try await server.docker("run", "--rm", "-t", "alpine", "play", "out:a\\n", "exit:3")
            #expect(result.output == "a\n" && result.exitCode == 3, "\(result)")
        }
    }

    @Test("exec keeps the streams apart, takes input, and exits with the command's code")
    func exec() async throws {
        try await TestServer.with(sessions: FakeSessions()) { server in
            _ = try await server.docker("run", "-d", "--name", "web", "alpine", "hold")
            let both = try await server.docker("exec", "web", "play", "out:out", "err:err", "exit:7")
            #expect(both.output == "out" && both.errors == "err" && both.exitCode == 7, "\(both)")
            let piped = try await server.docker("exec", "-i", "web", "cat", input: "a\nb\n")
            #expect(piped.output == "a\nb\n" && piped.exitCode == 0, "\(piped)")
            let missing = try await server.docker("exec", "web", "nosuch")
            #expect(missing.exitCode == 127, "\(missing)")
            #expect((missing.output + missing.errors).contains("executable file not found"), "\(missing)")
            #expect(try await server.docker("exec", "-d", "web", "hold").exitCode == 0)
            #expect(try await server.docker("exec", "-t", "web", "play", "out:x").output == "x")
            _ = try await server.docker("kill", "web")
            let late = try await server.docker("exec", "web", "true")
            #expect(late.exitCode == 1 && late.errors.contains("is not running"), "\(late)")
        }
    }

    @Test("without sessions exec and cp tell what to do")
    func withoutSessions() async throws {
        try await TestServer.with { server in
            _ = try await server.docker("run", "-d", "--name", "web", "alpine", "hold")
            for arguments in [["exec", "web", "true"], ["cp", "web:/etc", "-"], ["top", "web"], ["diff", "web"]] {
                let result = try await server.docker(arguments)
                #expect(result.exitCode == 1 && result.errors.contains("sessions are off"), "\(result)")
            }
        }
    }

    @Test("cp, diff, top, export and stats")
    func inside() async throws {
        let sessions = FakeSessions()
        let directory = SessionResult(facts: [
            PathFact.name: "w", PathFact.size: "4096", PathFact.mode: String(0o040755), PathFact.modified: "1000000000",
        ])
        sessions.can("stat", "", directory)
        sessions.can("archive", "TAR", directory)
        sessions.can("extract", "")
        sessions.can("export", "TAR")
        sessions.can("changes", "A /x\n")
        sessions.can("processes", "PID\tCMD\n1\tsh\n")
        sessions.can("stats", "cpuNanoseconds=1 memoryBytes=1048576\ncpuNanoseconds=2 memoryBytes=1048576\n")
        try await TestServer.with(sessions: sessions) { server in
            _ = try await server.docker("run", "-d", "--name", "web", "alpine", "hold")
            #expect(try await server.docker("cp", "web:/w", "-").output == "TAR")
            #expect(try await server.docker("export", "web").output == "TAR")
            #expect(try await server.docker("diff", "web").output == "A /x\n")
            #expect(try await server.docker("top", "web").output.contains("sh"))
            let stats = try await server.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", "web")
            #expect(stats.output.hasPrefix("1MiB / "), "\(stats)")
            let file = server.directory + "/file"
            try "content".write(toFile: file, atomically: true, encoding: .utf8)
            #expect(try await server.docker("cp", file, "web:/w").exitCode == 0)
            sessions.can("archive", "", SessionResult(failure: .notFound, message: "no"))
            let missing = try await server.docker("cp", "web:/nosuch", "-")
            #expect(missing.errors.contains("Could not find the file /nosuch in container web"), "\(missing)")
        }
    }
}
