import AgentLink
import AgentProtocol
import AzureSimulator
import NIOCore

/// A container with its agent: executes each token once in its life, and says what came of it.
///
/// Its command is one of `run SECONDS CODE`: it writes a line, lives that long and ends with that code. Unchecked: see
/// `Once`.
final class Container: @unchecked Sendable {
    private struct Run {
        let startedAt: Int64
        var endsAt: Int64
        var exitCode: Int
        var reason: AgentReason?
        var isOver = false
        var cancelEnd: @Sendable () -> Void = {}
        var waiters: [Once<Bool>] = []
    }

    let instance: String
    let site: String
    let boot: BootID
    let secret: AgentSecret?
    var isStopping = false
    private(set) var isAlive = true
    var onExecution: (_ token: String, _ boot: String) -> Void = { _, _ in }
    private var runs: [RunToken: Run] = [:]
    private let time: VirtualTime

    init(_ launch: InProcessAzure.Container, boot: String, time: VirtualTime) {
        instance = launch.instance
        site = launch.site
        self.boot = BootID(boot) ?? .random()
        secret = launch.agentSecret.flatMap { AgentSecret(hex: $0) }
        self.time = time
    }

    /// Everything in it ends; who waits for a run hears nothing more.
    func end() {
        isAlive = false
        for token in runs.keys {
            runs[token]?.cancelEnd()
            for waiter in runs[token]?.waiters ?? [] { waiter.resolve(false) }
        }
        runs = [:]
    }

    // MARK: the protocol

    /// The life that the request was meant for has to be this one.
    func check(_ wanted: BootID, _ operation: String) throws(AgentError) {
        if wanted != boot { throw AgentError(.bootChanged(boot), operation: operation) }
    }

    func start(_ token: RunToken, _ request: RunRequest) throws(AgentError) -> RunReport {
        if runs[token] != nil { return try report(token, offset: 0) }
        if isStopping { throw AgentError(.stopping, operation: "start") }
        if runs.values.contains(where: { !$0.isOver }) { throw AgentError(.busy, operation: "start") }
        let words = request.arguments
        guard words.count == 3, words[0] == "run", let seconds = Int(words[1]), let code = Int(words[2]) else {
            let now = UInt64(time.steady)
            return RunReport(
                state: .failed, exitCode: 127, message: "no such command", startedAtNanoseconds: now,
                finishedAtNanoseconds: now, offset: 0, end: 0)
        }
        onExecution(token.hex, boot.hex)
        var run = Run(startedAt: time.steady, endsAt: time.steady + Int64(seconds) * 1_000_000_000, exitCode: code)
        let limit = Int64(request.timeoutSeconds) * 1_000_000_000
        if limit > 0, run.startedAt + limit < run.endsAt {
            run.endsAt = run.startedAt + limit
            run.exitCode = 143
            run.reason = .deadline
        }
        runs[token] = run
        schedule(token)
        return try report(token, offset: 0)
    }

    func stop(_ token: RunToken, grace: Duration, isKill: Bool) throws(AgentError) {
        guard let run = runs[token] else { throw AgentError(.unknownToken, operation: "stop") }
        if run.isOver { throw AgentError(.ended, operation: "stop") }
        run.cancelEnd()
        runs[token]?.exitCode = isKill ? 137 : 143
        runs[token]?.reason = nil
        // A command that heeds TERM half-way through the grace.
        runs[token]?.endsAt = min(run.endsAt, time.steady + (isKill ? 0 : nanoseconds(grace) / 2))
        schedule(token)
    }

    /// Waits until there is something to read behind the offset, or the run is over, or the time is.
    func read(_ token: RunToken, offset: UInt64, wait: Duration) async throws(AgentError) -> (RunReport, ByteBuffer) {
        guard let run = runs[token] else { throw AgentError(.unknownToken, operation: "read") }
        if !run.isOver, offset >= UInt64(output(of: run).count) {
            let waiter = Once<Bool>()
            runs[token]?.waiters.append(waiter)
            let cancel = time.after(wait) { waiter.resolve(true) }
            let isAnswered = await waiter.wait(onCancel: false)
            cancel()
            if Task.isCancelled { throw AgentError(.cancelled, operation: "read") }
            guard isAnswered, isAlive else { throw AgentError(.unreachable, operation: "read") }
        }
        guard let now = runs[token] else { throw AgentError(.unknownToken, operation: "read") }
        let bytes = output(of: now)
        return (try report(token, offset: offset), ByteBuffer(bytes: bytes.dropFirst(Int(offset))))
    }

    // MARK: parts

    private func schedule(_ token: RunToken) {
        guard let run = runs[token] else { return }
        runs[token]?.cancelEnd = time.after(.nanoseconds(run.endsAt - time.steady)) { [weak self] in
            guard let self, self.runs[token]?.isOver == false else { return }
            self.runs[token]?.isOver = true
            let waiters = self.runs[token]?.waiters ?? []
            self.runs[token]?.waiters = []
            for waiter in waiters { waiter.resolve(true) }
        }
    }

    private func report(_ token: RunToken, offset: UInt64) throws(AgentError) -> RunReport {
        guard let run = runs[token] else { throw AgentError(.unknownToken, operation: "read") }
        let end = UInt64(output(of: run).count)
        return RunReport(
            state: run.isOver ? .exited : .running, exitCode: run.isOver ? run.exitCode : nil,
            reason: run.isOver ? run.reason : nil, startedAtNanoseconds: UInt64(run.startedAt),
            finishedAtNanoseconds: run.isOver ? UInt64(run.endsAt) : nil, offset: min(offset, end), end: end)
    }

    private func output(of run: Run) -> [UInt8] {
        frame("begins\n", at: run.startedAt) + (run.isOver ? frame("ends\n", at: run.endsAt) : [])
    }

    private func frame(_ text: String, at instant: Int64) -> [UInt8] {
        OutputFrameHeader(
            stream: .stdout, payloadBytes: text.utf8.count, timestampNanoseconds: UInt64(instant)
        ).encoded + Array(text.utf8)
    }
}
