import AgentProtocol
import NIOCore
import NIOPosix

/// Reads one of a command's output pipes, one read at a time: after each the run says whether to go on.
final class OutputPipeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let stream: FrameStream
    private weak var run: Run?
    private var context: ChannelHandlerContext?

    init(stream: FrameStream, run: Run) {
        self.stream = stream
        self.run = run
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    /// Asks for one more read.
    func read() {
        context?.read()
    }

    func channelActive(context: ChannelHandlerContext) {
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        run?.outputRead(stream, unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        run?.outputReadComplete(self)
    }

    func channelInactive(context: ChannelHandlerContext) {
        run?.outputClosed()
    }

    /// A pipe that cannot be read any more is at its end.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

/// Collects the few bytes that a child tells of its failure, until it has become the command or is gone.
final class StatusPipeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private weak var run: Run?
    private var message = ByteBuffer()

    init(run: Run) {
        self.run = run
    }

    func channelActive(context: ChannelHandlerContext) {
        context.read()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        message.writeBuffer(&bytes)
    }

    func channelInactive(context: ChannelHandlerContext) {
        run?.statusRead(message.withUnsafeReadableBytes { Native.failure(from: $0) })
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
