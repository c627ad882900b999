import DesiredState
import NIOConcurrencyHelpers
import Testing

@testable import APIServer

@Suite("System, lists and prune", .timeLimit(.minutes(1)))
struct SystemTests {
    private func names(_ server: TestServer, _ query: String) async throws -> [String] {
        let reply = try await server.request("GET", "/containers/json?\(query)")
        guard case .array(let containers) = try JSON.parse(reply.body) else { return ["\(reply.status)"] }
        return containers.compactMap { container in
            if case .array(let names)? = container["Names"], case .string(let name)? = names.first { name } else { nil }
        }
    }

    @Test("containers are listed by all of moby's filters, each once, newest first")
    func lists() async throws {
        try await TestServer.with { server in
            let first = try await server.create(["hold"], name: "first", more: #","Labels":{"a":"b"}"#)
            let second = try await server.create(["play", "exit:3"], name: "second")
            _ = try await server.create(["true"], name: "third")
            for id in [first, second] {
                #expect(try await server.request("POST", "/containers/\(id)/start").status == 204)
            }
            #expect(try await server.request("POST", "/containers/\(second)/wait").status == 200)
            let cases: [(String, String, [String])] = [
                ("", "{}", ["/first"]), ("all=1", "{}", ["/third", "/second", "/first"]),
                ("limit=2", "{}", ["/third", "/second"]),
                ("limit=-1", "{}", ["/first"]), ("limit=0&all=1", "{}", ["/third", "/second", "/first"]),
                ("", #"{"status":["exited","created"]}"#, ["/third", "/second"]),
                ("all=1", #"{"exited":["3"]}"#, ["/second"]), ("all=1", #"{"exited":["0"]}"#, []),
                ("", #"{"before":["second"]}"#, ["/first"]), ("", #"{"since":["first"]}"#, ["/third", "/second"]),
                ("all=1", #"{"name":["^/?s"]}"#, ["/second"]), ("all=1", #"{"name":["ir"]}"#, ["/third", "/first"]),
                ("all=1", #"{"name":["[("]}"#, []), ("all=1", "{\"id\":[\"\(first.prefix(8))\"]}", ["/first"]),
                ("all=1", #"{"label":{"a":true,"a=b":true}}"#, ["/first"]), ("all=1", #"{"label":["a=c"]}"#, []),
                ("all=1", #"{"ancestor":["alpine"]}"#, ["/third", "/second", "/first"]),
                ("all=1", "{\"ancestor\":[\"\(FakeRegistry.digest)\"]}", ["/third", "/second", "/first"]),
                ("all=1", #"{"ancestor":["nope"]}"#, []), ("", #"{"network":["bridge"]}"#, ["/first"]),
                ("", #"{"network":["mine"]}"#, []), ("", #"{"health":["none"]}"#, ["/first"]),
                ("", #"{"health":["healthy"]}"#, []), ("", #"{"volume":["v"]}"#, []), ("", #"{"publish":["80"]}"#, []),
                ("", #"{"is-task":["false"]}"#, ["/first"]), ("", #"{"is-task":["true"]}"#, []),
                ("", #"{"isolation":["default"]}"#, ["/first"]),
            ]
            for (query, filters, expected) in cases {
                let shown = try await names(server, "\(query)&filters=\(filters.percentEncoded)")
                #expect(shown == expected, "\(query) \(filters)")
            }
            let sized = try await server.request("GET", "/containers/json?size=1")
            #expect(sized.body.contains("\"SizeRw\":0"))
            for filters in [
                #"{"status":["odd"]}"#, #"{"exited":["x"]}"#, #"{"health":["fine"]}"#, #"{"publish":["x"]}"#,
                #"{"is-task":["x"]}"#, #"{"nope":["x"]}"#, #"{"name":["(a+)+"]}"#, "[]", "{",
                #"{"label":"a"}"#,
            ] {
                let reply = try await server.request("GET", "/containers/json?filters=\(filters.percentEncoded)")
                #expect(reply.status == 400, "\(filters) \(reply.body)")
            }
            #expect(try await server.request("GET", "/containers/json?limit=x").status == 400)
            let missing = #"{"before":["nobody"]}"#.percentEncoded
            #expect(try await server.request("GET", "/containers/json?filters=\(missing)").status == 404)
        }
    }

    @Test("prune removes what does not run and matches, and leaves what a manifest declared")
    func prune() async throws {
        try await TestServer.with { server in
            let running = try await server.create(["hold"], name: "running", more: #","Labels":{"a":"b"}"#)
            #expect(try await server.request("POST", "/containers/\(running)/start").status == 204)
            let labelled = try await server.create(["true"], name: "labelled", more: #","Labels":{"a":"b"}"#)
            let plain = try await server.create(["true"], name: "plain")
            let manifest = Manifest(
                name: try #require(RecordName("declared")),
                spec: FunctionAppSpec(image: try ImageReference(parsing: "alpine"), args: ["true"], invocations: 0))
            try await server.store.commit(
                Transaction(origin: .user, [.create(FunctionApp(creating: manifest, uid: .test(7), at: .now))]))
            func prune(_ filters: String) async throws -> String {
                try await server.request("POST", "/containers/prune?filters=\(filters.percentEncoded)").body
            }
            let nothing = #"{"ContainersDeleted":[],"SpaceReclaimed":0}"#
            #expect(try await prune(#"{"until":["24h"]}"#) == nothing)
            #expect(try await prune(#"{"label!":["a=b"],"label":["a"]}"#) == nothing)
            #expect(
                try await prune(#"{"label":["a=b"]}"#)
                    == "{\"ContainersDeleted\":[\"\(labelled)\"],\"SpaceReclaimed\":0}")
            #expect(try await prune("{}") == "{\"ContainersDeleted\":[\"\(plain)\"],\"SpaceReclaimed\":0}")
            #expect(try await names(server, "all=1") == ["/declared", "/running"])
            for filters in [#"{"x":[]}"#, #"{"until":["1h","2h"]}"#, #"{"until":["later"]}"#] {
                #expect(
                    try await server.request("POST", "/containers/prune?filters=\(filters.percentEncoded)").status
                        == 400)
            }
            let last = try await server.store.events(after: 0, since: nil, limit: 100).last
            #expect(last?.action == "prune" && last?.attributes == ["reclaimed": "0"])
        }
    }

    @Test("`docker system prune` and `docker system df` get all their answers")
    func systemPrune() async throws {
        try await TestServer.with { server in
            _ = try await server.create(["true"], name: "job")
            for path in ["networks", "volumes", "images", "build"] {
                #expect(try await server.request("POST", "/v1.50/\(path)/prune").status == 200, "\(path)")
            }
            let usage = try JSON.parse(try await server.request("GET", "/system/df").body)
            #expect(usage["Containers"]?.kind == "array" && usage["LayersSize"] == 0)
            #expect(usage.text.contains("/job") && usage.text.contains("alpine:latest"))
            let some = try JSON.parse(try await server.request("GET", "/system/df?type=volume&type=image").body)
            #expect(some["Containers"] == [] && some["Images"] != [])
            #expect(try await server.request("GET", "/system/df?type=x").status == 400)
        }
    }

    @Test("networks and volumes can be looked at, and are refused in the seeds' words")
    func networks() async throws {
        try await TestServer.with { server in
            let all = try await server.request("GET", "/networks").body
            for name in ["bridge", "host", "none"] {
                #expect(all.contains("\"Name\":\"\(name)\""))
                let one = try JSON.parse(try await server.request("GET", "/networks/\(name)").body)
                guard case .string(let id)? = one["Id"] else {
                    Issue.record("no id")
                    continue
                }
                #expect(id.count == 64)
                #expect(try await server.request("GET", "/networks/\(id.prefix(12))").status == 200)
                #expect(try await server.request("DELETE", "/networks/\(name)").status == 403)
            }
            for (filters, count) in [
                (#"{"name":["bridge"]}"#, 1), (#"{"driver":["null"]}"#, 1), (#"{"type":["custom"]}"#, 0),
                (#"{"scope":["local"]}"#, 3), (#"{"dangling":["true"]}"#, 0), (#"{"label":["x"]}"#, 0),
            ] {
                let reply = try await server.request("GET", "/networks?filters=\(filters.percentEncoded)").body
                #expect(reply.components(of: "\"Name\"") == count, "\(filters)")
            }
            #expect(try await server.request("GET", "/networks?filters=%7B%22type%22%3A%5B%22x%22%5D%7D").status == 400)
            #expect(
                try await server.request("GET", "/networks/mine").body == "{\"message\":\"network mine not found\"}")
            #expect(try await server.request("DELETE", "/networks/mine").status == 404)
            for path in ["/networks/create", "/networks/bridge/connect", "/volumes/create"] {
                let reply = try await server.request("POST", path, body: "{}")
                #expect(reply.status == 501)
                let what = path.contains("volumes") ? "volumes" : "networks"
                #expect(
                    reply.body
                        == "{\"message\":\"This backend (azf) does not support \(what). CI runners require exec-capable backends (ecs, cloudrun, aca, docker).\"}"
                )
            }
            #expect(try await server.request("GET", "/volumes").body == #"{"Volumes":[],"Warnings":null}"#)
            #expect(try await server.request("GET", "/volumes/v").status == 404)
            #expect(try await server.request("DELETE", "/volumes/v").status == 404)
            #expect(try await server.request("DELETE", "/volumes/v?force=1").status == 204)
            #expect(try await server.request("GET", "/volumes?filters=%7B%22x%22%3A%5B%5D%7D").status == 400)
        }
    }

    @Test("what images cannot do here is refused with the way to do it")
    func refusals() async throws {
        try await TestServer.with { server in
            for (method, path) in [
                ("POST", "/build"), ("POST", "/images/load"), ("POST", "/images/alpine/push"),
                ("GET", "/images/search"),
                ("GET", "/images/get"), ("GET", "/images/alpine/get"), ("POST", "/commit"),
                ("GET", "/distribution/alpine/json"), ("POST", "/swarm/init"), ("POST", "/session"),
            ] {
                let reply = try await server.request(method, path)
                #expect(reply.status == 501, "\(path)")
                #expect(reply.body.contains(": "), "\(path)")
                #expect(reply.headers["content-type"] == "application/json")
            }
        }
    }

    @Test("credentials are checked with the configured registry only")
    func login() async throws {
        let body = #"{"username":"u","password":"p4ss","serveraddress":"registry.example"}"#
        try await TestServer.with { server in
            let reply = try await server.request("POST", "/auth", body: body)
            #expect(reply.status == 501 && reply.body.contains("configuration") && !reply.body.contains("p4ss"))
        }
        let login = FakeLogin()
        try await TestServer.with(login: login) { server in
            #expect(try await server.request("POST", "/auth", body: body).body.contains("Login Succeeded"))
            login.answer(.refused)
            let refused = try await server.request("POST", "/auth", body: body)
            #expect(refused.status == 401 && !refused.body.contains("p4ss"))
            login.answer(.otherRegistry(configured: "other.example"))
            #expect(try await server.request("POST", "/auth", body: body).body.contains("other.example"))
            #expect(try await server.request("POST", "/auth", body: "{}", type: "text/plain").status == 400)
        }
        #expect("\(RegistryCredentials(server: "s", user: "u", password: "p4ss"))" == "u at s")
    }

    @Test("info and version have the fields that clients fail without")
    func info() async throws {
        try await TestServer.with { server in
            let info = try JSON.parse(try await server.request("GET", "/info").body)
            for name in [
                "ID", "Name", "Containers", "Images", "Debug", "OSType", "Architecture", "NCPU", "MemTotal",
                "ServerVersion", "Driver", "Plugins", "RegistryConfig", "SecurityOptions", "Warnings",
            ] {
                #expect(info[name] != nil, "\(name)")
            }
            #expect(info["Swarm"]?["LocalNodeState"] == "inactive" && info["CgroupDriver"] == "none")
            let version = try JSON.parse(try await server.request("GET", "/version").body)
            for name in [
                "Version", "ApiVersion", "MinAPIVersion", "GitCommit", "GoVersion", "Os", "Arch", "KernelVersion",
                "BuildTime", "Platform", "Components",
            ] {
                #expect(version[name] != nil, "\(name)")
            }
        }
    }

    @Test("time spans are Go's")
    func spans() {
        #expect(GoDuration.parse("1h30m") == .seconds(5400))
        #expect(GoDuration.parse("1.5s") == .milliseconds(1500))
        for text in ["", "10", "h", "1d", "1h-2m"] { #expect(GoDuration.parse(text) == nil, "\(text)") }
    }
}

/// Answers as it is told.
final class FakeLogin: RegistryLogin {
    private let verdict = NIOLockedValueBox(RegistryLoginVerdict.accepted)
    func answer(_ value: RegistryLoginVerdict) { verdict.withLockedValue { $0 = value } }
    func check(_ credentials: RegistryCredentials) async throws(ImageResolverError) -> RegistryLoginVerdict {
        verdict.withLockedValue { $0 }
    }
}

extension String {
    fileprivate func components(of text: String) -> Int {
        var count = 0
        var rest = self[...]
        while let range = rest.firstRange(of: text) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}
