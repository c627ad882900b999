import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// Sits behind the HTTP codec of one connection and can take the connection out of HTTP at any request.
///
/// Docker's attach turns the connection that carried an ordinary request into a raw stream. NIO's own upgrade handler decides at the first request of a
/// connection and before routing, which pooled clients (docker-py) and errors before the upgrade do not survive; so this one waits to be told.
/// States: HTTP → (`begin`) raw → closed. All methods run on the connection's event loop.
final class HijackHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let encoder: HTTPResponseEncoder
    private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    private let codec: HTTP1ToHTTPServerCodec
    private let gate: HijackGate
    private let clock: RequestClock
    private var context: ChannelHandlerContext?
    private var isRaw = false
    /// NIO's parser reads nothing behind a request that offered an upgrade, so its response must end the connection unless it becomes raw.
    private(set) var isParserStopped = false
    private var closesAfterResponse = false
    private var source: RawConnection.Inbound.Source?
    /// The peer's end may come before, during or after the handlers are swapped.
    private var isInputClosed = false
    private var isSwapped = false
    private var areReadsPaused = false
    private var isReadPending = false
    private let headWait = HeadWait()
    /// The raw stream's end was written. The connection closes when it is out, and a request that was read before the hijack is answered no more.
    private var hasEnded = false

    init(
        encoder: HTTPResponseEncoder, decoder: ByteToMessageHandler<HTTPRequestDecoder>, codec: HTTP1ToHTTPServerCodec,
        gate: HijackGate, clock: RequestClock
    ) {
        self.encoder = encoder
        self.decoder = decoder
        self.codec = codec
        self.gate = gate
        self.clock = clock
        gate.hijack = self
    }

    /// Removes HTTP from the pipeline. Bytes that arrive meanwhile or were sent behind the request belong to the raw stream.
    func begin() -> EventLoopFuture<RawConnection>? {
        guard let context, !isRaw, context.channel.isActive else { return nil }
        isRaw = true
        clock.becameRaw()
        let made = RawConnection.Inbound.makeSequence(
            backPressureStrategy: .init(lowWatermark: 4, highWatermark: 16), finishOnDeinit: true,
            delegate: HijackDelegate(handler: NIOLoopBound(self, eventLoop: context.eventLoop)))
        source = made.source
        let connection = RawConnection(inbound: made.sequence, channel: context.channel)
        let pipeline = context.pipeline.syncOperations
        gate.isShut = true
        do {
            try pipeline.addHandler(RawInboundHandler(self), position: .before(self))
        } catch {
            return context.eventLoop.makeFailedFuture(error)
        }
        // The codec goes before the decoder: bytes the decoder still holds must reach the raw handler untouched.
        return pipeline.removeHandler(codec).assumeIsolated()
            .flatMap { pipeline.removeHandler(self.encoder) }
            .flatMap { pipeline.removeHandler(self.decoder) }
            .map {
                self.gate.open()
                self.isSwapped = true
                if self.isInputClosed { self.finish() }
                return connection
            }
            .nonisolated()
    }

    // MARK: inbound

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        finish()
        headWait.end(context)
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if !isRaw {
            switch unwrapInboundIn(data) {
            case .head(let head):
                clock.headArrived()
                isParserStopped = head.headerFields[.upgrade] != nil && head.headerFields[.connection] != nil
            case .body: break
            case .end: clock.requestEnded()
            }
        }
        context.fireChannelRead(data)
    }

    fileprivate func rawRead(_ buffer: ByteBuffer) {
        guard buffer.readableBytes > 0, let source else { return }
        if case .stopProducing = source.yield(contentsOf: CollectionOfOne(buffer)) { areReadsPaused = true }
    }

    func read(context: ChannelHandlerContext) {
        if isRaw && areReadsPaused { isReadPending = true } else { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent { inputClosed() }
        context.fireUserInboundEventTriggered(event)
    }

    fileprivate func inputClosed() {
        isInputClosed = true
        if isRaw, isSwapped { finish() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish()
        headWait.end(context)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if isRaw {
            source?.finish(error)
            source = nil
        }
        context.fireErrorCaught(error)
    }

    // MARK: outbound

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if isRaw {
            writeRaw(context: context, unwrapOutboundIn(data), promise: promise)
        } else {
            writeHTTP(context: context, data, promise: promise)
        }
    }

    private func writeHTTP(context: ChannelHandlerContext, _ data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head) where head.status.kind != .informational:
            clock.answerBegan()
            if isParserStopped { head.headerFields[.connection] = "close" }
            closesAfterResponse = head.headerFields[.connection] == "close"
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .end:
            clock.answered()
            guard closesAfterResponse else { return context.write(data, promise: promise) }
            context.writeAndFlush(data, promise: promise)
            context.close(mode: .output, promise: nil)
        default:
            context.write(data, promise: promise)
        }
    }

    private func writeRaw(
        context: ChannelHandlerContext, _ part: HTTPResponsePart, promise: EventLoopPromise<Void>?
    ) {
        guard !hasEnded else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        switch part {
        case .head(let head):
            var out = context.channel.allocator.buffer(capacity: 256)
            out.writeString("HTTP/1.1 \(head.status.code) \(head.status.reasonPhrase)\r\n")
            for field in head.headerFields { out.writeString("\(field.name.rawName): \(field.value)\r\n") }
            out.writeString("\r\n")
            context.writeAndFlush(NIOAny(out), promise: promise)
            headWait.begin()
        case .body(let buffer):
            headWait.write(buffer, context, promise)
        case .end:
            hasEnded = true
            let written = promise ?? context.eventLoop.makePromise(of: Void.self)
            headWait.write(ByteBuffer(), context, written)
            written.futureResult.assumeIsolated().whenComplete { _ in context.close(mode: .all, promise: nil) }
        }
    }

    // MARK: the reader of the raw stream

    fileprivate func produceMore() {
        areReadsPaused = false
        if isReadPending {
            isReadPending = false
            context?.read()
        }
    }

    /// Nobody reads any more: what comes is dropped, so that the peer's end is still seen.
    fileprivate func readerGone() {
        source = nil
        produceMore()
    }

    private func finish() {
        source?.finish()
        source = nil
    }
}

@available(*, unavailable)
extension HijackHandler: Sendable {}

struct HijackDelegate: NIOAsyncSequenceProducerDelegate, Sendable {
    let handler: NIOLoopBound<HijackHandler>
    func produceMore() { handler.eventLoop.execute { handler.value.produceMore() } }
    func didTerminate() { handler.eventLoop.execute { handler.value.readerGone() } }
}

/// The first handler of the pipeline. It keeps new bytes away from the HTTP decoder while that is being removed, and the peer's end while it is not decided
/// whether the connection leaves HTTP: a decoder that has seen the end throws away what came behind the request.
final class HijackGate: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// Set once, right after both were made; it does not refer back to keep this one alive.
    fileprivate weak var hijack: HijackHandler?
    fileprivate var isShut = false
    private var held: [ByteBuffer] = []
    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isShut { held.append(unwrapInboundIn(data)) } else { context.fireChannelRead(data) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent, let hijack, hijack.isParserStopped {
            hijack.inputClosed()
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    fileprivate func open() {
        isShut = false
        for bytes in held { context?.fireChannelRead(wrapInboundOut(bytes)) }
        held = []
    }
}

@available(*, unavailable)
extension HijackGate: Sendable {}

private final class RawInboundHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let hijack: HijackHandler

    init(_ hijack: HijackHandler) {
        self.hijack = hijack
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        hijack.rawRead(unwrapInboundIn(data))
    }
}
