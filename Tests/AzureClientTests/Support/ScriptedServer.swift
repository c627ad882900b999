import NIOCore
import NIOPosix
import NIOSSL

/// A server on loopback that does to each request what a script says, down to breaking the connection.
final class ScriptedServer: Sendable {
    enum Action: Sendable {
        /// Writes the text and keeps the connection.
        case reply(String)
        /// Writes the text and closes in order.
        case replyAndClose(String)
        /// Writes the text (perhaps none) and then nothing for ever.
        case replyAndStall(String)
        /// Closes in order without an answer.
        case close
        /// Resets the connection.
        case reset
    }

    let port: Int
    private let listener: any Channel

    var url: String { "http://127.0.0.1:\(port)" }

    /// Runs the body with a server; the script gets the whole text of each request.
    static func run<Value>(
        _ script: @escaping @Sendable (String) -> Action, tls: NIOSSLContext? = nil,
        _ body: (ScriptedServer) async throws -> Value
    ) async throws -> Value {
        let server = try await ScriptedServer(script, tls: tls)
        do {
            let value = try await body(server)
            try await server.listener.close()
            return value
        } catch {
            try await server.listener.close()
            throw error
        }
    }

    private init(_ script: @escaping @Sendable (String) -> Action, tls: NIOSSLContext?) async throws {
        listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.addHandler(Handler(script))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = listener.localAddress?.port ?? 0
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let script: @Sendable (String) -> Action
        private var received = ""

        init(_ script: @escaping @Sendable (String) -> Action) {
            self.script = script
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received += String(buffer: unwrapInboundIn(data))
            guard isComplete else { return }
            let request = received
            received = ""
            switch script(request) {
            case .reply(let text), .replyAndStall(let text): write(text, context)
            case .replyAndClose(let text):
                write(text, context)
                context.close(promise: nil)
            case .close: context.close(promise: nil)
            case .reset:
                // Lingering for no time makes the kernel send a reset instead of an orderly end.
                let channel = context.channel
                (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
                    .whenComplete { _ in channel.close(promise: nil) }
            }
        }

        private func write(_ text: String, _ context: ChannelHandlerContext) {
            context.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
        }

        private var isComplete: Bool {
            guard let end = received.firstRange(of: "\r\n\r\n") else { return false }
            let length = received[..<end.lowerBound].lowercased().split(separator: "\r\n")
                .first { $0.hasPrefix("content-length:") }
                .flatMap { Int($0.dropFirst("content-length:".count).drop(while: { $0 == " " })) }
            return received[end.upperBound...].utf8.count >= length ?? 0
        }
    }
}

extension ScriptedServer.Action {
    /// A complete reply.
    static func http(_ status: String, headers: [String] = [], _ body: String = "") -> ScriptedServer.Action {
        let lines = ["HTTP/1.1 \(status)"] + headers + ["content-length: \(body.utf8.count)", "", body]
        return .reply(lines.joined(separator: "\r\n"))
    }
}
