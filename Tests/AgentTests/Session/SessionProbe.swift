import AgentProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOWebSocket

/// A daemon's end of a session with a real agent: the machine of the protocol on a plain WebSocket.
final class SessionProbe: Sendable {
    struct Outcome: Sendable {
        var facts: [String: String]?
        var stdout: [UInt8] = []
        var stderr: [UInt8] = []
        /// Of both streams, kept or not.
        var outputBytes = 0
        /// Behind what was told to be consumed.
        var consumed: UInt64 = 0
        var hasOutputEnded = false
        var isInputClosed = false
        var result: SessionResult?
        var refusal: SessionRefusal?

        var isOver: Bool { refusal != nil || (hasOutputEnded && result != nil) }
        var text: String { String(decoding: stdout, as: UTF8.self) }
        var errorText: String { String(decoding: stderr, as: UTF8.self) }
    }

    private struct State {
        var machine = DaemonSessionMachine()
        var channel: (any Channel)?
        var isEstablished = false
        /// The agent called, and will again.
        var isCalled = false
        var failure: String?
        var outcomes: [UInt32: Outcome] = [:]
        /// Output is taken as it comes; else when ``SessionProbe/consume(_:)`` says so.
        var isConsuming = true
        /// Output is kept; else only counted.
        var isKeeping = true
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let state = NIOLockedValueBox(State())
    private let socketPath: String
    let secret: AgentSecret
    let boot: BootID
    private let group = MultiThreadedEventLoopGroup.singleton

    /// - Parameter socketPath: of a unix socket.
    init(socketPath: String, secret: AgentSecret, boot: BootID) {
        self.socketPath = socketPath
        self.secret = secret
        self.boot = boot
    }

    // MARK: the connection

