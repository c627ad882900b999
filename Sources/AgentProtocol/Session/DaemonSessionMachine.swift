/// The daemon's end of a session, from the handshake on, as an event machine: it knows neither sockets nor clocks, and
/// outlives any number of connections to one boot of an agent.
///
/// A channel's exits: `opening` → `open` with `opened`; either → gone with `refused`, or `releasing` when the caller wants
/// nothing more; `releasing` → gone when the agent says that it has forgotten, or never knew.
package struct DaemonSessionMachine: Sendable {
    package enum Action: Equatable, Sendable {
        case send(SessionMessage)
        /// The task has begun. Told once for each channel, and before anything else about it but `refused`.
        case opened(channel: UInt32, facts: [String: String])
        /// The next bytes; call ``consumed(_:upTo:)`` when somebody took them.
        case output(channel: UInt32, FrameStream, offset: UInt64, bytes: [UInt8])
        case outputEnded(channel: UInt32)
        /// There is room for input again after there was none.
        case room(channel: UInt32)
        /// Nobody reads the input any more.
        case inputClosed(channel: UInt32)
        case result(channel: UInt32, SessionResult)
        /// The channel is over and forgotten.
        case refused(channel: UInt32, SessionRefusal)
        /// The agent broke the protocol: close the connection. Nothing else follows in the same list.
        case broken(String)
    }

    private var channels: [UInt32: DaemonSessionChannel] = [:]
    private var lastChannel: UInt32 = 0
    private(set) package var isConnected = false

    package init() {}

    /// Whether any channel is open, or a release is not yet known to have arrived: a broken connection is to be made
    /// again.
    package var needsConnection: Bool { !channels.isEmpty }

    /// Channels that somebody still waits for, in order.
    package var openChannels: [UInt32] { channels.filter { !$0.value.isReleasing }.keys.sorted() }

    // MARK: the connection

    /// The handshake is done: goes on with every channel.
    package mutating func connected() -> [Action] {
        isConnected = true
        return channels.keys.sorted().flatMap { attach($0) }
    }

    /// The connection is gone; to be told before the next one is ``connected()``.
    package mutating func disconnected() {
        isConnected = false
        for id in channels.keys {
            channels[id]?.disconnected()
        }
    }

    /// A message arrived. What is about an unknown or released channel was under way when that was let go.
    package mutating func received(_ message: SessionMessage) -> [Action] {
        guard isConnected else { return [] }
        switch message {
        case .opened(let id, let opened):
            let actions = channels[id]?.opened(id, opened) ?? []
            if case .refused? = actions.last { channels[id] = nil }
            return actions
        case .data(let id, let stream, let offset, let bytes):
            return channels[id]?.data(id, stream, offset, bytes) ?? []
        case .end(let id, let offset): return channels[id]?.ended(id, offset) ?? []
        case .ack(let id, let offset): return channels[id]?.acknowledged(id, offset) ?? []
        case .controlSeen(let id, let number):
            channels[id]?.controls.removeAll { $0.number <= number }
            return []
        case .result(let id, let result): return channels[id]?.result(id, result) ?? []
        case .refused(let id, let refusal):
            guard let channel = channels.removeValue(forKey: id), !channel.isReleasing else { return [] }
            return [.refused(channel: id, refusal)]
        case .release(let id):
            guard let channel = channels[id] else { return [] }
            guard channel.isReleasing else { return [.broken("a channel was forgotten that is open")] }
            channels[id] = nil
            return []
        case .hello, .challenge, .proof, .open, .control: return [.broken("a message that an agent never sends")]
        }
    }

    // MARK: the caller

    /// Begins a task, or finds the one of that name.
    ///
    /// - Parameters:
    ///   - offset: how much of its output the caller has.
    ///   - isKnown: the caller knows that it was begun in this boot, so that it must not be begun again.
    /// - Returns: the channel, which is the caller's until ``release(_:)`` or `refused`.
    package mutating func open(
        _ task: SessionTask, name: SessionTaskName, offset: UInt64 = 0, isKnown: Bool = false
    ) -> (channel: UInt32, actions: [Action]) {
        repeat { lastChannel = lastChannel == .max ? 1 : lastChannel + 1 } while channels[lastChannel] != nil
        channels[lastChannel] = DaemonSessionChannel(name: name, task: task, offset: offset, isKnown: isKnown)
        return (lastChannel, isConnected ? attach(lastChannel) : [])
    }

    /// Whether ``write(_:_:)`` should be called now; else after `room`.
    package func hasRoom(_ id: UInt32) -> Bool { channels[id]?.input.hasRoom ?? true }

    /// Whether nobody reads the input any more, or it was ended.
    package func isInputClosed(_ id: UInt32) -> Bool {
        channels[id].map { $0.isReleasing || $0.input.isClosed || $0.input.isEnded } ?? true
    }

    /// Input. It is kept until the agent has consumed it, however much it is.
    package mutating func write(_ id: UInt32, _ bytes: [UInt8]) -> [Action] {
        channels[id]?.write(id, bytes) ?? []
    }

    /// No more input.
    package mutating func endInput(_ id: UInt32) -> [Action] {
        channels[id]?.endInput(id) ?? []
    }

    /// Resizes or signals, once. Nil if too many controls are under way: nothing was done.
    package mutating func control(_ id: UInt32, _ control: SessionControl) -> [Action]? {
        guard channels[id] != nil else { return [] }
        return channels[id]?.control(id, control)
    }

    /// Somebody took the output before an offset.
    package mutating func consumed(_ id: UInt32, upTo offset: UInt64) -> [Action] {
        channels[id]?.consumed(id, upTo: offset) ?? []
    }

    /// The caller wants nothing more. Nothing is told about the channel any more, and its number means nothing.
    package mutating func release(_ id: UInt32) -> [Action] {
        guard channels[id]?.isReleasing == false else { return [] }
        channels[id]?.release()
        return isConnected ? [.send(.release(channel: id))] : []
    }

    private func attach(_ id: UInt32) -> [Action] {
        guard let channel = channels[id] else { return [] }
        return [.send(.open(channel: id, channel.open))]
            + (channel.isReleasing ? [.send(.release(channel: id))] : [])
    }
}
