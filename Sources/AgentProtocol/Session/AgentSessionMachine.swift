/// The agent's end of its boot's session, from the handshake on, as an event machine: it knows neither sockets nor
/// processes, and outlives any number of connections.
///
/// A task's exits: open → gone when it is released, but for a command that goes on, whose result is kept for when it
/// ends; → gone when nobody came back for it (``abandoned()``), in the same way.
package struct AgentSessionMachine: Sendable {
    package enum Action: Equatable, Sendable {
        case send(SessionMessage)
        /// Begin the task; ``began(_:facts:)`` or ``ended(_:_:)`` follows when it is known what became of that.
        case begin(SessionTaskName, SessionTask)
        /// The next bytes of its input; call ``inputConsumed(_:_:)`` as they are taken.
        case input(SessionTaskName, [UInt8])
        case inputEnded(SessionTaskName)
        case control(SessionTaskName, SessionControl)
        /// There is room for output again after there was none.
        case room(SessionTaskName)
        /// Nobody wants anything more of it: its output is dropped, and anything but a command is to end.
        case released(SessionTaskName)
        /// The daemon broke the protocol: close the connection. Nothing else follows in the same list.
        case broken(String)
    }

    private var tasks: [SessionTaskName: AgentSessionTask] = [:]
    private var names: [UInt32: SessionTaskName] = [:]
    /// Results of released commands, the oldest first.
    private var finished: [(name: SessionTaskName, result: SessionResult)] = []
    private var isConnected = false
    private var isStopping = false

    /// How many tasks there may be in all: open ones, and commands that go on though nobody wants their output.
    private static let taskLimit = 512

    package init() {}

    // MARK: the connection

    /// The handshake is done.
    package mutating func connected() {
        isConnected = true
    }

    /// The connection is gone, or gives way to a newer one.
    package mutating func disconnected() {
        isConnected = false
        names = [:]
        for name in tasks.keys { tasks[name]?.disconnected() }
    }

    /// Nobody has come back for ``SessionLimit/abandonedSeconds``.
    package mutating func abandoned() -> [Action] {
        guard !isConnected else { return [] }
        return tasks.keys.sorted { $0.hex < $1.hex }.flatMap { release($0) }
    }

    /// The container is about to end: nothing more is begun.
    package mutating func stopping() {
        isStopping = true
    }

    /// A message arrived. What is about an unknown channel was under way when that was let go.
    package mutating func received(_ message: SessionMessage) -> [Action] {
        guard isConnected else { return [] }
        switch message {
        case .open(let id, let open): return opened(id, open)
        case .data(let id, .input, let offset, let bytes):
            return names[id].flatMap { tasks[$0]?.data($0, offset, bytes) } ?? []
        case .end(let id, let offset): return names[id].flatMap { tasks[$0]?.inputEnded($0, offset) } ?? []
        case .ack(let id, let offset): return names[id].flatMap { tasks[$0]?.acknowledged($0, offset) } ?? []
        case .control(let id, let number, let control):
            return names[id].flatMap { tasks[$0]?.control($0, number, control) } ?? []
        case .release(let id):
            // Said even of a channel that was refused: that was under way when this was sent.
            return (names.removeValue(forKey: id).map { release($0) } ?? []) + [.send(.release(channel: id))]
        case .hello, .challenge, .proof, .opened, .result, .refused, .controlSeen, .data:
            return [.broken("a message that a daemon never sends")]
        }
    }

    // MARK: the tasks

    /// The task has begun: an exec's command has a process, or could not be executed, which its result will tell.
    package mutating func began(_ name: SessionTaskName, facts: [String: String] = [:]) -> [Action] {
        tasks[name]?.began(facts) ?? []
    }

    /// Whether ``output(_:_:_:)`` should be called now; else after `room`. Always, once nobody wants it.
    package func hasRoom(_ name: SessionTaskName) -> Bool { tasks[name]?.output.hasRoom ?? true }

    /// Whether the task is still to be told of: not released, or a command that goes on.
    package func knows(_ name: SessionTaskName) -> Bool { tasks[name] != nil }

    /// More output. Dropped if nobody wants it.
    package mutating func output(_ name: SessionTaskName, _ stream: SessionStream, _ bytes: [UInt8]) -> [Action] {
        tasks[name]?.write(stream, bytes) ?? []
    }

    /// No more output.
    package mutating func outputEnded(_ name: SessionTaskName) -> [Action] {
        tasks[name]?.outputEnded() ?? []
    }

    /// The task has taken so many more bytes of its input.
    package mutating func inputConsumed(_ name: SessionTaskName, _ count: Int) -> [Action] {
        tasks[name]?.inputConsumed(count) ?? []
    }

    /// Nobody reads the task's input any more.
    package mutating func inputClosed(_ name: SessionTaskName) -> [Action] {
        tasks[name]?.inputClosed() ?? []
    }

    /// The task has ended. Its output may still come.
    package mutating func ended(_ name: SessionTaskName, _ result: SessionResult) -> [Action] {
        let actions = tasks[name]?.ended(result) ?? []
        if tasks[name]?.isReleased == true {
            tasks[name] = nil
            keep(name, result)
        }
        return actions
    }

    // MARK: within

    private mutating func opened(_ id: UInt32, _ open: SessionOpen) -> [Action] {
        guard names[id] == nil else { return [.broken("a channel was opened twice")] }
        if let earlier = tasks[open.name]?.channel {
            // The daemon lets a task go by `release` only; a second channel for it is a mistake that must not tear the
            // first one's bytes apart.
            return [.send(.refused(channel: id, SessionRefusal(.refused, "the task is open as channel \(earlier)")))]
        }
        if tasks[open.name] != nil {
            guard let actions = tasks[open.name]?.attach(id, offset: open.offset) else {
                return [.send(.refused(channel: id, SessionRefusal(.refused, "the output has no such offset")))]
            }
            names[id] = open.name
            return actions
        }
        if let known = finished.first(where: { $0.name == open.name }) {
            let opened = SessionOpened(
                inputOffset: SessionLimit.nothingMore, outputOffset: SessionLimit.nothingMore, controlsSeen: 0)
            return [.send(.opened(channel: id, opened)), .send(.result(channel: id, known.result))]
        }
        if open.isKnown || open.offset > 0 { return [.send(.refused(channel: id, SessionRefusal(.unknownTask)))] }
        if isStopping {
            return [.send(.refused(channel: id, SessionRefusal(.refused, "the container is ending")))]
        }
        let openTasks = tasks.values.reduce(0) { $0 + ($1.isReleased ? 0 : 1) }
        guard openTasks < SessionLimit.openTasks, tasks.count < Self.taskLimit else {
            return [.send(.refused(channel: id, SessionRefusal(.busy)))]
        }
        var task = AgentSessionTask(open.task)
        task.announce(id)
        tasks[open.name] = task
        names[id] = open.name
        return [.begin(open.name, open.task)]
    }

    private mutating func release(_ name: SessionTaskName) -> [Action] {
        guard let task = tasks[name] else { return [] }
        if let channel = task.channel { names[channel] = nil }
        if task.isCommand, task.result == nil {
            let isFirst = !task.isReleased
            tasks[name]?.release()
            return isFirst ? [.released(name)] : []
        }
        tasks[name] = nil
        if task.isCommand, let result = task.result { keep(name, result) }
        return [.released(name)]
    }

    private mutating func keep(_ name: SessionTaskName, _ result: SessionResult) {
        finished.append((name, result))
        if finished.count > SessionLimit.keptResults { finished.removeFirst() }
    }
}
