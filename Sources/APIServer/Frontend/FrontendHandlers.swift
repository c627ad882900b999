import NIOCore
import NIOHTTP1

/// The client's end: takes requests apart, puts the backend's host into them, and hands them over. After a request that offers an upgrade: bytes.
/// Reads only when the backend takes more. All methods run on the event loop that both ends share.
final class FrontendClientHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Requests keep the framing that they came with: a backend refuses a body where none belongs.
    static let encoding: HTTPRequestEncoder.Configuration = {
        var configuration = HTTPRequestEncoder.Configuration()
        configuration.automaticallySetFramingHeaders = false
        return configuration
    }()

    private let far: FrontendBackendHandler
    private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    private let encoder: HTTPRequestEncoder
    private let host: String?
    private var becomesRaw = false
    private var isReadPending = false
    fileprivate private(set) var context: ChannelHandlerContext?

    init(
        _ far: FrontendBackendHandler, decoder: ByteToMessageHandler<HTTPRequestDecoder>, encoder: HTTPRequestEncoder,
        host: String?
    ) {
        self.far = far
        self.decoder = decoder
        self.encoder = encoder
        self.host = host
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(var head):
            // NIO's parser reads nothing behind such a request, and the response ends the connection or makes it raw.
            becomesRaw = head.headers.contains(name: "upgrade") && head.headers.contains(name: "connection")
            if let host { head.headers.replaceOrAdd(name: "host", value: host) }
            far.send(.head(head))
        case .body(let bytes): far.send(.body(.byteBuffer(bytes)))
        case .end(let trailers):
            far.send(.end(trailers))
            if becomesRaw { leaveHTTP(context) }
        }
    }

    /// What the parser still holds comes out of it as bytes.
    private func leaveHTTP(_ context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        do {
            try pipeline.addHandler(FrontendRawHandler(far), position: .before(self))
        } catch {
            return context.close(promise: nil)
        }
        far.leaveHTTP(encoder)
        pipeline.removeHandler(decoder, promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) { far.flush() }

    func read(context: ChannelHandlerContext) {
        if far.isWritable { context.read() } else { isReadPending = true }
    }

    fileprivate func backendTakesMore() {
        guard isReadPending else { return }
        isReadPending = false
        context?.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { far.clientTakesMore() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent { far.closeOutput() }
    }

    func channelInactive(context: ChannelHandlerContext) { far.close() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is HTTPParserError {
            context.writeAndFlush(wrapOutboundOut(FrontendAnswer.text(.badRequest, "not HTTP: \(error)")), promise: nil)
        }
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension FrontendClientHandler: Sendable {}

/// The backend's end: bytes of responses go to the client as they are.
final class FrontendBackendHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = HTTPClientRequestPart

    /// Set right after both were made; each end lives as long as its channel.
    weak var near: FrontendClientHandler?
    private var context: ChannelHandlerContext?
    private var isReadPending = false
    /// Of the end that the client was told: kept when everything before it was written.
    private var clientEnd: EventLoopFuture<Void>?

    /// For a client to take what is left when the backend is gone.
    private static let longestFarewell = TimeAmount.seconds(120)

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: towards the backend

    fileprivate var isWritable: Bool { context?.channel.isWritable ?? false }
    fileprivate func send(_ part: HTTPClientRequestPart) { context?.write(wrapOutboundOut(part), promise: nil) }
    fileprivate func send(raw bytes: ByteBuffer) { context?.write(NIOAny(bytes), promise: nil) }
    fileprivate func flush() { context?.flush() }
    fileprivate func close() { context?.close(promise: nil) }

    fileprivate func closeOutput() {
        context?.flush()
        context?.close(mode: .output, promise: nil)
    }

    fileprivate func leaveHTTP(_ encoder: HTTPRequestEncoder) {
        context?.flush()
        context?.pipeline.syncOperations.removeHandler(encoder, promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { near?.backendTakesMore() }
    }

    // MARK: towards the client

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        near?.context?.write(NIOAny(unwrapInboundIn(data)), promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) { near?.context?.flush() }

    func read(context: ChannelHandlerContext) {
        if near?.context?.channel.isWritable ?? false { context.read() } else { isReadPending = true }
    }

    fileprivate func clientTakesMore() {
        guard isReadPending else { return }
        isReadPending = false
        context?.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .some(.inputClosed) = event as? ChannelEvent, let client = near?.context else { return }
        client.flush()
        let told = client.eventLoop.makePromise(of: Void.self)
        clientEnd = told.futureResult
        client.close(mode: .output, promise: told)
    }

    /// The client's connection goes when it has taken what came from here.
    func channelInactive(context: ChannelHandlerContext) {
        guard let near, let client = near.context else { return }
        let written = clientEnd ?? client.writeAndFlush(NIOAny(ByteBuffer()))
        let farewell = client.eventLoop.assumeIsolated().scheduleTask(in: Self.longestFarewell) {
            near.context?.close(promise: nil)
        }
        written.assumeIsolated().whenComplete { _ in
            farewell.cancel()
            near.context?.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

@available(*, unavailable)
extension FrontendBackendHandler: Sendable {}

/// Behind an upgrade.
private final class FrontendRawHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let far: FrontendBackendHandler

    init(_ far: FrontendBackendHandler) {
        self.far = far
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { far.send(raw: unwrapInboundIn(data)) }
}
