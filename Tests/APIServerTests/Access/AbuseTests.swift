import Foundation
import Logging
import NIOCore
import Testing

@testable import APIServer

/// What clients send who want more than an answer; a client that behaves is served all the while.
@Suite("Abuse on the wire", .timeLimit(.minutes(1)))
struct AbuseTests {
    /// A request whose answer would be seen, behind one that should hide it.
    private static let hidden = "GET /_ping HTTP/1.1\r\nHost: x\r\nX-Request-Id: smuggled\r\n\r\n"

    /// Everything that is answered to these bytes and the hidden request behind them.
    private static func answers(_ server: TestServer, _ bytes: String) async throws -> String {
        try await RawClient.with(server.socketPath) { session in
            try await session.send(bytes + hidden)
            session.halfClose()
            return String(buffer: try await session.readToEnd())
        }
    }

    // MARK: bodies

    private static func begin(_ path: String) -> String {
        "POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
    }

    @Test("a body that does not get on is given up with 408, however busily it drips, and also if nobody reads it")
    func slowBodies() async throws {
        var limits = APIServerConfiguration.Limits()
        limits.bodyTimeout = .milliseconds(20)
        try await TestServer.with(limits: limits) { server in
            try await RawClient.with(server.socketPath) { session in
                try await session.send(Self.begin("/containers/create") + "{")
                #expect(try await session.read(through: "\r\n\r\n").hasPrefix("HTTP/1.1 408 "))
                #expect(try await session.readToEnd().readableBytes == 0)
            }
            for path in ["/containers/create", "/containers/nobody/start"] {
                try await RawClient.with(server.socketPath) { session in
                    try await session.send(Self.begin(path))
                    // Each byte shows that the client is there; the server's end is an error of the send.
                    do { while true { try await session.send(" ") } } catch {}
                }
            }
            #expect(try await server.request("GET", "/_ping").status == 200)
        }
    }

    @Test("a body that breaks off, or is none, is the client's fault and not the daemon's")
    func brokenBodies() async throws {
        try await TestServer.with { server in
            for path in ["/containers/create", "/apis/skls.dev/v1/functionapps/x", "/internal/v1/containers"] {
                let method = path.hasPrefix("/apis") ? "PUT" : "POST"
                let head = "\(method) \(path) HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                for (rest, isTold) in [
                    ("Content-Length: 9\r\n\r\n{", false), ("Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\nz\r\n", true),
                ] {
                    let all = try await RawClient.with(server.socketPath) { session in
                        try await session.send(head + rest)
                        session.halfClose()
                        return String(buffer: try await session.readToEnd())
                    }
                    #expect(all.hasPrefix("HTTP/1.1 400 ") || all.isEmpty && !isTold, "\(path): \(all)")
                }
            }
            #expect(server.log.lines.allSatisfy { $0.level < .error }, "\(server.log.lines)")
        }
    }

    @Test("an archive may come slowly")
    func slowArchive() async throws {
        var limits = APIServerConfiguration.Limits()
        limits.bodyTimeout = .seconds(1)
        let sessions = FakeSessions()
        sessions.can("extract", "")
        try await TestServer.with(limits: limits, sessions: sessions) { server in
            let held = try await server.started(["hold"])
            try await RawClient.with(server.socketPath) { session in
                try await session.send(
                    "PUT /containers/\(held)/archive?path=/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nT")
                while sessions.other == nil { await Task.yield() }
                try await sessions.other?.waitForInput("T")
                // Who began later is given up.
                try await RawClient.with(server.socketPath) { other in
                    try await other.send(Self.begin("/containers/create"))
                    #expect(try await other.read(through: "\r\n\r\n").hasPrefix("HTTP/1.1 408 "))
                }
                try await session.send("AR\n")
                #expect(try await session.response().status == 200)
            }
        }
    }

    // MARK: requests in disguise

    @Test(
        "what two readers could read in two ways is refused, and what is behind it is no request",
        arguments: [
            "POST /auth HTTP/1.1\r\nHost: x\r\nContent-Length: 0x1\r\n\r\na",
            "POST /auth HTTP/1.1\r\nHost: x\r\nContent-Length: 1 1\r\n\r\na",
            "POST /auth HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n",
            "POST /auth HTTP/1.1\r\nHost: x\r\nContent-Length : 1\r\n\r\na",
            "POST /auth HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\na",
            "POST /auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
            "POST /auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
            "POST /auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
            "POST /auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n",
            "POST /auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
            "POST /auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;a\nb\r\na\r\n0\r\n\r\n",
            "POST /auth HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
            "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "GET /info HTTP/1.1\r\nHost : x\r\n\r\n",
            "GET /info HTTP/1.1\r\nHo\u{7f}st: x\r\n\r\n",
            "GET /info\u{20}x HTTP/1.1\r\nHost: x\r\n\r\n",
        ])
    func ambiguous(request: String) async throws {
        try await TestServer.with { server in
            let all = try await Self.answers(server, request)
            #expect(!all.contains("smuggled") && !all.contains("\r\n\r\nOK"), "\(all)")
            #expect(all.isEmpty || all.hasPrefix("HTTP/1.1 4"), "\(all)")
            #expect(try await server.request("GET", "/_ping").status == 200)
        }
    }

    @Test("behind a connection that has left HTTP there are no requests, whoever reads what came")
    func hijacked() async throws {
        let sessions = FakeSessions()
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(["hold"])
            let attached = attach(held)
            let cat = try await server.createExec(held, ["cat"], more: #","AttachStdin":true,"AttachStdout":true"#)
            // The hidden request is what the command reads, and what it writes.
            let echoed = try await Self.answers(server, execStart(cat))
            #expect(echoed.hasPrefix("HTTP/1.1 101 ") && echoed.hasSuffix(Self.hidden), "\(echoed)")

            // With bodies where none belong, refused, ended before, detached, and without the upgrade that others send.
            let played = try await server.createExec(held, ["play", "out:x"], more: #","AttachStdout":true"#)
            let detached = try await server.createExec(held, ["play", "out:x"])
            let chunked = attached.replacing("Content-Length: 0", with: "Transfer-Encoding: chunked")
            let ended = try await server.started(["true"])
            let requests = [
                chunked + "0\r\n\r\n", attached.replacing("Content-Length: 0", with: "Content-Length: 5") + "GET /",
                execStart(cat), execStart("nosuch"), execStart(played), execStart(detached, #"{"Detach":true}"#),
                execStart(try await server.createExec(held, ["true"]), "{"),
                attach(held, "&detachKeys=nokey"), attach(ended).replacing("stream=1", with: "logs=1"),
                attach(ended).replacing("stream=1", with: "logs=1").replacing(
                    "Connection: Upgrade\r\nUpgrade: tcp\r\n", with: ""),
            ]
            for request in requests {
                let all = try await Self.answers(server, request)
                #expect(!all.contains("smuggled") && !all.contains("\r\n\r\nOK"), "\(request): \(all)")
                #expect(all.components(separatedBy: "HTTP/1.1 ").count <= 2, "\(request): \(all)")
            }
            #expect(try await server.request("GET", "/_ping").status == 200)
        }
    }
}
