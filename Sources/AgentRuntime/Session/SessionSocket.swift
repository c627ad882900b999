import AgentProtocol
import NIOCore
import NIOWebSocket

/// One WebSocket of a session: its handshake, its messages as frames, and its heartbeat. Lives on the event loop only.
final class SessionSocket: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let sessions: AgentSessions
    /// Who dialled masks what it sends (RFC 6455, section 5.1).
    private let isClient: Bool
    /// Gets whether the handshake was done.
    private let onClose: (Bool) -> Void
    private var handshake: AgentHandshake?
    private var context: ChannelHandlerContext?
    private var needsFlush = false
    private var heartbeat: Scheduled<Void>?
    private var silentIntervals = 0
    private var handshakeTimer: Scheduled<Void>?

    /// What comes before the handshake is done is no longer than this.
    private static let handshakeBytes = 1024
    private static let handshakeLimit = TimeAmount.seconds(10)

    /// - Parameter onClose: called when the connection is gone.
    init(sessions: AgentSessions, isClient: Bool, onClose: @escaping (Bool) -> Void) {
        self.sessions = sessions
        self.isClient = isClient
        self.onClose = onClose
        handshake = AgentHandshake(
            secret: sessions.secret, boot: sessions.boot, nonce: RequestSignature.freshNonce(), version: Agent.version)
    }

    /// Puts the WebSocket's handlers behind whatever the channel has now.
    static func addHandlers(to channel: any Channel, socket: SessionSocket) throws {
        try channel.pipeline.syncOperations.addHandlers([
            WebSocketFrameEncoder(),
            ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: SessionLimit.messageBytes)),
            WebSocketProtocolErrorHandler(isServer: !socket.isClient),
            NIOWebSocketFrameAggregator(
                minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: 4096,
                maxAccumulatedFrameSize: SessionLimit.messageBytes),
            socket,
        ])
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if let handshake { send(handshake.hello) }
        flush()
        handshakeTimer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.handshakeLimit) { [weak self] in
            self?.close()
        }
        startHeartbeat(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        heartbeat?.cancel()
        handshakeTimer?.cancel()
        sessions.closed(self)
        onClose(handshake == nil)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        silentIntervals = 0
        switch frame.opcode {
        case .binary: received(frame.unmaskedData)
        case .ping: write(.pong, frame.unmaskedData)
        case .pong: break
        default: close()
        }
        flush()
    }

    private func received(_ bytes: ByteBuffer) {
        guard handshake == nil || bytes.readableBytes <= Self.handshakeBytes else { return close() }
        let message: SessionMessage
        do throws(SessionMessageError) {
            message = try bytes.withUnsafeReadableBytes { (bytes) throws(SessionMessageError) in
                try SessionMessage(decoding: bytes)
            }
        } catch {
            return close()
        }
        guard handshake != nil else { return sessions.received(message, from: self) }
        switch handshake?.received(message) {
        case .done(let proof):
            handshake = nil
            handshakeTimer?.cancel()
            if let proof { send(proof) }
            sessions.established(self)
        case .send, .failed, nil: close()
        }
    }

    /// Sends a message with the next ``flush()``.
    func send(_ message: SessionMessage) {
        guard let context else { return }
        let bytes: ByteBuffer
        if case .data(let channel, let stream, let offset, let payload) = message {
            var buffer = context.channel.allocator.buffer(capacity: SessionMessage.dataHeaderBytes + payload.count)
            buffer.writeBytes(SessionMessage.dataHeader(channel: channel, stream: stream, offset: offset))
            buffer.writeBytes(payload)
            bytes = buffer
        } else {
            bytes = ByteBuffer(bytes: message.encoded())
        }
        write(.binary, bytes)
    }

    func flush() {
        guard needsFlush else { return }
        needsFlush = false
        context?.flush()
    }

    func close() {
        context?.close(promise: nil)
    }

    private func write(_ opcode: WebSocketOpcode, _ bytes: ByteBuffer) {
        guard let context else { return }
        let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: isClient ? .random() : nil, data: bytes)
        context.write(wrapOutboundOut(frame), promise: nil)
        needsFlush = true
    }

    private func startHeartbeat(_ context: ChannelHandlerContext) {
        heartbeat = context.eventLoop.assumeIsolated().scheduleTask(
            in: .seconds(Int64(SessionLimit.pingSeconds))
        ) { [weak self] in self?.beat() }
    }

    private func beat() {
        guard let context else { return }
        silentIntervals += 1
        if silentIntervals > 2 { return close() }
        write(.ping, ByteBuffer())
        flush()
        startHeartbeat(context)
    }
}
