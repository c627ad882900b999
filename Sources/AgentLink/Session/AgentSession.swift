import AgentProtocol
import DequeModule
import NIOConcurrencyHelpers
import NIOCore

/// The session with one boot of one agent: its channels, and the connection under them when there is one.
///
/// It takes events from the connection and calls from whoever uses the channels, in any order and from any thread; what
/// they do is decided by ``DaemonSessionMachine``. Who keeps it connected is ``SessionKeeper``.
/// States: waiting for a connection ⇄ connected; both → over (``fail(_:)``, ``endIfUnneeded()``), for good.
final class AgentSession: Sendable {
    private enum Topic: Hashable {
        case connection
        case opened(UInt32)
        case output(UInt32)
        case input(UInt32)
        case result(UInt32)
    }

    private struct ChannelState {
        var facts: [String: String]?
        /// Not yet read; at most a window of bytes.
        var output = Deque<SessionOutput>()
        var isOutputEnded = false
        var result: SessionResult?
        /// The channel is over.
        var failure: SessionError?
    }

    private struct State {
        var machine = DaemonSessionMachine()
        var channels: [UInt32: ChannelState] = [:]
        var socket: SessionSocket?
        /// Whether a message came over the present connection, or the last one.
        var hasHeard = false
        /// The session is over.
        var end: SessionError?
        var waiters: [Topic: [UInt64: CheckedContinuation<Void, Never>]] = [:]
        var lastWaiter: UInt64 = 0
        var cancelledWaiters: Set<UInt64> = []
        /// To be resumed when the lock is free.
        var due: [CheckedContinuation<Void, Never>] = []

        mutating func wake(_ topic: Topic) {
            if let waiting = waiters.removeValue(forKey: topic) { due += waiting.values }
        }

        mutating func wakeAll(_ id: UInt32) {
            for topic in [Topic.opened(id), .output(id), .input(id), .result(id)] { wake(topic) }
        }
    }

    let endpoint: AgentEndpoint
    let boot: BootID
    private let state = NIOLockedValueBox(State())

    init(endpoint: AgentEndpoint, boot: BootID) {
        self.endpoint = endpoint
        self.boot = boot
    }

    // MARK: the connection

    /// Goes on over a proved connection; an older one is closed. False if the session is over: the caller closes it.
    func attach(_ socket: SessionSocket) -> Bool {
        let (isTaken, older) = step { state -> (Bool, SessionSocket?) in
            guard state.end == nil else { return (false, nil) }
            let older = state.socket
            if older != nil { state.machine.disconnected() }
            state.socket = socket
            state.hasHeard = false
            apply(state.machine.connected(), &state)
            state.wake(.connection)
            return (true, older)
        }
        older?.close()
        if isTaken { socket.begin { [weak self] event in self?.received(event, from: socket) } }
        return isTaken
    }

    private func received(_ event: SessionSocket.Event, from socket: SessionSocket) {
        switch event {
        case .message(let bytes):
            let message: SessionMessage
            do {
                message = try bytes.withUnsafeReadableBytes { try SessionMessage(decoding: $0) }
            } catch {
                return socket.close()
            }
            step { state in
                guard state.socket === socket else { return }
                state.hasHeard = true
                apply(state.machine.received(message), &state)
            }
        case .closed:
            step { state in
                guard state.socket === socket else { return }
                state.socket = nil
                state.machine.disconnected()
                state.wake(.connection)
            }
        }
    }

    // MARK: what its keeper asks

    enum Standing: Equatable, Sendable {
        /// Connected, and somebody uses it.
        case used
        /// Connected, and nobody does.
        case idle
        /// Not connected. `wasHeard`: over the last connection messages came.
        case lost(wasHeard: Bool)
        case over
    }

    /// Waits until it stands otherwise than `known`. Over if the task is cancelled.
    func standing(otherThan known: Standing?) async -> Standing {
        await wait(for: .connection) { state in
            let standing: Standing =
                if state.end != nil {
                    .over
                } else if state.socket == nil {
                    .lost(wasHeard: state.hasHeard)
                } else {
                    state.machine.needsConnection ? .used : .idle
                }
            return standing == known ? nil : standing
        } ?? .over
    }

    /// Ends the session if no channel needs it.
    func endIfUnneeded() -> Bool {
        step { state in
            if state.machine.needsConnection, state.end == nil { return false }
            end(SessionError(.unreachable), &state)
            return true
        }
    }

    /// Ends the session and every channel.
    func fail(_ error: SessionError) {
        step { end(error, &$0) }
    }

    private func end(_ error: SessionError, _ state: inout State) {
        guard state.end == nil else { return }
        state.end = error
        state.socket?.close()
        state.socket = nil
        for id in state.channels.keys {
            if state.channels[id]?.failure == nil { state.channels[id]?.failure = error }
            state.wakeAll(id)
        }
        state.wake(.connection)
    }

    // MARK: channels

    /// Begins a task; nil if the session is over, and another one has to be made.
    func open(
        _ task: SessionTask, name: SessionTaskName, offset: UInt64, isKnown: Bool
    ) async throws(SessionError) -> AgentSessionChannel? {
        let id: UInt32? = step { state in
            guard state.end == nil else { return nil }
            let (id, actions) = state.machine.open(task, name: name, offset: offset, isKnown: isKnown)
            state.channels[id] = ChannelState()
            apply(actions, &state)
            state.wake(.connection)
            return id
        }
        guard let id else { return nil }
        let begun: Result<[String: String], SessionError>? = await wait(for: .opened(id)) { state in
            if let facts = state.channels[id]?.facts { return .success(facts) }
            return state.channels[id]?.failure.map { .failure($0) }
        }
        guard case .success(let facts) = begun else {
            release(id)
            if case .failure(let error) = begun { throw error }
            throw SessionError(.cancelled)
        }
        return AgentSessionChannel(session: self, id: id, facts: facts)
    }

