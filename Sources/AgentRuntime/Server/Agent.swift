import AgentProtocol
import Glibc
import NIOCore

/// The agent itself: one boot id, the runs it was given, and what each request means. Lives on the event loop only.
final class Agent {
    static let version = "1"

    let boot = BootID.random()
    let secret: AgentSecret
    private let spoolBytes: Int
    /// Nil if output is not copied to it.
    private let console: Console?
    private let eventLoop: any EventLoop
    private let onExit: () -> Void
    let sessions: AgentSessions

    private var runs: [RunToken: Run] = [:]
    /// The last ones, whose output is kept.
    private var recent: [Run] = []
    private var current: Run?
    private var waitingInputs: [RunToken: [WaitingInput]] = [:]
    private var isStopping = false
    private var hasExited = false
    private let dialer: CallbackDialer?

    private struct WaitingInput {
        let offset: UInt64
        let bytes: ByteBuffer
        let endOfInput: Bool
        let waiting: Waiting
    }

    /// Of how many runs the output is kept; each takes up to the spool's bound.
    private static let keptOutputs = 4
    /// From TERM to KILL when the platform ends the container. Azure gives 5 s after SIGTERM unless told otherwise
    /// (Azure App Service docs, reference-app-settings, WEBSITES_CONTAINER_STOP_TIME_LIMIT, read 2026-02).
    private static let exitGraceNanoseconds: UInt64 = 4_000_000_000
    /// How long readers may fetch the rest after that.
    private static let lastReads = TimeAmount.seconds(1)
    /// Half a second for the last lines.
    private static let lastConsoleLooks = 50
    private static let consolePause = TimeAmount.milliseconds(10)
    private static let longestGraceSeconds: UInt64 = 3_153_600_000

    /// - Parameter onExit: called once, when the agent was told to end and has nothing left to do.
    init(configuration: AgentConfiguration, eventLoop: any EventLoop, onExit: @escaping () -> Void) {
        secret = configuration.secret
        spoolBytes = configuration.spoolBytes
        console = configuration.copiesOutput ? Console() : nil
        self.eventLoop = eventLoop
        self.onExit = onExit
        let sessions = AgentSessions(secret: configuration.secret, boot: boot, eventLoop: eventLoop)
        self.sessions = sessions
        dialer = configuration.callback.map { CallbackDialer($0, sessions: sessions, eventLoop: eventLoop) }
    }

    // MARK: requests

    /// Carries out a request that was proved to be the daemon's, in this boot.
    func handle(_ request: AgentRequest, _ waiting: Waiting) {
        guard request.path.count >= 3, request.path[0] == "skls", request.path[1] == "v1" else {
            waiting.send(.unknown)
            return
        }
        switch (request.verb, request.path[2], request.path.count) {
        case (.get, "hello", 3): waiting.send(hello)
        case (_, "runs", 4...5):
            guard let token = RunToken(String(request.path[3])) else {
                waiting.send(.unknown)
                return
            }
            handle(request, token: token, action: request.path.count > 4 ? request.path[4] : nil, waiting)
        default: waiting.send(.unknown)
        }
    }

    /// What the agent says of itself: to hello, and to whoever took it for another life.
    var hello: AgentReply {
        AgentReply(status: 200, headers: [(AgentHeader.version, Self.version)])
    }

    private func handle(_ request: AgentRequest, token: RunToken, action: Substring?, _ waiting: Waiting) {
        switch (request.verb, action) {
        case (.post, nil): startRun(token, request.body, waiting)
        case (.get, nil):
            guard let offset = number(request, "offset", default: 0), let wait = number(request, "wait", default: 0)
            else {
                waiting.send(.badRequest("offset and wait are numbers"))
                return
            }
            guard let run = runs[token] else {
                waiting.send(.unknown)
                return
            }
            run.read(
                offset: offset, wait: .seconds(Int64(min(wait, UInt64(AgentLimit.waitSeconds)))), waiting: waiting)
        case (.post, "stdin"): takeInput(token, request, waiting)
        case (.post, "resize"): resize(token, request, waiting)
        case (.post, "signal"), (.post, "stop"): signal(token, request, isStop: action == "stop", waiting)
        default: waiting.send(.unknown)
        }
    }

    private func startRun(_ token: RunToken, _ body: ByteBuffer, _ waiting: Waiting) {
        if let run = runs[token] {
            waiting.send(AgentReply(status: 202, headers: run.report(offset: 0).headers))
            return
        }
        if isStopping {
            waiting.send(.conflict(.stopping))
            return
        }
        if current != nil {
            waiting.send(.conflict(.busy))
            return
        }
        let request: RunRequest
        do throws(RunRequestError) {
            request = try body.withUnsafeReadableBytes { (bytes) throws(RunRequestError) in
                try RunRequest(decoding: bytes)
            }
        } catch {
            waiting.send(.badRequest(error.description))
            return
        }
        let run = Run(
            request, token: token, spoolBytes: spoolBytes, console: console, eventLoop: eventLoop
        ) { [weak self] in
            self?.runEnded()
        }
        runs[token] = run
        current = run
        recent.append(run)
        if recent.count > Self.keptOutputs { recent.removeFirst().dropOutput() }
        run.start(boot: boot)
        waiting.limit(to: .seconds(Int64(AgentLimit.waitSeconds)), on: eventLoop) {
            AgentReply(status: 202, headers: run.report(offset: 0).headers)
        }
        run.whenKnown { [weak self] in
            waiting.send(AgentReply(status: 202, headers: run.report(offset: 0).headers))
            self?.childrenEnded()
        }
        for input in waitingInputs.removeValue(forKey: token) ?? [] where !input.waiting.isAnswered {
            run.write(offset: input.offset, bytes: input.bytes, endOfInput: input.endOfInput, waiting: input.waiting)
        }
    }

