import NIOCore
import NIOHTTP1
import NIOPosix

/// A request for another protocol on its way to a container: a connection of its own, since it does not come back.
struct ContainerUpgrade: Sendable {
    /// What the container said.
    enum Outcome: Sendable {
        /// It speaks the other protocol from here on; its bytes are held back by the ``TunnelEnd`` of the channel.
        case accepted(HTTPResponseHead, any Channel)
        /// Its answer is an ordinary one.
        case refused(HTTPResponseHead, ByteBuffer)
        /// It did not answer in time.
        case late
    }

    /// A refusal is a status and a few words; one that is longer is no answer (ours).
    private static let longestRefusalBytes = 1 << 20

    let connection: AgentConnection
    /// As the container is to see it, with all of its headers.
    let head: HTTPRequestHead

    /// Asks on a new connection that lives on the given event loop. Cancellation closes it.
    /// - Throws: when there is no answer, or none that can be understood.
    func ask(on loop: any EventLoop, until end: NIODeadline) async throws -> Outcome {
        let (channel, outcome) = try await connection.connect(on: loop) { channel in
            channel.eventLoop.makeCompletedFuture {
                let outcome = channel.eventLoop.makePromise(of: Outcome.self)
                let decoder = ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes))
                let encoder = HTTPRequestEncoder()
                try channel.pipeline.syncOperations.addHandlers(
                    encoder, decoder,
                    AnswerHandler(
                        head: head, encoder: encoder, decoder: decoder, limit: Self.longestRefusalBytes, end: end,
                        outcome: outcome))
                return (channel, outcome.futureResult)
            }
        }
        return try await withTaskCancellationHandler {
            do { return try await outcome.get() } catch {
                channel.close(promise: nil)
                throw error
            }
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    /// The connection ended without a whole answer, or with one that is too long.
    fileprivate struct NoAnswer: Error {}

    /// Sends the request and takes the answer. Leaves a ``TunnelEnd`` in its place where the protocol changes.
    private final class AnswerHandler: ChannelInboundHandler, RemovableChannelHandler {
        typealias InboundIn = HTTPClientResponsePart
        typealias OutboundOut = HTTPClientRequestPart

        private let head: HTTPRequestHead
        private let encoder: HTTPRequestEncoder
        private let decoder: ByteToMessageHandler<HTTPResponseDecoder>
        private let limit: Int
        private let end: NIODeadline
        private var timer: Scheduled<Void>?
        private var outcome: EventLoopPromise<Outcome>?
        private var answer: HTTPResponseHead?
        private var body = ByteBuffer()

        init(
            head: HTTPRequestHead, encoder: HTTPRequestEncoder, decoder: ByteToMessageHandler<HTTPResponseDecoder>,
            limit: Int, end: NIODeadline, outcome: EventLoopPromise<Outcome>
        ) {
            self.head = head
            self.encoder = encoder
            self.decoder = decoder
            self.limit = limit
            self.end = end
            self.outcome = outcome
        }

        func channelActive(context: ChannelHandlerContext) {
            timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: end) {
                self.finish(.success(.late), context)
            }
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            context.fireChannelActive()
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): answer = head
            case .body(let piece):
                body.writeImmutableBuffer(piece)
                if body.readableBytes > limit { fail(context) }
            case .end:
                guard let answer else { return fail(context) }
                if answer.status == .switchingProtocols {
                    change(answer, context)
                } else {
                    finish(.success(.refused(answer, body)), context)
                }
            }
        }

        private func finish(_ result: Result<Outcome, any Error>, _ context: ChannelHandlerContext) {
            timer?.cancel()
            outcome?.completeWith(result)
            outcome = nil
            context.close(promise: nil)
        }

        /// What the container sent behind its answer reaches the tunnel when the decoder goes.
        private func change(_ answer: HTTPResponseHead, _ context: ChannelHandlerContext) {
            guard let outcome else { return }
            self.outcome = nil
            timer?.cancel()
            let channel = context.channel
            let pipeline = context.pipeline.syncOperations
            do {
                try pipeline.addHandler(TunnelEnd(holdsBytes: true), position: .after(self))
            } catch {
                outcome.fail(error)
                return context.close(promise: nil)
            }
            pipeline.removeHandler(self).assumeIsolated()
                .flatMap { pipeline.removeHandler(self.encoder) }
                .flatMap { pipeline.removeHandler(self.decoder) }
                .map { Outcome.accepted(answer, channel) }
                .nonisolated().cascade(to: outcome)
        }

        private func fail(_ context: ChannelHandlerContext) { finish(.failure(NoAnswer()), context) }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(context) }

        func channelInactive(context: ChannelHandlerContext) {
            fail(context)
            context.fireChannelInactive()
        }
    }
}
