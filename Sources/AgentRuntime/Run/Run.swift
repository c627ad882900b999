import AgentProtocol
import Glibc
import NIOCore
import NIOPosix

/// One run: the shell around its machines. It owns the pipes, the spool and the timers, and answers who waits. Lives on
/// the event loop only.
final class Run: CommandReader {
    private let token: RunToken
    private let request: RunRequest
    private let eventLoop: any EventLoop
    private var machine: RunMachine
    private var input: InputMachine
    private var spool: Spool
    private let console: Console?
    /// Nil without a console, and when the output is over.
    private var consoleCopy: ConsoleCopy?
    private let boundBytes: Int
    private let startedAtNanoseconds = Clocks.wallNanoseconds()
    /// Called once, when the report has become final.
    private let onEnd: () -> Void

    /// Nil before the fork, and if there was none.
    private(set) var pid: pid_t?
    private var timers: [RunMachine.Timer: Scheduled<Void>] = [:]
    /// What reads the output and the child's status.
    private var readingChannels: [any Channel] = []
    private var inputChannel: (any Channel)?
    private(set) var terminal: Terminal?
    private var polls: [Poll] = []
    private var inputsInFlight = 0

    private struct Poll {
        let offset: UInt64
        let waiting: Waiting
    }

    /// How far a reader has confirmed to have come, and when there last was one, asking or waiting (monotonic).
    private var confirmedOffset: UInt64 = 0
    private var readerSeenNanoseconds: UInt64?
    private var pausedOutputs: [OutputPipeHandler] = []
    private var resumeTimer: Scheduled<Void>?
    /// A reader was given the final report and all output before it.
    private(set) var isDelivered = false
    /// Called when that happens.
    var onDelivery: (() -> Void)?
    private var knownCallbacks: [() -> Void] = []

    /// A reader that asks this often is one to wait for: the command's writes block rather than output being dropped.
    static let readerPatienceNanoseconds: UInt64 = 10_000_000_000
    /// Of the agent that has started the command; `nil` before.
    private var boot: BootID?
    /// How many stdin requests may wait at once; each may hold 8 MiB.
    static let inputLimit = 16

    /// - Parameter console: where the output is copied to.
    init(
        _ request: RunRequest, token: RunToken, spoolBytes: Int, console: Console?, eventLoop: any EventLoop,
        onEnd: @escaping () -> Void
    ) {
        self.request = request
        self.token = token
        self.console = console
        consoleCopy = console.map { ConsoleCopy($0, token: token) }
        self.eventLoop = eventLoop
        self.onEnd = onEnd
        boundBytes = spoolBytes
        spool = Spool(boundBytes: spoolBytes)
        machine = RunMachine(
            timeoutSeconds: request.timeoutSeconds, outputs: request.terminal == nil ? 2 : 1)
        input = InputMachine(isOpen: request.opensStdin)
    }

    /// Starts the command. What goes wrong becomes the report.
    func start(boot: BootID) {
        do throws(CommandProcess.Failure) {
            let process = try CommandProcess.start(
                request, createsDirectory: true, logLine: "skls-agent: exec token=\(token) boot=\(boot)\n")
            self.boot = boot
            terminal = process.terminal
            pid = process.pid
            perform(machine.spawned(nowNanoseconds: Clocks.monotonicNanoseconds()))
            openPipes(process)
        } catch {
            fail(error.exitCode, error.message)
            becomeKnown()
        }
    }

    /// Calls back once it is known whether the command could be executed: at once if it is.
    func whenKnown(_ callback: @escaping () -> Void) {
        if machine.isStarting { knownCallbacks.append(callback) } else { callback() }
    }

    private func becomeKnown() {
        let callbacks = knownCallbacks
        knownCallbacks = []
        for callback in callbacks { callback() }
    }

    var isStarting: Bool { machine.isStarting }
    var isOver: Bool { machine.outcome != nil }
    var takesSignals: Bool { machine.takesSignals }

    func report(offset: UInt64) -> RunReport {
        let outcome = machine.outcome
        return RunReport(
            state: outcome?.state ?? .running, exitCode: outcome?.exitCode, message: outcome?.message,
            reason: machine.reason, startedAtNanoseconds: startedAtNanoseconds,
            finishedAtNanoseconds: outcome?.finishedAtNanoseconds, offset: offset, end: spool.endOffset)
    }

    // MARK: events of the process

    func processEnded(exitCode: Int) {
        terminal?.commandEnded()
        perform(
            machine.processEnded(
                exitCode: exitCode, nowNanoseconds: Clocks.monotonicNanoseconds(),
                wallNanoseconds: Clocks.wallNanoseconds()))
    }

    func signal(_ number: Int32) {
        perform(machine.signalAsked(number))
    }