    private func takeInput(_ token: RunToken, _ request: AgentRequest, _ waiting: Waiting) {
        guard let offset = number(request, "offset", default: nil) else {
            waiting.send(.badRequest("offset is a number"))
            return
        }
        let endOfInput = request.query["eof"] == "1"
        if let run = runs[token] {
            run.write(offset: offset, bytes: request.body, endOfInput: endOfInput, waiting: waiting)
            return
        }
        waitingInputs = waitingInputs.compactMapValues { inputs in
            let open = inputs.filter { !$0.waiting.isAnswered }
            return open.isEmpty ? nil : open
        }
        guard waitingInputs.values.reduce(0, { $0 + $1.count }) < Run.inputLimit else {
            waiting.send(.conflict(.busy))
            return
        }
        waiting.limit(to: .seconds(Int64(AgentLimit.waitSeconds)), on: eventLoop) { .unknown }
        waitingInputs[token, default: []].append(
            WaitingInput(offset: offset, bytes: request.body, endOfInput: endOfInput, waiting: waiting))
    }

    private func resize(_ token: RunToken, _ request: AgentRequest, _ waiting: Waiting) {
        guard let rows = request.query["h"].flatMap({ UInt16($0) }),
            let columns = request.query["w"].flatMap({ UInt16($0) })
        else {
            waiting.send(.badRequest("h and w are numbers up to 65535"))
            return
        }
        guard let run = reachableRun(token, waiting) else { return }
        guard let terminal = run.terminal else {
            waiting.send(.badRequest("the run has no terminal"))
            return
        }
        terminal.resize(to: TerminalSize(rows: rows, columns: columns))
        waiting.send(AgentReply(status: 200))
    }

    private func signal(_ token: RunToken, _ request: AgentRequest, isStop: Bool, _ waiting: Waiting) {
        guard let signal = (request.query["signal"] ?? (isStop ? "TERM" : nil)).flatMap(Signal.number) else {
            waiting.send(.badRequest("unknown signal"))
            return
        }
        guard let grace = number(request, "grace", default: 10), grace <= Self.longestGraceSeconds else {
            waiting.send(.badRequest("grace is a number of seconds"))
            return
        }
        guard let run = reachableRun(token, waiting) else { return }
        if isStop {
            run.stop(signal, graceNanoseconds: grace * 1_000_000_000)
        } else {
            run.signal(signal)
        }
        waiting.send(AgentReply(status: 200))
    }

    /// A run whose command can be reached; else the request is answered.
    private func reachableRun(_ token: RunToken, _ waiting: Waiting) -> Run? {
        guard let run = runs[token] else {
            waiting.send(.unknown)
            return nil
        }
        guard run.takesSignals else {
            waiting.send(AgentReply(status: 410))
            return nil
        }
        return run
    }

    /// A query field; its default if it is missing, nil if it is no number.
    private func number(_ request: AgentRequest, _ name: Substring, default missing: UInt64?) -> UInt64? {
        request.query[name].map { UInt64($0) } ?? missing
    }

    // MARK: life

    /// The agent listens.
    func started() {
        dialer?.dial()
    }

    /// Children have ended: tells the run about its own, and reaps them all.
    func childrenEnded() {
        while true {
            var information = siginfo_t()
            guard waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT) == 0 else { return }
            let child = information._sifields._sigchld
            guard child.si_pid > 0 else { return }
            // The code, or as a shell tells it: 128 + n for signal n.
            let isExit = information.si_code == CLD_EXITED
            let exitCode = Int(isExit ? child.si_status & 0xff : 128 + child.si_status)
            if let run = current, run.pid == child.si_pid {
                // Looked at again as soon as that is known.
                if run.isStarting { return }
                run.processEnded(exitCode: exitCode)
                sessions.runEnded()
            } else {
                sessions.processEnded(child.si_pid, exitCode: exitCode)
            }
            waitpid(child.si_pid, nil, 0)
        }
    }

    /// The platform ends the container: ends the run, lets readers fetch the rest, then exits.
    func terminationAsked() {
        if isStopping { return }
        isStopping = true
        sessions.stopping()
        guard let current else { return finish() }
        current.stop(Signal.terminate, graceNanoseconds: Self.exitGraceNanoseconds)
    }

    private func runEnded() {
        current = nil
        if isStopping { finish() }
    }

    private func finish() {
        guard let last = recent.last, !last.isDelivered else { return exit() }
        last.onDelivery = { [weak self] in self?.exit() }
        eventLoop.assumeIsolated().scheduleTask(in: Self.lastReads) { [weak self] in self?.exit() }
    }

    private func exit() {
        if hasExited { return }
        hasExited = true
        exit(consoleLooks: Self.lastConsoleLooks)
    }

    /// Once the console has taken what waits for it, or for so many looks longer.
    private func exit(consoleLooks: Int) {
        guard let console, !console.isIdle, consoleLooks > 0 else { return onExit() }
        eventLoop.assumeIsolated().scheduleTask(in: Self.consolePause) { [self] in exit(consoleLooks: consoleLooks - 1)
        }
    }
}
