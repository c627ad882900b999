import NIOCore

/// Ends connections whose requests do not get on: nothing comes on a new one, or a head or a body comes drop by drop. Such clients would hold their
/// connections for ever otherwise, since every byte proves them alive. Answers take as long as they take.
///
/// Sits before the HTTP decoder and is told by ``HijackHandler`` what that made of the bytes, and what is answered.
/// States: fresh → head → request → between ↔ head; all → raw. Fresh, head and request end with time. All methods run on the connection's event loop.
final class RequestClock: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// Nothing has come yet, also no TLS handshake.
        case fresh
        case head
        /// A request's head is known, and its end is not; its answer may be over already.
        case request
        /// The next byte begins a head.
        case between
        case raw
    }

    private let limits: APIServerConfiguration.Limits
    private var state = State.fresh
    private var answersDue = 0
    private var isAnswerBegun = false
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
        schedule(limits.bodyTimeout)
    }

    /// The present request's body may take as long as its bytes keep coming.
    func bodyStreams() {
        if state == .request { stop() }
    }

    func requestEnded() {
        guard state == .request else { return }
        state = .between
        stop()
    }

    func answerBegan() {
        isAnswerBegun = true
    }

    func answered() {
        answersDue -= 1
        isAnswerBegun = false
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
        guard let context else { return }
        let isAnsweredInTime: Bool
        switch state {
        case .fresh: return context.close(promise: nil)
        case .between, .raw: return
        // The answer to an earlier request is under way: what it waits for may take long, and is not this one's fault.
        case .head:
            guard answersDue <= 0 else { return schedule(limits.headTimeout) }
            isAnsweredInTime = false
        case .request:
            guard answersDue <= 1 else { return schedule(limits.bodyTimeout) }
            isAnsweredInTime = answersDue <= 0 || isAnswerBegun
        }
        if !isAnsweredInTime {
            let reply = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: reply)), promise: nil)
        }
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension RequestClock: Sendable {}
