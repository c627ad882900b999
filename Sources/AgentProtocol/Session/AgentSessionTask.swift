/// One task of an ``AgentSessionMachine``.
struct AgentSessionTask: Sendable {
    typealias Action = AgentSessionMachine.Action

    let isCommand: Bool
    /// Of the current connection, if it is attached there.
    private(set) var channel: UInt32?
    /// What to do once the task has begun: the daemon's offset.
    private var askedOffset: UInt64 = 0
    private var hasBegun = false
    private var facts: [String: String] = [:]
    private(set) var output = SessionSender()
    private var input = SessionReceiver()
    private var inputConsumedOffset: UInt64 = 0
    private var isInputClosed = false
    private var controlsSeen: UInt32 = 0
    private(set) var result: SessionResult?
    private(set) var isReleased = false

    init(_ task: SessionTask) {
        if case .exec = task { isCommand = true } else { isCommand = false }
    }

    // MARK: the connection

    /// A channel waits for the task to begin.
    mutating func announce(_ id: UInt32) {
        channel = id
    }

    /// Goes on over a new connection. Nil if the offset is none of this task's.
    mutating func attach(_ id: UInt32, offset: UInt64) -> [Action]? {
        if !isReleased, offset > output.endOffset { return nil }
        channel = id
        askedOffset = offset
        return hasBegun ? introduce(id) : []
    }

    mutating func disconnected() {
        channel = nil
        output.disconnected()
    }

    private mutating func introduce(_ id: UInt32) -> [Action] {
        let start = isReleased ? SessionLimit.nothingMore : output.earliest(from: askedOffset)
        let opened = SessionOpened(
            inputOffset: isInputClosed || input.isEnded || isReleased ? SessionLimit.nothingMore : input.received,
            outputOffset: start, controlsSeen: controlsSeen, facts: facts)
        var actions: [Action] = [.send(.opened(channel: id, opened))]
        if let due = input.resumed(), !isInputClosed, !isReleased {
            actions.append(.send(.ack(channel: id, offset: due)))
        }
        // An offset that cannot be was refused before.
        actions += Self.send(id, output.resume(at: start) ?? [])
        if let result { actions.append(.send(.result(channel: id, result))) }
        return actions
    }

    // MARK: messages

    mutating func data(_ name: SessionTaskName, _ offset: UInt64, _ bytes: [UInt8]) -> [Action] {
        if isInputClosed { return [] }
        guard hasBegun, input.takes(offset: offset, count: bytes.count) else {
            return [.broken("input that does not come next")]
        }
        return [.input(name, bytes)]
    }

    mutating func inputEnded(_ name: SessionTaskName, _ offset: UInt64) -> [Action] {
        if isInputClosed || input.isEnded { return [] }
        guard hasBegun, input.takesEnd(offset: offset) else { return [.broken("an end that does not come next")] }
        return [.inputEnded(name)]
    }

    mutating func acknowledged(_ name: SessionTaskName, _ offset: UInt64) -> [Action] {
        guard hasBegun, let channel else { return [.broken("an acknowledgement before the task has begun")] }
        let hadRoom = output.hasRoom
        guard offset != SessionLimit.nothingMore, let outputs = output.acknowledged(offset) else {
            return [.broken("an acknowledgement of nothing")]
        }
        return Self.send(channel, outputs) + (!hadRoom && output.hasRoom ? [.room(name)] : [])
    }

    mutating func control(_ name: SessionTaskName, _ number: UInt32, _ control: SessionControl) -> [Action] {
        guard hasBegun, let channel, number <= controlsSeen + 1 else {
            return [.broken("a control that does not come next")]
        }
        let seen = Action.send(.controlSeen(channel: channel, number: number))
        if number <= controlsSeen { return [seen] }
        controlsSeen = number
        return [.control(name, control), seen]
    }

    /// Nobody wants anything more of it.
    mutating func release() {
        isReleased = true
        channel = nil
        output.disconnected()
        output.close()
        input = SessionReceiver()
        isInputClosed = true
    }

    // MARK: the task

    mutating func began(_ facts: [String: String]) -> [Action] {
        if hasBegun { return [] }
        hasBegun = true
        self.facts = facts
        return channel.map { introduce($0) } ?? []
    }

    mutating func write(_ stream: SessionStream, _ bytes: [UInt8]) -> [Action] {
        let outputs = output.write(stream, bytes)
        return channel.map { Self.send($0, outputs) } ?? []
    }

    mutating func outputEnded() -> [Action] {
        let outputs = output.end()
        return channel.map { Self.send($0, outputs) } ?? []
    }

    mutating func inputConsumed(_ count: Int) -> [Action] {
        inputConsumedOffset += UInt64(count)
        guard !isInputClosed, let due = input.consumed(upTo: inputConsumedOffset), let channel else { return [] }
        return [.send(.ack(channel: channel, offset: due))]
    }

    mutating func inputClosed() -> [Action] {
        if isInputClosed { return [] }
        isInputClosed = true
        guard hasBegun, let channel else { return [] }
        return [.send(.ack(channel: channel, offset: SessionLimit.nothingMore))]
    }

    mutating func ended(_ result: SessionResult) -> [Action] {
        if self.result != nil { return [] }
        var actions = began(facts)
        self.result = result
        if let channel { actions.append(.send(.result(channel: channel, result))) }
        return actions
    }

    private static func send(_ id: UInt32, _ outputs: [SessionSender.Output]) -> [Action] {
        outputs.map {
            switch $0 {
            case .data(let stream, let offset, let bytes):
                .send(.data(channel: id, stream: stream, offset: offset, bytes: bytes))
            case .end(let offset): .send(.end(channel: id, offset: offset))
            }
        }
    }
}
