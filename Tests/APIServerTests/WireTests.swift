import DesiredState
import NIOCore
import Testing

@testable import APIServer

@Suite("The server on its socket", .timeLimit(.minutes(1)))
struct WireTests {
    @Test("every reply carries Docker's headers, and ping negotiates")
    func ping() async throws {
        try await TestServer.with { server in
            for method in ["GET", "HEAD"] {
                let reply = try await server.request(method, "/_ping")
                #expect(reply.status == 200)
                #expect(reply.headers["api-version"] == "1.51")
                #expect(reply.headers["ostype"] == "linux")
                #expect(reply.headers["docker-experimental"] == "false")
                #expect(reply.headers["server"] == "Docker/0.1.0 (linux)")
                #expect(reply.headers["builder-version"] == "1")
                #expect(reply.headers["content-type"] == "text/plain; charset=utf-8")
                #expect(reply.body == (method == "GET" ? "OK" : ""))
            }
            #expect(try await server.request("GET", "/v1.24/_ping").status == 200)
        }
    }

    @Test(
        "versions that are not spoken are refused in Docker's words",
        arguments: [
            (
                "/v1.99/info",
                "client version 1.99 is too new. Maximum supported API version is 1.51"
            ),
            (
                "/v1.23/info",
                "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"
            ),
        ])
    func versions(path: String, message: String) async throws {
        try await TestServer.with { server in
            let reply = try await server.request("GET", path)
            #expect(reply.status == 400)
            #expect(reply.body == "{\"message\":\"\(message)\"}")
            #expect(reply.headers["content-type"] == "application/json")
        }
    }

    @Test("unknown paths and methods are 404, known ones that are missing 501 with a message")
    func routes() async throws {
        try await TestServer.with { server in
            for (method, path) in [
                ("GET", "/nope"), ("PUT", "/_ping"), ("GET", "/containers/create"), ("PATCH", "/v1.50/info"),
            ] {
                let reply = try await server.request(method, path)
                #expect(reply.status == 404)
                #expect(reply.body == "{\"message\":\"page not found\"}")
            }
            let exec = try await server.request("POST", "/v1.50/containers/x/exec", body: "{}")
            #expect(exec.status == 501)
            #expect(exec.body.contains("exec needs a session with the container's agent, and sessions are off"))
            #expect(try await server.request("POST", "/v1.50/networks/create", body: "{}").status == 501)
            #expect(try await server.request("GET", "/v1.50/networks").body.contains("\"bridge\""))
            #expect(try await server.request("GET", "/v1.50/volumes").status == 200)
        }
    }

