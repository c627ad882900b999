package import Logging
import NIOCore
import NIOExtras
import NIOHTTP1
import NIOPosix
import ServiceLifecycle

/// Docker's API on a unix socket, answered by a backend that is somewhere else.
///
/// The backend speaks Docker's API itself, so requests go through as they are; but for the `Host`, which is the backend's: backends refuse others, so
/// that no web page reaches them under a name of its own. Responses are not looked at. A request that offers an upgrade (attach, exec) turns its
/// connection into plain bytes both ways, with each side's end passed on by itself.
package struct DockerFrontend: Service {
    package enum Backend: Hashable, Sendable {
        case unix(String)
        case tcp(host: String, port: Int)
    }

    private let socketPath: String
    private let backend: Backend
    private let logger: Logger
    private let onListening: @Sendable () -> Void

    /// Connections at one time; each holds two descriptors of the process.
    private static let maximumConnections = 1024
    private static let connectTimeout: TimeAmount = .seconds(10)

    package init(
        socketPath: String, backend: Backend, logger: Logger, onListening: @escaping @Sendable () -> Void = {}
    ) {
        self.socketPath = socketPath
        self.backend = backend
        self.logger = logger
        self.onListening = onListening
    }

    /// Serves until graceful shutdown, and then until the open connections have ended, or until cancellation. Throws `ListeningSocketError` before
    /// anything is served.
    package func run() async throws {
        let socket = try ListeningSocket(path: socketPath)
        defer { socket.removePath() }
        let group = MultiThreadedEventLoopGroup.singleton
        let quiescing = ServerQuiescingHelper(group: group)
        let count = FrontendConnections(limit: DockerFrontend.maximumConnections)
        let backend = backend
        let logger = logger
        let server = try await ServerBootstrap(group: group)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        quiescing.makeServerChannelHandler(channel: channel))
                }
            }
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                guard count.enter(channel) else {
                    logger.warning("too many connections", metadata: ["limit": "\(DockerFrontend.maximumConnections)"])
                    return channel.close()
                }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FrontendJoin(backend: backend, logger: logger))
                }
            }
            .withBoundSocket(socket.descriptor).get()
        logger.info("listening", metadata: ["socket": "\(socket.path)"])
        onListening()
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await server.closeFuture.get()
                await count.empty()
            } onGracefulShutdown: {
                quiescing.initiateShutdown(promise: nil)
            }
        } onCancel: {
            count.closeAll()
            server.close(promise: nil)
        }
    }

    /// Connects to the backend for a client that came, and lets the two begin.
    fileprivate static func join(_ client: any Channel, to backend: Backend, _ logger: Logger) -> EventLoopFuture<Void>
    {
        let bootstrap = ClientBootstrap(group: client.eventLoop)
            .connectTimeout(connectTimeout)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
        let connected =
            switch backend {
            case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
            case .tcp(let host, let port): bootstrap.connect(host: host, port: port)
            }
        return connected.flatMap { upstream in
            upstream.eventLoop.makeCompletedFuture {
                let encoder = HTTPRequestEncoder(configuration: FrontendClientHandler.encoding)
                let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes))
                let far = FrontendBackendHandler()
                let near = FrontendClientHandler(
                    far, decoder: decoder, encoder: encoder, host: hostField(of: backend))
                far.near = near
                try upstream.pipeline.syncOperations.addHandlers([encoder, far])
                try client.pipeline.syncOperations.addHandlers([decoder, near])
            }.flatMap { upstream.setOption(.autoRead, value: true) }
                .flatMap { client.setOption(.autoRead, value: true) }
        }.flatMapError { error in
            logger.error("the backend cannot be reached", metadata: ["error": "\(error)"])
            let answer = FrontendAnswer.text(.badGateway, "the backend cannot be reached: \(error)")
            return client.writeAndFlush(answer).flatMap { client.close() }
        }
    }

    /// `nil` where the client's own can stay.
    private static func hostField(of backend: Backend) -> String? {
        guard case .tcp(let host, let port) = backend else { return nil }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

/// Waits for a client's connection to be ready; until the backend is there nothing is read.
private final class FrontendJoin: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let backend: DockerFrontend.Backend
    private let logger: Logger

    init(backend: DockerFrontend.Backend, logger: Logger) {
        self.backend = backend
        self.logger = logger
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        // What fails is answered and logged there.
        _ = DockerFrontend.join(context.channel, to: backend, logger)
    }
}

/// What the frontend says itself.
enum FrontendAnswer {
    static func text(_ status: HTTPResponseStatus, _ message: String) -> ByteBuffer {
        let body = (["message": .string(message)] as JSON).text
        return ByteBuffer(
            string: "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n" + body)
    }
}
