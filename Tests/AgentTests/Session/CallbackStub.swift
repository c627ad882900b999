import AgentProtocol
import Glibc
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket

/// A relay with the daemon's listener behind it, in one: what an agent calls that has to.
final class CallbackStub: Sendable {
    /// What was asked of the relay, and of the listener.
    struct Calls: Sendable {
        var targets: [String] = []
        var paths: [String] = []
        var sites: [String] = []
    }

    let calls = NIOLockedValueBox(Calls())
    fileprivate let probe: SessionProbe
    fileprivate let security: NIOSSLContext?
    private let server = NIOLockedValueBox<(any Channel)?>(nil)

    /// - Parameters:
    ///   - probe: gets the sessions; its secret and boot are what calls have to prove.
    ///   - security: nil for plain HTTP.
    init(probe: SessionProbe, security: NIOSSLContext? = nil) {
        self.probe = probe
        self.security = security
    }

    func listen(at path: String) async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(CallHandler(stub: self))
                }
            }.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
        // The container's user is another where the tests run as root.
        chmod(path, 0o666)
        server.withLockedValue { $0 = channel }
    }

    func close() async throws {
        try await server.withLockedValue { $0 }?.close()
    }
}

private final class CallHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let stub: CallbackStub
    private var received = ByteBuffer()
    private var isRelayed = false

    init(stub: CallbackStub) {
        self.stub = stub
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        received.writeBuffer(&bytes)
        let text = String(buffer: received)
        guard text.hasSuffix("\r\n\r\n") else { return }
        received.clear()
        let lines = text.split(separator: "\r\n")
        let words = lines[0].split(separator: " ")
        if !isRelayed {
            isRelayed = true
            stub.calls.withLockedValue { $0.targets.append(String(words[1])) }
            context.writeAndFlush(
                NIOAny(ByteBuffer(string: "HTTP/1.1 200 Connection Established\r\n\r\n")), promise: nil)
            if let security = stub.security {
                do {
                    try context.pipeline.syncOperations.addHandler(
                        NIOSSLServerHandler(context: security), position: .first)
                } catch {
                    context.close(promise: nil)
                }
            }
            return
        }
        var headers = HTTPHeaders()
        for line in lines.dropFirst() {
            let parts = line.split(separator: ": ", maxSplits: 1)
            headers.add(name: String(parts[0]), value: String(parts[1]))
        }
        stub.calls.withLockedValue {
            $0.paths.append(String(words[1]))
            $0.sites.append(headers.first(name: AgentHeader.site) ?? "")
        }
        answer(context, path: String(words[1]), headers)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func answer(_ context: ChannelHandlerContext, path: String, _ headers: HTTPHeaders) {
        let probe = stub.probe
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        let claimed = headers.first(name: AgentHeader.signature) ?? ""
        let boot = headers.first(name: AgentHeader.boot) ?? ""
        let verified = RequestSignature(
            verifying: claimed, secret: probe.secret, method: "GET", path: path, boot: boot,
            nonce: headers.first(name: AgentHeader.nonce) ?? "", body: empty)
        // A stranger answers as well as it can.
        let signature =
            verified
            ?? RequestSignature(
                secret: probe.secret, method: "GET", path: path, boot: nil, nonce: RequestSignature.freshNonce(),
                body: empty)
        let proof = ReplyProof.make(
            secret: probe.secret, signature: signature, status: 101, boot: probe.boot, headers: [], body: empty)
        let request = HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: headers)
        let known: HTTPHeaders = [AgentHeader.boot: probe.boot.hex, AgentHeader.proof: proof]
        NIOWebSocketServerUpgrader(
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(known) },
            upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() }
        ).buildUpgradeResponse(channel: context.channel, upgradeRequest: request, initialResponseHeaders: [:])
            .assumeIsolated().whenSuccess { headers in
                var response = "HTTP/1.1 101 Switching Protocols\r\n"
                for (name, value) in headers { response += "\(name): \(value)\r\n" }
                context.writeAndFlush(NIOAny(ByteBuffer(string: response + "\r\n")), promise: nil)
                do {
                    try probe.accept(context.channel)
                } catch {
                    context.close(promise: nil)
                }
                context.pipeline.syncOperations.removeHandler(self, promise: nil)
            }
    }
}
