import DesiredState
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Testing

@testable import APIServer

/// Docker's clients through the frontend, byte by byte.
@Suite(.timeLimit(.minutes(1)))
struct FrontendTests {
    /// A frontend on a socket of its own; gone when `with` returns.
    private func with(
        backend: DockerFrontend.Backend, in directory: String, _ body: @Sendable (String) async throws -> Void
    ) async throws {
        let path = directory + "/f"
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let (whenListening, listening) = AsyncStream.makeStream(of: Never.self)
        let frontend = DockerFrontend(socketPath: path, backend: backend, logger: logger) { listening.finish() }
        let services = ServiceGroup(services: [frontend], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await services.run() }
            for await _ in whenListening {}
            try await body(path)
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
        }
    }

    private func get(_ path: String, close: Bool = false) -> String {
        "GET \(path) HTTP/1.1\r\nHost: docker\r\n" + (close ? "Connection: close\r\n" : "") + "\r\n"
    }

    @Test func `a connection serves several requests, with bodies of either framing`() async throws {
        try await TestServer.with { server in
            try await with(backend: .unix(server.socketPath), in: server.directory) { path in
                try await RawClient.with(path) { session in
                    try await session.send(get("/_ping"))
                    #expect(try await session.response().body == "OK")
                    let auth = "POST /containers/create HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
                    let body = "{\"Image\":\"alpine\"}"
                    try await session.send(auth + "Content-Length: \(body.utf8.count)\r\n\r\n" + body)
                    #expect(try await session.response().body.contains("No such image: alpine"))
                    let size = String(body.utf8.count, radix: 16)
                    try await session.send(
                        auth + "Transfer-Encoding: chunked\r\n\r\n\(size)\r\n\(body)\r\n0\r\n\r\n")
                    #expect(try await session.response().body.contains("No such image: alpine"))
                    try await session.send(get("/version", close: true))
                    #expect(try await session.response().body.contains("ApiVersion"))
                    #expect(try await session.readToEnd().readableBytes == 0)
                }
            }
        }
    }

    @Test func `an upgrade turns the connection into bytes, and each side's end is passed on by itself`() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["cat"], more: ",\"OpenStdin\":true,\"StdinOnce\":true")
            try await with(backend: .unix(server.socketPath), in: server.directory) { path in
                try await RawClient.with(path) { session in
                    // The first bytes of input come right behind the request.
                    try await session.send(
                        "POST /v1.50/containers/\(id)/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: docker\r\n"
                            + "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst\n")
                    let head = try await session.read(through: "\r\n\r\n")
                    #expect(head.hasPrefix("HTTP/1.1 101 "))
                    _ = try await server.request("POST", "/containers/\(id)/start")
                    let large = String(repeating: "0123456789abcdef", count: 20_000)
                    try await session.send(large)
                    session.halfClose()
                    // Nothing was read so far: the end overtakes no byte that the client is late to take.
                    _ = try await server.request("POST", "/containers/\(id)/wait")
                    var frames = try await session.readToEnd()
                    var output = ""
                    while let length = frames.getInteger(at: frames.readerIndex + 4, as: UInt32.self) {
                        frames.moveReaderIndex(forwardBy: 8)
                        output += frames.readString(length: Int(length)) ?? ""
                    }
                    #expect(output == "first\n" + large)
                }
            }
        }
    }

    @Test func `a refused upgrade ends with its refusal`() async throws {
        try await TestServer.with { server in
            try await with(backend: .unix(server.socketPath), in: server.directory) { path in
                try await RawClient.with(path) { session in
                    try await session.send(
                        "POST /containers/nope/attach?stream=1 HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\n"
                            + "Upgrade: tcp\r\n\r\n")
                    #expect(try await session.response().status == 404)
                    #expect(try await session.readToEnd().readableBytes == 0)
                }
            }
        }
    }

    @Test func `a backend that is not there is told as a bad gateway`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        try await with(backend: .unix(directory.path + "/nobody"), in: directory.path) { path in
            try await RawClient.with(path) { session in
                let answer = try await session.response()
                #expect(answer.status == 502 && answer.body.contains("the backend cannot be reached"))
            }
        }
    }

    @Test func `what is not HTTP is refused`() async throws {
        try await TestServer.with { server in
            try await with(backend: .unix(server.socketPath), in: server.directory) { path in
                try await RawClient.with(path) { session in
                    try await session.send("nonsense\r\n\r\n")
                    #expect(try await session.response().status == 400)
                }
            }
        }
    }

    @Test func `a backend on TCP sees its own name in Host`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let port = try #require(listener.channel.localAddress?.port)
        try await withThrowingTaskGroup(of: String.self) { group in
            group.addTask {
                try await listener.executeThenClose { connections in
                    for try await connection in connections {
                        return try await connection.executeThenClose { inbound, outbound in
                            var seen = ""
                            for try await bytes in inbound {
                                seen += String(buffer: bytes)
                                guard seen.contains("\r\n\r\n") else { continue }
                                try await outbound.write(
                                    ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"))
                                break
                            }
                            return seen
                        }
                    }
                    return ""
                }
            }
            try await with(backend: .tcp(host: "127.0.0.1", port: port), in: directory.path) { path in
                try await RawClient.with(path) { session in
                    try await session.send(get("/_ping"))
                    #expect(try await session.response().body == "OK")
                }
            }
            let seen = try #require(try await group.next())
            #expect(seen.contains("127.0.0.1:\(port)\r\n") && !seen.contains("docker"), "\(seen)")
        }
    }
}
