import AgentProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOWebSocket

/// One WebSocket with an agent: proves the other end, then carries messages in order until it ends.
///
/// Sending is possible from any thread and never calls back; it only queues. What waits to be sent is bounded by the
/// windows of the session's channels.
final class SessionSocket: Sendable {
    enum Event: Sendable {
        case message(ByteBuffer)
        /// For people. Nothing follows.
        case closed(String)
    }

    private struct Outbox {
        var messages: [ByteBuffer] = []
        var isScheduled = false
    }

    private let channel: any Channel
    private let handler: NIOLoopBound<SessionSocketHandler>
    private let outbox = NIOLockedValueBox(Outbox())
    /// Succeeds when the handshake is done. Fails when it is not, with a ``SessionSocketError``.
    let proved: EventLoopFuture<Void>

    /// Adds what a session needs behind the WebSocket's codec. On the channel's event loop.
    init(channel: any Channel, handler: SessionSocketHandler) throws {
        self.channel = channel
        self.handler = NIOLoopBound(handler, eventLoop: channel.eventLoop)
        proved = handler.proved.futureResult
        try channel.pipeline.syncOperations.addHandlers(
            NIOWebSocketFrameAggregator(
                minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: 256,
                maxAccumulatedFrameSize: SessionSocketHandler.longestMessageBytes), handler)
    }

    /// Tells of every message from here on, those that came since the proof included, and of the end, once. Called on
    /// the connection's event loop. To be called once.
    func begin(_ receive: @escaping @Sendable (Event) -> Void) {
        channel.eventLoop.execute { self.handler.value.begin(receive) }
    }

    func send(_ message: ByteBuffer) {
        let isFirst = outbox.withLockedValue { outbox in
            outbox.messages.append(message)
            defer { outbox.isScheduled = true }
            return !outbox.isScheduled
        }
        if isFirst { channel.eventLoop.execute { self.flush() } }
    }

    private func flush() {
        let messages = outbox.withLockedValue { outbox in
            defer { outbox = Outbox() }
            return outbox.messages
        }
        handler.value.send(messages)
    }

    /// Ends it behind what was sent before.
    func close() {
        channel.eventLoop.execute {
            self.flush()
            self.handler.value.close("it was closed here")
        }
    }
}

/// Why a connection with an agent came to nothing.
enum SessionSocketError: Error, Equatable {
    /// It ended.
    case closed(String)
    case handshake(SessionHandshakeFailure)
}

