import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// An HTTP proxy on loopback that knows `CONNECT` only, and leads every name to one port of this machine.
final class ConnectProxy: Sendable {
    let port: Int
    /// The heads of the requests it got.
    let heads: NIOLockedValueBox<[String]>
    private let listener: any Channel

    static func run<Value>(to port: Int, _ body: (ConnectProxy) async throws -> Value) async throws -> Value {
        let heads = NIOLockedValueBox<[String]>([])
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(target: port, heads: heads))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let proxy = ConnectProxy(listener: listener, heads: heads)
        do {
            let value = try await body(proxy)
            try await listener.close()
            return value
        } catch {
            try await listener.close()
            throw error
        }
    }

    private init(listener: any Channel, heads: NIOLockedValueBox<[String]>) {
        self.listener = listener
        self.heads = heads
        port = listener.localAddress?.port ?? 0
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let target: Int
        private let heads: NIOLockedValueBox<[String]>
        private var head = ""
        private var backend: (any Channel)?

        init(target: Int, heads: NIOLockedValueBox<[String]>) {
            self.target = target
            self.heads = heads
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            if let backend {
                backend.writeAndFlush(bytes, promise: nil)
                return
            }
            head += String(buffer: bytes)
            guard head.hasSuffix("\r\n\r\n") else { return }
            heads.withLockedValue { $0.append(head) }
            let front = context.channel
            ClientBootstrap(group: context.eventLoop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Relay(to: front))
                    }
                }
                .connect(host: "127.0.0.1", port: target).assumeIsolated().whenSuccess { channel in
                    self.backend = channel
                    front.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 Connection established\r\n\r\n"), promise: nil)
                }
        }

        func channelInactive(context: ChannelHandlerContext) {
            backend?.close(promise: nil)
        }
    }

    private final class Relay: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let front: any Channel

        init(to front: any Channel) {
            self.front = front
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            front.writeAndFlush(unwrapInboundIn(data), promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            front.close(promise: nil)
        }
    }
}
