import AgentProtocol
import Glibc
import NIOCore

/// The shell around the agent's end of its session: the current connection, and what its tasks do. Lives on the event
/// loop only.
final class AgentSessions {
    let secret: AgentSecret
    let boot: BootID
    let eventLoop: any EventLoop
    private var machine = AgentSessionMachine()
    private var works: [SessionTaskName: any SessionWork] = [:]
    private var commands: [pid_t: ExecWork] = [:]
    private var socket: SessionSocket?
    private var abandonTimer: Scheduled<Void>?
    /// What is still to be done, in order: an action may lead to others.
    private var actions: [AgentSessionMachine.Action] = []
    private var isPerforming = false
    private let threads = FileThreads()
    /// By the clock that the kernel stamps files with.
    private let startedAt = Clocks.fileNanoseconds()

    init(secret: AgentSecret, boot: BootID, eventLoop: any EventLoop) {
        self.secret = secret
        self.boot = boot
        self.eventLoop = eventLoop
    }

    // MARK: the connection

    /// A connection whose other end has proved itself takes the place of the one before.
    func established(_ newer: SessionSocket) {
        abandonTimer?.cancel()
        abandonTimer = nil
        if let socket {
            self.socket = nil
            machine.disconnected()
            socket.close()
        }
        socket = newer
        machine.connected()
    }

    func received(_ message: SessionMessage, from sender: SessionSocket) {
        guard sender === socket else { return }
        perform(machine.received(message))
    }

    func closed(_ old: SessionSocket) {
        guard old === socket else { return }
        socket = nil
        machine.disconnected()
        abandonTimer = eventLoop.assumeIsolated().scheduleTask(
            in: .seconds(Int64(SessionLimit.abandonedSeconds))
        ) { [weak self] in
            guard let self else { return }
            perform(machine.abandoned())
        }
    }

    // MARK: the container

    /// A child of the agent has ended. It is told before it is reaped.
    func processEnded(_ pid: pid_t, exitCode: Int) {
        commands.removeValue(forKey: pid)?.processEnded(exitCode: exitCode)
    }

    /// The run is over, and every command beside it with it, as in Docker. Process 1 has killed them already.
    func runEnded() {
        if getpid() == 1 { return }
        for pid in commands.keys { kill(-pid, SIGKILL) }
    }

    /// The container is about to end.
    func stopping() {
        machine.stopping()
    }

    func started(_ command: ExecWork, pid: pid_t) {
        commands[pid] = command
    }

    // MARK: the tasks

    func hasRoom(_ name: SessionTaskName) -> Bool { machine.hasRoom(name) }

    func began(_ name: SessionTaskName, _ facts: [String: String]) {
        perform(machine.began(name, facts: facts))
    }

    func output(_ name: SessionTaskName, _ stream: SessionStream, _ bytes: [UInt8]) {
        perform(machine.output(name, stream, bytes))
    }

    func outputEnded(_ name: SessionTaskName) {
        perform(machine.outputEnded(name))
    }

    func inputConsumed(_ name: SessionTaskName, _ count: Int) {
        perform(machine.inputConsumed(name, count))
    }

    func inputClosed(_ name: SessionTaskName) {
        perform(machine.inputClosed(name))
    }

    func ended(_ name: SessionTaskName, _ result: SessionResult) {
        perform(machine.ended(name, result))
        if !machine.knows(name) { works[name] = nil }
    }

    private func perform(_ more: [AgentSessionMachine.Action]) {
        actions += more
        if isPerforming { return }
        isPerforming = true
        defer { isPerforming = false }
        var next = 0
        while next < actions.count {
            perform(actions[next])
            next += 1
            if next == actions.count {
                // Not one by one: that would move the rest each time.
                actions.removeAll(keepingCapacity: true)
                next = 0
            }
        }
        socket?.flush()
    }

    private func perform(_ action: AgentSessionMachine.Action) {
        switch action {
        case .send(let message): socket?.send(message)
        case .begin(let name, let task):
            let work = work(task, SessionTaskSide(name: name, sessions: self))
            works[name] = work
            work.start()
        case .input(let name, let bytes): works[name]?.input(bytes)
        case .inputEnded(let name): works[name]?.inputEnded()
        case .control(let name, let control): works[name]?.control(control)
        case .room(let name): works[name]?.roomForOutput()
        case .released(let name):
            let work = machine.knows(name) ? works[name] : works.removeValue(forKey: name)
            work?.released()
        case .broken: socket?.close()
        }
    }

    private func work(_ task: SessionTask, _ side: SessionTaskSide) -> any SessionWork {
        switch task {
        case .exec(let request): ExecWork(request, side, sessions: self)
        case .stat(let path): StatWork(side, path: path)
        case .archive(let path):
            producing(side) {
                let status = try PathStatus(Array(path.utf8))
                let source = try ArchiveSource(.path(status))
                return (status.facts, { try source.next() })
            }
        case .export:
            producing(side) {
                let source = try ArchiveSource(.root)
                return ([:], { try source.next() })
            }
        case .changes:
            producing(side) { [startedAt] in
                let scan = try ChangeScan(sinceNanoseconds: startedAt)
                return ([:], { scan.next() })
            }
        case .extract(let path, let keepsKinds, let copiesOwners):
            ExtractWork(side, threads: threads, eventLoop: eventLoop) {
                try Extraction(path: Array(path.utf8), keepsKinds: keepsKinds, copiesOwners: copiesOwners)
            }
        case .processes(let arguments):
            producing(side) {
                let list = try ProcessList(arguments: arguments)
                var text: [UInt8]? = Array(list.text(hiding: Int(getpid())).utf8)
                return (
                    [:],
                    {
                        defer { text = nil }
                        return text
                    }
                )
            }
        case .stats(let once): StatsWork(side, once: once, eventLoop: eventLoop)
        }
    }

    private func producing(
        _ side: SessionTaskSide, begin: @escaping () throws -> (facts: [String: String], next: ProducingWork.Next)
    ) -> ProducingWork {
        ProducingWork(side, threads: threads, eventLoop: eventLoop, begin: begin)
    }
}