    /// Dials, upgrades, shakes hands, and goes on with whatever is open.
    ///
    /// - Returns: the head of what the agent answered.
    @discardableResult
    func connect(proving nonce: String = RequestSignature.freshNonce()) async throws -> String {
        let head = group.next().makePromise(of: String.self)
        let channel = try await ClientBootstrap(group: group).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(UpgradeHandler(probe: self, head: head))
            }
        }.connect(unixDomainSocketPath: socketPath).get()
        let signature = RequestSignature(
            secret: secret, method: "GET", path: SessionLimit.path, boot: boot, nonce: nonce,
            body: UnsafeRawBufferPointer(start: nil, count: 0))
        let request = """
            GET \(SessionLimit.path) HTTP/1.1\r
            host: agent\r
            connection: Upgrade\r
            upgrade: websocket\r
            sec-websocket-version: 13\r
            sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r
            \(AgentHeader.nonce): \(nonce)\r
            \(AgentHeader.boot): \(boot)\r
            \(AgentHeader.signature): \(signature.hex)\r
            \r\n
            """
        state.withLockedValue {
            $0.channel = channel
            $0.isEstablished = false
        }
        try await channel.writeAndFlush(ByteBuffer(string: request))
        let text = try await head.futureResult.get()
        if text.hasPrefix("HTTP/1.1 101 ") { try await until { $0.isEstablished ? () : nil } }
        return text
    }

    /// Takes over a connection that the agent has made, upgraded by now.
    func accept(_ channel: any Channel) throws {
        state.withLockedValue { state in
            if state.isEstablished { state.machine.disconnected() }
            state.channel = channel
            state.isEstablished = false
            state.isCalled = true
        }
        try channel.pipeline.syncOperations.addHandlers([
            WebSocketFrameEncoder(), ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: 1 << 20)),
            FrameHandler(probe: self),
        ])
    }

    /// Waits for a connection whose handshake is done.
    func awaitConnection() async throws {
        _ = try await until { $0.isEstablished ? () : nil }
    }

    var isEstablished: Bool { state.withLockedValue { $0.isEstablished } }

    /// Tears the connection down, whatever is under way.
    func disconnect() async throws {
        let channel = state.withLockedValue { state in
            state.machine.disconnected()
            state.isEstablished = false
            defer { state.channel = nil }
            return state.channel
        }
        try await channel?.close()
    }

    fileprivate func shakeHands(_ message: SessionMessage, _ handshake: inout DaemonHandshake?) {
        switch handshake?.received(message) {
        case .send(let message): send([message])
        case .done:
            handshake = nil
            state.withLockedValue { state in
                state.isEstablished = true
                perform(state.machine.connected(), &state)
            }
        case .failed(let failure): fail("handshake: \(failure)")
        case nil:
            state.withLockedValue { state in perform(state.machine.received(message), &state) }
        }
    }

    fileprivate var handshake: DaemonHandshake {
        DaemonHandshake(secret: secret, boot: boot, nonce: RequestSignature.freshNonce())
    }

    fileprivate func fail(_ reason: String) {
        state.withLockedValue { state in
            state.failure = reason
            wake(&state)
        }
    }

    fileprivate func lost(_ channel: any Channel) {
        state.withLockedValue { state in
            guard state.channel === channel else { return }
            if state.isCalled {
                state.machine.disconnected()
                state.isEstablished = false
                state.channel = nil
                return
            }
            state.failure = state.failure ?? "the agent closed the connection"
            wake(&state)
        }
    }

    // MARK: tasks

    func open(_ task: SessionTask, name: SessionTaskName = .test, offset: UInt64 = 0, isKnown: Bool = false) -> UInt32 {
        state.withLockedValue { state in
            let (channel, actions) = state.machine.open(task, name: name, offset: offset, isKnown: isKnown)
            state.outcomes[channel] = Outcome()
            perform(actions, &state)
            return channel
        }
    }

    /// Waits for room, then writes.
    func write(_ channel: UInt32, _ bytes: [UInt8]) async throws {
        _ = try await until { $0.machine.hasRoom(channel) ? () : nil }
        state.withLockedValue { state in perform(state.machine.write(channel, bytes), &state) }
    }

    func write(_ channel: UInt32, _ text: String) async throws {
        try await write(channel, Array(text.utf8))
    }

    func endInput(_ channel: UInt32) {
        state.withLockedValue { state in perform(state.machine.endInput(channel), &state) }
    }

    func control(_ channel: UInt32, _ control: SessionControl) {
        state.withLockedValue { state in perform(state.machine.control(channel, control) ?? [], &state) }
    }

    /// Lets go; what is sent later comes behind that.
    func release(_ channel: UInt32) {
        state.withLockedValue { state in perform(state.machine.release(channel), &state) }
    }

    func keepOutput(_ isKeeping: Bool) {
        state.withLockedValue { $0.isKeeping = isKeeping }
    }

    /// Stops taking output, or takes what has come and goes on.
    func consume(_ isConsuming: Bool) {
        state.withLockedValue { state in
            state.isConsuming = isConsuming
            guard isConsuming else { return }
            for (channel, outcome) in state.outcomes {
                perform(state.machine.consumed(channel, upTo: outcome.consumed), &state)
            }
        }
    }

    func hasRoom(_ channel: UInt32) -> Bool { state.withLockedValue { $0.machine.hasRoom(channel) } }

    func isInputClosed(_ channel: UInt32) -> Bool { state.withLockedValue { $0.machine.isInputClosed(channel) } }

    /// Waits until what is known of a task gives something.
    @discardableResult
    func wait<Value>(_ channel: UInt32, for condition: (Outcome) -> Value?) async throws -> Value {
        try await until { $0.outcomes[channel].flatMap(condition) }
    }

    /// Waits until the task is over.
    func finish(_ channel: UInt32) async throws -> Outcome {
        try await wait(channel) { $0.isOver ? $0 : nil }
    }

    /// Opens, sends input if there is any, waits for the end, and lets go.
    func run(_ task: SessionTask, name: SessionTaskName = .test, input: String? = nil) async throws -> Outcome {
        let channel = open(task, name: name)
        if let input {
            try await wait(channel) { $0.facts ?? ($0.refusal != nil ? [:] : nil) }
            try await write(channel, input)
            endInput(channel)
        }
        let outcome = try await finish(channel)
        if outcome.refusal == nil { release(channel) }
        return outcome
    }

    private func until<Value>(_ condition: (State) -> Value?) async throws -> Value {
        while true {
            let (value, failure) = state.withLockedValue { (condition($0), $0.failure) }
            if let value { return value }
            if let failure { throw Failure(description: failure) }
            await withCheckedContinuation { continuation in
                let isDone = state.withLockedValue { state in
                    if condition(state) != nil || state.failure != nil { return true }
                    state.waiters.append(continuation)
                    return false
                }
                if isDone { continuation.resume() }
            }
        }
    }

    private func wake(_ state: inout State) {
        let waiters = state.waiters
        state.waiters = []
        for waiter in waiters { waiter.resume() }
    }

    /// Under the lock, so that messages are sent in the order in which the machine gave them.
    private func perform(_ actions: [DaemonSessionMachine.Action], _ state: inout State) {
        var messages: [SessionMessage] = []
        var more: [DaemonSessionMachine.Action] = []
        for action in actions {
            switch action {
            case .send(let message): messages.append(message)
            case .opened(let id, let facts): state.outcomes[id]?.facts = facts
            case .output(let id, let stream, let offset, let bytes):
                state.outcomes[id]?.outputBytes += bytes.count
                state.outcomes[id]?.consumed = offset + UInt64(bytes.count)
                if state.isKeeping {
                    if stream == .stderr {
                        state.outcomes[id]?.stderr += bytes
                    } else {
                        state.outcomes[id]?.stdout += bytes
                    }
                }
                if state.isConsuming {
                    more += state.machine.consumed(id, upTo: offset + UInt64(bytes.count))
                }
            case .outputEnded(let id): state.outcomes[id]?.hasOutputEnded = true
            case .inputClosed(let id): state.outcomes[id]?.isInputClosed = true
            case .result(let id, let result): state.outcomes[id]?.result = result
            case .refused(let id, let refusal): state.outcomes[id]?.refusal = refusal
            case .room: break
            case .broken(let reason): state.failure = reason
            }
        }
        if let channel = state.channel, !messages.isEmpty { send(messages, on: channel, isCalled: state.isCalled) }
        if !more.isEmpty { perform(more, &state) }
        wake(&state)
    }

    private func send(_ messages: [SessionMessage]) {
        let (channel, isCalled) = state.withLockedValue { ($0.channel, $0.isCalled) }
        if let channel { send(messages, on: channel, isCalled: isCalled) }
    }

    private func send(_ messages: [SessionMessage], on channel: any Channel, isCalled: Bool) {
        // One after the other, from whichever thread they come.
        channel.eventLoop.execute {
            for message in messages {
                channel.write(
                    WebSocketFrame(
                        fin: true, opcode: .binary, maskKey: isCalled ? nil : .random(),
                        data: ByteBuffer(bytes: message.encoded())),
                    promise: nil)
            }
            channel.flush()
        }
    }
}

