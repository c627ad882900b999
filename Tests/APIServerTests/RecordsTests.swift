import DesiredState
import Foundation
import NIOCore
import RecordsClient
import Testing

@testable import APIServer

/// A manifest of a record that is played by the fake controller.
func manifest(_ name: String, _ words: [String], more: String = "") -> String {
    """
    apiVersion: skls.dev/v1
    kind: FunctionApp
    metadata:
      name: \(name)
    spec:
      image: alpine
      args: [\(words.map { "\"\($0)\"" }.joined(separator: ", "))]
    \(more)
    """
}

@Suite("The records API", .timeLimit(.minutes(1)))
struct RecordsTests {
    private let path = "/apis/skls.dev/v1/functionapps"

    @Test("put creates, leaves and configures, and writes nothing when nothing changed")
    func put() async throws {
        try await TestServer.with { server in
            let text = manifest("web", ["hold"])
            let created = try await server.request("PUT", path + "/web", body: text, type: "application/yaml")
            #expect(created.status == 201)
            #expect(created.headers["skls-result"] == "created")
            let before = try #require(try await server.record("web"))
            let unchanged = try await server.request("PUT", path + "/web", body: text, type: "application/yaml")
            #expect(unchanged.headers["skls-result"] == "unchanged")
            let changed = try await server.request(
                "PUT", path + "/web", body: text + "\n  workingDir: /tmp", type: "application/yaml")
            #expect(changed.headers["skls-result"] == "configured")
            let after = try #require(try await server.record("web"))
            #expect(after.uid == before.uid)
            #expect(after.metadata.generation == before.metadata.generation + 1)
            let stale = text.replacing("name: web", with: "name: web\n  resourceVersion: \"1\"")
            let conflict = try await server.request("PUT", path + "/web", body: stale, type: "application/yaml")
            #expect(conflict.status == 409)
            #expect(conflict.body.contains("\"reason\":\"Conflict\""))
        }
    }

    @Test("all faults of a manifest come at once, and a wrong name in the path is one")
    func faults() async throws {
        try await TestServer.with { server in
            let bad = manifest("web", ["x"], more: "  invocations: -1\n  nonsense: 1")
            let reply = try await server.request("PUT", path + "/web", body: bad, type: "application/yaml")
            #expect(reply.status == 422)
            #expect(reply.body.contains("invocations"))
            #expect(reply.body.contains("nonsense"))
            let other = try await server.request(
                "PUT", path + "/other", body: manifest("web", ["x"]), type: "application/yaml")
            #expect(other.status == 422)
            let broken = try await server.request("PUT", path + "/web", body: "{\n 1}")
            #expect(broken.status == 422)
            #expect(broken.body.contains("2:2: not JSON: a member's name in double quotes should stand here"))
            #expect(try await server.request("GET", path + "/nobody").status == 404)
            for (method, path, allowed) in [
                ("POST", path, "GET"), ("PATCH", path + "/web", "GET, PUT, DELETE"), ("POST", "/healthz", "GET, HEAD"),
                ("DELETE", "/apis/skls.dev/v1/recovery", "GET, POST"),
            ] {
                let refused = try await server.request(method, path, body: "{}")
                #expect(refused.status == 405 && refused.headers["allow"] == allowed, "\(method) \(path)")
            }
            #expect(try await server.request("GET", "/apis/other").status == 404)
        }
    }

    @Test("a watch goes on from a revision, says when it is too old, and gives signs of life")
    func watch() async throws {
        var limits = APIServerConfiguration.Limits()
        limits.bookmarkInterval = .milliseconds(20)
        try await TestServer.with(limits: limits) { server in
            _ = try await server.create(["true"], name: "first")
            try await RawClient.with(server.socketPath) { session in
                try await session.send("GET \(path)?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n")
                let first = try await session.read(through: "}\n")
                #expect(first.contains("\"type\":\"ADDED\""))
                _ = try await session.read(through: "\"type\":\"BOOKMARK\"")
                _ = try await server.create(["true"], name: "second")
                _ = try await session.read(through: "\"name\":\"second\"")
                _ = try await server.request("DELETE", "/containers/first")
                _ = try await session.read(through: "\"type\":\"DELETED\"")
            }
            let ahead = try await server.request("GET", path + "?watch=1&resourceVersion=99999")
            #expect(ahead.status == 410)
            #expect(ahead.body.contains("\"reason\":\"Expired\""))
            #expect(try await server.request("GET", path + "?watch=1&resourceVersion=x").status == 400)
            let over = try await server.request("GET", path + "?watch=1&timeoutSeconds=1")
            #expect(over.status == 200, "it ends by itself")
            for query in ["watch=1&timeoutSeconds=x", "timeoutSeconds=-1"] {
                #expect(try await server.request("GET", path + "?" + query).status == 400, "\(query)")
            }
        }
    }

