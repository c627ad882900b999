import AgentProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

@testable import AgentLink

/// An agent that knows sessions and nothing else. Its commands are `echo` (input to stdout), `count N` (N bytes of a
/// pattern), `wait` (until a signal comes); it breaks its connections when it is told to.
final class StubAgent: Sendable {
    struct Behaviour: Sendable {
        /// Answers a request for a session with this status instead, with a proof.
        var refusesWith: Int?
        /// Ends the connection right behind the head of a refusal, which promises a body.
        var cutsRefusals = false
        /// Answers with a page of somebody else.
        var isHidden = false
        /// The secret that it proves itself with in the handshake, if not its own.
        var handshakeSecret: AgentSecret?
        /// Breaks each connection, the first few ones, after so many messages to the daemon.
        var breaksAfter: (messages: Int, connections: Int)?
    }

    /// What happened so far.
    struct Record: Sendable {
        var connections = 0
        var openConnections = 0
        var begun: [SessionTask] = []
        var controls: [SessionControl] = []
        var released = 0
        var produced = 0
        /// Whether a command waits for room.
        var isFull = false
        var hosts: [String] = []
    }

    private struct Command {
        var arguments: [String]
        var remaining = 0
    }

    private struct Inside {
        var machine = AgentSessionMachine()
        var channel: (any Channel)?
        /// Whether the agent made the connection, and has to mask its frames.
        var isClient = false
        var commands: [SessionTaskName: Command] = [:]
        var sent = 0
        /// The last request's head.
        var refused: HTTPRequestHead?
    }

    let secret: AgentSecret
    let boot: BootID
    let behaviour: NIOLockedValueBox<Behaviour>
    let record = NIOLockedValueBox(Record())
    private let loop: any EventLoop
    private let inside: NIOLoopBoundBox<Inside>

    init(secret: AgentSecret = .random(), boot: BootID = .random(), behaviour: Behaviour = Behaviour()) {
        self.secret = secret
        self.boot = boot
        self.behaviour = NIOLockedValueBox(behaviour)
        loop = MultiThreadedEventLoopGroup.singleton.next()
        inside = NIOLoopBoundBox.makeBoxSendingValue(Inside(), eventLoop: loop)
    }

    // MARK: connections

