import AgentLink
import AgentProtocol
import DesiredState
import NIOConcurrencyHelpers
import NIOCore

@testable import APIServer

/// Plays the controller and the agents for the server under test: it watches the store, "runs" what is asked for and writes canned output.
/// It executes nothing. A container's words are a script for it:
/// `true`; `false`; `echo WORDS`; `nosuch` and `denied` (cannot be started); `cat` (input to output until its end); `hold` (until it is signalled);
/// `stall` (the controller gives up); `vanish` and `lose` (outcome unknown, lost); `deadline`; `play STEP…` with steps `out:TEXT`, `err:TEXT`, `exit:N`,
/// where `\n` in a text is a line feed.
actor FakeController {
    private let store: any RecordStore
    private let output: OutputStore
    private var open: [String: OpenRun] = [:]
    private var clock: Int64 = 1_700_000_000_000_000_000
    /// While true runs are opened but not confirmed.
    private var holdsBack = false
    private var signals: [String] = []
    private var sizes: [TerminalSize] = []
    /// How many of the next requests for input end without an answer; every second one was carried out all the same.
    private var inputFailures = 0

    private struct OpenRun {
        let uid: UID
        let run: Int
        let writer: OutputWriter
        let words: [String]
        var inputBytes: UInt64 = 0
        var written: UInt64 = 0
    }

    init(store: any RecordStore, output: OutputStore) {
        self.store = store
        self.output = output
    }

    var receivedSignals: [String] { signals }
    var receivedSizes: [TerminalSize] { sizes }

    func setHoldsBack(_ value: Bool) async throws {
        holdsBack = value
        try await look()
    }

    func failInput(times: Int) {
        inputFailures = times
    }

    /// Until cancelled.
    func run() async throws {
        let changes = store.changes.subscribeToAll()
        try await look()
        for await _ in changes { try await look() }
    }

    private func look() async throws {
        for record in try await store.list(includingDeleted: true).records { try await reconcile(record.uid) }
    }

    private func reconcile(_ uid: UID) async throws {
        guard let record = try await store.load(uid)?.record else { return }
        let openToken = open.first { $0.value.uid == uid }?.key
        if record.isBeingDeleted {
            if let openToken { try await finish(openToken, .failed, 137) }
            try await commit([.forget(uid, siteName: nil, at: now())])
            try output.remove(uid: uid.text)
            return
        }
        if let stop = record.spec.stop, let openToken, open[openToken]?.run == stop.run {
            return try await finish(openToken, .failed, stop.signal == "KILL" ? 137 : 143)
        }
        if record.spec.invocations > record.lastRunNumber, openToken == nil { return try await begin(record) }
        if record.spec.run.ttlSecondsAfterFinished == 0, record.lastRunNumber > 0, !record.hasOpenRun {
            try await commit([.markDeleted(uid, at: now())])
            try await reconcile(uid)
        }
    }

    // MARK: runs

    private func begin(_ record: FunctionApp) async throws {
        let words = record.spec.command + record.spec.args
        let number = record.lastRunNumber + 1
        let token = UID.test(number << 48 + (Int(record.uid.text.prefix(12), radix: 16) ?? 0)).text
        guard !holdsBack else { return }
        if words.first == "stall" {
            var status = record.status
            status.observedGeneration = record.metadata.generation
            status.conditions = [
                Condition(
                    type: .stalled, status: .true, reason: "NoPlan", message: "there is no plan named \"p1\"",
                    lastTransitionTime: now())
            ]
            if status != record.status { try await commit([.setStatus(record.uid, status)]) }
            return
        }
        let writer = try output.writer(for: OutputKey(uid: record.uid.text, run: number, attempt: 1))
        open[token] = OpenRun(uid: record.uid, run: number, writer: writer, words: words)
        var status = record.status
        var attempt = AttemptStatus(token: token, bootID: String(repeating: "b", count: 32))
        if !["nosuch", "denied", "vanish"].contains(words.first) { attempt.startedAt = now() }
        status.runs.append(RunStatus(number: number, attempts: [attempt]))
        try await commit([.setStatus(record.uid, status)])
        try await play(token, words)
    }

    private func play(_ token: String, _ words: [String]) async throws {
        switch words.first {
        case "echo":
            try write(token, .stdout, words.dropFirst().joined(separator: " ") + "\n")
            try await finish(token, .succeeded, 0)
        case "false": try await finish(token, .failed, 1)
        case "nosuch":
            try await finish(
                token, .startFailed, 127, "exec: \"nosuch\": executable file not found in $PATH")
        case "denied": try await finish(token, .startFailed, 126, "exec: \"/etc/passwd\": permission denied")
        case "vanish": try await finish(token, .unknown, nil, isSealed: false)
        case "lose":
            try write(token, .stdout, "before\n")
            try await finish(token, .lost, nil, isSealed: false)
        case "deadline": try await finish(token, .deadlineExceeded, 143)
        case "play":
            var code = 0
            for step in words.dropFirst() {
                let parts = step.split(separator: ":", maxSplits: 1)
                let text = parts.count < 2 ? "" : String(parts[1]).replacing("\\n", with: "\n")
                if step.hasPrefix("out:") { try write(token, .stdout, text) }
                if step.hasPrefix("err:") { try write(token, .stderr, text) }
                if step.hasPrefix("exit:") { code = Int(text) ?? 0 }
            }
            try await finish(token, code == 0 ? .succeeded : .failed, code)
        case "cat", "hold": break
        default: try await finish(token, .succeeded, 0)
        }
    }

    /// Says something in the name of a container that is held.
    func say(_ uid: UID, _ text: String) throws {
        guard let token = open.first(where: { $0.value.uid == uid })?.key else { return }
        try write(token, .stdout, text)
    }

    /// The output of a container that is held is complete; that its run has ended is committed later, as by the real controller.
    func seal(_ uid: UID) throws {
        try open.first { $0.value.uid == uid }?.value.writer.seal()
    }

    private func write(_ token: String, _ stream: FrameStream, _ text: String) throws {
        guard var run = open[token] else { return }
        let frame = frame(stream, text)
        try run.writer.append(frame, at: run.written)
        run.written += UInt64(frame.readableBytes)
        open[token] = run
    }

    private func frame(_ stream: FrameStream, _ text: String) -> ByteBuffer {
        clock += 1_000_000_000
        let header = OutputFrameHeader(
            stream: stream, payloadBytes: text.utf8.count, timestampNanoseconds: UInt64(clock))
        return ByteBuffer(bytes: header.encoded + Array(text.utf8))
    }

    private func finish(
        _ token: String, _ outcome: AttemptOutcome, _ exitCode: Int?, _ message: String? = nil, isSealed: Bool = true
    ) async throws {
        guard let run = open.removeValue(forKey: token) else { return }
        if isSealed { try run.writer.seal() }
        guard let record = try await store.load(run.uid)?.record else { return }
        var status = record.status
        guard let index = status.runs.firstIndex(where: { $0.number == run.run }) else { return }
        var attempt = status.runs[index].attempts[0]
        attempt.outcome = outcome
        attempt.exitCode = exitCode
        attempt.message = message
        attempt.finishedAt = now()
        status.runs[index].attempts = [attempt]
        status.observedGeneration = record.metadata.generation
        let isGood = outcome == .succeeded
        status.conditions = [
            Condition(
                type: .succeeded, status: isGood ? .true : .false, reason: outcome.rawValue, message: "",
                lastTransitionTime: now()),
            Condition(
                type: .failed, status: isGood ? .false : .true, reason: outcome.rawValue, message: "",
                lastTransitionTime: now()),
        ]
        try await commit([.setStatus(run.uid, status)])
    }

    private func commit(_ operations: [Transaction.Operation]) async throws {
        try await store.commit(Transaction(origin: .controller, operations))
    }

    private func now() -> Instant {
        clock += 1_000_000
        return Instant(nanoseconds: clock)
    }

    // MARK: the agents' side of `RunInput`

    fileprivate func accept(_ token: String, _ offset: UInt64, _ bytes: ByteBuffer, _ isEnd: Bool) async
        -> RunInputError?
    {
        if inputFailures > 0 {
            inputFailures -= 1
            if inputFailures % 2 == 1 { return RunInputError(.unreachable, "the connection broke") }
            return await accept(token, offset, bytes, isEnd) ?? RunInputError(.unreachable, "the connection broke")
        }
        guard var run = open[token], run.words.first == "cat" else { return RunInputError(.notRunning) }
        guard offset <= run.inputBytes else { return RunInputError(.gap(expected: run.inputBytes)) }
        var new = bytes
        new.moveReaderIndex(forwardBy: min(new.readableBytes, Int(run.inputBytes - offset)))
        run.inputBytes += UInt64(new.readableBytes)
        open[token] = run
        do {
            if new.readableBytes > 0 { try write(token, .stdout, String(buffer: new)) }
            // Awaited here, and a task of its own only so that a client that leaves does not cancel what agents do by themselves.
            if isEnd { try await Task { try await finish(token, .succeeded, 0) }.value }
        } catch {
            return RunInputError(.unreachable, "\(error)")
        }
        return nil
    }

    fileprivate func signal(_ token: String, _ signal: String) async -> RunInputError? {
        guard open[token] != nil else { return RunInputError(.notRunning) }
        signals.append(signal)
        do {
            if signal == "KILL" { try await finish(token, .failed, 137) }
            if signal == "TERM" || signal == "INT" { try await finish(token, .failed, signal == "TERM" ? 143 : 130) }
        } catch {
            return RunInputError(.unreachable, "\(error)")
        }
        return nil
    }
}

extension FakeController {
    fileprivate func resize(_ token: String, to size: TerminalSize) -> RunInputError? {
        guard open[token] != nil else { return RunInputError(.notRunning) }
        sizes.append(size)
        return nil
    }
}

extension FakeController: RunInput {
    nonisolated func resize(uid: UID, token: String, to size: TerminalSize) async throws(RunInputError) {
        if let error = await resize(token, to: size) { throw error }
    }

    nonisolated func sendInput(
        uid: UID, token: String, offset: UInt64, bytes: ByteBuffer, endOfInput: Bool
    ) async throws(RunInputError) {
        if let error = await accept(token, offset, bytes, endOfInput) { throw error }
    }

    nonisolated func signal(uid: UID, token: String, signal: String) async throws(RunInputError) {
        if let error = await self.signal(token, signal) { throw error }
    }
}
