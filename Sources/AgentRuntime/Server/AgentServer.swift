import NIOCore
import NIOHTTP1
import NIOPosix

/// Accepts connections for an agent.
///
/// Channel handlers rather than async channels: an asynchronous bind costs 12 ms at start, which each run of a
/// container would pay (measured with swift-nio 2.101).
final class AgentServer {
    private let agent: Agent
    private var connections = 0

    /// The daemon and the platform's probes need a handful. Strangers may open some, but each can cost 8 MiB.
    private static let connectionLimit = 64

    init(agent: Agent) {
        self.agent = agent
    }

    /// On the event loop only.
    static func listen(
        _ agent: Agent, at address: AgentConfiguration.Address, on eventLoop: any EventLoop
    ) -> EventLoopFuture<any Channel> {
        let server = NIOLoopBound(AgentServer(agent: agent), eventLoop: eventLoop)
        switch address {
        case .unixSocket(let path):
            return bootstrap(server, eventLoop).bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true)
        case .port(let port):
            // One socket for both families where there is IPv6.
            return bootstrap(server, eventLoop).bind(host: "::", port: port).flatMapError { _ in
                bootstrap(server, eventLoop).bind(host: "0.0.0.0", port: port)
            }
        }
    }

    private static func bootstrap(_ server: NIOLoopBound<AgentServer>, _ eventLoop: any EventLoop) -> ServerBootstrap {
        ServerBootstrap(group: eventLoop)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try server.value.accept(channel) }
            }
    }

    private func accept(_ channel: any Channel) throws {
        guard connections < Self.connectionLimit else { throw TooManyConnections() }
        connections += 1
        let handlers = HTTPHandlers()
        // As NIO's own pipeline for a server, but with each handler at hand: a session takes their place.
        try channel.pipeline.syncOperations.addHandlers([
            handlers.encoder, handlers.decoder, handlers.pipelining, handlers.errors,
            RequestHandler(agent: agent, handlers: handlers) { self.connections -= 1 },
        ])
    }

    private struct TooManyConnections: Error {}
}

/// What makes HTTP of a connection's bytes.
struct HTTPHandlers {
    let encoder = HTTPResponseEncoder()
    let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes))
    let pipelining = HTTPServerPipelineHandler()
    let errors = HTTPServerProtocolErrorHandler()
}