    func stop(_ number: Int32, graceNanoseconds: UInt64) {
        perform(
            machine.stopAsked(
                number, graceNanoseconds: graceNanoseconds, nowNanoseconds: Clocks.monotonicNanoseconds()))
    }

    func statusRead(_ failure: Native.Failure?) {
        if let failure {
            let (exitCode, message) = CommandPlan.explain(failure, request: request)
            fail(exitCode, message)
        } else {
            perform(machine.executed())
        }
        becomeKnown()
    }

    func outputRead(_ stream: FrameStream, _ bytes: ByteBuffer) {
        var bytes = bytes
        let now = Clocks.wallNanoseconds()
        // Line and frame have the same time, by which a daemon that has both knows what it has.
        consoleCopy?.add(stream, bytes.readableBytesView, at: now)
        while let payload = bytes.readSlice(length: min(bytes.readableBytes, AgentLimit.framePayloadBytes)),
            payload.readableBytes > 0
        {
            spool.append(stream, payload, timestampNanoseconds: now)
        }
    }

    func outputReadComplete(_ output: OutputPipeHandler) {
        answerPolls()
        if let wait = readerWaitNanoseconds() {
            pausedOutputs.append(output)
            if resumeTimer == nil {
                resumeTimer = eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(Int64(wait))) { [weak self] in
                    self?.resumeTimer = nil
                    self?.resumeOutputs()
                }
            }
        } else {
            output.read()
        }
    }

    func outputClosed() {
        perform(machine.outputEnded())
    }

    private func fail(_ exitCode: Int, _ message: String) {
        terminal?.commandEnded()
        perform(
            machine.executionFailed(
                exitCode: exitCode, message: message, wallNanoseconds: Clocks.wallNanoseconds()))
    }

    // MARK: reading

    /// Answers with state and output from an offset on: at once if there is anything new, or after up to `wait`.
    func read(offset: UInt64, wait: TimeAmount, waiting: Waiting) {
        readerSeenNanoseconds = Clocks.monotonicNanoseconds()
        confirmedOffset = max(confirmedOffset, min(offset, spool.endOffset))
        if offset > spool.endOffset {
            waiting.send(.badRequest("offset is behind the end"))
        } else if isOver || offset < spool.endOffset || wait == .zero {
            answer(Poll(offset: offset, waiting: waiting))
        } else {
            polls.removeAll { $0.waiting.isAnswered }
            polls.append(Poll(offset: offset, waiting: waiting))
            waiting.limit(to: wait, on: eventLoop) { [report = self.report(offset: offset)] in
                // Nothing has happened, or it would have been answered.
                AgentReply(status: 200, headers: report.headers)
            }
        }
        resumeOutputs()
    }

    private func answerPolls() {
        polls.removeAll { $0.waiting.isAnswered }
        // Who was waiting just now is about to ask for the rest.
        if !polls.isEmpty { readerSeenNanoseconds = Clocks.monotonicNanoseconds() }
        let ready = polls.filter { isOver || $0.offset < spool.endOffset }
        polls.removeAll { isOver || $0.offset < spool.endOffset }
        for poll in ready { answer(poll) }
    }

    private func answer(_ poll: Poll) {
        guard let (offset, frames) = spool.read(from: poll.offset) else {
            poll.waiting.send(.badRequest("offset is not between two frames"))
            return
        }
        let report = report(offset: offset)
        let isFinal = report.isOver(at: offset + UInt64(frames.readableBytes))
        poll.waiting.send(
            AgentReply(status: 200, headers: report.headers, body: frames) { [weak self] in
                guard isFinal, let self else { return }
                isDelivered = true
                onDelivery?()
            })
    }

    /// Output that nobody will ask for any more makes room for a later run's.
    func dropOutput() {
        spool.clear()
    }

    /// How long to leave the pipes alone; nil to read on. A command may write faster than a reader reads: as long as one
    /// is there, it is made to wait as by any slow reader. Half of the bound is left for what is in flight.
    private func readerWaitNanoseconds() -> UInt64? {
        guard spool.endOffset - confirmedOffset > UInt64(boundBytes / 2), let readerSeenNanoseconds else { return nil }
        let now = Clocks.monotonicNanoseconds()
        let until = readerSeenNanoseconds + Self.readerPatienceNanoseconds
        return until > now ? until - now : nil
    }

    private func resumeOutputs() {
        guard !pausedOutputs.isEmpty, readerWaitNanoseconds() == nil else { return }
        resumeTimer?.cancel()
        resumeTimer = nil
        let paused = pausedOutputs
        pausedOutputs = []
        for output in paused { output.read() }
    }

    // MARK: input

    /// Takes bytes for the command's stdin, and answers once its pipe has them.
    func write(offset: UInt64, bytes: ByteBuffer, endOfInput: Bool, waiting: Waiting) {
        if inputsInFlight >= Self.inputLimit {
            waiting.send(.conflict(.busy))
            return
        }
        let count = bytes.readableBytes
        switch input.arrived(offset: offset, count: count, endOfInput: endOfInput) {
        case .done: waiting.send(AgentReply(status: 200))
        case .ended: waiting.send(AgentReply(status: 410))
        case .gap:
            waiting.send(AgentReply(status: 409, headers: [(AgentHeader.stdinOffset, String(input.acceptedOffset))]))
        case .write(let skipping, let closing):
            guard let channel = inputChannel else {
                waiting.send(AgentReply(status: 410))
                return
            }
            inputsInFlight += 1
            waiting.limit(to: .seconds(Int64(AgentLimit.waitSeconds)), on: eventLoop) { [weak self] in
                AgentReply(status: 503, headers: [(AgentHeader.stdinOffset, String(self?.input.acceptedOffset ?? 0))])
            }
            var rest = bytes
            rest.moveReaderIndex(forwardBy: skipping)
            let end = offset + UInt64(count)
            channel.writeAndFlush(rest).assumeIsolated().whenComplete { [self] result in
                inputsInFlight -= 1
                switch result {
                case .success:
                    input.wrote(upTo: end, closing: closing)
                    // A terminal has no end of input, only a character that stands for it, which is not ours to type.
                    if closing, terminal == nil { channel.close(promise: nil) }
                    waiting.send(AgentReply(status: 200))
                case .failure:
                    input.pipeClosed()
                    waiting.send(AgentReply(status: 410))
                }
            }
        }
    }

    // MARK: the shell

    private func perform(_ actions: [RunMachine.Action]) {
        for action in actions {
            switch action {
            case .signal(let number): if let pid { kill(pid, number) }
            case .killAll: killAll()
            case .startTimer(let timer, let at):
                timers[timer]?.cancel()
                timers[timer] = eventLoop.assumeIsolated().scheduleTask(
                    deadline: .uptimeNanoseconds(at)
                ) { [weak self] in
                    guard let self else { return }
                    perform(machine.timerFired(timer, nowNanoseconds: Clocks.monotonicNanoseconds()))
                }
            case .cancelTimer(let timer): timers.removeValue(forKey: timer)?.cancel()
            case .closeOutputs: for channel in readingChannels { channel.close(promise: nil) }
            case .announceEnd:
                consoleCopy?.finish(at: Clocks.wallNanoseconds())
                consoleCopy = nil
                logEnd()
                resumeTimer?.cancel()
                inputChannel?.close(promise: nil)
                terminal = nil
                answerPolls()
                onEnd()
            }
        }
    }

    /// Into the container's log, which outlives the container: what the daemon goes by if it never hears of the end.
    private func logEnd() {
        guard let boot, let outcome = machine.outcome, outcome.state == .exited else { return }
        let line = Array("skls-agent: exit token=\(token) boot=\(boot) code=\(outcome.exitCode)\n".utf8)
        // Behind the output that waits for the console: it may be slow, and nobody waits for it here.
        if let console, !console.isIdle {
            _ = console.write(line, to: STDERR_FILENO, isUrgent: true)
            return
        }
        // A log that takes nothing is no reason to withhold the end from who asks for it.
        _ = Glibc.write(STDERR_FILENO, line, line.count)
    }

    /// Process 1 may kill everything that is in its container; elsewhere it is the command's group, so that nothing
    /// else on the machine is hit.
    private func killAll() {
        if getpid() == 1 {
            kill(-1, SIGKILL)
        } else if let pid {
            kill(-pid, SIGKILL)
        }
    }

    private func openPipes(_ process: CommandProcess) {
        open(StatusPipeHandler(reader: self), reading: process.status) { [weak self] in self?.statusRead(nil) }
        for (stream, descriptor) in [(FrameStream.stdout, process.stdout), (.stderr, process.stderr)] {
            guard let descriptor else { continue }
            open(OutputPipeHandler(stream: stream, reader: self), reading: descriptor) { [weak self] in
                self?.outputClosed()
            }
        }
        guard let descriptor = process.stdin else { return }
        CommandPipes.write(descriptor, on: eventLoop) { [weak self] channel in
            guard let channel else {
                self?.input.pipeClosed()
                return
            }
            self?.inputChannel = channel
            channel.closeFuture.assumeIsolated().whenComplete { [weak self] _ in self?.input.pipeClosed() }
        }
    }

    private func open(_ handler: some ChannelInboundHandler, reading descriptor: Int32, failed: @escaping () -> Void) {
        CommandPipes.read(
            descriptor, with: handler, on: eventLoop, opened: { [weak self] in self?.readingChannels.append($0) },
            failed: failed)
    }
}