    func read(_ id: UInt32) async throws(SessionError) -> SessionOutput? {
        let read: Result<SessionOutput?, SessionError>? = await wait(for: .output(id)) { state in
            guard let channel = state.channels[id] else { return .failure(SessionError(.ended)) }
            if let output = state.channels[id]?.output.popFirst() {
                apply(state.machine.consumed(id, upTo: output.offset), &state)
                return .success(output)
            }
            if channel.isOutputEnded { return .success(nil) }
            return channel.failure.map { .failure($0) }
        }
        return try Self.unwrap(read)
    }

    func result(_ id: UInt32) async throws(SessionError) -> SessionResult {
        let result: Result<SessionResult, SessionError>? = await wait(for: .result(id)) { state in
            guard let channel = state.channels[id] else { return .failure(SessionError(.ended)) }
            return channel.result.map { .success($0) } ?? channel.failure.map { .failure($0) }
        }
        return try Self.unwrap(result)
    }

    /// One piece of input, when there is room for it.
    func write(_ id: UInt32, _ bytes: [UInt8]) async throws(SessionError) {
        let written: Result<Void, SessionError>? = await wait(for: .input(id)) { state in
            guard let channel = state.channels[id] else { return .failure(SessionError(.ended)) }
            if let failure = channel.failure { return .failure(failure) }
            if state.machine.isInputClosed(id) { return .failure(SessionError(.ended)) }
            guard state.machine.hasRoom(id) else { return nil }
            apply(state.machine.write(id, bytes), &state)
            return .success(())
        }
        try Self.unwrap(written)
    }

    func endInput(_ id: UInt32) throws(SessionError) {
        try Self.unwrap(
            step { state -> Result<Void, SessionError> in
                guard let channel = state.channels[id] else { return .failure(SessionError(.ended)) }
                if let failure = channel.failure { return .failure(failure) }
                apply(state.machine.endInput(id), &state)
                return .success(())
            })
    }

    func control(_ id: UInt32, _ control: SessionControl) throws(SessionError) {
        try Self.unwrap(
            step { state -> Result<Void, SessionError> in
                guard let channel = state.channels[id], channel.result == nil else {
                    return .failure(SessionError(.ended))
                }
                if let failure = channel.failure { return .failure(failure) }
                guard let actions = state.machine.control(id, control) else {
                    return .failure(SessionError(.busy, "too much was asked of the command at once"))
                }
                apply(actions, &state)
                return .success(())
            })
    }

    func release(_ id: UInt32) {
        step { state in
            guard state.channels.removeValue(forKey: id) != nil else { return }
            apply(state.machine.release(id), &state)
            state.wakeAll(id)
            state.wake(.connection)
        }
    }

    private static func unwrap<Value>(_ result: Result<Value, SessionError>?) throws(SessionError) -> Value {
        guard let result else { throw SessionError(.cancelled) }
        return try result.get()
    }

    // MARK: within

    private func apply(_ actions: [DaemonSessionMachine.Action], _ state: inout State) {
        for action in actions {
            switch action {
            case .send(let message): state.socket?.send(message.buffer)
            case .opened(let id, let facts):
                state.channels[id]?.facts = facts
                state.wake(.opened(id))
            case .output(let id, let stream, let offset, let bytes):
                let output = SessionOutput(
                    stream: stream, bytes: ByteBuffer(bytes: bytes), offset: offset + UInt64(bytes.count))
                state.channels[id]?.output.append(output)
                state.wake(.output(id))
            case .outputEnded(let id):
                state.channels[id]?.isOutputEnded = true
                state.wake(.output(id))
            case .room(let id), .inputClosed(let id): state.wake(.input(id))
            case .result(let id, let result):
                state.channels[id]?.result = result
                state.wake(.result(id))
            case .refused(let id, let refusal):
                state.channels[id]?.failure = SessionError(refusal)
                state.wakeAll(id)
                state.wake(.connection)
            case .broken: state.socket?.close()
            }
        }
        // The agent may have confirmed the last release.
        if !state.machine.needsConnection { state.wake(.connection) }
    }

    private func step<Value>(_ body: (inout State) -> Value) -> Value {
        let (value, due) = state.withLockedValue { state in
            let value = body(&state)
            defer { state.due = [] }
            return (value, state.due)
        }
        for continuation in due { continuation.resume() }
        return value
    }

    /// Waits until `look` gives something; it is asked again whenever something about the topic has changed. Nil if the
    /// task is cancelled.
    private func wait<Value>(for topic: Topic, _ look: (inout State) -> Value?) async -> Value? {
        let ticket = step { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        var found: Value?
        while found == nil, !Task.isCancelled {
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let goesOn = step { state in
                        found = look(&state)
                        if found != nil || state.cancelledWaiters.contains(ticket) { return true }
                        state.waiters[topic, default: [:]][ticket] = continuation
                        return false
                    }
                    if goesOn { continuation.resume() }
                }
            } onCancel: {
                step { state in
                    state.cancelledWaiters.insert(ticket)
                    if let waiting = state.waiters[topic]?.removeValue(forKey: ticket) { state.due.append(waiting) }
                }
            }
        }
        if Task.isCancelled { step { _ = $0.cancelledWaiters.remove(ticket) } }
        return found
    }
}

extension SessionError {
    fileprivate init(_ refusal: SessionRefusal) {
        let code: Code =
            switch refusal.code {
            case .busy: .busy
            case .unknownTask: .unknownTask
            case .refused: .refused
            }
        self.init(code, refusal.text)
    }
}
