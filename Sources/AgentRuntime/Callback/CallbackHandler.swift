import AgentProtocol
import NIOCore
import NIOHTTP1
import NIOSSL
import NIOWebSocket

/// One call: asks the relay if there is one, secures the connection if that is wanted, upgrades it, and makes way for the
/// session once the other end has proved that it holds the site's secret.
final class CallbackHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Outcome {
        /// A session was there, and its connection is gone.
        case session
        case failed(String)
    }

    private enum State {
        case askingRelay
        case upgrading(RequestSignature, NIOWebSocketClientUpgrader)
        case over
    }

    private let configuration: CallbackConfiguration
    private let sessions: AgentSessions
    private let security: NIOSSLClientHandler?
    private var onEnd: ((Outcome) -> Void)?
    private var state = State.askingRelay
    private var received = ByteBuffer()
    private var timer: Scheduled<Void>?

    private static let headBytes = 16 << 10
    private static let limit = TimeAmount.seconds(10)

    /// - Parameter onEnd: called once, when the connection is gone.
    init(
        _ configuration: CallbackConfiguration, sessions: AgentSessions, security: NIOSSLClientHandler?,
        onEnd: @escaping (Outcome) -> Void
    ) {
        self.configuration = configuration
        self.sessions = sessions
        self.security = security
        self.onEnd = onEnd
    }

    func channelActive(context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.limit) { [weak self] in
            self?.fail(context, "no answer in time")
        }
        guard configuration.relay != nil else { return upgrade(context) }
        let target = configuration.authorityText
        send(context, "CONNECT \(target) HTTP/1.1\r\nhost: \(target)\r\n\r\n")
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(context, "the connection was closed")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(context, "\(error)")
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        received.writeBuffer(&bytes)
        guard let head = readHead() else {
            if received.readableBytes > Self.headBytes { fail(context, "an answer that is no HTTP") }
            return
        }
        switch state {
        case .askingRelay:
            guard head.status.code == 200 else {
                return fail(context, "the relay answered \(head.status.code)")
            }
            upgrade(context)
        case .upgrading(let signature, let upgrader): upgraded(context, head, signature, upgrader)
        case .over: break
        }
    }

    private func upgrade(_ context: ChannelHandlerContext) {
        do {
            if let security { try context.pipeline.syncOperations.addHandler(security, position: .first) }
        } catch {
            return fail(context, "\(error)")
        }
        let nonce = RequestSignature.freshNonce()
        let signature = RequestSignature(
            secret: sessions.secret, method: "GET", path: configuration.path, boot: sessions.boot, nonce: nonce,
            body: UnsafeRawBufferPointer(start: nil, count: 0))
        let key = NIOWebSocketClientUpgrader.randomRequestKey()
        let upgrader = NIOWebSocketClientUpgrader(
            requestKey: key, upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
        state = .upgrading(signature, upgrader)
        let fields = [
            ("host", configuration.authorityText), ("connection", "Upgrade"), ("upgrade", "websocket"),
            ("sec-websocket-version", "13"), ("sec-websocket-key", key), (AgentHeader.site, configuration.site),
            (AgentHeader.boot, sessions.boot.hex), (AgentHeader.nonce, nonce), (AgentHeader.signature, signature.hex),
        ]
        var request = "GET \(configuration.path) HTTP/1.1\r\n"
        for (name, value) in fields { request += "\(name): \(value)\r\n" }
        send(context, request + "\r\n")
    }

    private func upgraded(
        _ context: ChannelHandlerContext, _ head: HTTPResponseHead, _ signature: RequestSignature,
        _ upgrader: NIOWebSocketClientUpgrader
    ) {
        guard head.status.code == 101 else { return fail(context, "the daemon answered \(head.status.code)") }
        let isProved = ReplyProof.verify(
            head.headers.first(name: AgentHeader.proof) ?? "", secret: sessions.secret, signature: signature,
            status: 101, boot: sessions.boot, headers: [], body: UnsafeRawBufferPointer(start: nil, count: 0))
        guard isProved, upgrader.shouldAllowUpgrade(upgradeResponse: head) else {
            return fail(context, "whoever answered does not hold the site's secret")
        }
        timer?.cancel()
        state = .over
        let onEnd = self.onEnd
        self.onEnd = nil
        let socket = SessionSocket(sessions: sessions, isClient: true) { wasEstablished in
            onEnd?(wasEstablished ? .session : .failed("no handshake"))
        }
        do {
            try SessionSocket.addHandlers(to: context.channel, socket: socket)
            if received.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(received)) }
            received.clear()
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        } catch {
            onEnd?(.failed("\(error)"))
            context.close(promise: nil)
        }
    }

    /// The head of an answer once all of it is there.
    private func readHead() -> HTTPResponseHead? {
        let end = Array("\r\n\r\n".utf8)
        guard let range = received.readableBytesView.firstRange(of: end) else { return nil }
        let length = range.upperBound - received.readerIndex
        let lines = (received.readString(length: length) ?? "").split(separator: "\r\n")
        let words = (lines.first ?? "").split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let code = Int(words[1]) else {
            return HTTPResponseHead(version: .http1_1, status: .badGateway)
        }
        var headers = HTTPHeaders()
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            headers.add(
                name: String(parts[0]),
                value: String(parts[1].drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()))
        }
        return HTTPResponseHead(version: .http1_1, status: HTTPResponseStatus(statusCode: code), headers: headers)
    }

    private func send(_ context: ChannelHandlerContext, _ text: String) {
        // From the end of the pipeline: what secures the connection may have been put in just now.
        context.channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
    }

    private func fail(_ context: ChannelHandlerContext, _ reason: String) {
        timer?.cancel()
        state = .over
        // Before the close, whose own event would tell another reason.
        let onEnd = self.onEnd
        self.onEnd = nil
        context.close(promise: nil)
        onEnd?(.failed(reason))
    }
}
