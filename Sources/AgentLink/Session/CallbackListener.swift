package import AgentProtocol
package import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
package import NIOSSL
import NIOWebSocket

/// Where agents call the daemon for sessions. It answers nothing else, and believes nobody before the handshake.
package struct CallbackListener: Sendable {
    package struct Settings: Sendable {
        /// `127.0.0.1`, `0.0.0.0`, `::` or any other address of this machine.
        package var host: String
        package var port: Int
        /// What agents put in front of ``SessionLimit/path``: the path of the callback's URL, without a slash at its end.
        package var path: String
        /// Nil for plain HTTP.
        package var tls: NIOSSLContext?
        /// Connections that have not proved themselves yet; more are closed at once.
        package var mostUnproved = 64
        /// From the connection to the proof.
        package var handshakeTimeout = Duration.seconds(10)

        package init(host: String, port: Int, path: String = "", tls: NIOSSLContext? = nil) {
            self.host = host
            self.port = port
            self.path = path
            self.tls = tls
        }
    }

    /// The record's uid, of which the site's secret follows.
    private static let siteHeader = "skls-site"

    private let settings: Settings
    private let sessions: AgentSessions
    private let secret: @Sendable (String) -> AgentSecret?
    private let logger: Logger

    /// - Parameter secret: of the site whose uid (64 hex digits) a request names.
    package init(
        settings: Settings, sessions: AgentSessions, logger: Logger,
        secret: @escaping @Sendable (String) -> AgentSecret?
    ) {
        self.settings = settings
        self.sessions = sessions
        self.logger = logger
        self.secret = secret
    }

    /// Listens until the task is cancelled.
    ///
    /// - Parameter onListening: is told the port.
    /// - Throws: when the address cannot be listened on.
    package func run(onListening: @Sendable (Int) -> Void = { _ in }) async throws {
        let unproved = NIOLockedValueBox(0)
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in accept(channel, unproved) }
            .bind(host: settings.host, port: settings.port).get()
        let port = server.localAddress?.port ?? settings.port
        if settings.tls == nil, server.localAddress?.isLoopback != true {
            logger.warning(
                "agents call over a connection that is not encrypted, and what they say can be read on the way",
                metadata: ["address": "\(settings.host):\(port)"])
        }
        onListening(port)
        try await withTaskCancellationHandler {
            try await server.closeFuture.get()
        } onCancel: {
            server.close(promise: nil)
        }
    }

    private func accept(_ channel: any Channel, _ unproved: NIOLockedValueBox<Int>) -> EventLoopFuture<Void> {
        let isTaken = unproved.withLockedValue { count in
            guard count < settings.mostUnproved else { return false }
            count += 1
            return true
        }
        guard isTaken else { return channel.close() }
        let deadline = NIODeadline.now() + TimeAmount(settings.handshakeTimeout)
        let timer = channel.eventLoop.scheduleTask(deadline: deadline) { channel.close(promise: nil) }
        return channel.eventLoop.makeCompletedFuture { try configure(channel, deadline: deadline) }
            .map { caller in
                caller.flatMap { caller in
                    caller.map { caller in caller.socket.proved.map { caller } } ?? channel.closeFuture.map { nil }
                }
                .whenComplete { (result: Result<Caller?, any Error>) in
                    timer.cancel()
                    unproved.withLockedValue { $0 -= 1 }
                    guard case .success(let caller?) = result else { return channel.close(promise: nil) }
                    sessions.accept(caller.socket, endpoint: caller.endpoint, boot: caller.boot)
                }
            }
    }

    /// An agent that may become a session's.
    private struct Caller: Sendable {
        var socket: SessionSocket
        var endpoint: AgentEndpoint
        var boot: BootID
    }

    /// Nil comes of a connection that asked for anything else.
    private func configure(_ channel: any Channel, deadline: NIODeadline) throws -> EventLoopFuture<Caller?> {
        let settings = SessionSocketHandler.Settings(
            isClient: false, deadline: deadline, pingInterval: TimeAmount(sessions.settings.pingInterval))
        let target = NIOLoopBoundBox<String?>(nil, eventLoop: channel.eventLoop)
        let upgrader = NIOTypedWebSocketServerUpgrader<Caller?>(
            maxFrameSize: SessionSocketHandler.longestMessageBytes
        ) { channel, head in
            target.value = head.uri
            return channel.eventLoop.makeSucceededFuture(judge(head)?.headers)
        } upgradePipelineHandler: { channel, head in
            channel.eventLoop.makeCompletedFuture {
                guard let call = judge(head) else { throw ChannelError.inappropriateOperationForState }
                let handler = SessionSocketHandler(
                    handshake: DaemonHandshake(
                        secret: call.endpoint.secret, boot: call.boot, nonce: RequestSignature.freshNonce()),
                    settings: settings, loop: channel.eventLoop)
                return Caller(
                    socket: try SessionSocket(channel: channel, handler: handler), endpoint: call.endpoint,
                    boot: call.boot)
            }
        }
        let path = self.settings.path + SessionLimit.path
        let configuration = NIOTypedHTTPServerUpgradeConfiguration<Caller?>(upgraders: [upgrader]) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(RefusingHandler(path: path, target: target.value))
                return nil
            }
        }
        if let tls = self.settings.tls {
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
        }
        return try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
            configuration: .init(upgradeConfiguration: configuration))
    }

    /// A request that its site's agent has signed, perhaps long ago: the handshake tells.
    private struct Call {
        var endpoint: AgentEndpoint
        var boot: BootID
        var headers: HTTPHeaders
    }

    private func judge(_ head: HTTPRequestHead) -> Call? {
        func header(_ name: String) -> String? {
            let values = head.headers[name]
            return values.count == 1 ? values[0] : nil
        }
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        guard head.method == .GET, head.uri == settings.path + SessionLimit.path,
            let site = header(Self.siteHeader), let boot = header(AgentHeader.boot).flatMap({ BootID($0) }),
            let nonce = header(AgentHeader.nonce), let claimed = header(AgentHeader.signature),
            let secret = secret(site),
            let signature = RequestSignature(
                verifying: claimed, secret: secret, method: "GET", path: head.uri, boot: boot.hex, nonce: nonce,
                body: empty)
        else { return nil }
        let proof = ReplyProof.make(
            secret: secret, signature: signature, status: 101, boot: boot, headers: [], body: empty)
        return Call(
            endpoint: AgentEndpoint(baseURL: "", secret: secret), boot: boot,
            headers: HTTPHeaders([(AgentHeader.boot, boot.hex), (AgentHeader.proof, proof)]))
    }
}

/// Answers whatever is no call of an agent, and closes the connection.
private final class RefusingHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let path: String
    private var target: String?

    /// - Parameter target: of the request, if its head was taken already: NIO keeps it to itself where it asked for an
    ///   upgrade in vain (NIOTypedHTTPServerUpgraderStateMachine, 2.101).
    init(path: String, target: String?) {
        self.path = path
        self.target = target
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): target = head.uri
        case .body: break
        case .end:
            let status: HTTPResponseStatus = target == path ? .unauthorized : .notFound
            let headers = HTTPHeaders([("Content-Length", "0"), ("Connection", "close")])
            let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil))).assumeIsolated().whenComplete { _ in
                context.close(promise: nil)
            }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

extension SocketAddress {
    /// Whether only this machine can come there.
    fileprivate var isLoopback: Bool {
        switch self {
        case .unixDomainSocket: true
        default: ipAddress.map { $0 == "::1" || $0.hasPrefix("127.") } ?? false
        }
    }
}