    /// Listens while `body` runs, on a port of loopback or on a socket.
    func listen<Result: Sendable>(
        onSocket path: String? = nil, body: (AgentEndpoint) async throws -> Result
    ) async throws -> Result {
        let bootstrap = ServerBootstrap(group: loop, childGroup: loop).childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                _ = try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
                    configuration: .init(upgradeConfiguration: self.upgrade()))
            }
        }
        let server: any Channel
        let url: String
        if let path {
            server = try await bootstrap.bind(unixDomainSocketPath: path).get()
            url = "http+unix://" + path.replacing("/", with: "%2F")
        } else {
            server = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
            url = "http://127.0.0.1:\(server.localAddress?.port ?? 0)"
        }
        do {
            let result = try await body(AgentEndpoint(baseURL: url, hostHeader: "site.example", secret: secret))
            try await server.close()
            cut()
            return result
        } catch {
            try await server.close()
            cut()
            throw error
        }
    }

    /// Calls a daemon. Returns when the connection was refused, with the status, or has ended.
    func call(port: Int, path: String = "", site: String, secret other: AgentSecret? = nil) async throws -> Int {
        let path = path + SessionLimit.path
        let nonce = RequestSignature.freshNonce()
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        let signature = RequestSignature(
            secret: other ?? secret, method: "GET", path: path, boot: boot, nonce: nonce, body: empty)
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: path,
            headers: HTTPHeaders([
                ("Host", "daemon"), ("skls-site", site), (AgentHeader.boot, boot.hex), (AgentHeader.nonce, nonce),
                (AgentHeader.signature, signature.hex),
            ]))
        let result = try await ClientBootstrap(group: loop).connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                let upgrader = NIOTypedWebSocketClientUpgrader<EventLoopFuture<Int>>(maxFrameSize: 1 << 24) {
                    channel, response in
                    channel.eventLoop.makeCompletedFuture {
                        let isProved = ReplyProof.verify(
                            response.headers.first(name: AgentHeader.proof) ?? "", secret: self.secret,
                            signature: signature, status: 101, boot: self.boot, headers: [],
                            body: UnsafeRawBufferPointer(start: nil, count: 0))
                        guard isProved else { throw ChannelError.inappropriateOperationForState }
                        try channel.pipeline.syncOperations.addHandler(SocketHandler(self, isClient: true))
                        return channel.closeFuture.map { 101 }
                    }
                }
                let configuration = NIOTypedHTTPClientUpgradeConfiguration<EventLoopFuture<Int>>(
                    upgradeRequestHead: head, upgraders: [upgrader]
                ) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let refused = channel.eventLoop.makePromise(of: Int.self)
                        try channel.pipeline.syncOperations.addHandler(StatusHandler(refused))
                        return refused.futureResult
                    }
                }
                var pipeline = NIOUpgradableHTTPClientPipelineConfiguration(upgradeConfiguration: configuration)
                pipeline.leftOverBytesStrategy = .forwardBytes
                return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
                    configuration: pipeline)
            }
        }
        return try await result.get().get()
    }

    /// Breaks the present connection.
    func cut() {
        loop.execute { self.inside.value.channel?.close(promise: nil) }
    }

    private func upgrade() -> NIOTypedHTTPServerUpgradeConfiguration<Void> {
        let upgrader = NIOTypedWebSocketServerUpgrader<Void>(maxFrameSize: 1 << 24) { channel, head in
            channel.eventLoop.makeSucceededFuture(self.judge(head))
        } upgradePipelineHandler: { channel, _ in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(SocketHandler(self, isClient: false))
            }
        }
        return NIOTypedHTTPServerUpgradeConfiguration(upgraders: [upgrader]) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(RefusingHandler(self))
            }
        }
    }

    /// The headers of 101; nil where something else is answered.
    private func judge(_ head: HTTPRequestHead) -> HTTPHeaders? {
        record.withLockedValue { $0.hosts.append(head.headers.first(name: "host") ?? "") }
        inside.value.refused = head
        let behaviour = behaviour.withLockedValue { $0 }
        guard !behaviour.isHidden, behaviour.refusesWith == nil,
            head.headers.first(name: AgentHeader.boot) == boot.hex
        else { return nil }
        return proof(head, status: 101)
    }

    private func proof(_ head: HTTPRequestHead, status: Int) -> HTTPHeaders? {
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        func header(_ name: String) -> String { head.headers.first(name: name) ?? "" }
        guard head.uri == SessionLimit.path,
            let signature = RequestSignature(
                verifying: header(AgentHeader.signature), secret: secret, method: "GET", path: head.uri,
                boot: header(AgentHeader.boot), nonce: header(AgentHeader.nonce), body: empty)
        else { return nil }
        let proof = ReplyProof.make(
            secret: secret, signature: signature, status: status, boot: boot, headers: [], body: empty)
        return HTTPHeaders([(AgentHeader.boot, boot.hex), (AgentHeader.proof, proof)])
    }

    private final class RefusingHandler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let agent: StubAgent

        init(_ agent: StubAgent) { self.agent = agent }

        /// The head of a request that asked for an upgrade in vain does not come here; ``judge(_:status:)`` kept it.
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .end = unwrapInboundIn(data), let head = agent.inside.value.refused else { return }
            let behaviour = agent.behaviour.withLockedValue { $0 }
            // An agent of another boot says so with a proof.
            let status = behaviour.isHidden ? 503 : behaviour.refusesWith ?? 409
            var headers = agent.proof(head, status: status) ?? HTTPHeaders()
            if behaviour.isHidden { headers = HTTPHeaders() }
            headers.add(name: "Content-Length", value: behaviour.cutsRefusals ? "1" : "0")
            let response = HTTPResponseHead(
                version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: headers)
            if behaviour.cutsRefusals {
                context.writeAndFlush(wrapOutboundOut(.head(response)), promise: nil)
                return context.close(promise: nil)
            }
            context.write(wrapOutboundOut(.head(response)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }

    private final class StatusHandler: ChannelInboundHandler {
        typealias InboundIn = HTTPClientResponsePart
        private let promise: EventLoopPromise<Int>

        init(_ promise: EventLoopPromise<Int>) { self.promise = promise }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .head(let head) = unwrapInboundIn(data) else { return }
            promise.succeed(Int(head.status.code))
            context.close(promise: nil)
        }

        func handlerRemoved(context: ChannelHandlerContext) { promise.fail(ChannelError.eof) }
    }

    private final class SocketHandler: ChannelInboundHandler {
        typealias InboundIn = WebSocketFrame
        typealias OutboundOut = WebSocketFrame
        private let agent: StubAgent
        private let isClient: Bool
        private var handshake: AgentHandshake
        private var isOpen = false

        init(_ agent: StubAgent, isClient: Bool) {
            self.agent = agent
            self.isClient = isClient
            handshake = AgentHandshake(
                secret: agent.behaviour.withLockedValue { $0.handshakeSecret } ?? agent.secret, boot: agent.boot,
                nonce: RequestSignature.freshNonce(), version: "1")
        }

        func handlerAdded(context: ChannelHandlerContext) {
            agent.record.withLockedValue {
                $0.connections += 1
                $0.openConnections += 1
            }
            // A client's upgrade handler lets nothing out before it is done.
            context.eventLoop.assumeIsolated().execute { self.write(self.handshake.hello, context) }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let frame = unwrapInboundIn(data)
            guard frame.opcode == .binary else { return }
            let bytes = frame.unmaskedData
            do {
                let message = try bytes.withUnsafeReadableBytes { try SessionMessage(decoding: $0) }
                if isOpen { return agent.received(message, context.channel) }
                switch handshake.received(message) {
                case .send(let message): write(message, context)
                case .done(let message):
                    if let message { write(message, context) }
                    isOpen = true
                    agent.attached(context.channel, isClient: isClient)
                case .failed: context.close(promise: nil)
                }
            } catch {
                context.close(promise: nil)
            }
        }

        func channelInactive(context: ChannelHandlerContext) {
            agent.record.withLockedValue { $0.openConnections -= 1 }
            agent.detached(context.channel)
            context.fireChannelInactive()
        }

        private func write(_ message: SessionMessage, _ context: ChannelHandlerContext) {
            let frame = WebSocketFrame(
                fin: true, opcode: .binary, maskKey: isClient ? .random() : nil,
                data: ByteBuffer(bytes: message.encoded()))
            context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
        }
    }

    // MARK: the session

    private func attached(_ channel: any Channel, isClient: Bool) {
        let older = inside.value.channel
        if older != nil { inside.value.machine.disconnected() }
        inside.value.channel = channel
        inside.value.isClient = isClient
        inside.value.sent = 0
        inside.value.machine.connected()
        older?.close(promise: nil)
    }

    private func detached(_ channel: any Channel) {
        guard inside.value.channel === channel else { return }
        inside.value.channel = nil
        inside.value.machine.disconnected()
    }

    private func received(_ message: SessionMessage, _ channel: any Channel) {
        guard inside.value.channel === channel else { return }
        perform(inside.value.machine.received(message))
    }

    private func perform(_ actions: [AgentSessionMachine.Action]) {
        for action in actions {
            switch action {
            case .send(let message): send(message)
            case .begin(let name, let task): begin(name, task)
            case .input(let name, let bytes):
                perform(inside.value.machine.output(name, .stdout, bytes))
                perform(inside.value.machine.inputConsumed(name, bytes.count))
            case .inputEnded(let name): end(name, 0)
            case .control(let name, let control):
                record.withLockedValue { $0.controls.append(control) }
                if case .signal = control { end(name, 143) }
            case .room(let name): produce(name)
            case .released: record.withLockedValue { $0.released += 1 }
            case .broken: inside.value.channel?.close(promise: nil)
            }
        }
    }

    private func begin(_ name: SessionTaskName, _ task: SessionTask) {
        record.withLockedValue { $0.begun.append(task) }
        guard case .exec(let request) = task else {
            return perform(inside.value.machine.ended(name, SessionResult(facts: [PathFact.name: "x"])))
        }
        var command = Command(arguments: request.arguments)
        if request.arguments.count == 2 { command.remaining = Int(request.arguments[1]) ?? 0 }
        inside.value.commands[name] = command
        perform(inside.value.machine.began(name, facts: ["pid": "7"]))
        produce(name)
    }

    private func produce(_ name: SessionTaskName) {
        guard inside.value.commands[name]?.arguments[0] == "count" else { return }
        while let command = inside.value.commands[name], command.remaining > 0 {
            guard inside.value.machine.hasRoom(name) else {
                return record.withLockedValue { $0.isFull = true }
            }
            let start = (Int(command.arguments[1]) ?? 0) - command.remaining
            let count = min(command.remaining, 50_000)
            inside.value.commands[name]?.remaining -= count
            record.withLockedValue { $0.produced += count }
            let bytes = (start..<start + count).map { Self.pattern($0) }
            let stream: SessionStream = start % 100_000 == 0 ? .stdout : .stderr
            perform(inside.value.machine.output(name, stream, bytes))
            if command.remaining == count { end(name, 0) }
        }
    }

    /// The byte of `count` at an offset.
    static func pattern(_ offset: Int) -> UInt8 { UInt8(truncatingIfNeeded: offset &* 31 &+ offset >> 8) }

    private func end(_ name: SessionTaskName, _ code: Int) {
        perform(inside.value.machine.outputEnded(name))
        perform(inside.value.machine.ended(name, SessionResult(exitCode: code)))
    }

    private func send(_ message: SessionMessage) {
        guard let channel = inside.value.channel else { return }
        inside.value.sent += 1
        let connections = record.withLockedValue { $0.connections }
        if let limit = behaviour.withLockedValue({ $0.breaksAfter }), connections <= limit.connections,
            inside.value.sent > limit.messages
        {
            return channel.close(promise: nil)
        }
        let frame = WebSocketFrame(
            fin: true, opcode: .binary, maskKey: inside.value.isClient ? .random() : nil,
            data: ByteBuffer(bytes: message.encoded()))
        channel.writeAndFlush(frame, promise: nil)
    }
}
