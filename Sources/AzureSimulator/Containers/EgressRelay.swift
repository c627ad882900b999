import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// The containers' way out, as far as there is one: their network has only its loopback device, and what Azure gives a
/// site by itself goes through this relay. It listens on a socket that every container has, understands `CONNECT`
/// (RFC 9110 §9.3.6) and leads to the addresses that are configured, and nowhere else.
struct EgressRelay: Sendable {
    /// Of the socket in a container; the agent is told by `SKLS_AGENT_RELAY`.
    static let pathInContainer = "/.skls/relay.sock"

    /// Connections at once; more are closed (ours).
    private static let mostConnections = 1_024

    private let server: any Channel

    /// Listens at `path`.
    ///
    /// - Parameters:
    ///   - owner: who may connect, beside the simulator's own user; nil if that runs the containers.
    ///   - targets: `host:port` as clients write it in their request.
    /// - Throws: `fileSystem`; what the system says of a path that it does not take.
    init(path: String, owner: FileOwner?, targets: [EgressTarget], idleLimit: Duration, logger: Logger) async throws {
        unlink(path)
        let allowed = Set(targets)
        let count = NIOLockedValueBox(0)
        server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                let isTaken = count.withLockedValue { count in
                    count += 1
                    return count <= Self.mostConnections
                }
                channel.closeFuture.whenComplete { _ in count.withLockedValue { $0 -= 1 } }
                guard isTaken else { return channel.close() }
                return channel.eventLoop.makeCompletedFuture {
                    let end = TunnelEnd(holdsBytes: false)
                    try channel.pipeline.syncOperations.addHandlers(
                        end, RelayHandler(end: end, allowed: allowed, idleLimit: idleLimit, logger: logger))
                }
            }
            .bind(unixDomainSocketPath: path).get()
        guard chmod(path, 0o600) == 0 else { throw SimulatorError.failed("protect", path, errno: errno) }
        if let owner, lchown(path, owner.user, owner.group) != 0 {
            throw SimulatorError.failed("change the owner of", path, errno: errno)
        }
    }

    /// Listens no more. Connections end with their containers.
    func end() async {
        do { try await server.close() } catch {}  // the only error is of closing twice
    }
}

/// Where containers may connect to.
package struct EgressTarget: Hashable, Sendable, CustomStringConvertible {
    /// In lower case; an IPv6 address without brackets.
    package let host: String
    package let port: Int

    /// Nil for anything but `HOST:PORT`, with brackets around an IPv6 address.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65_535).contains(port)
        else { return nil }
        var host = text[..<colon].lowercased()
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") }) else {
            return nil
        }
        self.host = host
        self.port = port
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// Reads one request and answers it.
private final class RelayHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let longestRequestBytes = 8_192
    private static let timeout = TimeAmount.seconds(10)

    private let end: TunnelEnd
    private let allowed: Set<EgressTarget>
    private let idleLimit: Duration
    private let logger: Logger
    private var request = ByteBuffer()
    private var isDecided = false
    private var timer: Scheduled<Void>?

    init(end: TunnelEnd, allowed: Set<EgressTarget>, idleLimit: Duration, logger: Logger) {
        self.end = end
        self.allowed = allowed
        self.idleLimit = idleLimit
        self.logger = logger
    }

    func handlerAdded(context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.timeout) {
            if !self.isDecided { context.close(promise: nil) }
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        request.writeImmutableBuffer(unwrapInboundIn(data))
        guard !isDecided else { return context.close(promise: nil) }  // it waits for an answer, or breaks the rules
        guard let end = request.readableBytesView.firstRange(of: Array("\r\n\r\n".utf8)) else {
            if request.readableBytes > Self.longestRequestBytes {
                refuse("431 Request Header Fields Too Large", context)
            }
            return
        }
        guard end.upperBound == request.readableBytesView.endIndex else { return refuse("400 Bad Request", context) }
        decide(String(buffer: request), context)
    }

    private func decide(_ request: String, _ context: ChannelHandlerContext) {
        let words = request.prefix { !$0.isNewline }.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[2].hasPrefix("HTTP/1.") else { return refuse("400 Bad Request", context) }
        guard words[0] == "CONNECT" else { return refuse("405 Method Not Allowed", context) }
        guard let target = EgressTarget(String(words[1])) else { return refuse("400 Bad Request", context) }
        guard allowed.contains(target) else {
            logger.info("a container may not connect", metadata: ["target": "\(target)"])
            return refuse("403 Forbidden", context)
        }
        isDecided = true
        let connecting = ClientBootstrap(group: context.eventLoop).channelOption(.allowRemoteHalfClosure, value: true)
            .connectTimeout(Self.timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(TunnelEnd(holdsBytes: true))
                }
            }
            .connect(host: target.host, port: target.port)
        connecting.assumeIsolated().whenComplete { result in
            do {
                let far = try result.get().pipeline.syncOperations.handler(type: TunnelEnd.self)
                TunnelEnd.join(
                    self.end, far, greeting: ByteBuffer(string: "HTTP/1.1 200 Connection Established\r\n\r\n"),
                    idleLimit: self.idleLimit)
            } catch {
                self.refuse("502 Bad Gateway", context)
            }
        }
    }

    private func refuse(_ status: String, _ context: ChannelHandlerContext) {
        isDecided = true
        let answer = ByteBuffer(string: "HTTP/1.1 \(status)\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        context.writeAndFlush(wrapOutboundOut(answer)).assumeIsolated().whenComplete { _ in
            context.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Who has gone needs no answer.
        if case .some(.inputClosed) = event as? ChannelEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
