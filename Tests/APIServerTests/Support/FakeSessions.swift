import AgentLink
import AgentProtocol
import DesiredState
import NIOConcurrencyHelpers
import NIOCore

@testable import APIServer

/// Plays the agents' side of sessions: tasks by name, which outlive the server under test. It executes nothing; an exec's words are a script for it:
/// `play STEP…` with steps `out:TEXT`, `err:TEXT`, `exit:N`; `cat` (input to output until its end); `hold` (until `end`); `flood` (endless output until
/// `end`, one piece for each that is read); `nosuch` and `denied` (cannot be executed).
final class FakeSessions: ContainerSessions {
    private struct State {
        var tasks: [String: FakeTask] = [:]
        var requests: [ExecRequest] = []
        var boots: [BootID?] = []
        var failures: [SessionError] = []
        /// Output of tasks that are no exec, by the task's kind, and their results.
        var canned: [String: (output: String, result: SessionResult)] = [:]
    }

    let isOn = true
    private let state = NIOLockedValueBox(State())

    /// The newest first.
    var requests: [ExecRequest] { state.withLockedValue { $0.requests.reversed() } }
    var boots: [BootID?] { state.withLockedValue { $0.boots } }
    func task(_ name: String) -> FakeTask? { state.withLockedValue { $0.tasks[name] } }
    /// Of the one task that is no exec.
    var other: FakeTask? { state.withLockedValue { $0.tasks.values.first { !$0.isExec } } }

    /// The next opens fail, in this order.
    func fail(_ errors: SessionError...) { state.withLockedValue { $0.failures = errors } }
    /// An agent that was restarted knows nothing.
    func forget() { state.withLockedValue { $0.tasks = [:] } }

    func can(_ kind: String, _ output: String, _ result: SessionResult = SessionResult()) {
        state.withLockedValue { $0.canned[kind] = (output, result) }
    }

    func open(
        _ task: SessionTask, name: String, uid: UID, boot: BootID?, isKnown: Bool
    ) async throws(SessionError) -> any SessionChannel {
        let opened: Result<FakeTask, SessionError> = state.withLockedValue { state in
            if !state.failures.isEmpty { return .failure(state.failures.removeFirst()) }
            if let known = state.tasks[name] { return .success(known) }
            guard !isKnown else { return .failure(SessionError(.unknownTask)) }
            state.boots.append(boot)
            let new: FakeTask
            if case .exec(let request) = task {
                state.requests.append(request)
                new = FakeTask(request)
            } else {
                let kind = "\(task)".prefix { $0 != "(" }
                let canned = state.canned[String(kind)] ?? ("", SessionResult(failure: .refused, message: "not canned"))
                new = FakeTask(task, canned.output, canned.result)
            }
            state.tasks[name] = new
            return .success(new)
        }
        return FakeChannel(task: try opened.get())
    }
}

/// One task at a fake agent.
final class FakeTask: Sendable {
    private struct State {
        var output: [(stream: FrameStream, bytes: ByteBuffer)] = []
        var isFlood = false
        var result: SessionResult?
        var input = ByteBuffer()
        var isInputEnded = false
        var sizes: [TerminalSize] = []
        var readCount = 0
        var isReleased = false
        var waiters: [AsyncStream<Never>.Continuation] = []
    }

    let facts: [String: String]
    let isExec: Bool
    private let echoes: Bool
    /// Input is refused, and the result is there.
    private let isDeaf: Bool
    private let state = NIOLockedValueBox(State())

    init(_ request: ExecRequest) {
        isExec = true
        isDeaf = false
        let words = request.arguments
        echoes = words.first == "cat"
        facts = ["nosuch", "denied"].contains(words.first) ? [:] : ["pid": "42"]
        state.withLockedValue { state in
            switch words.first {
            case "nosuch":
                state.result = SessionResult(
                    exitCode: 127, failure: .notFound, message: "exec: \"nosuch\": executable file not found in $PATH")
            case "denied":
                state.result = SessionResult(exitCode: 126, failure: .notPermitted, message: "permission denied")
            case "flood": state.isFlood = true
            case "play":
                var code = 0
                for step in words.dropFirst() {
                    let parts = step.split(separator: ":", maxSplits: 1).map(String.init)
                    if parts[0] == "exit" {
                        code = Int(parts[1]) ?? 0
                    } else {
                        state.output.append(
                            (parts[0] == "err" ? .stderr : .stdout, ByteBuffer(string: parts[1])))
                    }
                }
                state.result = SessionResult(exitCode: code)
            default: break
            }
        }
    }

