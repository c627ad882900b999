import AgentProtocol
import NIOCore
import NIOExtras
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket

/// Makes connections for sessions to the agents' own addresses.
struct SessionDialer: Sendable {
    /// Why there is no connection.
    enum Failure: Error {
        /// Proved: the agent lives another life.
        case otherBoot
        /// Proved: the agent knows no sessions.
        case noSessions
        /// The endpoint's address is no URL that can be connected to.
        case invalidAddress
        /// Anything that may be otherwise the next time: no route, a front end's page, a handshake that came to nothing.
        case failed
    }

    let tls: NIOSSLContext
    let proxy: SessionProxy?
    let settings: AgentSessions.Settings

    private static let connectTimeout = TimeAmount.seconds(10)
    /// A refusal is an empty page of the agent, or a page of the front end that is not looked at.
    private static let longestRefusalBytes = 64 << 10

    /// What became of the request.
    private enum Answer: Sendable {
        case upgraded(HTTPResponseHead, SessionSocket)
        case refused(EventLoopFuture<Refusal>)
    }

    fileprivate struct Refusal: Sendable {
        var head: HTTPResponseHead
        var body: ByteBuffer
    }

    /// A connection whose other end has proved itself. Takes no longer than the time for an answer. Cancellation is a
    /// failure.
    func dial(_ endpoint: AgentEndpoint, boot: BootID) async throws(Failure) -> SessionSocket {
        guard let address = SessionAddress(endpoint.baseURL) else { throw .invalidAddress }
        let deadline = NIODeadline.now() + TimeAmount(settings.answerTimeout)
        do {
            let channel = try await connect(address)
            return try await withTaskCancellationHandler {
                do {
                    return try await prove(channel, address, endpoint, boot, deadline: deadline)
                } catch {
                    channel.close(promise: nil)
                    throw error
                }
            } onCancel: {
                channel.close(promise: nil)
            }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw .failed
        }
    }

    private func connect(_ address: SessionAddress) async throws -> any Channel {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1).connectTimeout(Self.connectTimeout)
        switch address.target {
        case .socket(let path): return try await bootstrap.connect(unixDomainSocketPath: path).get()
        case .host(let host, let port):
            guard let proxy else { return try await bootstrap.connect(host: host, port: port).get() }
            let channel = try await bootstrap.connect(host: proxy.host, port: proxy.port).get()
            do {
                try await passProxy(proxy, channel, host: host, port: port)
                return channel
            } catch {
                channel.close(promise: nil)
                throw error
            }
        }
    }

    private func passProxy(_ proxy: SessionProxy, _ channel: any Channel, host: String, port: Int) async throws {
        try await channel.eventLoop.flatSubmit {
            let connected = channel.eventLoop.makePromise(of: Void.self)
            let encoder = HTTPRequestEncoder()
            let decoder = ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes))
            var headers = HTTPHeaders([("Host", "\(host):\(port)")])
            if let authorization = proxy.authorization {
                headers.add(name: "Proxy-Authorization", value: authorization)
            }
            let connect = NIOHTTP1ProxyConnectHandler(
                targetHost: host, targetPort: port, headers: headers, deadline: .now() + Self.connectTimeout,
                promise: connected)
            let pipeline = channel.pipeline.syncOperations
            do { try pipeline.addHandlers(encoder, decoder, connect) } catch {
                connected.fail(error)
            }
            return connected.futureResult.assumeIsolated()
                .flatMap { pipeline.removeHandler(decoder) }
                .flatMap { pipeline.removeHandler(encoder) }
                .nonisolated()
        }.get()
    }

    // MARK: the request

    private func prove(
        _ channel: any Channel, _ address: SessionAddress, _ endpoint: AgentEndpoint, _ boot: BootID,
        deadline: NIODeadline
    ) async throws -> SessionSocket {
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        let nonce = RequestSignature.freshNonce()
        let signature = RequestSignature(
            secret: endpoint.secret, method: "GET", path: SessionLimit.path, boot: boot, nonce: nonce, body: empty)
        let headers = HTTPHeaders([
            ("Host", endpoint.hostHeader ?? address.authority), ("Content-Length", "0"), (AgentHeader.nonce, nonce),
            (AgentHeader.boot, boot.hex), (AgentHeader.signature, signature.hex),
        ])
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: SessionLimit.path, headers: headers)
        let handshake = DaemonHandshake(secret: endpoint.secret, boot: boot, nonce: RequestSignature.freshNonce())

        let timer = channel.eventLoop.scheduleTask(deadline: deadline) { channel.close(promise: nil) }
        defer { timer.cancel() }
        let answer = try await ask(head, channel, address, handshake: handshake, deadline: deadline)
        switch answer {
        case .upgraded(let head, let socket):
            let reply = try AgentExchange.prove(
                status: Int(head.status.code), headers: head.headers, body: ByteBuffer(), endpoint: endpoint,
                signature: signature, operation: "GET \(SessionLimit.path)")
            guard reply.boot == boot else { throw Failure.otherBoot }
            try await socket.proved.get()
            return socket
        case .refused(let refusal):
            let refusal = try await refusal.get()
            let reply = try AgentExchange.prove(
                status: Int(refusal.head.status.code), headers: refusal.head.headers, body: refusal.body,
                endpoint: endpoint, signature: signature, operation: "GET \(SessionLimit.path)")
            if reply.boot != boot { throw Failure.otherBoot }
            throw reply.status == 404 ? Failure.noSessions : .failed
        }
    }

    private func ask(
        _ head: HTTPRequestHead, _ channel: any Channel, _ address: SessionAddress, handshake: DaemonHandshake,
        deadline: NIODeadline
    ) async throws -> Answer {
        let settings = SessionSocketHandler.Settings(
            isClient: true, deadline: deadline, pingInterval: TimeAmount(settings.pingInterval))
        let tls = tls
        return try await channel.eventLoop.flatSubmit {
            let upgrader = NIOTypedWebSocketClientUpgrader<Answer>(
                maxFrameSize: SessionSocketHandler.longestMessageBytes
            ) { channel, response in
                channel.eventLoop.makeCompletedFuture {
                    let handler = SessionSocketHandler(
                        handshake: handshake, settings: settings, loop: channel.eventLoop)
                    return .upgraded(response, try SessionSocket(channel: channel, handler: handler))
                }
            }
            let configuration = NIOTypedHTTPClientUpgradeConfiguration<Answer>(
                upgradeRequestHead: head, upgraders: [upgrader]
            ) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let refusal = channel.eventLoop.makePromise(of: Refusal.self)
                    try channel.pipeline.syncOperations.addHandler(
                        RefusalHandler(refusal, limit: Self.longestRefusalBytes))
                    return .refused(refusal.futureResult)
                }
            }
            var pipeline = NIOUpgradableHTTPClientPipelineConfiguration(upgradeConfiguration: configuration)
            // The agent's first message may come with its answer.
            pipeline.leftOverBytesStrategy = .forwardBytes
            do {
                if address.isSecure {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLClientHandler(context: tls, serverHostname: address.serverName))
                }
                return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
                    configuration: pipeline)
            } catch {
                return channel.eventLoop.makeFailedFuture(error)
            }
        }.get()
    }
}

