import Foundation
import NIOCore
import NIOPosix

@testable import AzureSimulator

/// A server in place of the one in a container that leaves HTTP when it is asked to; what it says behind that is up to
/// the path.
enum UpgradingSite {
    /// Starts the site `name`, waits until the front end has found it, and serves it while `body` runs.
    static func serve<Result: Sendable>(
        _ name: String, in simulator: RunningSimulator, body: @Sendable () async throws -> Result
    ) async throws -> Result {
        _ = try await simulator.put(name)
        try await simulator.until { try !simulator.entries("run").isEmpty }
        let path = "\(simulator.address.directory)/run/\(try simulator.entries("run")[0])/agent.sock"
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Handler()) }
            }
            .bind(unixDomainSocketPath: path).get()
        do {
            try await simulator.until { try await simulator.log(name).contains("is ready to serve requests") }
            let result = try await body()
            try await server.close()
            return result
        } catch {
            try await server.close()
            throw error
        }
    }

    /// An upgrade's request as a client of WebSockets sends it.
    static func request(_ path: String, to name: String) -> String {
        "GET \(path) HTTP/1.1\r\nHost: \(name).azurewebsites.net\r\nConnection: keep-alive, Upgrade\r\n"
            + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            + "skls-boot: 1\r\n\r\n"
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private var text = ""
        private var isUpgraded = false

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            if isUpgraded {
                context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
                return
            }
            text += String(buffer: buffer)
            guard text.contains("\r\n\r\n") else { return }
            let request = text
            text = ""
            switch request.split(separator: " ")[1].prefix(while: { $0 != "?" }) {
            case "/echo":
                isUpgraded = true
                // Its first words come with the answer, so that nobody may lose them.
                send(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nskls-proof: 7\r\n"
                        + "\r\nhello ", context)
            case "/headers":
                isUpgraded = true
                send(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
                        + request.lowercased() + "END", context)
            case "/refuse":
                send("HTTP/1.1 409 Conflict\r\nskls-boot: 2\r\nContent-Length: 4\r\n\r\nbusy", context)
            case "/silent": break
            case "/hang-up": context.close(promise: nil)
            default: send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", context)
            }
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            guard case .some(.inputClosed) = event as? ChannelEvent else { return }
            let words = ByteBuffer(string: isUpgraded ? " bye" : "")
            let written = context.writeAndFlush(wrapOutboundOut(words)).assumeIsolated()
            written.whenComplete { _ in context.close(promise: nil) }
        }

        private func send(_ text: String, _ context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        }
    }
}

/// A connection to the front end on which a test says and hears bytes.
enum RawClient {
    /// Connects to the plain port, while `body` runs.
    static func run<Result: Sendable>(
        _ simulator: RunningSimulator,
        body: @Sendable (inout Reader, NIOAsyncChannelOutboundWriter<ByteBuffer>) async throws -> Result
    ) async throws -> Result {
        let channel = try await bootstrap.connect(
            host: "127.0.0.1", port: simulator.address.port, channelInitializer: initialize)
        return try await run(channel, body: body)
    }

    /// Connects to a socket, while `body` runs.
    static func run<Result: Sendable>(
        socket path: String,
        body: @Sendable (inout Reader, NIOAsyncChannelOutboundWriter<ByteBuffer>) async throws -> Result
    ) async throws -> Result {
        let channel = try await bootstrap.connect(unixDomainSocketPath: path, channelInitializer: initialize)
        return try await run(channel, body: body)
    }

    private static var bootstrap: ClientBootstrap {
        ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
    }

    @Sendable private static func initialize(
        _ channel: any Channel
    ) -> EventLoopFuture<NIOAsyncChannel<ByteBuffer, ByteBuffer>> {
        channel.eventLoop.makeCompletedFuture {
            try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    private static func run<Result: Sendable>(
        _ channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>,
        body: @Sendable (inout Reader, NIOAsyncChannelOutboundWriter<ByteBuffer>) async throws -> Result
    ) async throws -> Result {
        try await channel.executeThenClose { inbound, outbound in
            var reader = Reader(iterator: inbound.makeAsyncIterator())
            return try await body(&reader, outbound)
        }
    }

    struct Reader {
        fileprivate var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
        private var text = ByteBuffer()

        fileprivate init(iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator) { self.iterator = iterator }

        /// What came up to and with these words; what comes until the end where they never do.
        mutating func read(through words: String) async throws -> String {
            while true {
                let text = String(buffer: text)
                if let range = text.range(of: words) {
                    let said = String(text[..<range.upperBound])
                    self.text.moveReaderIndex(forwardBy: said.utf8.count)
                    return said
                }
                guard let more = try await iterator.next(isolation: #isolation) else {
                    self.text.clear()
                    return text
                }
                self.text.writeImmutableBuffer(more)
            }
        }

        /// How many bytes come, at most `limit`.
        mutating func count(upTo limit: Int) async throws -> Int {
            var count = text.readableBytes
            text.clear()
            while count < limit, let more = try await iterator.next(isolation: #isolation) {
                count += more.readableBytes
            }
            return count
        }
    }
}
