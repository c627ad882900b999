import AgentProtocol
import DesiredState
import NIOCore
import Testing

@testable import APIServer

@Suite("Terminals and attaching over the wire", .timeLimit(.minutes(1)))
struct TerminalTests {
    @Test("a terminal's output has no frames, neither attached nor in the logs")
    func raw() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["play", "out:one\\\\n", "out:two"], more: #","Tty":true"#)
            #expect(try await server.record(id)?.spec.tty == true)
            let inspected = try JSON.parse(try await server.request("GET", "/containers/\(id)/json").body)
            #expect(inspected["Config"]?["Tty"] == true)
            try await RawClient.with(server.socketPath) { session in
                try await session.send(attach(id))
                #expect(try await session.read(through: "\r\n\r\n").contains("application/vnd.docker.raw-stream"))
                #expect(try await server.request("POST", "/containers/\(id)/start").status == 204)
                #expect(String(buffer: try await session.readToEnd()) == "one\ntwo")
            }
            let logs = try await server.request("GET", "/containers/\(id)/logs?stdout=1&stderr=1")
            #expect(logs.body == "one\ntwo")
            #expect(logs.headers["content-type"] == "application/vnd.docker.raw-stream")
        }
    }

    @Test("the size of the client's terminal reaches the command's, at the start and later")
    func sizes() async throws {
        try await TestServer.with { server in
            let id = try await server.started(
                ["hold"], more: #","Tty":true,"HostConfig":{"ConsoleSize":[24,80]}"#)
            #expect(await server.controller.receivedSizes == [TerminalSize(rows: 24, columns: 80)])
            #expect(try await server.request("POST", "/containers/\(id)/resize?h=30&w=100").status == 200)
            #expect(await server.controller.receivedSizes.last == TerminalSize(rows: 30, columns: 100))
            let bad = try await server.request("POST", "/containers/\(id)/resize?h=-1&w=100")
            #expect(bad.status == 400 && bad.body.contains("invalid resize height"))
            _ = try await server.request("POST", "/containers/\(id)/kill")
            let late = try await server.request("POST", "/containers/\(id)/resize?h=30&w=100")
            #expect(late.status == 409 && late.body == "{\"message\":\"container \(id) is not running\"}")
            let plain = try await server.started(["hold"])
            #expect(try await server.request("POST", "/containers/\(plain)/resize?h=1&w=1").status == 400)
        }
    }

    @Test("detach keys end the client's stream and leave the command its input")
    func detachKeys() async throws {
        try await TestServer.with { server in
            let id = try await server.started(
                ["cat"], more: #","Tty":true,"OpenStdin":true,"StdinOnce":true"#)
            for keys in ["", "&detachKeys=a,ctrl-b"] {
                try await RawClient.with(server.socketPath) { session in
                    try await session.send(attach(id, "&stdin=1" + keys))
                    _ = try await session.read(through: "\r\n\r\n")
                    try await session.send("hi")
                    _ = try await session.read(through: "hi")
                    try await session.send(keys.isEmpty ? "\u{10}\u{11}" : "a\u{2}")
                    #expect(try await session.readToEnd().readableBytes == 0)
                }
            }
            #expect(try await server.record(id)?.hasOpenRun == true)
            try await RawClient.with(server.socketPath) { session in
                try await session.send(attach(id, "&stdin=1&detachKeys=ctrl"))
                let reply = try await session.response()
                #expect(reply.status == 400)
                #expect(reply.body == "{\"message\":\"Invalid detach keys (ctrl) provided\"}")
            }
        }
    }

    @Test("keys are found in pieces of any size, and what only looked like them goes on")
    func watch() throws {
        #expect(DetachKeys("ctrl-p,ctrl-q") == .usual)
        #expect(DetachKeys("a")?.bytes == [0x61])
        #expect(DetachKeys("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_")?.bytes == [0, 27, 28, 29, 30, 31])
        for text in ["", "ab", "ctrl-", "ctrl-A", "a,,b"] { #expect(DetachKeys(text) == nil, "\(text)") }
        func pass(_ pieces: [String], _ keys: DetachKeys?) -> (String, Bool) {
            var watch = DetachWatch(keys)
            var passed = ""
            for piece in pieces {
                let (bytes, isDetached) = watch.take(ByteBuffer(string: piece))
                passed += String(buffer: bytes)
                if isDetached { return (passed, true) }
            }
            return (passed + String(buffer: watch.finish()), false)
        }
        let keys = DetachKeys("x,y")
        #expect(pass(["axb", "xxy", "z"], keys) == ("axbx", true))
        #expect(pass(["x", "y"], keys) == ("", true))
        #expect(pass(["x", "x"], keys) == ("xx", false))
        #expect(pass(["xy"], nil) == ("xy", false))
    }

    @Test("under the contract without sessions attached streams are refused before anything exists")
    func strict() async throws {
        try await TestServer.with(sessions: FakeSessions(), policy: .off) { server in
            _ = try await server.create(["true"], name: "plain")
            for flag in ["AttachStdin", "AttachStdout", "AttachStderr"] {
                let reply = try await server.request(
                    "POST", "/containers/create?name=x",
                    body:
                        "{\"Image\":\"alpine\",\"Cmd\":[\"true\"],\"\(flag)\":true,\"HostConfig\":{\"AutoRemove\":true}}"
                )
                #expect(reply.status == 501)
                #expect(reply.body.contains("attach (\(flag)) needs a session") && reply.body.contains("docker run -d"))
            }
            #expect(try await server.record("x") == nil)
            let refused = try await server.request("POST", "/containers/plain/attach?stream=1&stdout=1")
            #expect(refused.status == 501 && refused.body.contains("This backend (azf) does not support attach."))
            _ = try await server.create(["true"], name: "y", more: ",\"AttachStdout\":true")
            for (method, path, feature) in [
                ("POST", "/containers/plain/exec", "exec"), ("GET", "/exec/x/json", "exec"),
                ("POST", "/exec/x/start", "exec"), ("POST", "/networks/create", "networks"),
                ("POST", "/volumes/create", "volumes"),
            ] {
                let reply = try await server.request(method, path, body: method == "POST" ? "{}" : nil)
                let words =
                    "This backend (azf) does not support \(feature). CI runners require exec-capable backends (ecs, cloudrun, aca, docker)."
                #expect(reply.status == 501 && reply.body == "{\"message\":\"\(words)\"}", "\(path): \(reply)")
            }
            let held = try await server.started(["hold"])
            #expect(try await server.request("POST", "/containers/\(held)/exec", body: "{}").status == 501)
            #expect(try await server.request("GET", "/containers/\(held)/top").status == 501)
        }
    }

    @Test("update keeps limits as create does, and refuses what create refuses")
    func update() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["true"], more: #","HostConfig":{"Memory":6291456,"CpuShares":3}"#)
            let path = "/containers/\(id)/update"
            let reply = try await server.request(
                "POST", path, body: #"{"Memory":10000000,"CpuShares":0,"RestartPolicy":{"Name":"no"}}"#)
            #expect(reply.status == 200)
            #expect(reply.body.contains("HostConfig.Memory is kept but not enforced"))
            let inspected = try JSON.parse(try await server.request("GET", "/containers/\(id)/json").body)
            #expect(inspected["HostConfig"]?["Memory"] == 10000000 && inspected["HostConfig"]?["CpuShares"] == 3)
            let policy = try await server.request("POST", path, body: #"{"RestartPolicy":{"Name":"always"}}"#)
            #expect(policy.status == 501 && policy.body.contains("a command runs once per start"))
            #expect(try await server.request("POST", path, body: "[]").status == 400)
            #expect(try await server.request("POST", "/containers/nobody/update", body: "{}").status == 404)
            let nothing = try await server.request("POST", path, body: "{}")
            #expect(nothing.body == "{\"Warnings\":null}")
        }
    }
}
