import DesiredState
import NIOCore
import Testing

@testable import APIServer

@Suite("Containers over the wire", .timeLimit(.minutes(1)))
struct ContainerTests {
    @Test("create writes a record without a run, and keeps the environment in one place")
    func create() async throws {
        try await TestServer.with { server in
            let id = try await server.create(
                ["true"], name: "web",
                more:
                    ",\"Env\":[\"A=canary-1\",\"B\",\"A=canary-2\"],\"Labels\":{\"l\":\"v\"},\"HostConfig\":{\"AutoRemove\":true,\"Memory\":10000000}"
            )
            let record = try #require(try await server.record("web"))
            #expect(record.uid.text == id)
            #expect(record.spec.invocations == 0)
            #expect(record.spec.env == [EnvironmentVariable(name: "A", value: "canary-2")])
            #expect(record.spec.run.ttlSecondsAfterFinished == 0)
            #expect(record.metadata.labels == ["l": "v"])
            let annotation = try #require(record.metadata.annotations["docker.skls.dev/config"])
            #expect(!annotation.contains("canary"))
            #expect(annotation.contains("\"Memory\":10000000"))
        }
    }

    @Test("an unknown image is 404 until it was pulled, and a taken name 409")
    func createRefusals() async throws {
        try await TestServer.with { server in
            let body = "{\"Image\":\"alpine\",\"Cmd\":[\"true\"]}"
            let unknown = try await server.request("POST", "/containers/create?name=web", body: body)
            #expect(unknown.status == 404)
            #expect(unknown.body == "{\"message\":\"No such image: alpine:latest\"}")
            let id = try await server.create(["true"], name: "web")
            let taken = try await server.request("POST", "/containers/create?name=web", body: body)
            #expect(taken.status == 409)
            #expect(
                taken.body.contains(
                    "Conflict. The container name \\\"/web\\\" is already in use by container \\\"\(id)\\\". You have to remove (or rename) that container to be able to reuse that name."
                ))
            let bad = try await server.request("POST", "/containers/create?name=-x", body: body)
            #expect(bad.status == 400)
            #expect(
                bad.body.contains("Invalid container name (-x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"))
            let platform = try await server.request(
                "POST", "/containers/create?platform=linux/arm64", body: body)
            #expect(platform.status == 400)
        }
    }

    @Test("an image that the registry does not have is refused before the first byte")
    func pullRefusals() async throws {
        try await TestServer.with { server in
            let missing = try await server.request("POST", "/images/create?fromImage=nothere&tag=latest")
            #expect(missing.status == 404)
            #expect(
                missing.body
                    == "{\"message\":\"pull access denied for nothere, repository does not exist or may require 'docker login': denied: requested access to the resource is denied\"}"
            )
            let tag = try await server.request("POST", "/images/create?fromImage=alpine&tag=9")
            #expect(
                tag.body
                    == "{\"message\":\"manifest for alpine:9 not found: manifest unknown: manifest unknown\"}")
            #expect(try await server.request("POST", "/images/create?fromSrc=-").status == 501)
            let first = try await server.request("POST", "/images/create?fromImage=docker.io/library/alpine&tag=latest")
            #expect(first.body.contains("Digest: \(FakeRegistry.digest)"))
            #expect(first.body.contains("Downloaded newer image for alpine:latest"))
            let second = try await server.request("POST", "/images/create?fromImage=alpine&tag=latest")
            #expect(second.body.contains("Image is up to date for alpine:latest"))
            #expect(try await server.request("GET", "/images/alpine/json").status == 200)
            #expect(try await server.request("GET", "/images/nothere/json").status == 404)
        }
    }

    @Test("a second start of a running container is 304; one that runs again starts anew")
    func startTwice() async throws {
        try await TestServer.with { server in
            let held = try await server.create(["hold"])
            #expect(try await server.request("POST", "/containers/\(held)/start").status == 204)
            #expect(try await server.request("POST", "/containers/\(held)/start").status == 304)
            #expect(try await server.request("POST", "/containers/\(held)/stop?t=1").status == 204)
            #expect(try await server.request("POST", "/containers/\(held)/stop").status == 304)
            let echo = try await server.create(["echo", "x"])
            for _ in 0..<2 {
                #expect(try await server.request("POST", "/containers/\(echo)/start").status == 204)
                #expect(try await server.request("POST", "/containers/\(echo)/wait").body == "{\"StatusCode\":0}\n")
            }
            let logs = try await server.request("GET", "/containers/\(echo)/logs?stdout=1")
            #expect(logs.body.utf8.count == 2 * (StreamFrame.headerBytes + 2))
            #expect(try await server.record(echo)?.lastRunNumber == 2)
        }
    }

    @Test("a start that brings a configuration is refused, as by Docker since 1.24")
    func startWithBody() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["hold"])
            let refused = try await server.request("POST", "/containers/\(id)/start", body: #"{"Binds":[]}"#)
            #expect(refused.status == 400 && refused.body.contains("was deprecated since API v1.22"))
            #expect(try await server.request("POST", "/containers/\(id)/start", body: "{}").status == 204)
            let plain = try JSON.parse(try await server.request("GET", "/containers/\(id)/json").body)
            let sized = try JSON.parse(try await server.request("GET", "/containers/\(id)/json?size=1").body)
            #expect(plain["SizeRw"] == nil && sized["SizeRw"] == 0 && sized["SizeRootFs"] == 0)
        }
    }

    @Test("start waits for the agent's word, and a client that hangs up cancels nothing")
    func startWaits() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["echo", "late"])
            try await server.controller.setHoldsBack(true)
            try await RawClient.with(server.socketPath) { session in
                try await session.send(
                    "POST /containers/\(id)/start HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
                // Only once the wish is in the record the client goes.
                var changes = server.store.changes.subscribe(to: try #require(UID(id))).makeAsyncIterator()
                while try await server.record(id)?.spec.invocations != 1 { _ = await changes.next() }
            }
            try await server.controller.setHoldsBack(false)
            #expect(try await server.request("POST", "/containers/\(id)/wait").body == "{\"StatusCode\":0}\n")
            #expect(try await server.record(id)?.lastRunNumber == 1)
        }
    }

    @Test("a command that cannot be started is 400, with the exit code in the state")
    func startFailures() async throws {
        try await TestServer.with { server in
            for (word, code, text) in [
                ("nosuch", 127, "executable file not found"), ("denied", 126, "permission denied"),
            ] {
                let id = try await server.create([word])
                let reply = try await server.request("POST", "/containers/\(id)/start")
                #expect(reply.status == 400)
                #expect(reply.body.contains(text))
                let state = try await server.request("GET", "/containers/\(id)/json").body
                #expect(state.contains("\"ExitCode\":\(code)"))
                #expect(state.contains("\"Status\":\"created\""))
            }
        }
    }

    @Test("a start that the controller gives up is 500 with its reason, and does not happen later")
    func stalled() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["stall"])
            let reply = try await server.request("POST", "/containers/\(id)/start")
            #expect(reply.status == 500)
            #expect(reply.body == "{\"message\":\"there is no plan named \\\"p1\\\"\"}")
            #expect(try await server.record(id)?.spec.invocations == 0)
            let removing = try await server.create(["stall"], more: ",\"HostConfig\":{\"AutoRemove\":true}")
            #expect(try await server.request("POST", "/containers/\(removing)/start").status == 500)
            #expect(
                try await server.request("POST", "/containers/\(removing)/wait?condition=removed").status != 500)
            #expect(try await server.record(removing) == nil)
        }
    }

    @Test("an outcome that nobody knows is exit code 125 with an explanation")
    func unknownOutcome() async throws {
        try await TestServer.with { server in
            let vanished = try await server.create(["vanish"])
            let refused = try await server.request("POST", "/containers/\(vanished)/start")
            #expect(refused.status == 500)
            #expect(refused.body.contains("nobody knows whether the command ran"))
            let id = try await server.create(["lose"])
            _ = try await server.request("POST", "/containers/\(id)/start")
            let end = try await server.request("POST", "/containers/\(id)/wait").body
            #expect(end.hasPrefix("{\"StatusCode\":125,\"Error\":{\"Message\":\"the command was started"))
        }
    }

    @Test("a running container is only removed by force, and a removed name is free at once")
    func remove() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["hold"], name: "web")
            _ = try await server.request("POST", "/containers/web/start")
            let refused = try await server.request("DELETE", "/containers/web")
            #expect(refused.status == 409)
            #expect(
                refused.body.contains(
                    "cannot remove container \\\"web\\\": container is running: stop the container before removing or force remove"
                ))
            #expect(try await server.request("DELETE", "/containers/web?force=1&v=1").status == 204)
            #expect(try await server.request("GET", "/containers/\(id)/json").status == 404)
            #expect(try await server.request("DELETE", "/containers/web").body.contains("No such container: web"))
            #expect(try await server.create(["true"], name: "web") != id)
        }
    }

    @Test("signals go to the agent, and KILL answers after the end")
    func kill() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["hold"])
            let early = try await server.request("POST", "/containers/\(id)/kill")
            #expect(early.status == 409)
            #expect(early.body.contains("is not running"))
            _ = try await server.request("POST", "/containers/\(id)/start")
            #expect(try await server.request("POST", "/containers/\(id)/kill?signal=SIGHUP").status == 204)
            #expect(try await server.request("POST", "/containers/\(id)/kill?signal=NOPE").status == 400)
            #expect(try await server.request("POST", "/containers/\(id)/kill").status == 204)
            #expect(
                try await server.request("GET", "/containers/\(id)/json").body.contains("\"ExitCode\":137"))
            #expect(await server.controller.receivedSignals == ["HUP", "KILL"])
        }
    }

    @Test("the list is newest first, filtered in both encodings, each container once")
    func list() async throws {
        try await TestServer.with { server in
            let first = try await server.create(["true"], name: "first", more: ",\"Labels\":{\"a\":\"b\"}")
            let second = try await server.create(["hold"], name: "second")
            _ = try await server.request("POST", "/containers/second/start")
            func ids(_ query: String) async throws -> [String] {
                let body = try await server.request("GET", "/containers/json?\(query)").body
                return body.matches(of: /"Id":"([0-9a-f]{64})"/).map { String($0.1) }
            }
            #expect(try await ids("all=1") == [second, first])
            #expect(try await ids("") == [second])
            #expect(try await ids("limit=1") == [second])
            #expect(try await ids("all=1&filters=%7B%22label%22%3A%7B%22a%3Db%22%3Atrue%7D%7D") == [first])
            #expect(try await ids("all=1&filters=%7B%22label%22%3A+%5B%22a%22%5D%7D") == [first])
            #expect(try await ids("filters=%7B%22status%22%3A%5B%22created%22%5D%7D") == [first])
            #expect(try await ids("all=1&filters=%7B%22name%22%3A%5B%22%5E%2Ffir%22%5D%7D") == [first])
            #expect(try await ids("all=1&filters=%7B%22ancestor%22%3A%5B%22alpine%3Alatest%22%5D%7D").count == 2)
            let bad = try await server.request("GET", "/containers/json?filters=%7B%22x%22%3A%5B%5D%7D")
            #expect(bad.status == 400)
            #expect(bad.body.contains("invalid filter 'x'"))
        }
    }

    @Test("containers are found by id, name and a prefix of the id")
    func references() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["true"], name: "web")
            for reference in [id, "web", "%2Fweb", String(id.prefix(12))] {
                #expect(try await server.request("GET", "/containers/\(reference)/json").status == 200)
            }
            #expect(try await server.request("POST", "/containers/web/rename?name=site").status == 204)
            #expect(try await server.request("GET", "/containers/site/json").status == 200)
            #expect(try await server.request("POST", "/containers/site/rename?name=site").status == 400)
            _ = try await server.create(["true"], name: "other")
            let taken = try await server.request("POST", "/containers/site/rename?name=other")
            #expect(taken.status == 409)
            #expect(taken.body.hasPrefix("{\"message\":\"Error when allocating new name: Conflict. The container name"))
        }
    }

    @Test("logs: tail, timestamps, streams, and at least one of them")
    func logs() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["play", "out:1\\\\n2\\\\n3", "err:e\\\\n", "out:\\\\n4\\\\n"])
            _ = try await server.request("POST", "/containers/\(id)/start")
            _ = try await server.request("POST", "/containers/\(id)/wait")
            func lines(_ query: String) async throws -> [String] {
                let body = try await server.request("GET", "/containers/\(id)/logs?\(query)").body
                return body.split(separator: "\n").map { String($0.drop { $0.asciiValue ?? 0 < 32 }) }
            }
            #expect(try await lines("stdout=1&stderr=1").joined(separator: "|") == "1|2|e|3|4")
            #expect(try await lines("stdout=1&tail=2").joined(separator: "|") == "3|4")
            #expect(try await lines("stderr=1").joined(separator: "|") == "e")
            #expect(try await lines("stdout=1&tail=0").isEmpty)
            let stamped = try await lines("stdout=1&tail=1&timestamps=1")
            #expect(stamped.first?.contains(/20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z 4/) == true)
            #expect(try await lines("stdout=1&since=4000000000").isEmpty)
            #expect(try await lines("stdout=1&until=1").isEmpty)
            let none = try await server.request("GET", "/containers/\(id)/logs")
            #expect(none.body == "{\"message\":\"Bad parameters: you must choose at least one stream\"}")
        }
    }

    @Test("the log of a container that keeps none is not read, and who is attached sees its output")
    func noLog() async throws {
        try await TestServer.with { server in
            let id = try await server.create(
                ["play", "out:x\\n"], name: "quiet", more: #","HostConfig":{"LogConfig":{"Type":"none"}}"#)
            let run = try await server.docker("start", "-a", "quiet")
            #expect(run.output == "x\n")
            let logs = try await server.request("GET", "/containers/\(id)/logs?stdout=1")
            #expect(logs.status == 501)
            #expect(logs.body == #"{"message":"configured logging driver does not support reading"}"#)
            #expect(try await server.skls("logs", "quiet").errors.contains("skls.dev/log"))
            let internalLogs = try await server.request("GET", "/internal/v1/containers/\(id)/logs?stdout=1")
            #expect(internalLogs.status == 501)
            let earlier = try await server.request("POST", "/containers/\(id)/attach?stdout=1&logs=1")
            #expect(earlier.status == 200 && earlier.body.isEmpty)
        }
    }

    @Test("a follower of the logs gets what comes, and its end with the run's")
    func followLogs() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["hold"])
            let uid = try #require(UID(id))
            _ = try await server.request("POST", "/containers/\(id)/start")
            try await server.controller.say(uid, "before\n")
            try await RawClient.with(server.socketPath) { session in
                try await session.send(
                    "GET /containers/\(id)/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
                _ = try await session.read(through: "before\n")
                try await server.controller.say(uid, "after\n")
                _ = try await session.read(through: "after\n")
                _ = try await server.request("POST", "/containers/\(id)/kill")
                #expect(try await session.read(through: "0\r\n\r\n").hasSuffix("0\r\n\r\n"))
            }
        }
    }

    @Test(
        "who has seen the end of the output finds the run ended: the next start is another run, and an attach is to that one",
        arguments: [false, true])
    func endOfOutput(attaches: Bool) async throws {
        try await TestServer.with { server in
            let id = try await server.create(["hold"])
            let uid = try #require(UID(id))
            _ = try await server.request("POST", "/containers/\(id)/start")
            let logs = "GET /containers/\(id)/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            try await withThrowingTaskGroup(of: Bool.self) { group in
                let (following, isFollowing) = AsyncStream.makeStream(of: Never.self)
                group.addTask {
                    try await RawClient.with(server.socketPath) { session in
                        try await session.send(attaches ? attach(id, "&logs=1") : logs)
                        _ = try await session.read(through: "\r\n\r\n")
                        isFollowing.finish()
                        _ = try await session.readToEnd()
                        return try await server.record(id)?.hasOpenRun == true
                    }
                }
                for await _ in following {}
                try await server.controller.say(uid, "one\n")
                try await server.controller.seal(uid)
                // Between the seal and the commit of the result the server has all the time for many requests, the follower's end among them.
                for _ in 0..<50 {
                    let state = try await server.request("GET", "/containers/\(id)/json")
                    #expect(state.body.contains("\"Running\":true"))
                }
                #expect(try await server.request("POST", "/containers/\(id)/kill").status == 204)
                #expect(try await group.next() == false, "the output ended while the run was open")
            }
            try await RawClient.with(server.socketPath) { session in
                try await session.send(attach(id))
                _ = try await session.read(through: "\r\n\r\n")
                #expect(try await server.request("POST", "/containers/\(id)/start").status == 204)
                try await server.controller.say(uid, "two\n")
                _ = try await server.request("POST", "/containers/\(id)/kill")
                #expect(try await session.readToEnd() == StreamFrame.encode(.standardOutput, "two\n"))
            }
        }
    }

    @Test("who attaches late sees what comes from then on; with logs=1 everything")
    func attachLate() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["hold"])
            let uid = try #require(UID(id))
            _ = try await server.request("POST", "/containers/\(id)/start")
            try await server.controller.say(uid, "before\n")
            for (query, seesEarlier) in [("", false), ("&logs=1", true)] {
                try await RawClient.with(server.socketPath) { session in
                    try await session.send(attach(id, query))
                    _ = try await session.read(through: "\r\n\r\n")
                    if seesEarlier { _ = try await session.read(through: "before\n") }
                    // A second attach to the input is refused, but there is none here.
                    try await server.controller.say(uid, "now\(query)\n")
                    let text = try await session.read(through: "now\(query)\n")
                    #expect(!text.contains("before"))
                }
            }
            #expect(try await server.request("DELETE", "/containers/\(id)?force=1").status == 204)
        }
    }

    @Test("a wait for the removal answers with the exit code after the record is gone")
    func waitRemoved() async throws {
        try await TestServer.with { server in
            let id = try await server.create(
                ["play", "exit:5"], more: ",\"HostConfig\":{\"AutoRemove\":true}")
            try await RawClient.with(server.socketPath) { session in
                try await session.send(
                    "POST /containers/\(id)/wait?condition=removed HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
                _ = try await session.read(through: "\r\n\r\n")
                _ = try await server.request("POST", "/containers/\(id)/start")
                #expect(try await session.read(through: "}").contains("{\"StatusCode\":5}"))
                #expect(try await server.record(id) == nil)
            }
        }
    }
}