    @Test("bodies over the limit, of another type, too deep or broken are refused")
    func badBodies() async throws {
        var limits = APIServerConfiguration.Limits()
        limits.createBytes = 1000
        try await TestServer.with(limits: limits) { server in
            let path = "/containers/create"
            let large = "{\"Image\":\"\(String(repeating: "a", count: 1000))\"}"
            #expect(try await server.request("POST", path, body: large).status == 413)
            let text = try await server.request("POST", path, body: "{}", type: "text/plain")
            #expect(text.status == 400)
            #expect(text.body.contains("unsupported Content-Type header (text/plain): must be 'application/json'"))
            let deep = String(repeating: "[", count: 200) + String(repeating: "]", count: 200)
            #expect(try await server.request("POST", path, body: deep).body.contains("nested deeper than 64"))
            #expect(
                try await server.request("POST", path, body: "").body.contains(
                    "invalid JSON: got EOF while reading request body"))
            #expect(
                try await server.request("POST", path, body: "{} {}").body.contains("unexpected content after JSON"))
            #expect(try await server.request("POST", path, body: "[1]").status == 400)
            #expect(try await server.request("POST", path, body: "{\"Image\":7}").status == 400)
        }
    }

    @Test("a connection serves several requests, the last of which may leave HTTP")
    func keepAlive() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["echo", "hi"])
            try await RawClient.with(server.socketPath) { session in
                for _ in 0..<3 {
                    try await session.send("GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
                    #expect(try await session.response().body == "OK")
                }
                try await session.send(attach(id))
                let head = try await session.read(through: "\r\n\r\n")
                #expect(head.hasPrefix("HTTP/1.1 101 UPGRADED\r\n"))
                #expect(head.contains("application/vnd.docker.multiplexed-stream"))
                #expect(try await server.request("POST", "/containers/\(id)/start").status == 204)
                let output = try await session.readToEnd()
                #expect(output == StreamFrame.encode(.standardOutput, "hi\n"))
            }
        }
    }

    @Test("a client that half-closes right after the upgrade still gets all output")
    func halfClose() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["play", "out:a", "err:b", "exit:7"])
            try await RawClient.with(server.socketPath) { session in
                try await session.send(attach(id))
                session.halfClose()
                _ = try await session.read(through: "\r\n\r\n")
                #expect(try await server.request("POST", "/containers/\(id)/start").status == 204)
                var expected = StreamFrame.encode(.standardOutput, "a")
                expected.writeImmutableBuffer(StreamFrame.encode(.standardError, "b"))
                #expect(try await session.readToEnd() == expected)
            }
        }
    }

    @Test("bytes behind the upgrade are the command's input, and never another request")
    func pipelined() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["cat"], more: ",\"OpenStdin\":true,\"StdinOnce\":true")
            try await RawClient.with(server.socketPath) { session in
                try await session.send(attach(id, "&stdin=1") + "GET /info HTTP/1.1\r\n\r\n")
                session.halfClose()
                _ = try await session.read(through: "\r\n\r\n")
                #expect(try await server.request("POST", "/containers/\(id)/start").status == 204)
                let output = try await session.readToEnd()
                #expect(output == StreamFrame.encode(.standardOutput, "GET /info HTTP/1.1\r\n\r\n"))
            }
        }
    }

    @Test("garbage does not end the server")
    func garbage() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["hold"])
            for text in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", attach(id) + "\u{ff}\0garbage", "POST / HTTP/9.9\r\n\r\n"] {
                try await RawClient.with(server.socketPath) { session in
                    try await session.send(text)
                    session.halfClose()
                }
            }
            #expect(try await server.request("GET", "/_ping").status == 200)
        }
    }

    @Test("a refused attach is an error and ends the connection")
    func refusedAttach() async throws {
        try await TestServer.with { server in
            try await RawClient.with(server.socketPath) { session in
                try await session.send(attach("nobody"))
                let reply = try await session.response()
                #expect(reply.status == 404)
                #expect(reply.body == "{\"message\":\"No such container: nobody\"}")
                #expect(reply.headers["connection"] == "close")
                #expect(try await session.readToEnd().readableBytes == 0)
            }
        }
    }

    @Test("wait answers its head before anything ends, and its body at the end")
    func waitHead() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["play", "exit:3"])
            try await RawClient.with(server.socketPath) { session in
                try await session.send(
                    "POST /containers/\(id)/wait?condition=next-exit HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
                let head = try await session.read(through: "\r\n\r\n")
                #expect(head.hasPrefix("HTTP/1.1 200"))
                #expect(try await server.request("POST", "/containers/\(id)/start").status == 204)
                #expect(try await session.read(through: "}").contains("{\"StatusCode\":3}"))
            }
            #expect(try await server.request("POST", "/containers/\(id)/wait").body == "{\"StatusCode\":3}\n")
            #expect(
                try await server.request("POST", "/containers/\(id)/wait?condition=x").body
                    == "{\"message\":\"invalid condition: \\\"x\\\"\"}")
        }
    }

    @Test("an upgrade to something else that comes with a request closes the connection behind the answer")
    func foreignUpgrade() async throws {
        try await TestServer.with { server in
            try await RawClient.with(server.socketPath) { session in
                try await session.send(
                    "GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
                let reply = try await session.response()
                #expect(reply.status == 200)
                #expect(reply.headers["connection"] == "close")
            }
        }
    }

    @Test("health and readiness")
    func health() async throws {
        try await TestServer.with { server in
            #expect(try await server.request("GET", "/healthz").body == "ok\n")
            #expect(try await server.request("GET", "/readyz").status == 200)
            server.readiness.set(["the controller is frozen"])
            let reply = try await server.request("GET", "/readyz")
            #expect(reply.status == 503)
            #expect(reply.body == "the controller is frozen\n")
        }
    }
}

/// An attach request as the CLI sends it.
func attach(_ reference: String, _ more: String = "") -> String {
    "POST /v1.50/containers/\(reference)/attach?stdout=1&stderr=1&stream=1\(more) HTTP/1.1\r\nHost: api.moby.localhost\r\n"
        + "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"
}
