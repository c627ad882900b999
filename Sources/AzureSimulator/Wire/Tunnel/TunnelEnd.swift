import NIOCore

/// One end of a tunnel: the handler nearest to the socket (above TLS) of each of two connections of one event loop.
///
/// Until it is joined it lets everything pass, or, for a connection that nobody else reads, holds it. Afterwards what
/// comes in goes out at the other end as it comes, at the pace of whoever takes it; the end of one direction is passed
/// on, the end of a connection ends the other one behind its last byte. States: apart → (`join`) joined → closed.
final class TunnelEnd: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Whether what comes before the join is kept for the other end, and no more is read.
    private let holdsBytes: Bool
    private var held: [ByteBuffer] = []
    private var context: ChannelHandlerContext?
    private var other: TunnelEnd?
    private var isInputClosed = false
    private var isClosed = false
    /// Of this end; a tunnel is idle when both ends are.
    private var lastRead = NIODeadline.uptimeNanoseconds(0)

    /// Of the output's end, once it was passed on: kept when everything before it was written.
    private var outputEnd: EventLoopFuture<Void>?

    /// For a join; it comes at once or not at all.
    private static let longestWait = TimeAmount.seconds(10)
    /// For a peer to take what is left of a connection that is gone (ours; Azure's front end gives up idle connections as late).
    private static let longestFarewell = TimeAmount.seconds(240)

    init(holdsBytes: Bool) { self.holdsBytes = holdsBytes }

    /// Joins two ends, after writing `greeting` to the first one's peer. On the event loop of both.
    ///
    /// - Parameter idleLimit: both connections are closed when nothing came from either side for so long.
    static func join(_ near: TunnelEnd, _ far: TunnelEnd, greeting: ByteBuffer, idleLimit: Duration?) {
        guard let context = near.context, far.context != nil, !near.isClosed, !far.isClosed else {
            near.context?.close(promise: nil)
            far.context?.close(promise: nil)
            return
        }
        near.other = far
        far.other = near
        context.writeAndFlush(near.wrapOutboundOut(greeting), promise: nil)
        near.begin()
        far.begin()
        if let idleLimit { near.watch(far, limit: TimeAmount(idleLimit)) }
    }

    private func begin() {
        if let context { lastRead = context.eventLoop.now }
        for buffer in held { other?.send(buffer) }
        held = []
        other?.context?.flush()
        if isInputClosed { other?.endOutput() } else { readMore() }
    }

    private func readMore() {
        // What cannot be written on waits in the socket, and so at the sender.
        if let other, other.context?.channel.isWritable == true { context?.read() }
    }

    private func send(_ buffer: ByteBuffer) { context?.write(wrapOutboundOut(buffer), promise: nil) }

    private func endOutput() {
        guard let context else { return }
        let done = context.eventLoop.makePromise(of: Void.self)
        // A connection that cannot be closed by halves is closed.
        done.futureResult.assumeIsolated().whenFailure { _ in self.context?.close(promise: nil) }
        outputEnd = done.futureResult
        context.close(mode: .output, promise: done)
    }

    /// The other connection is gone: this one goes when its peer has taken what came from there.
    private func endWhenWritten() {
        guard let context else { return }
        let written: EventLoopFuture<Void>
        if let outputEnd {
            written = outputEnd
        } else {
            written = context.writeAndFlush(wrapOutboundOut(ByteBuffer()))
        }
        let farewell = context.eventLoop.assumeIsolated().scheduleTask(in: Self.longestFarewell) {
            self.context?.close(promise: nil)
        }
        written.assumeIsolated().whenComplete { _ in
            farewell.cancel()
            self.context?.close(promise: nil)
        }
    }

    private func watch(_ far: TunnelEnd, limit: TimeAmount) {
        guard let context, !isClosed else { return }
        let due = max(lastRead, far.lastRead) + limit
        if due <= context.eventLoop.now {
            context.close(promise: nil)
            return
        }
        context.eventLoop.assumeIsolated().scheduleTask(deadline: due) { self.watch(far, limit: limit) }
    }

    // MARK: Events of the connection

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        guard holdsBytes else { return }
        // Whoever wanted it may be gone.
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.longestWait) {
            if self.other == nil { self.context?.close(promise: nil) }
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if let other {
            lastRead = context.eventLoop.now
            other.send(unwrapInboundIn(data))
        } else if holdsBytes {
            held.append(unwrapInboundIn(data))
        } else {
            context.fireChannelRead(data)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if let other {
            other.context?.flush()
            readMore()
        } else if !holdsBytes {
            context.fireChannelReadComplete()
        }
    }

    func read(context: ChannelHandlerContext) {
        if other != nil { readMore() } else if !holdsBytes { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if let other {
            if context.channel.isWritable { other.readMore() }
        } else {
            context.fireChannelWritabilityChanged()
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent, other != nil || holdsBytes {
            isInputClosed = true
            other?.endOutput()
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if other == nil, !holdsBytes { context.fireErrorCaught(error) } else { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosed = true
        other?.endWhenWritten()
        other = nil
        context.fireChannelInactive()
    }
}

@available(*, unavailable)
extension TunnelEnd: Sendable {}
