import DesiredState
import NIOCore
import Testing

@testable import APIServer

/// `/internal/v1` over the real socket, without sessions.
@Suite(.timeLimit(.minutes(1)))
struct InternalTests {
    private static let base = "/internal/v1"
    private static let noExec =
        "{\"message\":\"This backend (azf) does not support exec. CI runners require exec-capable backends (ecs, cloudrun, aca, docker).\"}"

    private func create(_ server: TestServer, _ words: [String], name: String? = nil) async throws -> String {
        let command = words.map { "\"\($0)\"" }.joined(separator: ",")
        let reply = try await server.request(
            "POST", Self.base + "/containers" + (name.map { "?name=\($0)" } ?? ""),
            body: "{\"Image\":\"alpine\",\"Cmd\":[\(command)]}")
        #expect(reply.status == 201, "\(reply)")
        let id = try #require(reply.body.firstMatch(of: /^\{"Id":"([0-9a-f]{64})","Warnings":\[\]\}$/), "\(reply)")
        return String(id.1)
    }

    @Test func `capabilities without sessions are those of a function backend, to the letter`() async throws {
        try await TestServer.with { server in
            let reply = try await server.request("GET", Self.base + "/capabilities")
            #expect(reply.status == 200 && reply.headers["content-type"] == "application/json")
            #expect(
                reply.body
                    == "{\"backend\":\"azf\",\"version\":\"0.1.0\",\"capabilities\":{\"exec\":false,\"attach\":false,\"logs\":true,\"logs_follow\":false,\"volumes\":false,\"networks\":false,\"health_checks\":false,\"image_pull\":true,\"image_load\":false,\"max_timeout_seconds\":600,\"agent_required\":false}}"
            )
        }
    }

    @Test func `capabilities with sessions follow the configuration`() {
        let capabilities = BackendCapabilities(withSessions: true, runTimeoutSeconds: 0)
        #expect(capabilities.exec && capabilities.attach && capabilities.logsFollow && capabilities.agentRequired)
        #expect(!capabilities.networks && !capabilities.volumes && capabilities.maximumTimeoutSeconds == 0)
    }

    @Test(
        arguments: [
            ("POST", "/containers/x/exec", "exec"), ("GET", "/exec/x", "exec"), ("GET", "/exec/x/json", "exec"),
            ("POST", "/exec/x/start", "exec"), ("POST", "/exec/x/resize", "exec"),
            ("POST", "/containers/x/attach", "attach"), ("POST", "/networks", "networks"),
            ("GET", "/networks", "networks"), ("DELETE", "/networks/n", "networks"),
            ("POST", "/networks/n/disconnect", "networks"), ("POST", "/networks/prune", "networks"),
            ("POST", "/volumes", "volumes"), ("GET", "/volumes", "volumes"), ("DELETE", "/volumes/v", "volumes"),
        ])
    func `what needs a session is refused before anything is looked at`(
        method: String, path: String, feature: String
    ) async throws {
        try await TestServer.with { server in
            let reply = try await server.request(method, Self.base + path, body: method == "POST" ? "{}" : nil)
            #expect(reply.status == 501)
            #expect(reply.body == Self.noExec.replacing("support exec.", with: "support \(feature)."))
        }
    }

    @Test func `a container is created without a pull, started, waited for, read and removed, by id and by name`()
        async throws
    {
        try await TestServer.with { server in
            let id = try await create(server, ["play", "out:one\\ntwo\\n", "err:three\\n", "exit:3"], name: "job")
            #expect(try await server.request("POST", Self.base + "/containers/job/start").status == 204)
            let wait = try await server.request("POST", Self.base + "/containers/\(id)/wait")
            #expect(wait.status == 200 && wait.body == "{\"StatusCode\":3}\n", "\(wait)")
            let inspect = try await server.request("GET", Self.base + "/containers/job")
            #expect(inspect.body.contains("\"Id\":\"\(id)\"") && inspect.body.contains("\"ExitCode\":3"))
            #expect(!inspect.body.contains("agent_address"), "without sessions there is none")
            for follow in ["", "&follow=true"] {
                let logs = try await server.request(
                    "GET", Self.base + "/containers/job/logs?stdout=1&stderr=1&tail=2" + follow)
                #expect(logs.headers["content-type"] == "application/vnd.docker.multiplexed-stream")
                #expect(!logs.body.contains("one") && logs.body.contains("two") && logs.body.contains("three"))
            }
            let list = try await server.request("GET", Self.base + "/containers?all=true")
            #expect(list.body.contains(id) && list.body.contains("\"/job\""))
            #expect(try await server.request("GET", Self.base + "/containers").body == "[]")
            #expect(try await server.request("DELETE", Self.base + "/containers/job").status == 204)
            let gone = try await server.request("GET", Self.base + "/containers/job")
            #expect(gone.status == 404 && gone.body == "{\"message\":\"No such container: job\"}")
        }
    }

    @Test func `following the logs of a running container without sessions answers with what there is`() async throws {
        try await TestServer.with { server in
            let id = try await create(server, ["hold"], name: "h")
            #expect(try await server.request("POST", Self.base + "/containers/h/start").status == 204)
            try await server.controller.say(try #require(UID(id)), "so far\n")
            let logs = try await server.request(
                "GET", Self.base + "/containers/h/logs?stdout=1&stderr=1&follow=true")
            #expect(logs.status == 200 && logs.body.hasSuffix("so far\n"))
        }
    }

    @Test func `stop, kill and restart without sessions succeed, change nothing and leave a warning`() async throws {
        try await TestServer.with { server in
            let id = try await create(server, ["hold"], name: "h")
            #expect(try await server.request("POST", Self.base + "/containers/h/stop").status == 204, "not running")
            #expect(try await server.request("POST", Self.base + "/containers/h/start").status == 204)
            for verb in ["stop?t=1", "stop", "kill", "kill?signal=TERM", "restart"] {
                #expect(try await server.request("POST", Self.base + "/containers/\(id)/" + verb).status == 204)
            }
            let record = try #require(try await server.record(id))
            #expect(record.hasOpenRun && record.spec.stop == nil)
            #expect(await server.controller.receivedSignals.isEmpty)
            let events = EventList(try await server.store.journal(of: record.uid, limit: 10)).items
            #expect(events.map(\.reason) == ["EndNotPossible", "EndNotPossible", "EndNotPossible"])
            #expect(events.allSatisfy { $0.type == "Warning" })
            #expect(events.map(\.count).reduce(0, +) == 5)
            let unknown = try await server.request("POST", Self.base + "/containers/nope/stop")
            #expect(unknown.status == 404)
        }
    }

    @Test(
        arguments: [
            ("POST", "/containers", "{\"Cmd\":[\"true\"]}", 400, "invalid parameter Image: no image specified"),
            ("POST", "/containers", "{\"Image\":\"UPPER:\",\"Cmd\":[\"true\"]}", 400, "invalid parameter Image: "),
            ("POST", "/containers", "{\"Image\":\"alpine\"}", 400, "invalid parameter request: no command specified"),
            ("POST", "/containers", "{", 400, "invalid parameter request: invalid JSON"),
            (
                "POST", "/containers?name=taken", "{\"Image\":\"alpine\",\"Cmd\":[\"true\"]}", 409,
                "Conflict: The container"
            ),
            ("POST", "/containers/taken/kill?signal=NOPE", "", 400, "invalid parameter signal: unknown signal NOPE"),
            ("GET", "/containers/taken/logs", "", 400, "invalid parameter query: Bad parameters"),
            ("GET", "/containers/none/logs?stdout=1", "", 404, "No such container: none"),
            ("POST", "/containers/none/start", "", 404, "No such container: none"),
            ("POST", "/containers/taken/pause", "", 501, "container pause is not implemented"),
            ("POST", "/images/load", "", 501, "image load is not implemented"),
            ("POST", "/reload", "", 501, "reload is not implemented"),
            ("POST", "/images/pull", "{}", 400, "invalid parameter Reference: image reference is required"),
            ("GET", "/images/nothing", "", 404, "No such image: nothing"),
            ("GET", "/images/inspect", "", 400, "invalid parameter name: the image's name is required"),
            ("GET", "/nowhere", "", 404, "page not found"), ("PUT", "/containers", "{}", 404, "page not found"),
            ("GET", "/resources/orphaned?max_age=soon", "", 400, "invalid parameter max_age: "),
            ("GET", "/containers/taken/wait", "", 426, "this path speaks WebSocket only"),
        ])
    func `refusals have the words of the error types`(
        method: String, path: String, body: String, status: Int, message: String
    ) async throws {
        try await TestServer.with { server in
            _ = try await create(server, ["true"], name: "taken")
            let reply = try await server.request(method, Self.base + path, body: body.isEmpty ? nil : body)
            #expect(reply.status == status, "\(reply)")
            #expect(reply.body.hasPrefix("{\"message\":\"\(message)"), "\(reply)")
            #expect(reply.headers["content-type"] == "application/json")
        }
    }

    @Test func `a start that is asked for twice is 304 without a body`() async throws {
        try await TestServer.with { server in
            let id = try await create(server, ["hold"])
            #expect(try await server.request("POST", Self.base + "/containers/\(id)/start").status == 204)
            let again = try await server.request("POST", Self.base + "/containers/\(id)/start")
            #expect(again.status == 304 && again.body.isEmpty)
        }
    }

    @Test func `a pull makes the reference known and an image's name may hold slashes`() async throws {
        try await TestServer.with { server in
            let body = "{\"Reference\":\"library/alpine:latest\"}"
            let pull = try await server.request("POST", Self.base + "/images/pull", body: body, type: "text/plain")
            #expect(pull.status == 200 && pull.body.contains("\"status\":"), "\(pull)")
            for path in ["/images/library/alpine", "/images/alpine:latest", "/images/inspect?name=library/alpine"] {
                let image = try await server.request("GET", Self.base + path)
                #expect(image.status == 200 && image.body.contains(FakeRegistry.digest), "\(path): \(image)")
            }
            let denied = try await server.request(
                "POST", Self.base + "/images/pull", body: "{\"Reference\":\"nothere\"}")
            #expect(denied.status == 404 && denied.body.contains("pull access denied"))
        }
    }

    @Test func `a run is limited to the configured time`() async throws {
        try await TestServer.with { server in
            let id = try await create(server, ["true"])
            #expect(try await server.record(id)?.spec.run.timeoutSeconds == 600)
        }
    }

    // MARK: what operators look at

    @Test func `health, status, summary, provider and figures have their members`() async throws {
        try await TestServer.with { server in
            let id = try await create(server, ["true"], name: "job")
            let health = try await server.request("GET", Self.base + "/healthz").body
            #expect(health.wholeMatch(of: /\{"status":"ok","component":"backend","uptime_seconds":\d+\}/) != nil)
            let status = try JSON.parse(try await server.request("GET", Self.base + "/status").body)
            #expect(status["backend_type"] == "azf" && status["containers"]?.integer == 1)
            #expect(status["active_resources"]?.integer == 0 && status["instance_id"] != nil)
            let summary = try JSON.parse(try await server.request("GET", Self.base + "/containers/summary").body)
            guard case .array(let items) = summary else { throw JSONError.empty }
            #expect(items.count == 1 && items[0]["id"] == .string(id) && items[0]["name"] == "job")
            #expect(items[0]["state"] == "created" && items[0]["image"] == "alpine")
            let provider = try await server.request("GET", Self.base + "/provider").body
            #expect(provider.contains("\"provider\":\"azure\",\"mode\":\"cloud\""))
            let metrics = try JSON.parse(try await server.request("GET", Self.base + "/metrics").body)
            #expect(metrics["requests"]?["GET /healthz"]?.integer == 1)
            #expect(metrics["latency_ms"]?["POST /containers"]?["p95"] != nil)
            #expect((metrics["goroutines"]?.integer ?? 0) > 0)
        }
    }

    @Test func `a check tells what is in the way`() async throws {
        try await TestServer.with { server in
            let fine = try await server.request("GET", Self.base + "/check").body
            #expect(!fine.contains("error") && fine.contains("{\"name\":\"store\",\"status\":\"ok\"}"))
            server.readiness.set(["the sites were not seen yet"])
            let check = try await server.request("GET", Self.base + "/check").body
            #expect(
                check.contains("\"name\":\"azure\",\"status\":\"error\",\"detail\":\"the sites were not seen yet\""))
            #expect(try await server.request("GET", Self.base + "/status").body.contains("\"degraded\""))
        }
    }

    @Test func `cleanup deletes old orphans through the sweep and names what it could not`() async throws {
        try await TestServer.with { server in
            let now = Instant.now
            func leak(_ name: String, hours: Int, kind: LeakReport.Leak.Kind = .site) -> LeakReport.Leak {
                LeakReport.Leak(
                    name: name, kind: kind, state: .suspected, uid: .test(1),
                    firstSeenAt: now + .seconds(-3600 * hours),
                    lastSeenAt: now)
            }
            let items = [leak("skls-old", hours: 2), leak("skls-new", hours: 0), leak("share", hours: 9, kind: .share)]
            server.leaks.change { $0.report = LeakReport(items: items, mode: "delete", freeze: nil) }
            let orphans = try await server.request("GET", Self.base + "/resources/orphaned").body
            #expect(orphans.contains("skls-old") && !orphans.contains("skls-new") && !orphans.contains("share"))
            let cleaned = try await server.request("POST", Self.base + "/resources/cleanup?max_age=90m")
            #expect(cleaned.body == "{\"cleaned\":1}")
            #expect(server.leaks.calls.filter { $0.hasPrefix("delete") } == ["delete skls-old"])
        }
    }

    @Test func `Go's durations are understood`() {
        #expect(GoDuration.parse("1h30m") == .seconds(5400) && GoDuration.parse("0") == .zero)
        #expect(GoDuration.parse("250ms") == .milliseconds(250) && GoDuration.parse("0.5h") == .seconds(1800))
        for text in ["", "1", "h", "-1h", "1d", "1h 30m", "1e9h"] { #expect(GoDuration.parse(text) == nil) }
    }

    @Test func `each route is found by its own path, and literal paths before names`() {
        for route in InternalRoute.all {
            let path = route.path.replacing("{name+}", with: "lib/a").replacing("{id}", with: "x").replacing(
                "{name}", with: "x")
            let segments = ["internal", "v1"] + path.split(separator: "/").map(String.init)
            #expect(InternalRoute.resolve(method: route.method, segments: segments)?.route == route)
        }
        let image = InternalRoute.resolve(method: "GET", segments: ["internal", "v1", "images", "a", "b", "history"])
        #expect(image?.route.name == "image history" && image?.reference == "a/b")
    }
}
