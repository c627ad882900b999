import NIOCore

/// Ends connections whose requests do not get on: nothing comes on a new one, or a request's head comes drop by drop. Such clients would hold their
/// connections for ever otherwise, since every byte proves them alive. What comes behind a head has the connection's idle time-out, and answers take as long
/// as they take.
///
/// Sits before the HTTP decoder and is told by ``HijackHandler`` what that made of the bytes.
/// States: fresh → head → (between ↔ head) → raw; fresh and head end with time. All methods run on the connection's event loop.
final class HeadClock: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// Nothing has come yet, also no TLS handshake.
        case fresh
        case head
        /// A request's head is known, and its end is not.
        case request
        /// The next byte begins a head.
        case between
        case raw
    }

    private let limits: APIServerConfiguration.Limits
    private var state = State.fresh
    private var answersDue = 0
    private var timer: Scheduled<Void>?
    private var context: ChannelHandlerContext?

    init(_ limits: APIServerConfiguration.Limits) {
        self.limits = limits
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        schedule(limits.firstByteTimeout)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        stop()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .fresh, .between:
            state = .head
            schedule(limits.headTimeout)
        case .head, .request, .raw: break
        }
        context.fireChannelRead(data)
    }

    func headArrived() {
        state = .request
        answersDue += 1
        stop()
    }

    func requestEnded() {
        if state == .request { state = .between }
    }

    func answered() {
        answersDue -= 1
    }

    func becameRaw() {
        state = .raw
        stop()
    }

    private func stop() {
        timer?.cancel()
        timer = nil
    }

    private func schedule(_ time: Duration) {
        stop()
        guard let context else { return }
        timer = context.eventLoop.assumeIsolatedUnsafeUnchecked().scheduleTask(in: TimeAmount(time)) {
            self.timeIsOver()
        }
    }

    private func timeIsOver() {
        timer = nil
        guard let context, state == .fresh || state == .head else { return }
        // The answer to an earlier request is under way: what it waits for may take long, and is not this head's fault.
        guard answersDue <= 0 else { return schedule(limits.headTimeout) }
        if state == .head {
            let reply = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: reply)), promise: nil)
        }
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension HeadClock: Sendable {}
