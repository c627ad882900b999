import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// An HTTP proxy that knows `CONNECT` only, and keeps what it was asked.
final class ConnectProxy: Sendable {
    private let server: any Channel
    private let requests: NIOLockedValueBox<[String]>

    static func start() async throws -> ConnectProxy {
        let requests = NIOLockedValueBox<[String]>([])
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(requests))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return ConnectProxy(server, requests)
    }

    private init(_ server: any Channel, _ requests: NIOLockedValueBox<[String]>) {
        self.server = server
        self.requests = requests
    }

    var port: Int { server.localAddress?.port ?? 0 }
    /// Each as it came, with its headers.
    var asked: [String] { requests.withLockedValue { $0 } }

    func stop() async throws { try await server.close() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let requests: NIOLockedValueBox<[String]>
        private var text = ""
        private var far: (any Channel)?

        init(_ requests: NIOLockedValueBox<[String]>) { self.requests = requests }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            if let far { return far.writeAndFlush(buffer, promise: nil) }
            text += String(buffer: buffer)
            guard text.hasSuffix("\r\n\r\n") else { return }
            requests.withLockedValue { $0.append(text) }
            let target = text.split(separator: " ")[1].split(separator: ":")
            let near = context.channel
            let connecting = ClientBootstrap(group: context.eventLoop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Back(near))
                    }
                }
                .connect(host: String(target[0]), port: Int(target[1]) ?? 0)
            connecting.assumeIsolated().whenComplete { result in
                guard case .success(let far) = result else { return context.close(promise: nil) }
                self.far = far
                let answer = ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n")
                context.writeAndFlush(self.wrapOutboundOut(answer), promise: nil)
            }
        }

        func channelInactive(context: ChannelHandlerContext) { far?.close(promise: nil) }
    }

    private final class Back: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let near: any Channel

        init(_ near: any Channel) { self.near = near }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            near.writeAndFlush(unwrapInboundIn(data), promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { near.close(promise: nil) }
    }
}
