import DesiredState
import Testing

@testable import APIServer

@Suite("The real docker CLI, beyond containers", .enabled(if: DockerCLI.path != nil), .timeLimit(.minutes(1)))
struct SystemCLITests {
    @Test("events of a run are printed by docker events")
    func events() async throws {
        try await TestServer.with { server in
            _ = try await server.docker("run", "--name", "job", "alpine", "play", "exit:3")
            _ = try await server.docker("rm", "job")
            let told = try await server.docker(
                "events", "--since", "1", "--until", String(Instant.now.unixSeconds + 1), "--filter", "container=job",
                "--format", "{{.Action}} {{.Actor.Attributes.exitCode}}")
            #expect(told.exitCode == 0, "\(told.errors)")
            #expect(
                told.output == "create <no value>\nattach <no value>\nstart <no value>\ndie 3\ndestroy <no value>\n")
        }
    }

    @Test("docker system prune ends well, docker system df and the lists have their columns")
    func prune() async throws {
        try await TestServer.with { server in
            _ = try await server.docker("create", "--name", "job", "alpine", "true")
            let usage = try await server.docker("system", "df", "--format", "{{.Type}} {{.TotalCount}}")
            #expect(usage.output == "Images 1\nContainers 1\nLocal Volumes 0\nBuild Cache 0\n", "\(usage.errors)")
            #expect(
                try await server.docker("images", "--format", "{{.Repository}}:{{.Tag}}").output == "alpine:latest\n")
            #expect(try await server.docker("network", "ls", "-q").output.split(separator: "\n").count == 3)
            let pruned = try await server.docker("system", "prune", "-af")
            #expect(pruned.exitCode == 0, "\(pruned.errors)")
            #expect(pruned.output.contains("Deleted Containers:") && pruned.output.contains("untagged: alpine:latest"))
            #expect(try await server.docker("ps", "-aq").output.isEmpty)
        }
    }

    @Test("names of images come and go")
    func images() async throws {
        try await TestServer.with { server in
            _ = try await server.docker("pull", "-q", "alpine")
            #expect(try await server.docker("tag", "alpine", "mine:1").exitCode == 0)
            #expect(try await server.docker("run", "--rm", "mine:1", "echo", "hi").output == "hi\n")
            #expect(try await server.docker("rmi", "mine:1").output == "Untagged: mine:1\n")
            #expect(try await server.docker("image", "inspect", "--format", "{{.Os}}", "alpine").output == "linux\n")
            #expect(try await server.docker("history", "-q", "alpine").exitCode == 0)
            let missing = try await server.docker("rmi", "nope")
            #expect(missing.exitCode == 1 && missing.errors.contains("No such image: nope:latest"))
            let network = try await server.docker("network", "create", "n")
            #expect(network.exitCode == 1 && network.errors.contains("does not support networks"))
        }
    }
}
