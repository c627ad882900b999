package import AgentLink
package import DesiredState
import HTTPTypes
import HummingbirdCore
package import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOExtras
import NIOHTTPTypes
import NIOPosix
import ServiceLifecycle

/// Docker's API and the records API on one unix socket.
///
/// The socket's file permissions are the access control, as with Docker: who may connect may do everything. Any `Host` is accepted on it, since every
/// client sends another one.
package struct APIServer: Service {
    private let backend: Backend
    private let onListening: @Sendable () -> Void

    /// `onListening` is called once, when clients can connect.
    package init(
        configuration: APIServerConfiguration, store: any RecordStore, output: OutputStore, runInput: any RunInput,
        images: any ImageResolver, readiness: any ReadinessCheck, leaks: any LeakControl,
        sessions: any ContainerSessions = NoSessions(), explainer: (any Explainer)? = nil,
        previewer: (any Previewer)? = nil, metrics: (any MetricsSource)? = nil,
        clock: @escaping @Sendable () -> Instant, logger: Logger, onListening: @escaping @Sendable () -> Void = {}
    ) {
        self.onListening = onListening
        backend = Backend(
            configuration: configuration, store: store, output: output, input: runInput, images: images,
            readiness: readiness, leaks: leaks, sessions: sessions, explainer: explainer, previewer: previewer,
            metrics: metrics, clock: clock, logger: logger)
    }

    /// Serves until graceful shutdown or cancellation. A graceful shutdown ends requests that wait for containers; the others are answered.
    /// Throws `ListeningSocketError` before anything is served.
    package func run() async throws {
        let socket = try ListeningSocket(path: backend.configuration.socketPath)
        defer { socket.removePath() }
        let limits = backend.configuration.limits
        let logger = backend.logger
        let connection = HTTPConnection(responder: responder, limits: limits)
        let quiescing = ServerQuiescingHelper(group: MultiThreadedEventLoopGroup.singleton)
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        quiescing.makeServerChannelHandler(channel: channel))
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .bind(socket.descriptor) { channel in connection.setup(channel: channel, logger: logger) }
        logger.info("listening", metadata: ["socket": "\(socket.path)"])
        onListening()
        try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await serve(server, connection) }
                group.addTask { await backend.execs.run(backend) }
                // The second one ends with the first.
                defer { group.cancelAll() }
                try await group.next()
            }
        } onGracefulShutdown: {
            quiescing.initiateShutdown(promise: nil)
        }
    }

    private func serve(
        _ server: NIOAsyncChannel<HTTPConnection.Value, Never>, _ connection: HTTPConnection
    ) async throws {
        let open = NIOLockedValueBox(0)
        let limit = backend.configuration.limits.connections
        let logger = backend.logger
        try await withThrowingDiscardingTaskGroup { group in
            try await server.executeThenClose { inbound in
                for try await channel in inbound {
                    let isWithinLimit = open.withLockedValue { open in
                        guard open < limit else { return false }
                        open += 1
                        return true
                    }
                    group.addTask {
                        guard isWithinLimit else {
                            logger.warning("too many connections", metadata: ["limit": "\(limit)"])
                            // Nothing was exchanged, so nothing is lost when closing fails.
                            try? await channel.executeThenClose { _, _ in }
                            return
                        }
                        await connection.handle(value: channel, logger: logger)
                        open.withLockedValue { $0 -= 1 }
                    }
                }
            }
        }
    }

    private var responder: HTTPChannelHandler.Responder {
        let docker = DockerAPI(backend: backend)
        let records = RecordsAPI(backend: backend)
        let limits = backend.configuration.limits
        let logger = backend.logger
        return { request, writer, channel in
            let exchange = Exchange(
                request: request, target: RequestTarget(request.head.path ?? "/"), channel: channel, limits: limits,
                logger: logger)
            let segments = exchange.target.segments
            let response =
                RecordsAPI.serves(segments)
                ? await records.respond(to: exchange) : await docker.respond(to: exchange, segments: segments)
            logger.debug(
                "request",
                metadata: [
                    "method": "\(request.method)", "path": "\(segments.joined(separator: "/"))",
                    "status": "\(response.status.code)",
                ])
            try await writer.write(response: response.head, body: response.body)
        }
    }
}
