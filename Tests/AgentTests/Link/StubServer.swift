import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix

/// What a stub says, and where it stops saying it.
struct Reply: Sendable {
    enum Stall: Sendable {
        /// Nothing is sent.
        case head
        /// The head is sent, with a length, and no body.
        case body
        /// The connection is closed without a word.
        case close
    }

    var status: Int
    var headers: [(name: String, value: String)] = []
    var body = ByteBuffer()
    var stall: Stall?
}

/// An HTTP server on loopback that answers as it is told.
final class StubServer: Sendable {
    struct Request: Sendable {
        let head: HTTPRequestHead
        let body: ByteBuffer
    }

    private let channel: any Channel
    private let children: NIOLockedValueBox<[any Channel]>
    private let requests: NIOLockedValueBox<[Request]>

    private init(
        channel: any Channel, children: NIOLockedValueBox<[any Channel]>, requests: NIOLockedValueBox<[Request]>
    ) {
        self.channel = channel
        self.children = children
        self.requests = requests
    }

    static func start(_ answer: @escaping @Sendable (Request) -> Reply) async throws -> StubServer {
        let requests = NIOLockedValueBox<[Request]>([])
        let children = NIOLockedValueBox<[any Channel]>([])
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                children.withLockedValue { $0.append(channel) }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(
                        Handler { request in
                            requests.withLockedValue { $0.append(request) }
                            return answer(request)
                        })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return StubServer(channel: channel, children: children, requests: requests)
    }

    var baseURL: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }
    var lastRequest: Request? { requests.withLockedValue { $0.last } }

    func stop() async throws {
        try await channel.close()
        // One that the client has closed cannot be closed again.
        for child in children.withLockedValue({ $0 }) { try? await child.close() }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let answer: (Request) -> Reply
        private var head: HTTPRequestHead?
        private var body = ByteBuffer()

        init(answer: @escaping (Request) -> Reply) {
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): self.head = head
            case .body(var part): body.writeBuffer(&part)
            case .end:
                guard let head else { return }
                let reply = answer(Request(head: head, body: body))
                body = ByteBuffer()
                send(reply, context)
            }
        }

        private func send(_ reply: Reply, _ context: ChannelHandlerContext) {
            if reply.stall == .head { return }
            if reply.stall == .close {
                context.close(promise: nil)
                return
            }
            var headers = HTTPHeaders(reply.headers.map { ($0.name, $0.value) })
            headers.add(name: "content-length", value: reply.stall == .body ? "5" : String(reply.body.readableBytes))
            let head = HTTPResponseHead(
                version: .http1_1, status: HTTPResponseStatus(statusCode: reply.status), headers: headers)
            context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
            if reply.stall == .body { return }
            context.write(wrapOutboundOut(.body(.byteBuffer(reply.body))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}
