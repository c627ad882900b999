/// One channel of a ``DaemonSessionMachine``.
struct DaemonSessionChannel: Sendable {
    typealias Action = DaemonSessionMachine.Action

    private let name: SessionTaskName
    private let task: SessionTask
    private var output: SessionReceiver
    private(set) var input = SessionSender()
    private let isKnownBefore: Bool
    /// Ever told to the caller.
    private var isOpened = false
    /// On this connection.
    private var isAttached = false
    private(set) var isReleasing = false
    private var isOutputEndTold = false
    private var isResultTold = false
    private var isInputCloseTold = false
    private var lastControl: UInt32 = 0
    /// Not yet seen by the agent, in order.
    var controls: [(number: UInt32, control: SessionControl)] = []

    init(name: SessionTaskName, task: SessionTask, offset: UInt64, isKnown: Bool) {
        self.name = name
        self.task = task
        output = SessionReceiver(offset: offset)
        isKnownBefore = isKnown
    }

    var open: SessionOpen {
        SessionOpen(
            name: name, offset: output.received, isKnown: isOpened || isKnownBefore || isReleasing, task: task)
    }

    mutating func disconnected() {
        isAttached = false
        input.disconnected()
    }

    // MARK: messages

    /// `refused` as the last action: the channel is over.
    mutating func opened(_ id: UInt32, _ opened: SessionOpened) -> [Action] {
        if isReleasing { return [] }
        if isAttached { return [.broken("opened twice")] }
        isAttached = true
        var actions: [Action] = []
        if !isOpened {
            isOpened = true
            actions.append(.opened(channel: id, facts: opened.facts))
            if opened.inputOffset != SessionLimit.nothingMore { input.begin(at: opened.inputOffset) }
            controls = controls.map { ($0.number + opened.controlsSeen, $0.control) }
            lastControl += opened.controlsSeen
            if opened.outputOffset == SessionLimit.nothingMore {
                isOutputEndTold = true
                actions.append(.outputEnded(channel: id))
            } else if opened.outputOffset >= output.received {
                output.skip(to: opened.outputOffset)
            }
        } else if !isOutputEndTold, opened.outputOffset != output.received {
            return [.refused(channel: id, SessionRefusal(.unknownTask, "some of its output is lost"))]
        }
        if !isOutputEndTold, opened.outputOffset < output.received { return [.broken("output that is there already")] }
        if let due = output.resumed() { actions.append(.send(.ack(channel: id, offset: due))) }
        guard let outputs = input.resume(at: opened.inputOffset) else { return [.broken("input that it cannot have")] }
        actions += Self.send(id, outputs)
        actions += tellInputClosed(id)
        controls.removeAll { $0.number <= opened.controlsSeen }
        actions += controls.map { .send(.control(channel: id, number: $0.number, $0.control)) }
        return actions
    }

    mutating func data(_ id: UInt32, _ stream: SessionStream, _ offset: UInt64, _ bytes: [UInt8]) -> [Action] {
        if isReleasing { return [] }
        let frameStream: FrameStream
        switch stream {
        case .stdout: frameStream = .stdout
        case .stderr: frameStream = .stderr
        case .input: return [.broken("input from an agent")]
        }
        guard isAttached, output.takes(offset: offset, count: bytes.count) else {
            return [.broken("data that does not come next")]
        }
        return [.output(channel: id, frameStream, offset: offset, bytes: bytes)]
    }

    mutating func ended(_ id: UInt32, _ offset: UInt64) -> [Action] {
        if isReleasing || isOutputEndTold { return [] }
        guard isAttached, output.takesEnd(offset: offset) else { return [.broken("an end that does not come next")] }
        isOutputEndTold = true
        return [.outputEnded(channel: id)]
    }

    mutating func acknowledged(_ id: UInt32, _ offset: UInt64) -> [Action] {
        if isReleasing { return [] }
        guard isAttached else { return [.broken("an acknowledgement before the task has begun")] }
        let hadRoom = input.hasRoom
        guard let outputs = input.acknowledged(offset) else { return [.broken("an acknowledgement of nothing")] }
        return Self.send(id, outputs) + tellInputClosed(id)
            + (!hadRoom && input.hasRoom ? [.room(channel: id)] : [])
    }

    mutating func result(_ id: UInt32, _ result: SessionResult) -> [Action] {
        if isReleasing || isResultTold { return [] }
        guard isAttached else { return [.broken("a result before the task has begun")] }
        isResultTold = true
        return [.result(channel: id, result)]
    }

    // MARK: the caller

    mutating func write(_ id: UInt32, _ bytes: [UInt8]) -> [Action] {
        isReleasing ? [] : Self.send(id, input.write(.input, bytes))
    }

    mutating func endInput(_ id: UInt32) -> [Action] {
        isReleasing ? [] : Self.send(id, input.end())
    }

    mutating func control(_ id: UInt32, _ control: SessionControl) -> [Action]? {
        if isReleasing { return [] }
        guard controls.count < SessionLimit.unseenControls else { return nil }
        lastControl += 1
        controls.append((lastControl, control))
        return isAttached ? [.send(.control(channel: id, number: lastControl, control))] : []
    }

    mutating func consumed(_ id: UInt32, upTo offset: UInt64) -> [Action] {
        guard let due = output.consumed(upTo: offset), isAttached, !isReleasing else { return [] }
        return [.send(.ack(channel: id, offset: due))]
    }

    mutating func release() {
        isReleasing = true
        input.close()
        controls = []
    }

    private mutating func tellInputClosed(_ id: UInt32) -> [Action] {
        guard input.isClosed, !input.isEnded, !isInputCloseTold else { return [] }
        isInputCloseTold = true
        return [.inputClosed(channel: id)]
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