    init(_ task: SessionTask, _ output: String, _ result: SessionResult) {
        isExec = false
        echoes = false
        facts = result.facts
        var takesInput = false
        if case .extract = task, result.failure == nil { takesInput = true }
        isDeaf = !takesInput
        state.withLockedValue { state in
            if !output.isEmpty { state.output = [(.stdout, ByteBuffer(string: output))] }
            if !takesInput { state.result = result }
        }
    }

    var input: String { state.withLockedValue { String(buffer: $0.input) } }
    var isInputEnded: Bool { state.withLockedValue { $0.isInputEnded } }
    var sizes: [TerminalSize] { state.withLockedValue { $0.sizes } }
    var isReleased: Bool { state.withLockedValue { $0.isReleased } }

    func end(_ exitCode: Int) { change { $0.result = $0.result ?? SessionResult(exitCode: exitCode) } }

    /// Until so many pieces of output were read, by whomever.
    func waitForReads(_ count: Int) async throws(SessionError) { try await wait { $0.readCount >= count ? () : nil } }
    func waitForInput(_ text: String) async throws(SessionError) {
        try await wait { String(buffer: $0.input) == text ? () : nil }
    }
    func waitForRelease() async throws(SessionError) { try await wait { $0.isReleased ? () : nil } }
    func waitForSize() async throws(SessionError) { try await wait { $0.sizes.isEmpty ? nil : () } }

    // MARK: what a channel does

    fileprivate func read() async throws(SessionError) -> SessionOutput? {
        let piece: (stream: FrameStream, bytes: ByteBuffer)?? = try await wait { state in
            if !state.output.isEmpty { return state.output.removeFirst() }
            if state.result != nil { return .some(nil) }
            return state.isFlood ? (.stdout, ByteBuffer(string: "flood")) : nil
        }
        guard case .some(.some(let piece)) = piece else { return nil }
        change { $0.readCount += 1 }
        return SessionOutput(stream: piece.stream, bytes: piece.bytes, offset: 0)
    }

    fileprivate func result() async throws(SessionError) -> SessionResult { try await wait { $0.result } }

    fileprivate func write(_ bytes: ByteBuffer) throws(SessionError) {
        if isDeaf { throw SessionError(.ended) }
        change { state in
            state.input.writeImmutableBuffer(bytes)
            if echoes { state.output.append((.stdout, bytes)) }
        }
    }

    fileprivate func endInput() throws(SessionError) {
        if isDeaf { throw SessionError(.ended) }
        change { state in
            state.isInputEnded = true
            if echoes || !isExec { state.result = SessionResult(exitCode: 0) }
        }
    }

    fileprivate func resize(_ size: TerminalSize) { change { $0.sizes.append(size) } }
    fileprivate func release() { change { $0.isReleased = true } }

    private func change(_ body: (inout State) -> Void) {
        let waiters = state.withLockedValue { state in
            body(&state)
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.finish() }
    }

    private func wait<Answer>(_ answer: (inout State) -> Answer?) async throws(SessionError) -> Answer {
        while true {
            let (changed, waiter) = AsyncStream.makeStream(of: Never.self)
            let found: Answer? = state.withLockedValue { state in
                if let found = answer(&state) { return found }
                state.waiters.append(waiter)
                return nil
            }
            if let found { return found }
            for await _ in changed {}
            if Task.isCancelled { throw SessionError(.cancelled) }
        }
    }
}

private struct FakeChannel: SessionChannel {
    let task: FakeTask
    var facts: [String: String] { task.facts }

    func read() async throws(SessionError) -> SessionOutput? {
        if Task.isCancelled { throw SessionError(.cancelled) }
        await Task.yield()
        return try await task.read()
    }
    func result() async throws(SessionError) -> SessionResult { try await task.result() }
    func write(_ bytes: ByteBuffer) async throws(SessionError) { try task.write(bytes) }
    func endInput() async throws(SessionError) { try task.endInput() }
    func resize(to size: TerminalSize) async throws(SessionError) { task.resize(size) }
    func signal(_ signal: String) async throws(SessionError) { if signal == "KILL" { task.end(137) } }
    func release() { task.release() }
}