/// Takes the answer's head, then makes way for frames.
private final class UpgradeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let probe: SessionProbe
    private let head: EventLoopPromise<String>
    private var received = ByteBuffer()

    init(probe: SessionProbe, head: EventLoopPromise<String>) {
        self.probe = probe
        self.head = head
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        received.writeBuffer(&bytes)
        let text = String(buffer: received)
        guard let range = text.firstRange(of: "\r\n\r\n") else { return }
        let answer = String(text[..<range.lowerBound])
        received.moveReaderIndex(forwardBy: answer.utf8.count + 4)
        guard answer.hasPrefix("HTTP/1.1 101 ") else {
            head.succeed(answer)
            context.close(promise: nil)
            return
        }
        do {
            try context.pipeline.syncOperations.addHandlers([
                WebSocketFrameEncoder(), ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: 1 << 20)),
                FrameHandler(probe: probe),
            ])
        } catch {
            head.fail(error)
            return
        }
        if received.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(received)) }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
        head.succeed(answer)
    }

    func channelInactive(context: ChannelHandlerContext) {
        head.fail(ChannelError.eof)
        context.fireChannelInactive()
    }

    typealias InboundOut = ByteBuffer
}

private final class FrameHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame

    private let probe: SessionProbe
    private var handshake: DaemonHandshake?

    init(probe: SessionProbe) {
        self.probe = probe
        handshake = probe.handshake
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        if frame.opcode == .ping {
            context.writeAndFlush(
                NIOAny(WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: frame.unmaskedData)),
                promise: nil)
        }
        guard frame.opcode == .binary else { return }
        do {
            let message = try frame.unmaskedData.withUnsafeReadableBytes { try SessionMessage(decoding: $0) }
            probe.shakeHands(message, &handshake)
        } catch {
            probe.fail("\(error)")
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        probe.lost(context.channel)
    }
}