/// Collects an answer that is no upgrade. What ends the connection behind the answer's head ends the answer as well: its proof tells
/// whether anything is missing.
private final class RefusalHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let promise: EventLoopPromise<SessionDialer.Refusal>
    private let limit: Int
    private var refusal: SessionDialer.Refusal?

    init(_ promise: EventLoopPromise<SessionDialer.Refusal>, limit: Int) {
        self.promise = promise
        self.limit = limit
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): refusal = SessionDialer.Refusal(head: head, body: ByteBuffer())
        case .body(let piece):
            refusal?.body.writeImmutableBuffer(piece)
            if let refusal, refusal.body.readableBytes > limit { context.close(promise: nil) }
        case .end: context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func handlerRemoved(context: ChannelHandlerContext) {
        if let refusal { promise.succeed(refusal) } else { promise.fail(SessionDialer.Failure.failed) }
    }
}

/// What to connect to for an agent's base address.
struct SessionAddress: Equatable, Sendable {
    enum Target: Equatable, Sendable {
        case host(String, port: Int)
        case socket(String)
    }

    var target: Target
    var isSecure: Bool
    /// As in the `Host` header.
    var authority: String

    /// Nil for anything but `https://host[:port]`, `http://host[:port]` and `http+unix://PATH` with an encoded path.
    init?(_ url: String) {
        guard let range = url.firstRange(of: "://") else { return nil }
        let rest = String(url[range.upperBound...])
        guard !rest.isEmpty, !rest.contains("/"), !rest.contains("?"), !rest.contains("@") else { return nil }
        switch url[..<range.lowerBound].lowercased() {
        case "https": (isSecure, authority) = (true, rest)
        case "http": (isSecure, authority) = (false, rest)
        case "http+unix":
            // The protocol's own decoder takes lower-case digits only.
            guard let path = Self.decode(rest), path.utf8.first == UInt8(ascii: "/") else { return nil }
            (isSecure, authority, target) = (false, "localhost", .socket(path))
            return
        default: return nil
        }
        var host = rest[...]
        var port = isSecure ? 443 : 80
        // Only one colon, or one behind a bracket, is in front of a port: others belong to an IPv6 address.
        if let colon = rest.lastIndex(of: ":"), rest.firstIndex(of: ":") == colon || rest[..<colon].hasSuffix("]") {
            guard let number = Int(rest[rest.index(after: colon)...]), (1...65_535).contains(number) else { return nil }
            (host, port) = (rest[..<colon], number)
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else { return nil }
        target = .host(String(host), port: port)
    }

    private static func decode(_ text: String) -> String? {
        let parts = text.split(separator: "%", omittingEmptySubsequences: false)
        let lower = parts.dropFirst().map { "%" + $0.prefix(2).lowercased() + $0.dropFirst(2) }
        return PercentEncoding.decode(parts[0] + lower.joined())
    }

    /// The name that the server's certificate is for; nil for an address, for which TLS sends none.
    var serverName: String? {
        guard case .host(let host, let port) = target else { return nil }
        return (try? SocketAddress(ipAddress: host, port: port)) == nil ? host : nil  // it throws for a name
    }
}
