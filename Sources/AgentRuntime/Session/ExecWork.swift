import AgentProtocol
import Glibc
import NIOCore

/// A command beside the run.
///
/// It is in the container's one process space, so what ends that ends it too: the run's end kills it as it kills
/// everything, with 137, as Docker does.
final class ExecWork: SessionWork, CommandReader {
    private let request: RunRequest
    private let side: SessionTaskSide
    private weak var sessions: AgentSessions?
    private let eventLoop: any EventLoop
    private var pid: pid_t?
    private var terminal: Terminal?

    private var isKnown = false
    /// Of a process that ended before it was known whether it had become the command.
    private var earlyExitCode: Int?
    private var hasEnded = false
    private var heldSignals: [Int32] = []

    private var openOutputs = 0
    private var readingChannels: [any Channel] = []
    private var pausedOutputs: [OutputPipeHandler] = []
    private var drainTimer: Scheduled<Void>?

    private var inputChannel: (any Channel)?
    /// Arrived before the channel was there.
    private var earlyInput: [[UInt8]] = []
    private var pendingWrites = 0
    private var isInputEnded = false

    /// As ``RunMachine/drainNanoseconds``: an exec that left a process behind, which keeps its pipe open, is over.
    private static let drain = TimeAmount.nanoseconds(Int64(RunMachine.drainNanoseconds))

    init(_ request: ExecRequest, _ side: SessionTaskSide, sessions: AgentSessions) {
        self.request = RunRequest(request)
        self.side = side
        self.sessions = sessions
        eventLoop = sessions.eventLoop
    }

    func start() {
        do throws(CommandProcess.Failure) {
            let process = try CommandProcess.start(request, createsDirectory: false, logLine: "")
            pid = process.pid
            terminal = process.terminal
            sessions?.started(self, pid: process.pid)
            openPipes(process)
        } catch {
            failed(error.exitCode, error.message)
        }
    }

    private func openPipes(_ process: CommandProcess) {
        open(StatusPipeHandler(reader: self), reading: process.status) { [weak self] in self?.statusRead(nil) }
        for (stream, descriptor) in [(FrameStream.stdout, process.stdout), (.stderr, process.stderr)] {
            guard let descriptor else { continue }
            openOutputs += 1
            open(OutputPipeHandler(stream: stream, reader: self), reading: descriptor) { [weak self] in
                self?.outputClosed()
            }
        }
        guard let descriptor = process.stdin else { return }
        CommandPipes.write(descriptor, on: eventLoop) { [weak self] channel in
            guard let self else { return }
            guard let channel else {
                side.inputClosed()
                return
            }
            inputChannel = channel
            channel.closeFuture.assumeIsolated().whenComplete { [weak self] _ in
                guard let self else { return }
                inputChannel = nil
                if !isInputEnded { side.inputClosed() }
            }
            let early = earlyInput
            earlyInput = []
            for bytes in early { write(bytes, to: channel) }
            endInputIfWritten()
        }
    }

    private func open(_ handler: some ChannelInboundHandler, reading descriptor: Int32, failed: @escaping () -> Void) {
        CommandPipes.read(
            descriptor, with: handler, on: eventLoop, opened: { [weak self] in self?.readingChannels.append($0) },
            failed: failed)
    }

    // MARK: its process

    func statusRead(_ failure: Native.Failure?) {
        if isKnown { return }
        isKnown = true
        if let failure {
            let (exitCode, message) = CommandPlan.explain(failure, request: request)
            failed(exitCode, message)
            return
        }
        side.began(pid.map { [ExecFact.pid: String($0)] } ?? [:])
        if !request.opensStdin { side.inputClosed() }
        if let pid { for signal in heldSignals { kill(pid, signal) } }
        if let earlyExitCode { processEnded(exitCode: earlyExitCode) }
    }

    /// A process that could not become the command is reaped like any other.
    func processEnded(exitCode: Int) {
        guard isKnown else {
            earlyExitCode = exitCode
            return
        }
        if hasEnded { return }
        hasEnded = true
        terminal?.commandEnded()
        side.ended(SessionResult(exitCode: exitCode))
        if openOutputs > 0 { startDrainTimer() } else { finish() }
    }

    private func failed(_ exitCode: Int, _ message: String) {
        if hasEnded { return }
        hasEnded = true
        isKnown = true
        terminal?.commandEnded()
        side.ended(
            SessionResult(exitCode: exitCode, failure: exitCode == 127 ? .notFound : .notPermitted, message: message))
        if openOutputs == 0 { finish() }
    }

    func control(_ control: SessionControl) {
        switch control {
        case .resize(let size): terminal?.resize(to: size)
        case .signal(let name):
            guard let number = Signal.number(name), let pid, !hasEnded, earlyExitCode == nil else { return }
            if isKnown { kill(pid, number) } else { heldSignals.append(number) }
        }
    }

    // MARK: output

    func outputRead(_ stream: FrameStream, _ bytes: ByteBuffer) {
        side.output(stream == .stderr ? .stderr : .stdout, Array(bytes.readableBytesView))
    }

    func outputReadComplete(_ output: OutputPipeHandler) {
        if side.hasRoom { output.read() } else { pausedOutputs.append(output) }
    }

    func outputClosed() {
        openOutputs -= 1
        if openOutputs == 0, hasEnded { finish() } else if openOutputs == 0 { side.outputEnded() }
    }

    func roomForOutput() {
        let paused = pausedOutputs
        pausedOutputs = []
        for output in paused { output.read() }
    }

    func released() {
        roomForOutput()
    }

    /// What is in the pipes waits for a slow reader, however long that takes; what nobody writes does not.
    private func startDrainTimer() {
        drainTimer = eventLoop.assumeIsolated().scheduleTask(in: Self.drain) { [weak self] in
            guard let self else { return }
            guard pausedOutputs.isEmpty else { return startDrainTimer() }
            for channel in readingChannels { channel.close(promise: nil) }
        }
    }

    private func finish() {
        drainTimer?.cancel()
        drainTimer = nil
        inputChannel?.close(promise: nil)
        terminal = nil
        side.outputEnded()
    }

    // MARK: input

    func input(_ bytes: [UInt8]) {
        if let inputChannel {
            write(bytes, to: inputChannel)
        } else {
            earlyInput.append(bytes)
        }
    }

    private func write(_ bytes: [UInt8], to channel: any Channel) {
        pendingWrites += 1
        channel.writeAndFlush(ByteBuffer(bytes: bytes)).assumeIsolated().whenComplete { [weak self] result in
            guard let self else { return }
            pendingWrites -= 1
            switch result {
            case .success: side.inputConsumed(bytes.count)
            case .failure: side.inputClosed()
            }
            endInputIfWritten()
        }
    }

    func inputEnded() {
        isInputEnded = true
        endInputIfWritten()
    }

    /// A terminal has no end of input, only a character that stands for it, which is not ours to type: its command may
    /// go on for as long as it likes.
    private func endInputIfWritten() {
        guard isInputEnded, pendingWrites == 0, earlyInput.isEmpty, terminal == nil else { return }
        inputChannel?.close(promise: nil)
    }
}
