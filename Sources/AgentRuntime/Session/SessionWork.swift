import AgentProtocol

/// What one task of a session does. Everything is called on the event loop, after ``start()``.
protocol SessionWork: AnyObject {
    /// Begins. What goes wrong is told as the task's result.
    func start()
    /// The next bytes of input; ``SessionTaskSide/inputConsumed(_:)`` is to follow as they are taken.
    func input(_ bytes: [UInt8])
    func inputEnded()
    func control(_ control: SessionControl)
    /// There is room for output again.
    func roomForOutput()
    /// Nobody wants anything more: output goes nowhere from now on. Anything but a command has to end.
    func released()
}

extension SessionWork {
    func input(_ bytes: [UInt8]) {}
    func inputEnded() {}
    func control(_ control: SessionControl) {}
    func roomForOutput() {}
    func released() {}
}

/// A task's way to tell what becomes of it.
struct SessionTaskSide {
    let name: SessionTaskName
    private let sessions: Weak

    private struct Weak {
        weak var sessions: AgentSessions?
    }

    init(name: SessionTaskName, sessions: AgentSessions) {
        self.name = name
        self.sessions = Weak(sessions: sessions)
    }

    /// Whether more output should be made now; else after ``SessionWork/roomForOutput()``.
    var hasRoom: Bool { sessions.sessions?.hasRoom(name) ?? true }

    func began(_ facts: [String: String] = [:]) { sessions.sessions?.began(name, facts) }
    func output(_ stream: SessionStream, _ bytes: [UInt8]) { sessions.sessions?.output(name, stream, bytes) }
    func outputEnded() { sessions.sessions?.outputEnded(name) }
    func inputConsumed(_ count: Int) { sessions.sessions?.inputConsumed(name, count) }
    func inputClosed() { sessions.sessions?.inputClosed(name) }
    func ended(_ result: SessionResult) { sessions.sessions?.ended(name, result) }
}
