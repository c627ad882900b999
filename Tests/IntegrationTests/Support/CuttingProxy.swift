import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Stands between the daemon and the sites, and cuts the connections of sessions when it is told to.
final class CuttingProxy: Sendable {
    private struct State {
        var sessions = 0
        var cuts = 0
        /// How many more connections are cut, and after how many bytes from the site.
        var plan = (connections: 0, bytes: 0)
    }

    private let server: any Channel
    private let state: NIOLockedValueBox<State>

    /// Listens on loopback, for `http://127.0.0.1:port`.
    static func start(before port: Int) async throws -> CuttingProxy {
        let state = NIOLockedValueBox(State())
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { near in
                ClientBootstrap(group: near.eventLoop).channelOption(.autoRead, value: false)
                    .connect(host: "127.0.0.1", port: port).flatMapThrowing { far in
                        let (one, other) = (End(state, isSite: false), End(state, isSite: true))
                        one.other = other
                        other.other = one
                        try near.pipeline.syncOperations.addHandler(one)
                        try far.pipeline.syncOperations.addHandler(other)
                        far.read()
                    }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return CuttingProxy(server, state)
    }

    /// A port of loopback that was free a moment ago.
    static func freePort() async throws -> Int {
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = server.localAddress?.port ?? 0
        try await server.close()
        return port
    }

    private init(_ server: any Channel, _ state: NIOLockedValueBox<State>) {
        self.server = server
        self.state = state
    }

    var url: String { "http://127.0.0.1:\(server.localAddress?.port ?? 0)" }
    /// Connections of sessions that were cut.
    var cuts: Int { state.withLockedValue { $0.cuts } }
    /// Connections of sessions.
    var sessions: Int { state.withLockedValue { $0.sessions } }

    /// Cuts the session that is, and those behind it, each after so many more bytes from the site.
    func cut(connections: Int, afterBytes bytes: Int) {
        state.withLockedValue { $0.plan = (connections, bytes) }
    }

    func stop() async {
        // It cannot be closed twice.
        try? await server.close()
    }

    private final class End: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let state: NIOLockedValueBox<State>
        private let isSite: Bool
        private var context: ChannelHandlerContext?
        private var isSession = false
        private var bytes = 0
        var other: End?

        init(_ state: NIOLockedValueBox<State>, isSite: Bool) {
            self.state = state
            self.isSite = isSite
        }

        func handlerAdded(context: ChannelHandlerContext) { self.context = context }

        func channelActive(context: ChannelHandlerContext) {
            context.fireChannelActive()
            context.read()
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            if !isSite, !isSession, String(buffer: buffer).hasPrefix("GET /skls/v1/session ") {
                isSession = true
                other?.isSession = true
                state.withLockedValue { $0.sessions += 1 }
            }
            if isSite, isSession, isCut(behind: buffer.readableBytes) {
                context.close(promise: nil)
                return
            }
            guard let far = other?.context else { return context.close(promise: nil) }
            far.writeAndFlush(NIOAny(buffer)).assumeIsolated().whenComplete { _ in self.context?.read() }
        }

        private func isCut(behind count: Int) -> Bool {
            state.withLockedValue { state in
                guard state.plan.connections > 0 else { return false }
                bytes += count
                guard bytes > state.plan.bytes else { return false }
                state.plan.connections -= 1
                state.cuts += 1
                return true
            }
        }

        func channelInactive(context: ChannelHandlerContext) {
            self.context = nil
            let far = other?.context
            other = nil
            far?.close(promise: nil)
        }
    }
}