    @Test("the client lists, applies, watches, reads logs and deletes")
    func client() async throws {
        try await TestServer.with { server in
            let client = RecordsClient(socketPath: server.socketPath)
            let parsed = try #require(try Manifest.parse(yaml: manifest("web", ["play", "out:hi", "err:no"])).first)
            #expect(try await client.apply(parsed).0 == .created)
            #expect(try await client.apply(parsed).0 == .unchanged)
            try await client.wait(
                for: .condition(.succeeded, .true), ["web"], timeout: .seconds(30)
            ) { #expect($0 == "web") }
            #expect(try await client.list().records.map(\.metadata.name.text) == ["web"])
            var pieces: [String] = []
            for try await piece in try await client.log("web") {
                pieces.append("\(piece.stream) \(String(decoding: piece.bytes, as: UTF8.self))")
            }
            #expect(pieces == ["standardOutput hi", "standardError no"])
            let ended = await #expect(throws: RecordsClientError.self) {
                try await client.wait(for: .condition(.failed, .true), ["web"], timeout: .seconds(30)) { _ in }
            }
            #expect(ended?.exitCode == 4)
            let late = await #expect(throws: RecordsClientError.self) {
                try await client.wait(for: .condition(.drifted, .true), ["web"], timeout: .milliseconds(50)) { _ in }
            }
            #expect(late?.exitCode == 3)
            let gone = try await client.delete("web")
            try await client.waitUntilGone([gone.uid], timeout: .seconds(30)) { _ in }
            let missing = await #expect(throws: RecordsClientError.self) { try await client.get("web") }
            #expect(missing?.code == .notFound)
            #expect(missing?.exitCode == 1)
        }
    }

    @Test("without a daemon the client says how to start one")
    func unreachable() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let client = RecordsClient(socketPath: directory.path + "/none")
        let error = await #expect(throws: RecordsClientError.self) { try await client.list() }
        #expect(error?.code == .unreachable)
        #expect(error?.description.contains("skls serve") == true)
    }
}

@Suite("The command line", .enabled(if: SklsProgram.path != nil), .timeLimit(.minutes(1)))
struct CommandLineTests {
    @Test("apply, get, wait, logs and delete")
    func verbs() async throws {
        try await TestServer.with { server in
            let text =
                manifest("web", ["play", "out:hi\\\\n", "err:no\\\\n", "exit:3"]) + "\n---\n"
                + manifest("two", ["true"])
            let applied = try await server.skls("apply", "-f", "-", input: text)
            #expect(applied.output == "functionapp/web created\nfunctionapp/two created\n")
            #expect(try await server.skls("apply", "-f", "-", input: text).output.hasSuffix("two unchanged\n"))
            let failed = try await server.skls("wait", "web", "--for=condition=Failed", "--timeout", "30s")
            #expect(failed.output == "functionapp/web condition met\n")
            #expect(failed.exitCode == 0)
            let otherwise = try await server.skls("wait", "web", "--for=condition=Succeeded")
            #expect(otherwise.exitCode == 4)
            #expect(otherwise.errors.contains("it is Failed"))
            let late = try await server.skls("wait", "two", "--for=condition=Drifted", "--timeout=50ms")
            #expect(late.exitCode == 3)
            let logs = try await server.skls("logs", "web")
            #expect(logs.output == "hi\n")
            #expect(logs.errors == "no\n")
            let table = try await server.skls("get").output
            #expect(table.hasPrefix("NAME  IMAGE   READY"))
            #expect(table.contains("1 Failed (3)"))
            #expect(try await server.skls("get", "-o", "name").output == "functionapp/web\nfunctionapp/two\n")
            let yaml = try await server.skls("get", "web", "-o", "yaml").output
            #expect(try await server.skls("apply", "-f", "-", input: yaml).output == "functionapp/web unchanged\n")
            #expect(try await server.skls("get", "web", "-o", "json").output.contains("\"name\" : \"web\""))
            #expect(try await server.skls("delete", "web", "two").output.contains("functionapp/two deleted"))
            let empty = try await server.skls("get")
            #expect(empty.output.isEmpty)
            #expect(empty.errors == "No records found.\n")
        }
    }

    @Test("one fault anywhere and nothing is applied; every fault has its place")
    func faults() async throws {
        try await TestServer.with { server in
            let folder = server.directory + "/manifests"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try manifest("good", ["true"]).write(toFile: folder + "/a.yaml", atomically: true, encoding: .utf8)
            try manifest("bad", ["true"], more: "  nonsense: 1").write(
                toFile: folder + "/b.yaml", atomically: true, encoding: .utf8)
            try "kind: [".write(toFile: folder + "/c.yml", atomically: true, encoding: .utf8)
            let result = try await server.skls("apply", "-f", folder)
            #expect(result.exitCode == 1)
            #expect(result.output.isEmpty)
            #expect(result.errors.contains("\(folder)/b.yaml:8:3: "))
            #expect(result.errors.contains("\(folder)/c.yml:"))
            #expect(try await server.record("good") == nil)
        }
    }

    @Test("wrong usage is exit code 2")
    func usage() async throws {
        try await TestServer.with { server in
            for arguments in [
                ["wait", "x"], ["wait", "x", "--for=nonsense"], ["get", "-o", "x"], ["--nope"],
                ["get", "--host", "tcp://x"],
            ] {
                let result = try await run(
                    SklsProgram.path ?? "skls", arguments, environment: ["SKLS_HOST": server.host])
                #expect(result.exitCode == 2, "\(arguments)")
                #expect(result.output.isEmpty)
            }
            #expect(try await server.skls("version").output == "skls 0.1.0\n")
            #expect(try await server.skls("get", "nobody").exitCode == 1)
            #expect(try await server.skls("--help").exitCode == 0)
        }
    }
}
