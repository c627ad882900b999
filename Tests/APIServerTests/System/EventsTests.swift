import DesiredState
import NIOCore
import Testing

@testable import APIServer

@Suite("GET /events", .timeLimit(.minutes(1)))
struct EventsTests {
    /// What happened so far: `until` a second that is over for every clock of the test.
    private func told(_ server: TestServer, _ more: String = "", path: String = "") async throws -> [JSON] {
        let reply = try await server.request(
            "GET", "\(path)/events?since=0.000000001&until=\(Instant.now.unixSeconds)\(more)")
        guard reply.status == 200 else { throw TestServer.CreateFailed(response: reply) }
        return try reply.body.split(separator: "\n").map { try JSON.parse(String($0)) }
    }

    private func actions(_ events: [JSON]) -> [String] {
        events.compactMap { event in
            if case .string(let text)? = event["Action"] { text } else { nil }
        }
    }

    @Test("a run that removes itself is told in Docker's order, each event once")
    func order() async throws {
        try await TestServer.with { server in
            try await RawClient.with(server.socketPath) { session in
                try await session.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
                // The head comes before anything happens.
                let head = try await session.read(through: "\r\n\r\n")
                #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n") && head.contains("application/json"))
                let id = try await server.create(
                    ["play", "exit:7"], name: "job",
                    more: ",\"HostConfig\":{\"AutoRemove\":true},\"Labels\":{\"a\":\"b\"}")
                try await RawClient.with(server.socketPath) { attached in
                    try await attached.send(attach(id))
                    _ = try await attached.read(through: "\r\n\r\n")
                    #expect(try await server.request("POST", "/containers/\(id)/start").status == 204)
                    _ = try await attached.readToEnd()
                }
                var events: [JSON] = []
                while actions(events).last != "destroy" {
                    // Chunks' sizes stand before the lines; CR LF is one character, and no end of a line.
                    let text = try await session.read(through: "\n")
                    if text.isEmpty { break }
                    events.append(try JSON.parse(String(text.drop { $0 != "{" }.dropLast())))
                }
                #expect(actions(events) == ["pull", "create", "attach", "start", "die", "destroy"])
                let die = events[4]
                #expect(die["status"] == "die" && die["id"] == .string(id) && die["from"] == "alpine")
                #expect(die["Type"] == "container" && die["scope"] == "local")
                let attributes = die["Actor"]?["Attributes"]
                #expect(attributes?["exitCode"] == "7" && attributes?["execDuration"] == "0")
                #expect(attributes?["name"] == "job" && attributes?["image"] == "alpine" && attributes?["a"] == "b")
                #expect(events[0]["Actor"] == ["ID": "alpine:latest", "Attributes": ["name": "alpine"]])
            }
        }
    }

