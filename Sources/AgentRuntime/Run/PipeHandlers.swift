import AgentProtocol
import NIOCore
import NIOPosix

/// Who gets what a command writes, and hears whether it could be executed. Lives on the event loop.
protocol CommandReader: AnyObject {
    func outputRead(_ stream: FrameStream, _ bytes: ByteBuffer)
    /// Nothing more is read from that pipe until it is told to.
    func outputReadComplete(_ output: OutputPipeHandler)
    /// One pipe is at its end.
    func outputClosed()
    /// The child has become the command (nil) or could not.
    func statusRead(_ failure: Native.Failure?)
}

/// Opens the ends of a command's pipes, or of its terminal, as channels of the event loop.
enum CommandPipes {
    /// - Parameters:
    ///   - opened: gets the channel, for who wants to close it early.
    ///   - failed: called instead of anything on the handler if the event loop does not take the descriptor.
    static func read(
        _ descriptor: Int32, with handler: some ChannelInboundHandler, on eventLoop: any EventLoop,
        opened: @escaping (any Channel) -> Void, failed: @escaping () -> Void
    ) {
        let handler = NIOLoopBound(handler, eventLoop: eventLoop)
        NIOPipeBootstrap(group: eventLoop)
            .channelOption(.autoRead, value: false)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(
                .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: AgentLimit.framePayloadBytes)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(handler.value)
                }
            }
            .takingOwnershipOfDescriptor(input: descriptor).assumeIsolated().whenComplete { result in
                switch result {
                case .success(let channel): opened(channel)
                case .failure: failed()
                }
            }
    }

    /// - Parameter opened: gets the channel, or nil if the event loop does not take the descriptor.
    static func write(
        _ descriptor: Int32, on eventLoop: any EventLoop, opened: @escaping ((any Channel)?) -> Void
    ) {
        NIOPipeBootstrap(group: eventLoop).takingOwnershipOfDescriptor(output: descriptor).assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let channel): opened(channel)
                case .failure: opened(nil)
                }
            }
    }
}

/// Reads one of a command's output pipes, one read at a time: after each the reader says whether to go on.
final class OutputPipeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let stream: FrameStream
    private weak var reader: (any CommandReader)?
    private var context: ChannelHandlerContext?

    init(stream: FrameStream, reader: any CommandReader) {
        self.stream = stream
        self.reader = reader
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
        reader?.outputRead(stream, unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        reader?.outputReadComplete(self)
    }

    func channelInactive(context: ChannelHandlerContext) {
        reader?.outputClosed()
    }

    /// A pipe that cannot be read any more is at its end.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

/// Collects the few bytes that a child tells of its failure, until it has become the command or is gone.
final class StatusPipeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private weak var reader: (any CommandReader)?
    private var message = ByteBuffer()

    init(reader: any CommandReader) {
        self.reader = reader
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
        reader?.statusRead(message.withUnsafeReadableBytes { Native.failure(from: $0) })
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
