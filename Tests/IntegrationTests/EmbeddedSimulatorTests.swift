import Foundation
import NIOConcurrencyHelpers
import Testing

/// `skls serve --simulator`: one process; Azure goes when the daemon goes.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct EmbeddedSimulatorTests {
    private func start(_ folder: String) async throws -> ChildProcess {
        let (ready, continuation) = AsyncStream.makeStream(of: Void.self)
        let process = try ChildProcess(
            Installation.binaries + "/skls",
            ["serve", "--simulator", "--state", folder + "/state", "--host", "unix://\(folder)/skls.sock"]
        ) { line in
            if line.contains("skls.sock") && line.contains("listening") { continuation.yield() }
        }
        for await _ in ready { break }
        return process
    }

    private func run(_ folder: String, _ program: String, _ arguments: String...) async throws -> ChildProcess.Result {
        let host = "unix://\(folder)/skls.sock"
        return try await ChildProcess(
            program, arguments,
            environment: ["DOCKER_HOST": host, "SKLS_HOST": host, "DOCKER_CONFIG": folder + "/docker"]
        ).wait()
    }

    @Test func `a restart takes Azure along: the open run ends as lost, and nothing is run again`() async throws {
        let folder = NSTemporaryDirectory() + "/skls-embedded-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let docker = try Installation.dockerPath()
        let first = try await start(folder)
        _ = try await run(folder, docker, "pull", "-q", "alpine")
        let marker = "once-\(UUID().uuidString)"
        #expect(
            try await run(
                folder, docker, "run", "-d", "--name", "j", "alpine", "sh", "-c", "echo \(marker); sleep 1000"
            ).status == 0)
        #expect(try await run(folder, docker, "run", "--name", "done", "alpine", "echo", "kept").output == "kept\n")
        first.send(SIGKILL)
        _ = await first.wait()

        let second = try await start(folder)
        let waited = try await run(folder, docker, "wait", "j")
        #expect(waited.output == "125\n", "\(waited)")
        #expect(try await run(folder, docker, "logs", "done").output == "kept\n", "output is kept over a restart")
        #expect(try await run(folder, docker, "wait", "done").output == "0\n")
        // Its site is made again, and the runs are over.
        let ready = try await run(
            folder, Installation.binaries + "/skls", "wait", "j", "--for=condition=Provisioned", "--timeout", "60s")
        #expect(ready.status == 0, "\(ready)")
        let logs = try await run(folder, docker, "logs", "j")
        #expect(logs.output.components(separatedBy: marker).count <= 2, "\(logs)")
        let inspected = try await run(folder, docker, "inspect", "-f", "{{.State.Status}} {{.State.Error}}", "j")
        #expect(inspected.output.hasPrefix("exited the site disappeared"), "\(inspected)")
        #expect(try await run(folder, docker, "rm", "-f", "j", "done").status == 0)
        second.send(SIGTERM)
        #expect(await second.wait().status == 0)
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `a second daemon neither steals the socket nor the state`() async throws {
        let folder = NSTemporaryDirectory() + "/skls-embedded-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let first = try await start(folder)
        let sameState = try await run(
            folder, Installation.binaries + "/skls", "serve", "--simulator", "--state", folder + "/state", "--host",
            "unix://\(folder)/other.sock")
        #expect(sameState.status == 1 && sameState.errors.contains("in use by another process"), "\(sameState)")
        let sameSocket = try await run(
            folder, Installation.binaries + "/skls", "serve", "--simulator", "--state", folder + "/other", "--host",
            "unix://\(folder)/skls.sock")
        #expect(sameSocket.status == 1 && sameSocket.errors.contains("skls.sock"), "\(sameSocket)")
        let attributes = try FileManager.default.attributesOfItem(atPath: folder + "/skls.sock")
        #expect(attributes[.posixPermissions] as? Int == 0o660)
        #expect(try await run(folder, Installation.binaries + "/skls", "get").status == 0)
        first.send(SIGTERM)
        _ = await first.wait()
        #expect(!FileManager.default.fileExists(atPath: folder + "/skls.sock"))
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `the examples can be applied, and end as they say`() async throws {
        let folder = NSTemporaryDirectory() + "/skls-embedded-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let daemon = try await start(folder)
        let skls = Installation.binaries + "/skls"
        let manifests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("manifests").path
        let names = ["environment", "hello", "nightly-cleanup", "nightly-report"]
        let applied = try await run(folder, skls, "apply", "-f", manifests)
        let lines = applied.output.split(separator: "\n").sorted()
        #expect(
            lines == names.map { "functionapp/\($0) created" }, "a new example has to be waited for here: \(applied)")
        let again = try await run(folder, skls, "apply", "-f", manifests)
        let unchanged = again.output.split(separator: "\n").sorted()
        #expect(unchanged == names.map { "functionapp/\($0) unchanged" }, "\(again)")
        for name in names where name != "nightly-cleanup" {
            let waited = try await run(folder, skls, "wait", name, "--for=condition=Succeeded", "--timeout", "60s")
            #expect(waited.status == 0, "\(waited)")
        }
        // A run's end and what the controller makes of it are two commits.
        for (name, end) in [
            ("hello", "Nothing is to be done: Azure is as declared."),
            ("environment", "Finished; kept until its time to live is over; next look in "),
            ("nightly-report", "Nothing is to be done: Azure is as declared."),
            ("nightly-cleanup", "It is paused: asked for by demo: not before the report is checked."),
        ] {
            var page = ""
            while !page.hasPrefix("\(name): \(end)") { page = try await run(folder, skls, "explain", name).output }
        }
        #expect(try await run(folder, skls, "logs", "nightly-report").output == "report of 2026-01-31\n")
        let ended = try await run(folder, skls, "wait", "hello", "--for=condition=Failed", "--timeout", "60s")
        #expect(ended.status == 4, "\(ended)")
        #expect(try await run(folder, skls, "logs", "environment").output == "good day from /tmp\n")
        #expect(try await run(folder, skls, "resume", "nightly-cleanup").status == 0)
        let deleted = try await run(
            folder, skls, "delete", "hello", "environment", "nightly-report", "nightly-cleanup")
        #expect(deleted.status == 0, "\(deleted)")
        #expect(try await run(folder, skls, "get", "-o", "name").output.isEmpty)
        daemon.send(SIGTERM)
        _ = await daemon.wait()
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `without configuration every missing setting is named`() async throws {
        let folder = NSTemporaryDirectory()
        let result = try await run(folder, Installation.binaries + "/skls", "serve", "--state", folder + "/none")
        #expect(result.status == 1)
        for name in ["AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "SKLS_RESOURCE_GROUP", "serve --simulator"] {
            #expect(result.errors.contains(name), "\(result)")
        }
    }
}