    @Test("stop kills, and restart does all of it")
    func stopAndRestart() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["hold"])
            #expect(try await server.request("POST", "/containers/\(id)/start").status == 204)
            #expect(try await server.request("POST", "/containers/\(id)/restart").status == 204)
            #expect(try await server.request("POST", "/containers/\(id)/kill?signal=HUP").status == 204)
            #expect(try await server.request("POST", "/containers/\(id)/stop?signal=INT").status == 204)
            #expect(try await server.request("POST", "/containers/\(id)/rename?name=other").status == 204)
            #expect(try await server.request("DELETE", "/containers/\(id)").status == 204)
            let events = try await server.store.events(after: 0, since: nil, limit: 100)
            #expect(
                events.map(\.action) == [
                    "pull", "create", "start", "kill", "die", "stop", "start", "restart", "kill", "kill", "die", "stop",
                    "rename", "destroy",
                ])
            #expect(events.filter { $0.action == "kill" }.map { $0.attributes["signal"] } == ["15", "1", "2"])
            #expect(events.first { $0.action == "rename" }?.attributes["name"] == "other")
            #expect(events.first { $0.action == "rename" }?.attributes["oldName"]?.hasPrefix("/") == true)
        }
    }

    @Test("a client that goes on from the time it saw last is told the rest, also by another server on the store")
    func resumes() async throws {
        try await TestServer.with { server in
            for number in 0..<300 { try await server.store.commit(transaction("e\(number)", at: number)) }
            let all = try await told(server)
            #expect(actions(all) == (0..<300).map { "e\($0)" })
            guard case .number(let nanoseconds)? = all[120]["timeNano"], let time = Int64(nanoseconds) else {
                Issue.record("no time")
                return
            }
            let since = "\(time / 1_000_000_000).\(String(time % 1_000_000_000 + 1_000_000_000).dropFirst())"
            let rest = try await server.request("GET", "/events?since=\(since)&until=\(Instant.now.unixSeconds)")
            #expect(rest.body.split(separator: "\n").count == 180)
        }
    }

    @Test(
        "filters are moby's",
        arguments: [
            (#"{"type":["image"]}"#, ["pull"]), (#"{"event":{"exec_start":true}}"#, ["exec_start: ls"]),
            (#"{"event":["exec_start: ls","die"]}"#, ["exec_start: ls", "die"]), (#"{"container":["we"]}"#, ["die"]),
            (#"{"image":["alpine"]}"#, ["pull", "die"]), (#"{"image":["alpine:latest"]}"#, ["pull"]),
            (#"{"label":["a"]}"#, ["die"]), (#"{"label":["a=c"]}"#, []), (#"{"scope":["swarm"]}"#, []),
            (#"{"daemon":["x"]}"#, []), (#"{"nonsense":["x"]}"#, ["pull", "exec_start: ls", "die"]),
        ])
    func filters(text: String, expected: [String]) throws {
        let query = try EventQuery(RequestTarget("/events?filters=\(text.percentEncoded)").query, .newest)
        let events = [
            EngineEvent(at: .now, .image, "pull", actor: "alpine:latest", attributes: ["name": "alpine"]),
            EngineEvent(at: .now, .container, "exec_start: ls", actor: "cc", attributes: ["image": "b", "name": "db"]),
            EngineEvent(
                at: .now, .container, "die", actor: "ab", attributes: ["image": "alpine", "name": "web", "a": "b"]),
        ]
        #expect(events.filter(query.includes).map(\.action) == expected)
    }

    @Test("image events of creation are hidden from clients that do not know them")
    func imageCreation() throws {
        let event = EngineEvent(at: .now, .image, "create", actor: "x")
        let target = RequestTarget("/events").query
        #expect(try !EventQuery(target, DockerVersion(major: 1, minor: 45)).includes(event))
        #expect(try EventQuery(target, DockerVersion(major: 1, minor: 46)).includes(event))
    }

    @Test("bounds that are none, or in the wrong order, are refused")
    func bounds() async throws {
        try await TestServer.with { server in
            #expect(try await server.request("GET", "/events?since=soon").status == 400)
            let swapped = try await server.request("GET", "/events?since=20&until=10")
            #expect(swapped.status == 400 && swapped.body.contains("cannot be after"))
            #expect(try await server.request("GET", "/events?filters=%7B").status == 400)
            #expect(try await server.request("GET", "/v1.44/events?until=1").body.isEmpty)
        }
    }

    @Test("a stopping daemon ends the stream")
    func stops() async throws {
        try await TestServer.with { server in
            try await RawClient.with(server.socketPath) { session in
                try await session.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
                _ = try await session.read(through: "\r\n\r\n")
                await server.shutDown()
                _ = try await session.readToEnd()
            }
        }
    }

    private func transaction(_ action: String, at second: Int) -> Transaction {
        let event = EngineEvent(
            at: Instant(nanoseconds: 1_700_000_000_000_000_000) + .seconds(second), .container, action, actor: "x")
        return Transaction(origin: .user, [.addEvent(event)])
    }
}

extension String {
    /// For queries.
    var percentEncoded: String {
        utf8.map { byte in
            let isPlain = (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            return isPlain
                ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}
