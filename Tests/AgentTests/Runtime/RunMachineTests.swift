import AgentProtocol
import Testing

@testable import AgentRuntime

@Suite struct RunMachineTests {
    private let second: UInt64 = 1_000_000_000

    @Test("a command runs, ends, and is over once both pipes are read") func ordinary() {
        var machine = RunMachine(timeoutSeconds: 0)
        #expect(machine.spawned(nowNanoseconds: 0) == [])
        #expect(machine.executed() == [])
        #expect(
            machine.processEnded(exitCode: 7, nowNanoseconds: 5, wallNanoseconds: 50) == [
                .killAll, .cancelTimer(.deadline), .cancelTimer(.kill),
                .startTimer(.drain, atNanoseconds: 5 + RunMachine.drainNanoseconds),
            ])
        #expect(machine.outcome == nil)
        #expect(machine.outputEnded() == [])
        #expect(machine.outputEnded() == cancelled + [.announceEnd])
        #expect(machine.outcome == .init(state: .exited, exitCode: 7, finishedAtNanoseconds: 50))
    }

    @Test("a command that closed both pipes is over when it ends") func closedPipes() {
        var machine = running()
        _ = machine.outputEnded()
        #expect(machine.outputEnded() == [])
        #expect(
            machine.processEnded(exitCode: 0, nowNanoseconds: 0, wallNanoseconds: 1)
                == [.killAll] + cancelled + [.announceEnd])
    }

    @Test("a pipe that somebody keeps open is given up") func drain() {
        var machine = running()
        _ = machine.processEnded(exitCode: 0, nowNanoseconds: 0, wallNanoseconds: 1)
        #expect(machine.timerFired(.drain, nowNanoseconds: 2) == cancelled + [.closeOutputs, .announceEnd])
        #expect(machine.outcome?.exitCode == 0)
        #expect(machine.outputEnded() == [])
    }

    @Test("a command that cannot be executed has failed") func failed() {
        var machine = RunMachine(timeoutSeconds: 0)
        #expect(
            machine.executionFailed(exitCode: 127, message: "no", wallNanoseconds: 9)
                == cancelled + [.closeOutputs, .announceEnd])
        #expect(
            machine.outcome == .init(state: .failed, exitCode: 127, message: "no", finishedAtNanoseconds: 9))
        #expect(machine.executed() == [])
        #expect(machine.processEnded(exitCode: 1, nowNanoseconds: 0, wallNanoseconds: 0) == [])
    }

    @Test("signals wait for the command to be executed") func heldSignals() {
        var machine = RunMachine(timeoutSeconds: 0)
        #expect(machine.signalAsked(1) == [])
        #expect(machine.stopAsked(15, graceNanoseconds: 5, nowNanoseconds: 1) == [.startTimer(.kill, atNanoseconds: 6)])
        #expect(machine.executed() == [.signal(1), .signal(15)])
    }

    @Test("a later stop can only bring the end nearer") func stopAgain() {
        var machine = running()
        #expect(
            machine.stopAsked(15, graceNanoseconds: 10 * second, nowNanoseconds: 0)
                == [.signal(15), .startTimer(.kill, atNanoseconds: 10 * second)])
        #expect(machine.stopAsked(15, graceNanoseconds: 10 * second, nowNanoseconds: second) == [.signal(15)])
        #expect(
            machine.stopAsked(2, graceNanoseconds: second, nowNanoseconds: second)
                == [.signal(2), .startTimer(.kill, atNanoseconds: 2 * second)])
        #expect(machine.timerFired(.kill, nowNanoseconds: 2 * second) == [.killAll])
    }

    @Test("an endless grace does not overflow") func endlessGrace() {
        var machine = running()
        #expect(machine.stopAsked(15, graceNanoseconds: .max, nowNanoseconds: 5) == [.signal(15)])
    }

    @Test("the deadline asks first and kills ten seconds later") func deadline() {
        var machine = RunMachine(timeoutSeconds: 3)
        #expect(machine.spawned(nowNanoseconds: second) == [.startTimer(.deadline, atNanoseconds: 4 * second)])
        _ = machine.executed()
        #expect(
            machine.timerFired(.deadline, nowNanoseconds: 4 * second)
                == [.signal(15), .startTimer(.kill, atNanoseconds: 14 * second)])
        #expect(machine.reason == .deadline)
        #expect(machine.timerFired(.kill, nowNanoseconds: 14 * second) == [.killAll])
    }

    @Test("timers that fire late change nothing") func lateTimers() {
        var machine = running()
        _ = machine.processEnded(exitCode: 0, nowNanoseconds: 0, wallNanoseconds: 1)
        #expect(machine.timerFired(.deadline, nowNanoseconds: 1) == [])
        #expect(machine.timerFired(.kill, nowNanoseconds: 1) == [])
        #expect(machine.reason == nil)
        #expect(!machine.takesSignals)
        #expect(machine.signalAsked(1) == [])
        #expect(machine.stopAsked(1, graceNanoseconds: 0, nowNanoseconds: 0) == [])
        _ = machine.timerFired(.drain, nowNanoseconds: 2)
        #expect(machine.timerFired(.drain, nowNanoseconds: 3) == [])
    }

    private func running() -> RunMachine {
        var machine = RunMachine(timeoutSeconds: 0)
        _ = machine.spawned(nowNanoseconds: 0)
        _ = machine.executed()
        return machine
    }

    private let cancelled: [RunMachine.Action] = [.cancelTimer(.deadline), .cancelTimer(.kill), .cancelTimer(.drain)]
}

@Suite struct InputMachineTests {
    @Test("bytes are taken in order, and what is known is skipped") func order() {
        var machine = InputMachine(isOpen: true)
        #expect(machine.arrived(offset: 0, count: 10, endOfInput: false) == .write(skipping: 0, closing: false))
        #expect(machine.arrived(offset: 4, count: 10, endOfInput: false) == .write(skipping: 6, closing: false))
        #expect(machine.acceptedOffset == 14)
        #expect(machine.arrived(offset: 15, count: 1, endOfInput: false) == .gap)
        #expect(machine.arrived(offset: .max, count: 2, endOfInput: false) == .gap)
        #expect(machine.arrived(offset: 14, count: 0, endOfInput: true) == .write(skipping: 0, closing: true))
        #expect(machine.arrived(offset: 14, count: 1, endOfInput: false) == .ended)
    }

    @Test("a repeated request waits with the first, and is done when that is") func repeated() {
        var machine = InputMachine(isOpen: true)
        #expect(machine.arrived(offset: 0, count: 10, endOfInput: true) == .write(skipping: 0, closing: true))
        #expect(machine.arrived(offset: 0, count: 10, endOfInput: true) == .write(skipping: 10, closing: false))
        machine.wrote(upTo: 10, closing: true)
        machine.pipeClosed()
        #expect(machine.arrived(offset: 0, count: 10, endOfInput: true) == .done)
        #expect(machine.arrived(offset: 10, count: 1, endOfInput: false) == .ended)
    }

    @Test("a command that closed its stdin, or has none, takes nothing") func closed() {
        var closed = InputMachine(isOpen: true)
        _ = closed.arrived(offset: 0, count: 3, endOfInput: false)
        closed.pipeClosed()
        #expect(closed.arrived(offset: 0, count: 3, endOfInput: false) == .ended)
        var none = InputMachine(isOpen: false)
        #expect(none.arrived(offset: 0, count: 0, endOfInput: true) == .ended)
        #expect(none.arrived(offset: 0, count: 1, endOfInput: false) == .ended)
    }
}
