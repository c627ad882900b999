package import AgentLink
package import DesiredState
import Glibc
import HTTPTypes
import HummingbirdCore
package import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOExtras
import NIOHTTPTypes
import NIOPosix
import ServiceLifecycle
import UnixSignals

/// Docker's API and the records API on a unix socket and, where it is asked for, on TCP.
///
/// The socket's file permissions are the access control, as with Docker: who may connect may do everything. Any `Host` is accepted on it, since every
/// client sends another one. On TCP ``RequestGate`` decides.
package struct APIServer: Service {
    private let backend: Backend
    private let figures: RequestFigures
    private let onListening: @Sendable () -> Void
    private let onListeningTCP: @Sendable (Int) -> Void

    /// `onListeningTCP` is called with the port of each TCP listener, in their order; then `onListening` once, when clients can connect to all.
    package init(
        configuration: APIServerConfiguration, store: any RecordStore, output: OutputStore, runInput: any RunInput,
        images: any ImageResolver, readiness: any ReadinessCheck, leaks: any LeakControl,
        sessions: any ContainerSessions = NoSessions(), archive: (any LogArchive)? = nil,
        registryLogin: (any RegistryLogin)? = nil, explainer: (any Explainer)? = nil, previewer: (any Previewer)? = nil,
        metrics: (any MetricsSource)? = nil,
        clock: @escaping @Sendable () -> Instant, logger: Logger, onListening: @escaping @Sendable () -> Void = {},
        onListeningTCP: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.onListening = onListening
        self.onListeningTCP = onListeningTCP
        figures = RequestFigures(startedAt: clock())
        backend = Backend(
            configuration: configuration, store: store, output: output, archive: archive, input: runInput,
            images: images,
            readiness: readiness, leaks: leaks, sessions: sessions, explainer: explainer, previewer: previewer,
            metrics: metrics, registryLogin: registryLogin, clock: clock, logger: logger)
    }

    private typealias ServerChannel = NIOAsyncChannel<HTTPConnection.Value, Never>

    /// One address on which connections are accepted.
    private struct Listener: Sendable {
        let channel: ServerChannel
        let connection: HTTPConnection
        let isTCP: Bool
    }

    /// Serves until graceful shutdown or cancellation. A graceful shutdown ends requests that wait for containers; the others are answered.
    /// Throws `ListeningSocketError` and `AccessError` before anything is served.
    package func run() async throws {
        let configuration = backend.configuration
        var files: [(TCPListener, AccessFiles)] = []
        for listener in configuration.tcp {
            if let refusal = listener.refusal { throw AccessError(description: refusal) }
            files.append((listener, try AccessFiles(listener)))
        }
        let socket = try ListeningSocket(path: configuration.socketPath, group: configuration.socketGroup)
        defer { socket.removePath() }
        let quiescing = ServerQuiescingHelper(group: MultiThreadedEventLoopGroup.singleton)
        var listeners = [try await listen(on: socket, quiescing)]
        backend.logger.info("listening", metadata: [LogKey.socket.rawValue: "\(socket.path)"])
        for (listener, files) in files {
            listeners.append(try await listen(on: listener, files, quiescing))
        }
        onListening()
        let all = listeners
        let readFiles = files.map(\.1)
        try await withGracefulShutdownHandler {
            try await serve(all, readFiles)
        } onGracefulShutdown: {
            quiescing.initiateShutdown(promise: nil)
        }
    }

    private func listen(
        on socket: borrowing ListeningSocket, _ quiescing: ServerQuiescingHelper
    ) async throws -> Listener {
        let logger = backend.logger
        let connection = HTTPConnection(responder: responder(.unixSocket), limits: backend.configuration.limits)
        let channel = try await bootstrap(quiescing).bind(socket.descriptor) { channel in
            connection.setup(channel: channel, logger: logger)
        }
        return Listener(channel: channel, connection: connection, isTCP: false)
    }

    private func listen(
        on listener: TCPListener, _ files: AccessFiles, _ quiescing: ServerQuiescingHelper
    ) async throws -> Listener {
        let logger = backend.logger
        let connection = HTTPConnection(
            responder: responder(.tcp(listener, files)), limits: backend.configuration.limits, tls: { files.tls })
        let channel: ServerChannel
        do {
            channel = try await bootstrap(quiescing)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .serverChannelOption(.backlog, value: 1024)
                // A client whose machine is gone would hold an attach for ever, and with the system's own times for two hours.
                .childChannelOption(.socketOption(.so_keepalive), value: 1)
                .childChannelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: 30)
                .childChannelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: 10)
                .childChannelOption(.tcpOption(.init(rawValue: TCP_KEEPCNT)), value: 6)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .bind(host: listener.host, port: listener.port) { channel in
                    connection.setup(channel: channel, logger: logger)
                }
        } catch {
            throw AccessError(description: "cannot listen on \(listener.host):\(listener.port): \(error)")
        }
        let port = channel.channel.localAddress?.port ?? listener.port
        let address: Logger.Metadata = [LogKey.socket.rawValue: "\(listener.host):\(port)"]
        if listener.isProtected {
            logger.info("listening", metadata: address)
        } else {
            logger.warning("listening without proof of who connects: every user of this machine can", metadata: address)
        }
        onListeningTCP(port)
        return Listener(channel: channel, connection: connection, isTCP: true)
    }

    private func bootstrap(_ quiescing: ServerQuiescingHelper) -> ServerBootstrap {
        ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        quiescing.makeServerChannelHandler(channel: channel))
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
    }

    private func serve(_ listeners: [Listener], _ files: [AccessFiles]) async throws {
        let budget = ConnectionBudget(backend.configuration.limits)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for listener in listeners {
                group.addTask { try await accept(listener, budget) }
            }
            group.addTask { await backend.execs.run(backend) }
            if !files.isEmpty {
                let signals = await UnixSignalsSequence(trapping: .sighup)
                group.addTask {
                    for await _ in signals { reload(files) }
                }
            }
            defer { group.cancelAll() }
            // The tasks beside them end by cancellation only.
            for _ in listeners { try await group.next() }
        }
    }

    private func reload(_ files: [AccessFiles]) {
        for file in files {
            do throws(AccessError) {
                try file.reload()
                backend.logger.info("certificates and tokens were read again")
            } catch {
                backend.logger.error(
                    "certificates and tokens stay as they were", metadata: [LogKey.error.rawValue: "\(error)"])
            }
        }
    }

    private func accept(_ listener: Listener, _ budget: ConnectionBudget) async throws {
        let logger = backend.logger
        let limits = backend.configuration.limits
        try await withThrowingDiscardingTaskGroup { group in
            try await listener.channel.executeThenClose { inbound in
                for try await channel in inbound {
                    let isWithinLimit = budget.open(isTCP: listener.isTCP)
                    group.addTask {
                        guard isWithinLimit else {
                            let limit = listener.isTCP ? limits.tcpConnections : limits.connections
                            logger.warning("too many connections", metadata: [LogKey.limit.rawValue: "\(limit)"])
                            // Nothing was exchanged, so nothing is lost when closing fails.
                            try? await channel.executeThenClose { _, _ in }
                            return
                        }
                        await listener.connection.handle(value: channel, logger: logger)
                        budget.close(isTCP: listener.isTCP)
                    }
                }
            }
        }
    }

    private func responder(_ gate: RequestGate) -> HTTPChannelHandler.Responder {
        let docker = DockerAPI(backend: backend)
        let records = RecordsAPI(backend: backend)
        let inside = InternalAPI(docker: docker, figures: figures)
        let limits = backend.configuration.limits
        let logger = backend.logger
        let backend = backend
        return { request, writer, channel in
            var generator = SystemRandomNumberGenerator()
            let log = RequestLog(request.head, at: backend.clock(), using: &generator)
            let exchange = Exchange(
                request: request, target: RequestTarget(request.head.path ?? "/"), channel: channel, limits: limits,
                logger: logger)
            let segments = exchange.target.segments
            var response: Response
            if let refusal = gate.refusal(of: request.head) {
                response = DockerAPI.refusal(refusal)
                // What comes behind it is nobody's.
                response.headers[.connection] = "close"
                if refusal.status == .unauthorized { response.headers[.wwwAuthenticate] = "Bearer" }
            } else {
                response = await RequestLog.$current.withValue(log) { () async -> Response in
                    if RecordsAPI.serves(segments) { return await records.respond(to: exchange) }
                    if InternalAPI.serves(segments) { return await inside.respond(to: exchange) }
                    return await docker.respond(to: exchange, segments: segments)
                }
            }
            response.headers[.requestID] = log.id
            do {
                try await writer.write(response: response.head, body: response.body)
            } catch {
                await log.write(status: response.status, backend)
                throw error
            }
            await log.write(status: response.status, backend)
        }
    }
}
