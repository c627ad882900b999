import Foundation
import NIOHTTP1
import Testing

/// The conformance list for backends of functions, beyond what ``AZF001Tests`` has: the same requests to the internal API, which tells by its capabilities
/// what it is.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct FaaSConformanceTests {
    @Test func `the backend tells what it is, and what it cannot is refused with a way out`() async throws {
        try await BackendInstallation.with { here in
            let report = try await here.ask(.GET, "/capabilities")
            #expect(report.status == 200)
            let object = try report.object()
            let name = try #require(object["backend"] as? String)
            let capabilities = try #require(object["capabilities"] as? [String: Any])
            #expect((capabilities["max_timeout_seconds"] as? Int ?? 0) > 0)
            let refusals: [(HTTPMethod, String, String)] = [
                (.POST, "/containers/x/exec", "does not support exec"),
                (.POST, "/exec/x/start", "does not support exec"), (.GET, "/exec/x/json", "does not support exec"),
                (.POST, "/containers/x/attach", "does not support attach"),
                (.POST, "/networks", "does not support network"), (.POST, "/volumes", "does not support volume"),
            ]
            for (method, path, words) in refusals {
                let answer = try await here.ask(method, path, method == .POST ? "{}" : nil)
                #expect(answer.status == 501 && answer.type == "application/json", "\(path): \(answer)")
                let message = try #require(try answer.object()["message"] as? String)
                #expect(message.contains(words) && message.contains(name) && message.contains("ecs"), "\(message)")
            }
        }
    }

    @Test func `a container goes through its whole life`() async throws {
        try await BackendInstallation.with { here in
            let body = #"{"Image":"alpine","Cmd":["sh","-c","echo out; echo err >&2; exit 2"]}"#
            let created = try await here.ask(.POST, "/containers?name=life", body)
            #expect(created.status == 201 && created.body.hasSuffix(#""Warnings":[]}"#))
            let id = try #require(try created.object()["Id"] as? String)
            #expect(
                try await here.ask(.POST, "/containers", body.replacingOccurrences(of: "alpine", with: "")).status
                    == 400)
            let taken = try await here.ask(.POST, "/containers?name=life", body)
            #expect(taken.status == 409 && taken.body.contains("already in use"))
            #expect(try await here.ask(.POST, "/containers/life/start").status == 204)
            let wait = try await here.ask(.POST, "/containers/life/wait")
            #expect(wait.status == 200)
            #expect(try wait.object()["StatusCode"] as? Int == 2)
            let inspect = try await here.ask(.GET, "/containers/\(id.prefix(12))")
            #expect(inspect.status == 200)
            #expect(try inspect.object()["State"] != nil)
            let logs = try await here.ask(.GET, "/containers/life/logs?stdout=1&stderr=1&timestamps=1&tail=all")
            #expect(logs.status == 200 && logs.body.contains("out") && logs.body.contains("err"))
            #expect(try await here.ask(.GET, "/containers").body == "[]", "it does not run")
            #expect(try await here.ask(.GET, "/containers?all=true").body.contains(id))
            #expect(try await here.ask(.DELETE, "/containers/life").status == 204)
            for (method, path) in [
                (HTTPMethod.GET, "/containers/life"), (.POST, "/containers/life/start"),
                (.POST, "/containers/life/stop"), (.POST, "/containers/life/kill"), (.DELETE, "/containers/life"),
                (.GET, "/containers/life/logs?stdout=1"), (.POST, "/containers/life/wait"),
            ] {
                let gone = try await here.ask(method, path)
                #expect(
                    gone.status == 404 && gone.body == #"{"message":"No such container: life"}"#, "\(path): \(gone)")
            }
        }
    }

    @Test func `with a callback's URL the backend has the capabilities of sessions, and stop ends a run`() async throws
    {
        let port = BackendInstallation.freePort()
        try await BackendInstallation.with(
            ["SOCKERLESS_CALLBACK_URL": "http://127.0.0.1:\(port)"], simulator: ["--egress", "127.0.0.1:\(port)"]
        ) { here in
            let report = try await here.ask(.GET, "/capabilities").object()
            let capabilities = try #require(report["capabilities"] as? [String: Any])
            for name in ["exec", "attach", "logs_follow", "agent_required"] {
                #expect(capabilities[name] as? Bool == true, "\(name)")
            }
            #expect(capabilities["networks"] as? Bool == false)
            let id = try await here.create(["sleep", "100"], name: "long")
            #expect(try await here.ask(.POST, "/containers/long/start").status == 204)
            #expect(try await here.ask(.GET, "/containers/long").object()["agent_address"] as? String == "reverse")
            let made = try await here.ask(.POST, "/containers/\(id)/exec", #"{"Cmd":["true"]}"#)
            #expect(made.status == 201, "\(made)")
            #expect(try await here.ask(.POST, "/containers/long/stop?t=1").status == 204)
            #expect(try await here.ask(.GET, "/containers/long").body.contains(#""Running":false"#))
        }
    }

    @Test func `cleanup deletes a site that no record knows, in Azure`() async throws {
        try await BackendInstallation.with(["SKLS_LEAKS": "report"]) { here in
            _ = try await here.create(["true"], name: "job")
            while try await here.installation.sites().isEmpty { await Task.yield() }
            let site = try #require(try await here.installation.sites().first)
            let path = "providers/Microsoft.Web/sites/\(site.name)?api-version=2025-03-01"
            let read = try await here.installation.arm(.GET, path)
            #expect(try await here.ask(.DELETE, "/containers/job").status == 204)
            let all = try #require(try await here.ask(.GET, "/resources").json() as? [[String: Any]])
            #expect(all.count == 1 && all[0]["cleanedUp"] as? Bool == true, "its tombstone")
            #expect(try await here.ask(.GET, "/resources?active=true").body == "[]")
            await here.installation.stopDaemon()

            // As a write does that Azure carries out long after it was given up.
            let document = try #require(try JSONSerialization.jsonObject(with: read.body) as? [String: Any])
            let properties = document["properties"] as? [String: Any]
            let body: [String: Any] = [
                "location": document["location"] ?? "", "kind": document["kind"] ?? "", "tags": site.tags,
                "properties": [
                    "serverFarmId": properties?["serverFarmId"] ?? "",
                    "siteConfig": ["linuxFxVersion": "DOCKER|alpine"],
                ],
            ]
            let text = String(decoding: try JSONSerialization.data(withJSONObject: body), as: UTF8.self)
            let put = try await here.installation.arm(.PUT, path, body: text)
            #expect((200...202).contains(put.status.code), "\(String(decoding: put.body, as: UTF8.self))")
            try await here.start()

            while try await here.ask(.GET, "/resources/orphaned?max_age=0").body == "[]" { await Task.yield() }
            #expect(try await here.ask(.GET, "/resources/orphaned").body == "[]", "not an hour old")
            #expect(try await here.ask(.POST, "/resources/cleanup").body == #"{"cleaned":0}"#)
            let cleaned = try await here.ask(.POST, "/resources/cleanup?max_age=0")
            #expect(cleaned.body == #"{"cleaned":1}"#)
            while try await !here.installation.sites().isEmpty { await Task.yield() }
        }
    }

    @Test(arguments: [false, true])
    func `the frontend passes Docker's clients on to the backend`(overTCP: Bool) async throws {
        try await BackendInstallation.with(overTCP ? ["SKLS_TCP_ADDRESS": "127.0.0.1:0"] : [:]) { here in
            func port() -> String? {
                let lines = here.logged("listening without proof of who connects: every user of this machine can")
                return lines.first.flatMap { ($0["socket"] as? String)?.split(separator: ":").last.map(String.init) }
            }
            while overTCP, port() == nil { await Task.yield() }
            let backend = port().map { "http://localhost:" + $0 } ?? here.socket
            let socket = here.installation.folder + "/docker.sock"
            let (ready, continuation) = AsyncStream.makeStream(of: Void.self)
            let frontend = try ChildProcess(
                Installation.binaries + "/sockerless-frontend-docker",
                ["-backend", backend, "-addr", "unix://" + socket]
            ) { line in
                if line.contains("listening") { continuation.yield() }
            }
            for await _ in ready { break }
            func docker(_ arguments: String...) async throws -> ChildProcess.Result {
                try await ChildProcess(
                    Installation.dockerPath(), arguments,
                    environment: [
                        "DOCKER_HOST": "unix://" + socket, "DOCKER_CONFIG": here.installation.folder + "/docker",
                    ]
                ).wait()
            }
            #expect(try await docker("pull", "-q", "alpine").status == 0)
            let create = try await docker("create", "--name", "job", "alpine", "echo", "hello")
            #expect(create.status == 0, "\(create)")
            #expect(try await docker("start", "job").output == "job\n")
            #expect(try await docker("wait", "job").output == "0\n")
            #expect(try await docker("logs", "job").output == "hello\n")
            #expect(try await docker("rm", "job").status == 0)
            frontend.send(SIGTERM)
            #expect(await frontend.wait().status == 0)
        }
    }
}
