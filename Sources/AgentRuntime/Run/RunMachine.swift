import AgentProtocol

/// One run's life as an event machine: each event is a method that returns what to do about it. It knows neither
/// processes nor clocks; times come in as nanoseconds of a monotonic clock, or of the wall clock where it says so.
///
/// Exits of the states:
/// - `starting` → `running` when the child has become the command; → `over` when it could not.
/// - `running` → `draining` when the command's process ended.
/// - `draining` → `over` when both pipes are read to their end, or after `drainNanoseconds`.
/// - `over`: none.
struct RunMachine {
    enum Action: Equatable {
        /// To the command's process alone.
        case signal(Int32)
        /// KILL, to every process of the run.
        case killAll
        /// Replaces the timer of that name.
        case startTimer(Timer, atNanoseconds: UInt64)
        case cancelTimer(Timer)
        /// Give up reading output.
        case closeOutputs
        /// The report is final now.
        case announceEnd
    }

    enum Timer: CaseIterable {
        /// The run's own time limit.
        case deadline
        /// The grace after a stop.
        case kill
        /// How long output may keep coming after the command's end.
        case drain
    }

    struct Outcome: Equatable {
        let state: AgentState
        let exitCode: Int
        var message: String?
        let finishedAtNanoseconds: UInt64
    }

    private enum State: Equatable {
        /// Forked. Signals are kept until there is a command to send them to: the child that prepares it would die of
        /// one without having executed anything.
        case starting(heldSignals: [Int32])
        case running
        case draining(Outcome)
        case over(Outcome)
    }

    /// From TERM at the deadline to KILL.
    static let deadlineGraceNanoseconds: UInt64 = 10_000_000_000
    /// Docker's daemon waits as long for the streams of a container that ended (moby v28, daemon/monitor.go,
    /// handleContainerExit). Only a process that left the command's group can keep a pipe open that long.
    static let drainNanoseconds: UInt64 = 2_000_000_000

    private var state = State.starting(heldSignals: [])
    private var openOutputs: Int
    private var killAtNanoseconds: UInt64?
    private(set) var reason: AgentReason?
    private let timeoutNanoseconds: UInt64?

    /// - Parameter outputs: how many pipes there are to read: two, or one with a terminal.
    init(timeoutSeconds: Int, outputs: Int = 2) {
        openOutputs = outputs
        timeoutNanoseconds = timeoutSeconds > 0 ? UInt64(timeoutSeconds) * 1_000_000_000 : nil
    }

    /// Nil until the report is final.
    var outcome: Outcome? {
        if case .over(let outcome) = state { return outcome }
        return nil
    }

    /// Whether there is a process to send a signal to.
    var takesSignals: Bool {
        switch state {
        case .starting, .running: true
        case .draining, .over: false
        }
    }

    /// Whether it is not known yet if the command can be executed. An end of the process has to wait until it is.
    var isStarting: Bool {
        if case .starting = state { return true }
        return false
    }

    /// The child was forked.
    mutating func spawned(nowNanoseconds: UInt64) -> [Action] {
        guard let timeoutNanoseconds else { return [] }
        return [.startTimer(.deadline, atNanoseconds: nowNanoseconds + timeoutNanoseconds)]
    }

    /// The child has become the command.
    mutating func executed() -> [Action] {
        guard case .starting(let heldSignals) = state else { return [] }
        state = .running
        return heldSignals.map { .signal($0) }
    }

    /// The child could not become the command, or there is no child.
    mutating func executionFailed(exitCode: Int, message: String, wallNanoseconds: UInt64) -> [Action] {
        guard case .starting = state else { return [] }
        let outcome = Outcome(
            state: .failed, exitCode: exitCode, message: message, finishedAtNanoseconds: wallNanoseconds)
        return finish(outcome) + [.closeOutputs, .announceEnd]
    }

    /// The command's process has ended; its code is its own, or 128 + n for signal n. To be told before the process is
    /// reaped: until then its group can be killed without hitting anybody else.
    mutating func processEnded(exitCode: Int, nowNanoseconds: UInt64, wallNanoseconds: UInt64) -> [Action] {
        guard case .running = state else { return [] }
        let outcome = Outcome(state: .exited, exitCode: exitCode, finishedAtNanoseconds: wallNanoseconds)
        guard openOutputs > 0 else { return [.killAll] + finish(outcome) + [.announceEnd] }
        state = .draining(outcome)
        return [
            .killAll, .cancelTimer(.deadline), .cancelTimer(.kill),
            .startTimer(.drain, atNanoseconds: nowNanoseconds + Self.drainNanoseconds),
        ]
    }

    /// One of the pipes is read to its end.
    mutating func outputEnded() -> [Action] {
        openOutputs -= 1
        guard openOutputs <= 0, case .draining(let outcome) = state else { return [] }
        return finish(outcome) + [.announceEnd]
    }

    /// A signal for the command. Dropped if there is no process any more; ask ``takesSignals`` first.
    mutating func signalAsked(_ signal: Int32) -> [Action] {
        switch state {
        case .starting(let heldSignals):
            state = .starting(heldSignals: heldSignals + [signal])
            return []
        case .running: return [.signal(signal)]
        case .draining, .over: return []
        }
    }

    /// A signal, and the end of all processes after a grace. A later stop can only bring the end nearer.
    mutating func stopAsked(_ signal: Int32, graceNanoseconds: UInt64, nowNanoseconds: UInt64) -> [Action] {
        guard takesSignals else { return [] }
        var actions = signalAsked(signal)
        let (sum, overflow) = nowNanoseconds.addingReportingOverflow(graceNanoseconds)
        let killAt = overflow ? .max : sum
        if killAt < killAtNanoseconds ?? .max {
            killAtNanoseconds = killAt
            actions.append(.startTimer(.kill, atNanoseconds: killAt))
        }
        return actions
    }

    mutating func timerFired(_ timer: Timer, nowNanoseconds: UInt64) -> [Action] {
        switch timer {
        case .deadline:
            guard takesSignals else { return [] }
            reason = .deadline
            return stopAsked(
                Signal.terminate, graceNanoseconds: Self.deadlineGraceNanoseconds, nowNanoseconds: nowNanoseconds)
        case .kill: return takesSignals ? [.killAll] : []
        case .drain:
            guard case .draining(let outcome) = state else { return [] }
            return finish(outcome) + [.closeOutputs, .announceEnd]
        }
    }

    private mutating func finish(_ outcome: Outcome) -> [Action] {
        state = .over(outcome)
        return Timer.allCases.map { .cancelTimer($0) }
    }
}
