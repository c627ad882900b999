import Foundation
import Testing

/// The main job through the real docker CLI: a daemon and a simulator as processes.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct DockerRunTests {
    private func with(_ body: (Installation) async throws -> Void) async throws {
        let installation = try await Installation.start()
        do {
            try await body(installation)
        } catch {
            await installation.stop()
            throw error
        }
        await installation.stop()
    }

    @Test func `docker run prints output, keeps streams apart and passes exit codes on`() async throws {
        try await with { here in
            let hello = try await here.docker("run", "--rm", "alpine", "echo", "hello")
            #expect(hello.output == "hello\n" && hello.status == 0, "\(hello)")
            let apart = try await here.docker("run", "--rm", "alpine", "sh", "-c", "echo out; echo err >&2; exit 7")
            #expect(apart.output == "out\n" && apart.errors == "err\n" && apart.status == 7, "\(apart)")
            let input = try await here.docker("run", "-i", "--rm", "alpine", "cat", input: "a\nb\n")
            #expect(input.output == "a\nb\n" && input.status == 0, "\(input)")
            let place = try await here.docker(
                "run", "--rm", "-e", "A=1", "-w", "/tmp", "alpine", "sh", "-c", "echo $A; pwd")
            #expect(place.output == "1\n/tmp\n", "\(place)")
            let missing = try await here.docker("run", "--rm", "alpine", "nosuch")
            #expect(missing.status == 127 && missing.errors.contains("executable file not found"), "\(missing)")
            let unknown = try await here.docker("run", "--rm", "nosuchimage", "true")
            #expect(unknown.status == 125 && unknown.errors.contains("pull access denied"), "\(unknown)")
            #expect(try await here.docker("ps", "-aq").output == "")
            #expect(try await here.sites().isEmpty)
        }
    }

    @Test func `removing everything inside harms nothing outside`() async throws {
        try await with { here in
            let marker = here.folder + "/marker"
            try Data("here".utf8).write(to: URL(fileURLWithPath: marker))
            _ = try await here.docker("run", "--rm", "alpine", "rm", "-rf", "/")
            #expect(try String(contentsOfFile: marker, encoding: .utf8) == "here")
            #expect(FileManager.default.isExecutableFile(atPath: "/bin/busybox"))
            let next = try await here.docker("run", "--rm", "alpine", "echo", "still here")
            #expect(next.output == "still here\n", "\(next)")
        }
    }

    @Test func `a detached container is waited for, inspected, read and removed, and its name is free at once`()
        async throws
    {
        try await with { here in
            let run = try await here.docker(
                "run", "-d", "--name", "j", "alpine", "sh", "-c", "sleep 2; echo done; exit 3")
            #expect(run.status == 0, "\(run)")
            #expect(try await here.docker("wait", "j").output == "3\n")
            #expect(try await here.docker("logs", "j").output == "done\n")
            let listed = try await here.docker("ps", "-a", "--format", "{{.Names}} {{.State}}")
            #expect(listed.output == "j exited\n")
            #expect(try await here.docker("inspect", "-f", "{{.State.ExitCode}}", "j").output == "3\n")
            #expect(try await here.docker("rm", "j").status == 0)
            #expect(try await here.sites().isEmpty)
            let again = try await here.docker("run", "-d", "--name", "j", "alpine", "sleep", "100")
            #expect(again.status == 0, "\(again)")
            let refused = try await here.docker("rm", "j")
            #expect(refused.status == 1 && refused.errors.contains("container is running"), "\(refused)")
            #expect(try await here.docker("rm", "-f", "j").status == 0)
            #expect(try await here.sites().isEmpty)
        }
    }

    @Test func `create, start, attach, logs and logs -f`() async throws {
        try await with { here in
            #expect(
                try await here.docker("create", "--name", "k", "alpine", "sh", "-c", "echo one; sleep 1; echo two")
                    .status == 0)
            #expect(try await here.docker("start", "k").output == "k\n")
            #expect(try await here.docker("logs", "-f", "k").output == "one\ntwo\n")
            let attached = try await here.docker("start", "-a", "k")
            #expect(attached.output == "one\ntwo\n" && attached.status == 0, "\(attached)")
            #expect(try await here.docker("logs", "k").output == "one\ntwo\none\ntwo\n", "both runs, in order")
            #expect(try await here.docker("rm", "k").status == 0)
        }
    }

    @Test func `an undisturbed run is one PUT, one run POST and one DELETE`() async throws {
        try await with { here in
            _ = try await here.docker("run", "--rm", "alpine", "true")
            let requests = try here.requests()
            #expect(requests.filter { $0.plane == "arm" && $0.method == "PUT" }.count == 1)
            #expect(
                requests.filter { $0.plane == "site" && $0.method == "POST" && $0.path.hasPrefix("/skls/v1/runs/") }
                    .count == 1)
            #expect(requests.filter { $0.plane == "arm" && $0.method == "DELETE" }.count == 1)
            #expect(try here.executions().count == 1)
        }
    }

    @Test func `the environment is the declared one, and secrets are written down nowhere`() async throws {
        try await with { here in
            let canary = "canary-\(UUID().uuidString)"
            let run = try await here.docker(
                "run", "--name", "c", "-e", "A=1", "-e", "SECRET=\(canary)", "alpine", "env")
            let names = run.output.split(separator: "\n").compactMap { $0.split(separator: "=").first }.map(String.init)
            #expect(Set(names) == ["A", "SECRET", "PATH", "HOME", "HOSTNAME"] && names.count == 5, "\(run)")
            let failed = try await here.docker("run", "--name", "d", "-e", "SECRET=\(canary)", "alpine", "nosuch")
            let written = try await here.everythingWrittenDown() + failed.errors
            #expect(!written.contains(canary))
            _ = try await here.docker("rm", "-f", "c", "d")
        }
    }

    @Test func `mistakes get clear errors in Docker's shape`() async throws {
        try await with { here in
            let unknown = try await here.request("GET", "/v1.50/containers/nope/json")
            #expect(unknown.status == 404 && unknown.type == "application/json")
            #expect(unknown.body.contains("No such container: nope"))
            let wrong = try await here.request(
                "POST", "/v1.50/containers/create", body: #"{"Image": 7, "Cmd": ["true"]}"#)
            #expect(
                wrong.status == 400 && wrong.type == "application/json" && wrong.body.contains("message"), "\(wrong)")
            let broken = try await here.request("POST", "/v1.50/containers/create", body: "{")
            #expect(broken.status == 400, "\(broken)")
            let nowhere = try await here.request("GET", "/v1.50/nowhere")
            #expect(nowhere.status == 404 && nowhere.body.contains("page not found"))
            _ = try await here.docker("create", "--name", "taken", "alpine", "true")
            let taken = try await here.docker("create", "--name", "taken", "alpine", "true")
            #expect(taken.status == 1 && taken.errors.contains("is already in use by container"), "\(taken)")
            _ = try await here.docker("rm", "taken")
        }
    }

    @Test func `200 containers by 20 clients all run once and leave nothing`() async throws {
        try await with { here in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for client in 0..<20 {
                    group.addTask {
                        for number in 0..<10 {
                            let text = "\(client)-\(number)"
                            let run = try await here.docker("run", "--rm", "alpine", "echo", text)
                            #expect(run.output == text + "\n" && run.status == 0, "\(run)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            let executions = try here.executions()
            #expect(executions.count == 200 && Set(executions.map(\.token)).count == 200)
            #expect(try await here.docker("ps", "-aq").output == "")
            #expect(try await here.sites().isEmpty)
        }
    }
}
