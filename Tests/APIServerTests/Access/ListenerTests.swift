import DesiredState
import Foundation
import Glibc
import Logging
import NIOCore
import Testing

@testable import APIServer

@Suite("Listeners on the wire", .timeLimit(.minutes(1)))
struct ListenerTests {
    private static let loopback: @Sendable (String) throws -> [TCPListener] = { _ in
        [TCPListener(host: "127.0.0.1", port: 0)]
    }

    private func get(_ server: TestServer, _ headers: String, path: String = "/info") async throws -> RawResponse {
        try await RawClient.with(port: try #require(server.ports.first)) { session in
            try await session.send("GET \(path) HTTP/1.1\r\n\(headers)\r\n")
            return try await session.response()
        }
    }

    @Test("the unix socket is for its owner and the group that was named")
    func socketModes() async throws {
        try await TestServer.with(group: String(getegid())) { server in
            var status = stat()
            #expect(stat(server.socketPath, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o660 && status.st_gid == getegid() && status.st_uid == geteuid())
        }
        await #expect(throws: ListeningSocketError.unknownGroup("no such group")) {
            try await TestServer.with(group: "no such group") { _ in }
        }
    }

    @Test("a listener beyond this machine without proof is refused before anything is served")
    func refusedListener() async throws {
        let error = await #expect(throws: AccessError.self) {
            try await TestServer.with(tcp: { _ in [TCPListener(host: "0.0.0.0", port: 0)] }) { _ in }
        }
        #expect(error?.description.contains("--tlsverify") == true)
    }

    @Test("TCP on loopback serves clients, and turns pages and rebound names away")
    func loopback() async throws {
        try await TestServer.with(tcp: ListenerTests.loopback) { server in
            #expect(try await get(server, "Host: 127.0.0.1:2375\r\n").status == 200)
            for headers in ["Host: evil.example\r\n", "Host: localhost\r\nOrigin: http://evil.example\r\n"] {
                let reply = try await get(server, headers)
                #expect(reply.status == 403 && reply.headers["connection"] == "close")
                #expect(reply.headers["content-type"] == "application/json" && reply.headers["x-request-id"] != nil)
                #expect(reply.headers["access-control-allow-origin"] == nil)
            }
            // What a page can send without asking: a form, which starts or prunes.
            try await RawClient.with(port: server.ports[0]) { session in
                try await session.send(
                    "POST /containers/prune HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"
                )
                #expect(try await session.response().status == 403)
            }
            #expect(try await server.request("GET", "/_ping", headers: "Origin: http://x\r\n").status == 200)
        }
    }

    @Test("with a token file a request needs one of its tokens")
    func tokens() async throws {
        let token = String(repeating: "0123456789abcdef", count: 4)
        let listener: @Sendable (String) throws -> [TCPListener] = { directory in
            let path = directory + "/tokens"
            guard
                FileManager.default.createFile(
                    atPath: path, contents: Data((token + "\n").utf8), attributes: [.posixPermissions: 0o600])
            else { return [] }
            return [TCPListener(host: "127.0.0.1", port: 0, tokenFile: path)]
        }
        try await TestServer.with(tcp: listener, logLevel: .trace) { server in
            #expect(try await get(server, "Host: any\r\nAuthorization: Bearer \(token)\r\n").status == 200)
            for headers in ["", "Authorization: Bearer \(token)x\r\n", "Authorization: Basic \(token)\r\n"] {
                let reply = try await get(server, "Host: any\r\n" + headers)
                #expect(reply.status == 401 && reply.headers["www-authenticate"] == "Bearer")
                #expect(!reply.body.contains(token))
            }
            #expect(!server.log.lines.contains { "\($0)".contains(token) })
        }
    }

    @Test("connections beyond the bound are closed, and those on TCP have a smaller one")
    func connections() async throws {
        var limits = APIServerConfiguration.Limits()
        limits.connections = 2
        limits.tcpConnections = 1
        try await TestServer.with(limits: limits, tcp: ListenerTests.loopback) { server in
            try await RawClient.with(port: server.ports[0]) { first in
                try await first.send("GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(try await first.response().status == 200)
                try await RawClient.with(port: server.ports[0]) { second in
                    let rest = try await second.readToEnd()
                    #expect(rest.readableBytes == 0)
                }
                #expect(try await server.request("GET", "/_ping").status == 200)
            }
        }
    }

    // MARK: slow clients

    @Test("a head that does not get on is given up with 408, and a connection without a byte is closed")
    func slowHeads() async throws {
        var impatient = APIServerConfiguration.Limits()
        impatient.firstByteTimeout = .milliseconds(20)
        try await TestServer.with(limits: impatient) { server in
            try await RawClient.with(server.socketPath) { session in
                let rest = try await session.readToEnd()
                #expect(rest.readableBytes == 0)
            }
        }
        var limits = APIServerConfiguration.Limits()
        limits.headTimeout = .milliseconds(20)
        try await TestServer.with(limits: limits) { server in
            try await RawClient.with(server.socketPath) { session in
                try await session.send("GET /_ping HTTP/1.1\r\nHost: x\r\nX-")
                #expect(try await session.read(through: "\r\n\r\n").hasPrefix("HTTP/1.1 408 "))
                #expect(try await session.readToEnd().readableBytes == 0)
            }
            // The second request of a connection has no more time than the first.
            try await RawClient.with(server.socketPath) { session in
                try await session.send("GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await session.response().status == 200)
                try await session.send("G")
                #expect(try await session.read(through: "\r\n\r\n").hasPrefix("HTTP/1.1 408 "))
            }
        }
    }

    @Test("an answer that takes long is not cut by what comes behind its request")
    func slowAnswers() async throws {
        var limits = APIServerConfiguration.Limits()
        limits.headTimeout = .milliseconds(10)
        try await TestServer.with(limits: limits) { server in
            let id = try await server.create(["play", "exit:4"])
            try await RawClient.with(server.socketPath) { session in
                try await session.send(
                    "POST /containers/\(id)/wait?condition=next-exit HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\nGET"
                )
                _ = try await session.read(through: "\r\n\r\n")
                // Longer than the head's time.
                for _ in 0..<20 { _ = try await server.request("GET", "/_ping") }
                #expect(try await server.request("POST", "/containers/\(id)/start").status == 204)
                #expect(try await session.read(through: "}").contains("{\"StatusCode\":4}"))
            }
        }
    }

    @Test("a client that does not read events holds one connection and nothing else up")
    func slowReader() async throws {
        try await TestServer.with { server in
            try await RawClient.with(server.socketPath) { session in
                try await session.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
                _ = try await session.read(through: "\r\n\r\n")
                let text = String(repeating: "x", count: 4000)
                for _ in 0..<40 {
                    let events = (0..<50).map { _ in
                        Transaction.Operation.addEvent(
                            EngineEvent(at: .now, .container, "e", actor: "x", attributes: ["text": text]))
                    }
                    try await server.store.commit(Transaction(origin: .user, events))
                }
                #expect(try await server.request("GET", "/_ping").status == 200)
            }
        }
    }

    // MARK: requests that two readers could read in two ways

    @Test(
        "a request whose end is in doubt ends the connection, and what is behind it is no request",
        arguments: [
            "POST /auth HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST /auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            "POST /auth HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "POST /auth HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\nab",
            "POST /auth HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na",
            "POST /auth HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\na",
            "POST /auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            "POST /auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            "POST /auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "POST /auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            "POST /auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n",
            "POST /auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
            "POST /auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n\r\n",
            "GET /info HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
            "GET /info HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
            "GET /info HTTP/1.1\r\nHost: x\rX: y\r\n\r\n",
            "GET /in\0fo HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /info HTTP/1.1\nHost: x\r\nContent-Encoding: gzip\r\n\r\n",
            "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n",
            "POST /containers/x/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 4\r\n\r\nGET ",
            "POST /containers/x/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n",
        ])
    func smuggling(request: String) async throws {
        try await TestServer.with { server in
            try await RawClient.with(server.socketPath) { session in
                try await session.send(request + "GET /_ping HTTP/1.1\r\nHost: x\r\nX-Request-Id: smuggled\r\n\r\n")
                session.halfClose()
                let all = String(buffer: try await session.readToEnd())
                #expect(!all.contains("smuggled") && !all.contains("\r\n\r\nOK"), "\(all)")
                #expect(all.isEmpty || all.hasPrefix("HTTP/1.1 4"), "\(all)")
            }
            #expect(try await server.request("GET", "/_ping").status == 200)
        }
    }

    @Test("heads beyond the bounds are refused")
    func largeHeads() async throws {
        try await TestServer.with { server in
            let large = "X: " + String(repeating: "a", count: 70 << 10) + "\r\n"
            let many = (0..<200).map { "X-\($0): a\r\n" }.joined()
            for headers in [large, many] {
                try await RawClient.with(server.socketPath) { session in
                    try await session.send("GET /_ping HTTP/1.1\r\nHost: x\r\n\(headers)\r\n")
                    session.halfClose()
                    let all = String(buffer: try await session.readToEnd())
                    #expect(all.isEmpty || all.hasPrefix("HTTP/1.1 4"), "\(all.prefix(80))")
                }
            }
            #expect(try await server.request("GET", "/_ping").status == 200)
        }
    }

    // MARK: the log

    @Test("each request leaves one line, with its record and without its secrets")
    func requestLog() async throws {
        try await TestServer.with(logLevel: .debug) { server in
            let id = try await server.create(["true"], name: "job")
            _ = try await server.request(
                "GET", "/containers/job/json?secret=hunter2",
                headers: "X-Request-Id: my-id.1\r\nX-Registry-Auth: hunter2\r\n")
            let reply = try await server.request("GET", "/nope", headers: "X-Request-Id: a b\r\n")
            #expect(reply.headers["x-request-id"]?.count == 16)
            let lines = server.log.lines.filter { $0.message == "request" }
            let create = try #require(lines.first { "\($0.metadata["path"] ?? "")" == "/containers/create" })
            #expect(create.level == .info && create.metadata["status"] == "201")
            #expect(create.metadata["key"] == "\(id.prefix(12))" && create.metadata["method"] == "POST")
            #expect(create.metadata["duration_ms"] != nil)
            let inspect = try #require(lines.first { $0.metadata["request_id"] == "my-id.1" })
            #expect(inspect.level == .info && inspect.metadata["path"] == "/containers/job/json")
            #expect(inspect.metadata["key"] == "\(id.prefix(12))")
            #expect(!lines.contains { "\($0)".contains("hunter2") })
        }
    }
}
