import AgentProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import NIOPosix
import NIOWebSocket
import Testing

@testable import AgentLink

/// Connects and says nothing.
enum SilentClient {
    static func connect(port: Int) async throws -> any Channel {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(host: "127.0.0.1", port: port)
            .get()
    }
}

/// One connection of a session, without sockets and under a clock of its own.
@Suite struct SessionSocketTests {
    private let loop = EmbeddedEventLoop()
    private let channel: EmbeddedChannel
    private let socket: SessionSocket
    private var agent: AgentHandshake
    private let events = NIOLockedValueBox<[String]>([])

    init() throws {
        let secret = AgentSecret.random()
        let boot = BootID.random()
        channel = EmbeddedChannel(loop: loop)
        let handler = SessionSocketHandler(
            handshake: DaemonHandshake(secret: secret, boot: boot, nonce: RequestSignature.freshNonce()),
            settings: .init(isClient: true, deadline: loop.now + .seconds(30), pingInterval: .seconds(25)), loop: loop)
        socket = try SessionSocket(channel: channel, handler: handler)
        agent = AgentHandshake(secret: secret, boot: boot, nonce: RequestSignature.freshNonce(), version: "1")
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
    }

    private func hear(_ message: SessionMessage) throws {
        try channel.writeInbound(
            WebSocketFrame(fin: true, opcode: .binary, data: ByteBuffer(bytes: message.encoded())))
    }

    private func said() throws -> WebSocketFrame? { try channel.readOutbound(as: WebSocketFrame.self) }

    private mutating func prove() throws {
        try hear(agent.hello)
        let frame = try #require(try said())
        let bytes = frame.data
        let challenge = try bytes.withUnsafeReadableBytes { try SessionMessage(decoding: $0) }
        guard case .done(let proof?) = agent.received(challenge) else { throw SessionSocketError.closed("no proof") }
        try hear(proof)
        try socket.proved.wait()
    }

    private func begin() {
        socket.begin { [events] event in
            switch event {
            case .message: events.withLockedValue { $0.append("message") }
            case .closed(let reason): events.withLockedValue { $0.append(reason) }
            }
        }
        loop.run()
    }

    @Test mutating func `what comes before somebody listens is not lost`() throws {
        try prove()
        try hear(.release(channel: 1))
        begin()
        try hear(.release(channel: 2))
        #expect(events.withLockedValue { $0 } == ["message", "message"])
    }

    @Test mutating func `it pings, answers pings, and gives up a connection that is silent`() throws {
        try prove()
        begin()
        try channel.writeInbound(WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer(string: "x")))
        let pong = try #require(try said())
        #expect(pong.opcode == .pong && String(buffer: pong.data) == "x" && pong.maskKey != nil)
        loop.advanceTime(by: .seconds(25))
        #expect(try said()?.opcode == .ping)
        try channel.writeInbound(WebSocketFrame(fin: true, opcode: .pong, data: ByteBuffer()))
        loop.advanceTime(by: .seconds(25))
        #expect(channel.isActive && events.withLockedValue { $0.isEmpty })
        loop.advanceTime(by: .seconds(25))
        #expect(!channel.isActive)
        #expect(events.withLockedValue { $0 } == ["nothing was heard of the agent"])
    }

    @Test func `an agent that does not prove itself in time is let go`() throws {
        loop.advanceTime(by: .seconds(20))
        #expect(channel.isActive)
        loop.advanceTime(by: .seconds(11))
        #expect(!channel.isActive)
        #expect(throws: SessionSocketError.self) { try socket.proved.wait() }
    }

    @Test func `nothing but the handshake is believed before it is over`() throws {
        try hear(.release(channel: 1))
        #expect(throws: SessionSocketError.handshake(.unexpected)) { try socket.proved.wait() }
        #expect(!channel.isActive)
    }

    @Test mutating func `messages go out in order, and an end behind them`() throws {
        try prove()
        begin()
        for id in 1...3 { socket.send(SessionMessage.release(channel: UInt32(id)).buffer) }
        socket.close()
        loop.run()
        var frames: [WebSocketOpcode] = []
        while let frame = try said() { frames.append(frame.opcode) }
        #expect(frames == [.binary, .binary, .binary, .connectionClose])
        #expect(!channel.isActive)
    }

    @Test(arguments: [
        ("https://a.example", SessionAddress.Target.host("a.example", port: 443), "a.example"),
        ("http://a:81", .host("a", port: 81), ""), ("http://[::1]:81", .host("::1", port: 81), ""),
        ("https://[::1]", .host("::1", port: 443), ""), ("http+unix://%2Frun%2Fa.sock", .socket("/run/a.sock"), ""),
    ])
    func `addresses are read`(url: String, target: SessionAddress.Target, name: String) throws {
        let address = try #require(SessionAddress(url))
        #expect(address.target == target)
        #expect(!address.isSecure || address.serverName ?? "" == name)
    }

    @Test(arguments: ["a.example", "ftp://a", "http://", "http://a:0", "http://a:x", "http://a/b", "http+unix://x"])
    func `what is no address is not`(url: String) {
        #expect(SessionAddress(url) == nil)
    }
}
