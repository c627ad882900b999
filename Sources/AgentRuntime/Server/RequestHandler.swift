import AgentProtocol
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// One connection: puts requests together, lets nobody in without a signature, and proves the replies.
final class RequestHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let agent: Agent
    private let handlers: HTTPHandlers
    private let onClose: () -> Void
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()
    private var isRefused = false
    private var waiting: Waiting?
    private var idleTimer: Scheduled<Void>?
    /// Somebody else cares for the connection.
    private var isSession = false

    /// Longer than the front end keeps a connection that it may use again, so that it is never us who close one under
    /// a request (Azure's front end gives up after 230 s: Azure Functions docs, functions-scale, read 2026-02).
    private static let idleLimit = TimeAmount.seconds(240)

    /// - Parameter onClose: called when the connection is gone.
    init(agent: Agent, handlers: HTTPHandlers, onClose: @escaping () -> Void) {
        self.agent = agent
        self.handlers = handlers
        self.onClose = onClose
    }

    func channelActive(context: ChannelHandlerContext) {
        startIdleTimer(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        idleTimer?.cancel()
        waiting?.drop()
        if !isSession { onClose() }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body.clear()
            isRefused = false
        case .body(var part):
            // What nobody vouches for is not kept.
            guard let head, !isRefused, Self.isOurs(head.uri), head.headers.contains(name: AgentHeader.signature) else {
                return
            }
            guard body.readableBytes + part.readableBytes <= AgentLimit.requestBodyBytes else {
                isRefused = true
                send(context, head, status: .payloadTooLarge, closing: true)
                return
            }
            body.writeBuffer(&part)
        case .end:
            guard let head, !isRefused else { return }
            idleTimer?.cancel()
            let body = self.body
            self.head = nil
            self.body = ByteBuffer()
            handle(context, head, body)
        }
    }

    private static func isOurs(_ uri: String) -> Bool { uri.hasPrefix("/skls/") }

    private func handle(_ context: ChannelHandlerContext, _ head: HTTPRequestHead, _ body: ByteBuffer) {
        guard Self.isOurs(head.uri) else {
            switch head.method {
            case .GET, .HEAD: send(context, head, status: .ok, body: ByteBuffer(string: "skls-agent\n"))
            default: send(context, head, status: .methodNotAllowed, headers: ["allow": "GET, HEAD"])
            }
            return
        }
        let boot = head.headers.first(name: AgentHeader.boot) ?? ""
        let signature = body.withUnsafeReadableBytes {
            RequestSignature(
                verifying: head.headers.first(name: AgentHeader.signature) ?? "", secret: agent.secret,
                method: head.method.rawValue, path: head.uri, boot: boot,
                nonce: head.headers.first(name: AgentHeader.nonce) ?? "", body: $0)
        }
        guard let signature else {
            send(context, head, status: .unauthorized)
            return
        }
        if head.uri == SessionLimit.path, head.method == .GET, boot == agent.boot.hex, body.readableBytes == 0 {
            return upgrade(context, head, signature)
        }
        let waiting = Waiting { [weak self] reply in
            self?.waiting = nil
            self?.prove(reply, signature, context, head)
        }
        self.waiting = waiting
        guard let request = AgentRequest(method: head.method.rawValue, uri: head.uri, body: body) else {
            waiting.send(.unknown)
            return
        }
        if boot == agent.boot.hex || (boot.isEmpty && request.path.dropFirst(2).first == "hello") {
            agent.handle(request, waiting)
        } else {
            waiting.send(AgentReply(status: 409, headers: agent.hello.headers))
        }
    }

    /// Makes a session of the connection.
    private func upgrade(_ context: ChannelHandlerContext, _ head: HTTPRequestHead, _ signature: RequestSignature) {
        let proof = ReplyProof.make(
            secret: agent.secret, signature: signature, status: 101, boot: agent.boot, headers: [],
            body: UnsafeRawBufferPointer(start: nil, count: 0))
        guard head.headers[canonicalForm: "upgrade"].contains(where: { $0.lowercased() == "websocket" }) else {
            prove(.badRequest("a session is a WebSocket"), signature, context, head)
            return
        }
        let known: HTTPHeaders = ["connection": "upgrade", AgentHeader.boot: agent.boot.hex, AgentHeader.proof: proof]
        // It only does the protocol's side of an upgrade: key and version.
        NIOWebSocketServerUpgrader(
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(known) },
            upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() }
        ).buildUpgradeResponse(channel: context.channel, upgradeRequest: head, initialResponseHeaders: [:])
            .assumeIsolated().whenComplete { result in
                switch result {
                case .success(let headers): self.becomeSession(context, headers)
                case .failure: self.prove(.badRequest("no WebSocket of version 13"), signature, context, head)
                }
            }
    }

    private func becomeSession(_ context: ChannelHandlerContext, _ headers: HTTPHeaders) {
        idleTimer?.cancel()
        let channel = context.channel
        let pipeline = channel.pipeline.syncOperations
        var response = "HTTP/1.1 101 Switching Protocols\r\n"
        for (name, value) in headers { response += "\(name): \(value)\r\n" }
        response += "\r\n"
        do {
            // Past the encoder, which would take its message for one with a body.
            try pipeline.context(handler: handlers.encoder).writeAndFlush(
                NIOAny(ByteBuffer(string: response)), promise: nil)
            isSession = true
            pipeline.removeHandler(handlers.errors, promise: nil)
            pipeline.removeHandler(handlers.pipelining, promise: nil)
            pipeline.removeHandler(handlers.encoder, promise: nil)
            pipeline.removeHandler(self, promise: nil)
            let socket = SessionSocket(sessions: agent.sessions, isClient: false) { [onClose] _ in onClose() }
            try SessionSocket.addHandlers(to: channel, socket: socket)
            // At last, since it hands what it has not read to whoever comes behind it.
            pipeline.removeHandler(handlers.decoder, promise: nil)
            channel.read()
        } catch {
            // Only a channel that is gone has no such handlers, and takes none.
            if isSession { onClose() }
            channel.close(promise: nil)
        }
    }

    private func prove(
        _ reply: AgentReply, _ signature: RequestSignature, _ context: ChannelHandlerContext, _ head: HTTPRequestHead
    ) {
        let proof = reply.body.withUnsafeReadableBytes {
            ReplyProof.make(
                secret: agent.secret, signature: signature, status: reply.status, boot: agent.boot,
                headers: reply.headers, body: $0)
        }
        var headers = HTTPHeaders(reply.headers.map { ($0.name, $0.value) })
        headers.add(name: AgentHeader.boot, value: agent.boot.hex)
        headers.add(name: AgentHeader.proof, value: proof)
        send(
            context, head, status: HTTPResponseStatus(statusCode: reply.status), headers: headers, body: reply.body,
            onSent: reply.onSent)
    }

    private func send(
        _ context: ChannelHandlerContext, _ head: HTTPRequestHead, status: HTTPResponseStatus,
        headers: HTTPHeaders = [:], body: ByteBuffer = ByteBuffer(), closing: Bool = false,
        onSent: (() -> Void)? = nil
    ) {
        // Behind a request that asks for another protocol the parser reads no more, whether it gets it or not.
        let closes = closing || !head.isKeepAlive || head.headers.contains(name: "upgrade")
        var headers = headers
        headers.add(name: "content-length", value: String(body.readableBytes))
        if closes { headers.add(name: "connection", value: "close") }
        let response = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(wrapOutboundOut(.head(response)), promise: nil)
        if head.method != .HEAD, body.readableBytes > 0 {
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        }
        // The idle time begins before the write: its end may bring the next request at once.
        startIdleTimer(context)
        let sent = context.writeAndFlush(wrapOutboundOut(.end(nil))).assumeIsolated()
        if let onSent { sent.whenSuccess { onSent() } }
        if closes { sent.whenComplete { _ in context.close(promise: nil) } }
    }

    private func startIdleTimer(_ context: ChannelHandlerContext) {
        idleTimer?.cancel()
        idleTimer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.idleLimit) {
            context.close(promise: nil)
        }
    }
}
