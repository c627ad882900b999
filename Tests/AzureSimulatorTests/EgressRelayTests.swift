import NIOCore
import NIOPosix
import Testing

@testable import AzureSimulator

/// The containers' way out.
@Suite(.timeLimit(.minutes(1))) struct EgressRelayTests {
    /// Runs `body` with a relay that leads to a server which answers every word with itself, and to a port where nobody
    /// is.
    private func withRelay(
        _ body: @escaping @Sendable (_ simulator: RunningSimulator, _ port: Int, _ deadPort: Int) async throws -> Void
    ) async throws {
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Echo()) }
            }
        let server = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
        let dead = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        let deadPort = try #require(dead.localAddress?.port)
        try await dead.close()
        let script = """
            echo "relay is $SKLS_AGENT_RELAY"; test -S /.skls/relay.sock && echo "there is a socket"
            trap 'exit 0' TERM; sleep 1000 & wait
            """
        try await RunningSimulator.run(agent: .script(script)) {
            $0.egress = ["127.0.0.1:\(port)", "localhost:\(deadPort)"].compactMap { EgressTarget($0) }
        } body: { simulator in
            try await body(simulator, port, deadPort)
        }
        try await server.close()
    }

    private func answer(_ request: String, _ simulator: RunningSimulator) async throws -> String {
        try await RawClient.run(socket: "\(simulator.address.directory)/relay.sock") { reader, writer in
            try await writer.write(ByteBuffer(string: request))
            return try await reader.read(through: "\r\n")
        }
    }

    @Test func `a container is told of the relay, which leads to a target`() async throws {
        try await withRelay { simulator, port, _ in
            _ = try await simulator.put("a1")
            try await simulator.until { try await simulator.log("a1").contains("there is a socket") }
            #expect(try await simulator.log("a1").contains("relay is unix:/.skls/relay.sock"))
            try await RawClient.run(socket: "\(simulator.address.directory)/relay.sock") { reader, writer in
                try await writer.write(
                    ByteBuffer(string: "CONNECT 127.0.0.1:\(port) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n\r\n"))
                #expect(try await reader.read(through: "\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
                try await writer.write(ByteBuffer(string: "hello;"))
                #expect(try await reader.read(through: ";") == "hello;")
                writer.finish()
                #expect(try await reader.count(upTo: .max) == 0)
            }
        }
    }

    @Test func `it leads nowhere else`() async throws {
        try await withRelay { simulator, port, deadPort in
            for (request, status) in [
                ("CONNECT 127.0.0.1:\(simulator.address.port) HTTP/1.1", 403),
                ("CONNECT localhost:\(port) HTTP/1.1", 403), ("CONNECT localhost:\(deadPort) HTTP/1.1", 502),
                ("CONNECT 127.0.0.1 HTTP/1.1", 400), ("CONNECT 127.0.0.1:\(port)", 400),
                ("GET http://127.0.0.1:\(port)/ HTTP/1.1", 405),
            ] {
                let answer = try await answer(request + "\r\n\r\n", simulator)
                #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
            }
            // What comes behind the request unasked would be lost.
            let early = "CONNECT 127.0.0.1:\(port) HTTP/1.1\r\n\r\nearly"
            let toEarly = try await answer(early, simulator)
            #expect(toEarly.hasPrefix("HTTP/1.1 400 "))
            let long = String(repeating: "x", count: 10_000)
            let toLong = try await answer(long, simulator)
            #expect(toLong.hasPrefix("HTTP/1.1 431 "))
        }
    }

    @Test func `there is none unless it is wanted`() async throws {
        let script = "echo relay=$SKLS_AGENT_RELAY.; ls /.skls; trap 'exit 0' TERM; sleep 1000 & wait"
        try await RunningSimulator.run(agent: .script(script)) { simulator in
            _ = try await simulator.put("a1")
            try await simulator.until { try await simulator.log("a1").contains("relay=.") }
            try await simulator.until { try await simulator.log("a1").contains("run\n") }
            #expect(try await !simulator.log("a1").contains("relay.sock"))
        }
    }

    @Test(arguments: ["a.example:1", "A.example:65535", "127.0.0.1:80", "[::1]:80"])
    func `targets are read`(text: String) {
        #expect(EgressTarget(text)?.description == text.lowercased())
    }

    @Test(arguments: ["", ":1", "a", "a:", "a:0", "a:65536", "::1:80", "a b:1", "http://a:1"])
    func `what is no target is not`(text: String) {
        #expect(EgressTarget(text) == nil)
    }

    private final class Echo: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.writeAndFlush(data, promise: nil) }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .some(.inputClosed) = event as? ChannelEvent { context.close(promise: nil) }
        }
    }
}