/// The last handler of a session's connection: handshake, pings, messages. Lives on the connection's event loop.
///
/// States: proving → waiting for ``begin(_:)`` → open; every one → closed.
final class SessionSocketHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    /// The agent's messages are pieces of output of 64 KiB, and results.
    static let longestMessageBytes = 1 << 20
    /// Before the session has begun with a connection, an agent has nothing to say.
    private static let mostEarlyMessages = 64

    struct Settings: Sendable {
        /// Whether this end opened the connection: then its frames are masked (RFC 6455 §5.3).
        var isClient: Bool
        /// When the other end must have proved itself.
        var deadline: NIODeadline
        /// How often to ping; a connection over which nothing came for two of these is broken.
        var pingInterval: TimeAmount = .seconds(Int64(SessionLimit.pingSeconds))
    }

    private let settings: Settings
    private var handshake: DaemonHandshake
    let proved: EventLoopPromise<Void>
    private var isProved = false
    private var receive: (@Sendable (SessionSocket.Event) -> Void)?
    private var early: [ByteBuffer] = []
    private var endReason: String?
    private var isEndTold = false
    private var lastHeard = NIODeadline.now()
    private var timers: [Scheduled<Void>] = []
    private var context: ChannelHandlerContext?

    init(handshake: DaemonHandshake, settings: Settings, loop: any EventLoop) {
        self.handshake = handshake
        self.settings = settings
        proved = loop.makePromise()
    }

    // MARK: the session's side

    func begin(_ receive: @escaping @Sendable (SessionSocket.Event) -> Void) {
        self.receive = receive
        for message in early { receive(.message(message)) }
        early = []
        tellEnd()
    }

    func send(_ messages: [ByteBuffer]) {
        guard let context, endReason == nil else { return }
        for message in messages { write(.binary, message, context) }
        context.flush()
    }

    func close(_ reason: String) {
        guard let context, endReason == nil else { return }
        endReason = reason
        var code = ByteBuffer()
        code.write(webSocketErrorCode: .normalClosure)
        write(.connectionClose, code, context)
        context.flush()
        context.close(promise: nil)
    }

    private func write(_ opcode: WebSocketOpcode, _ data: ByteBuffer, _ context: ChannelHandlerContext) {
        let frame = WebSocketFrame(
            fin: true, opcode: opcode, maskKey: settings.isClient ? .random() : nil, data: data)
        context.write(wrapOutboundOut(frame), promise: nil)
    }

    // MARK: the connection's side

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        lastHeard = context.eventLoop.now
        let loop = context.eventLoop.assumeIsolated()
        timers.append(
            loop.scheduleTask(deadline: settings.deadline) {
                if !self.isProved { self.close("the agent did not prove itself in time") }
            })
        schedulePing(loop)
    }

    private func schedulePing(_ loop: NIOIsolatedEventLoop) {
        let timer = loop.scheduleTask(in: settings.pingInterval) {
            guard let context = self.context, self.endReason == nil else { return }
            if context.eventLoop.now - self.lastHeard >= self.settings.pingInterval * 2 {
                self.endReason = "nothing was heard of the agent"
                context.close(promise: nil)
                return
            }
            self.write(.ping, ByteBuffer(), context)
            context.flush()
            self.schedulePing(loop)
        }
        if timers.count > 1 { timers[1] = timer } else { timers.append(timer) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastHeard = context.eventLoop.now
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .binary: received(frame.unmaskedData)
        case .ping:
            write(.pong, frame.unmaskedData, context)
            context.flush()
        case .pong: break
        case .connectionClose: close("the agent closed it")
        default: close("the agent sent something else than messages")
        }
    }

    private func received(_ bytes: ByteBuffer) {
        guard endReason == nil else { return }
        if !isProved {
            prove(bytes)
        } else if let receive {
            receive(.message(bytes))
        } else if early.count < Self.mostEarlyMessages {
            early.append(bytes)
        } else {
            close("the agent spoke out of turn")
        }
    }

    private func prove(_ bytes: ByteBuffer) {
        let step: SessionHandshakeStep
        do {
            step = handshake.received(try bytes.withUnsafeReadableBytes { try SessionMessage(decoding: $0) })
        } catch {
            step = .failed(.unexpected)
        }
        switch step {
        case .send(let message): send([message.buffer])
        case .done(let message):
            if let message { send([message.buffer]) }
            isProved = true
            proved.succeed()
        case .failed(let failure):
            proved.fail(SessionSocketError.handshake(failure))
            close("the agent did not prove itself")
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if endReason == nil { endReason = "\(error)" }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        ended()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { ended() }

    private func ended() {
        guard context != nil else { return }
        context = nil
        for timer in timers { timer.cancel() }
        let reason = endReason ?? "the connection broke"
        endReason = reason
        // No more than a repetition where it was proved.
        proved.fail(SessionSocketError.closed(reason))
        tellEnd()
    }

    private func tellEnd() {
        guard context == nil, let receive, let endReason, !isEndTold else { return }
        isEndTold = true
        receive(.closed(endReason))
    }
}

@available(*, unavailable)
extension SessionSocketHandler: Sendable {}

extension SessionMessage {
    /// The bytes of one binary message. The payload of data is copied once.
    var buffer: ByteBuffer {
        guard case .data(let channel, let stream, let offset, let bytes) = self else {
            return ByteBuffer(bytes: encoded())
        }
        var buffer = ByteBuffer()
        buffer.reserveCapacity(Self.dataHeaderBytes + bytes.count)
        buffer.writeBytes(Self.dataHeader(channel: channel, stream: stream, offset: offset))
        buffer.writeBytes(bytes)
        return buffer
    }
}
