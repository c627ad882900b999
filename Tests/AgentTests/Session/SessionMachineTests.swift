import AgentProtocol
import Testing

@Suite struct SessionMachineTests {
    private typealias Message = SessionMessage
    private let exec = SessionTask.exec(ExecRequest(arguments: ["cat"], opensStdin: true))
    private let controls: [SessionControl] = [
        .resize(TerminalSize(rows: 24, columns: 80)), .signal("INT"), .resize(TerminalSize(rows: 50, columns: 132)),
    ]

    private func text(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 5) }
    }

    private func check(_ script: SessionScript, input: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(script.failure == nil, sourceLocation: sourceLocation)
        #expect(script.output == input, sourceLocation: sourceLocation)
        #expect(script.streams == script.written, sourceLocation: sourceLocation)
        #expect(script.begun == 1, sourceLocation: sourceLocation)
        #expect(script.openedFacts == [["pid": "17"]], sourceLocation: sourceLocation)
        #expect(script.carriedOut == controls, sourceLocation: sourceLocation)
        #expect(script.results == [SessionResult(exitCode: 7)], sourceLocation: sourceLocation)
        #expect(script.outputEnds == 1, sourceLocation: sourceLocation)
        #expect(script.released == 1, sourceLocation: sourceLocation)
        #expect(script.refusals == [], sourceLocation: sourceLocation)
    }

    @Test("what is echoed comes back in order, more than a window of it") func windows() {
        let input = text(5_000_000)
        var script = SessionScript(input: input, pieceBytes: 150_000, controls: controls)
        script.run()
        check(script, input: input)
    }

    @Test("whichever message the connection breaks behind, nothing is lost or repeated") func breakEverywhere() {
        let input = text(3000)
        var count = 0
        while true {
            var script = SessionScript(input: input, pieceBytes: 400, breaks: [count], controls: controls)
            script.run()
            check(script, input: input)
            guard script.breaks.isEmpty else { break }
            count += 1
        }
        #expect(count > 20)
    }

    @Test("a connection that breaks often loses nothing of more than a window", arguments: 0..<12 as Range<UInt64>)
    func breakOften(seed: UInt64) {
        let input = text(2_500_000)
        var random = SplitMix(state: seed)
        let breaks = Set((0..<20).map { _ in Int(random.next() % 160) })
        var script = SessionScript(
            input: input, pieceBytes: Int(random.next() % 200_000) + 10_000, breaks: breaks, controls: controls,
            seed: seed)
        script.run()
        check(script, input: input)
    }

    // MARK: the agent's end

    private func agent(opening open: SessionOpen? = nil) -> AgentSessionMachine {
        var machine = AgentSessionMachine()
        machine.connected()
        if let open { _ = machine.received(.open(channel: 1, open)) }
        return machine
    }

    private func open(
        _ task: SessionTask? = nil, name: SessionTaskName = .test, offset: UInt64 = 0, isKnown: Bool = false
    ) -> SessionOpen {
        SessionOpen(name: name, offset: offset, isKnown: isKnown, task: task ?? exec)
    }

    @Test("a task that was forgotten is not begun again") func unknown() {
        var machine = agent()
        let refused = [AgentSessionMachine.Action.send(.refused(channel: 1, SessionRefusal(.unknownTask)))]
        #expect(machine.received(.open(channel: 1, open(isKnown: true))) == refused)
        #expect(machine.received(.open(channel: 1, open(offset: 9))) == refused)
        #expect(machine.received(.release(channel: 1)) == [.send(.release(channel: 1))])
        #expect(machine.received(.open(channel: 1, open())) == [.begin(.test, exec)])
    }

    @Test("as many tasks as may be are begun, and one more when another is let go") func bound() {
        var machine = agent()
        for number in 0..<SessionLimit.openTasks {
            let name = SessionTaskName.numbered(number)
            let channel = UInt32(number)
            #expect(machine.received(.open(channel: channel, open(.export, name: name))) == [.begin(name, .export)])
        }
        #expect(
            machine.received(.open(channel: 999, open())) == [.send(.refused(channel: 999, SessionRefusal(.busy)))])
        #expect(machine.received(.release(channel: 0)) == [.released(.numbered(0)), .send(.release(channel: 0))])
        #expect(machine.received(.open(channel: 999, open())) == [.begin(.test, exec)])
    }

    @Test("a released command goes on, its output is dropped, and its result can be asked for later") func detached() {
        var machine = agent(opening: open())
        _ = machine.began(.test)
        _ = machine.output(.test, .stdout, text(100))
        #expect(machine.received(.release(channel: 1)) == [.released(.test), .send(.release(channel: 1))])
        #expect(machine.hasRoom(.test))
        #expect(machine.output(.test, .stdout, text(2 << 20)) == [])
        #expect(machine.hasRoom(.test))
        let gone = SessionOpened(
            inputOffset: SessionLimit.nothingMore, outputOffset: SessionLimit.nothingMore, controlsSeen: 0)
        #expect(
            machine.received(.open(channel: 2, open(isKnown: true))) == [.send(.opened(channel: 2, gone))])
        #expect(
            machine.ended(.test, SessionResult(exitCode: 3)) == [
                .send(.result(channel: 2, SessionResult(exitCode: 3)))
            ])
        #expect(machine.received(.release(channel: 2)) == [.send(.release(channel: 2))])
        #expect(
            machine.received(.open(channel: 3, open())) == [
                .send(.opened(channel: 3, gone)), .send(.result(channel: 3, SessionResult(exitCode: 3))),
            ])
        // As many later ones push it out.
        for number in 0..<SessionLimit.keptResults {
            let name = SessionTaskName.numbered(number)
            _ = machine.received(.open(channel: 9, open(name: name)))
            _ = machine.ended(name, SessionResult(exitCode: 0))
            _ = machine.received(.release(channel: 9))
        }
        #expect(
            machine.received(.open(channel: 10, open(isKnown: true))) == [
                .send(.refused(channel: 10, SessionRefusal(.unknownTask)))
            ])
    }

    @Test("what nobody comes back for is let go, but not while there is a connection") func abandoned() {
        var machine = agent(opening: open())
        _ = machine.received(.open(channel: 2, open(.export, name: .numbered(1))))
        #expect(machine.abandoned() == [])
        machine.disconnected()
        #expect(Set(machine.abandoned().map { "\($0)" }).count == 2)
        #expect(machine.abandoned() == [])
        machine.connected()
        #expect(
            machine.received(.open(channel: 1, open(.export, name: .numbered(1), isKnown: true))) == [
                .send(.refused(channel: 1, SessionRefusal(.unknownTask)))
            ])
    }

    @Test("input that nobody reads is told once, and what is under way is ignored") func closedInput() {
        var machine = agent(opening: open())
        _ = machine.began(.test)
        #expect(
            machine.received(.data(channel: 1, stream: .input, offset: 0, bytes: [1])) == [.input(.test, [1])])
        #expect(machine.inputClosed(.test) == [.send(.ack(channel: 1, offset: SessionLimit.nothingMore))])
        #expect(machine.inputClosed(.test) == [])
        #expect(machine.received(.data(channel: 1, stream: .input, offset: 1, bytes: [1])) == [])
        #expect(machine.received(.end(channel: 1, offset: 2)) == [])
    }

    @Test("an ending agent begins nothing more") func stopping() {
        var machine = agent()
        machine.stopping()
        #expect(
            machine.received(.open(channel: 1, open())) == [
                .send(.refused(channel: 1, SessionRefusal(.refused, "the container is ending")))
            ])
    }

    @Test(
        "a daemon that breaks the protocol is told apart from one that was slow",
        arguments: [
            .data(channel: 1, stream: .input, offset: 1, bytes: [1]),
            .data(channel: 1, stream: .stdout, offset: 0, bytes: [1]), .end(channel: 1, offset: 5),
            .ack(channel: 1, offset: 1), .control(channel: 1, number: 2, .signal("INT")),
            .controlSeen(channel: 1, number: 1), .proof(code: ""), .result(channel: 1, SessionResult()),
            .open(channel: 1, SessionOpen(name: .numbered(5), offset: 0, isKnown: false, task: .export)),
        ] as [SessionMessage]) func brokenDaemon(message: SessionMessage)
    {
        var machine = agent(opening: open())
        _ = machine.began(.test)
        let actions = machine.received(message)
        #expect(actions.count == 1)
        guard case .broken? = actions.first else {
            Issue.record("not refused")
            return
        }
    }

    @Test("more input than the window lets a daemon send is refused") func overrun() {
        var machine = agent(opening: open())
        _ = machine.began(.test)
        let piece = text(SessionLimit.dataBytes)
        var offset: UInt64 = 0
        while offset < SessionLimit.windowBytes {
            #expect(
                machine.received(.data(channel: 1, stream: .input, offset: offset, bytes: piece))
                    == [.input(.test, piece)])
            offset += UInt64(piece.count)
        }
        #expect(
            machine.received(.data(channel: 1, stream: .input, offset: offset, bytes: piece))
                == [.broken("input that does not come next")])
    }

    // MARK: the daemon's end

    @Test("a channel whose output is lost on resume is given up, not continued with a hole") func lostOutput() {
        var machine = DaemonSessionMachine()
        _ = machine.connected()
        let (channel, _) = machine.open(exec, name: .test)
        _ = machine.received(
            .opened(channel: channel, SessionOpened(inputOffset: 0, outputOffset: 0, controlsSeen: 0)))
        _ = machine.received(.data(channel: channel, stream: .stdout, offset: 0, bytes: [1]))
        machine.disconnected()
        #expect(
            machine.connected() == [.send(.open(channel: channel, open(offset: 1, isKnown: true)))])
        let actions = machine.received(
            .opened(channel: channel, SessionOpened(inputOffset: 0, outputOffset: 7, controlsSeen: 0)))
        #expect(
            actions == [.refused(channel: channel, SessionRefusal(.unknownTask, "some of its output is lost"))])
        #expect(!machine.needsConnection)
    }

    @Test("who finds a command again goes on with its input and controls where they are") func foundAgain() {
        var machine = DaemonSessionMachine()
        _ = machine.connected()
        let (channel, actions) = machine.open(exec, name: .test, offset: 50, isKnown: true)
        #expect(actions == [.send(.open(channel: channel, open(offset: 50, isKnown: true)))])
        #expect(
            machine.received(
                .opened(channel: channel, SessionOpened(inputOffset: 9, outputOffset: 80, controlsSeen: 4)))
                == [.opened(channel: channel, facts: [:]), .send(.ack(channel: channel, offset: 80))])
        #expect(
            machine.write(channel, [1, 2]) == [
                .send(.data(channel: channel, stream: .input, offset: 9, bytes: [1, 2]))
            ])
        #expect(
            machine.control(channel, .signal("INT")) == [
                .send(.control(channel: channel, number: 5, .signal("INT")))
            ])
        #expect(
            machine.received(.data(channel: channel, stream: .stderr, offset: 80, bytes: [3])) == [
                .output(channel: channel, .stderr, offset: 80, bytes: [3])
            ])
    }

    @Test("input that the agent wants no more makes room and is told once") func inputClosedTold() {
        var machine = DaemonSessionMachine()
        _ = machine.connected()
        let (channel, _) = machine.open(exec, name: .test)
        _ = machine.received(
            .opened(channel: channel, SessionOpened(inputOffset: 0, outputOffset: 0, controlsSeen: 0)))
        _ = machine.write(channel, text(2 << 20))
        #expect(!machine.hasRoom(channel))
        #expect(
            machine.received(.ack(channel: channel, offset: SessionLimit.nothingMore)) == [
                .inputClosed(channel: channel), .room(channel: channel),
            ])
        #expect(machine.hasRoom(channel) && machine.isInputClosed(channel))
        #expect(machine.write(channel, [1]) == [])
    }

    @Test("a release that was lost is said again, and nothing is begun by that") func lostRelease() {
        var machine = DaemonSessionMachine()
        _ = machine.connected()
        let (channel, _) = machine.open(.export, name: .test)
        machine.disconnected()
        #expect(machine.release(channel) == [])
        #expect(machine.release(channel) == [])
        #expect(machine.needsConnection && machine.openChannels == [])
        #expect(
            machine.connected() == [
                .send(.open(channel: channel, open(.export, isKnown: true))), .send(.release(channel: channel)),
            ])
        #expect(machine.received(.refused(channel: channel, SessionRefusal(.unknownTask))) == [])
        #expect(!machine.needsConnection)
    }

    @Test("controls that the agent does not see are bounded") func manyControls() {
        var machine = DaemonSessionMachine()
        _ = machine.connected()
        let (channel, _) = machine.open(exec, name: .test)
        for _ in 0..<SessionLimit.unseenControls { #expect(machine.control(channel, .signal("INT")) != nil) }
        #expect(machine.control(channel, .signal("INT")) == nil)
        _ = machine.received(
            .opened(channel: channel, SessionOpened(inputOffset: 0, outputOffset: 0, controlsSeen: 0)))
        _ = machine.received(.controlSeen(channel: channel, number: 10))
        #expect(machine.control(channel, .signal("INT")) != nil)
    }
}
