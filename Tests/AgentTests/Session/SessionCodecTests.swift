import AgentProtocol
import Testing

private let boot = BootID("000102030405060708090a0b0c0d0e0f")
private let nonce = String(repeating: "a1", count: 16)
private let code = String(repeating: "b2", count: 32)

private let tasks: [SessionTask] = [
    .exec(ExecRequest(arguments: ["true"])),
    .exec(
        ExecRequest(
            arguments: ["sh", "-c", "x\ny", ""], environment: ["A=1", "Ü=\n"], workingDirectory: "/a b",
            user: "nobody:1", opensStdin: true, terminal: TerminalSize(rows: 24, columns: 80))),
    .stat(path: "/a\nb"), .archive(path: "/"),
    .extract(path: "/x", noOverwriteDirNonDir: true, copiesOwners: false),
    .extract(path: "/x", noOverwriteDirNonDir: false, copiesOwners: true), .export, .changes,
    .processes(arguments: "-o pid,comm"), .processes(arguments: ""), .stats(once: true), .stats(once: false),
]

private let noMessages: [[UInt8]] = {
    let zeros = [UInt8](repeating: 0, count: 9)
    let letters = [UInt8](repeating: 65, count: 17)
    let tooMuch = [UInt8](repeating: 0, count: SessionLimit.dataBytes + 1)
    let data: [UInt8] = [18, 0, 0, 0, 1]
    let control: [UInt8] = [21, 0, 0, 0, 1, 0, 0, 0, 1]
    return [
        [], [19], [99, 0, 0, 0, 0], data + zeros, data + [3] + zeros, data + zeros + tooMuch, control,
        control + [3, 0], control + [1, 0, 1, 0], control + [2], control + [2, 32], control + [2] + letters,
    ]
}()

private let wrongFields: [(UInt8, UInt8, String)] = [
    (3, 1, "code 64\n\(code)\n"),
    (3, 0, "code 63\n\(code.dropLast())\n"),
    (3, 0, "code 64\n\(code)\ncode 64\n\(code)\n"),
    (3, 0, "code 64\n\(code)\nmore 1\n1\n"),
    (17, 1, "input 2\n01\noutput 1\n0\ncontrols 1\n0\n"),
    (22, 1, "message 0\n\nexit-code 3\n256\n"),
    (22, 1, "message 0\n\nfailure 1\nx\n"),
    (24, 1, "code 4\nnone\ntext 0\n\n"),
]

@Suite struct SessionCodecTests {
    private func decode(_ bytes: [UInt8]) throws(SessionMessageError) -> SessionMessage {
        let result = bytes.withUnsafeBytes { raw in
            Result { () throws(SessionMessageError) in try SessionMessage(decoding: raw) }
        }
        return try result.get()
    }

    @Test("every task comes back as it was sent", arguments: tasks) func everyTask(task: SessionTask) throws {
        for isKnown in [false, true] {
            let message = SessionMessage.open(
                channel: 7, SessionOpen(name: .test, offset: 1 << 40, isKnown: isKnown, task: task))
            #expect(try decode(message.encoded()) == message)
        }
    }

    @Test("every message comes back as it was sent, and no shorter or longer one is taken for it")
    func messages() throws {
        let boot = try #require(boot)
        let messages: [SessionMessage] = [
            .hello(SessionHello(version: "1", boot: boot, nonce: nonce)),
            .challenge(nonce: nonce, code: code), .proof(code: code),
            .opened(
                channel: .max,
                SessionOpened(
                    inputOffset: .max, outputOffset: 1, controlsSeen: 2, facts: ["pid": "1", "name": "a b\nc"])),
            .data(channel: 1, stream: .input, offset: 0, bytes: [0]),
            .data(
                channel: 1, stream: .stderr, offset: 1 << 63,
                bytes: Array(repeating: 9, count: SessionLimit.dataBytes)),
            .end(channel: 0x0102_0304, offset: 0x0102_0304_0506_0708), .ack(channel: 1, offset: .max),
            .control(channel: 1, number: 3, .resize(TerminalSize(rows: 1, columns: 65535))),
            .control(channel: 1, number: .max, .signal("RTMIN+1")), .controlSeen(channel: 1, number: 3),
            .result(channel: 1, SessionResult(exitCode: 255)),
            .result(
                channel: 1,
                SessionResult(exitCode: 127, failure: .notFound, message: "no\nsuch", facts: ["size": "7"])),
            .result(channel: 1, SessionResult(failure: .refused, message: "")), .release(channel: 5),
            .refused(channel: 1, SessionRefusal(.busy)), .refused(channel: 1, SessionRefusal(.refused, "why")),
        ]
        for message in messages {
            let bytes = message.encoded()
            #expect(try decode(bytes) == message)
            switch message {
            // A payload without length: shorter or longer, it is one as well.
            case .data(_, _, _, let payload) where payload.count < SessionLimit.dataBytes: continue
            case .control(_, _, .signal): continue
            case .data: break
            default: #expect(throws: SessionMessageError.self) { try decode(Array(bytes.dropLast())) }
            }
            #expect(throws: SessionMessageError.self) { try decode(bytes + [0]) }
        }
        #expect(
            SessionMessage.end(channel: 0x0102_0304, offset: 0x0102_0304_0506_0708).encoded()
                == [19, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8])
        #expect(
            SessionMessage.dataHeader(channel: 1, stream: .stderr, offset: 2).count == SessionMessage.dataHeaderBytes)
    }

    @Test("what is no message is refused", arguments: noMessages) func refused(bytes: [UInt8]) {
        #expect(throws: SessionMessageError.self) { try decode(bytes) }
    }

    @Test("what has the wrong fields is refused", arguments: wrongFields) func refusedFields(
        kind: UInt8, channel: UInt8, text: String
    ) {
        #expect(throws: SessionMessageError.self) { try decode([kind, 0, 0, 0, channel] + Array(text.utf8)) }
    }

    @Test(
        "a task that makes no sense is refused",
        arguments: [
            "task 4\nexec\nworkdir 1\n/\n", "task 4\nexec\nargv 1\nx\nworkdir 1\nx\n", "task 4\nexec\nargv 1\nx\n",
            "task 4\nexec\nargv 1\nx\nworkdir 1\n/\ntty 1\n1\n", "task 4\nexec\nargv 1\nx\nworkdir 1\n/\nenv 1\nA\n",
            "task 4\nstat\npath 1\nx\n", "task 4\nstat\n", "task 4\nstat\npath 2\n/\u{0}\n", "task 4\nnone\n",
            "task 6\nexport\npath 1\n/\n", "task 5\nstats\nonce 1\n0\n",
        ]) func refusedTask(text: String)
    {
        let head = "name 32\n\(nonce)\noffset 1\n0\n"
        #expect(throws: SessionMessageError.self) { try decode([16, 0, 0, 0, 1] + Array((head + text).utf8)) }
    }

    @Test("no error tells what was in a message") func silence() throws {
        let head = "name 32\n\(nonce)\noffset 1\n0\ntask 4\nexec\nargv 1\nx\nworkdir 1\n/\n"
        let error = try #require(throws: SessionMessageError.self) {
            try decode([16, 0, 0, 0, 1] + Array((head + "env 6\nsecret\n").utf8))
        }
        #expect(!error.description.contains("secret"))
    }

    // MARK: the handshake

    private func handshake(
        agent agentSecret: AgentSecret, daemon daemonSecret: AgentSecret, expecting expected: BootID? = nil
    ) throws -> (agent: AgentHandshake, daemon: DaemonHandshake) {
        let boot = try #require(boot)
        return (
            AgentHandshake(secret: agentSecret, boot: boot, nonce: nonce, version: "1"),
            DaemonHandshake(secret: daemonSecret, boot: expected ?? boot, nonce: String(nonce.reversed()))
        )
    }

    @Test("two ends with one secret prove themselves to each other") func agreed() throws {
        let secret = AgentSecret.random()
        var (agent, daemon) = try handshake(agent: secret, daemon: secret)
        guard case .send(let challenge) = daemon.received(agent.hello) else {
            Issue.record("no challenge")
            return
        }
        guard case .done(let proof?) = agent.received(challenge) else {
            Issue.record("no proof")
            return
        }
        #expect(daemon.received(proof) == .done(send: nil))
        #expect(daemon.received(proof) == .failed(.unexpected))
        #expect(agent.received(challenge) == .failed(.unexpected))
    }

    @Test("a daemon without the secret learns nothing, and an agent without it is not believed") func strangers() throws
    {
        let secret = AgentSecret.random()
        var (agent, daemon) = try handshake(agent: secret, daemon: .random())
        guard case .send(let challenge) = daemon.received(agent.hello) else {
            Issue.record("no challenge")
            return
        }
        #expect(agent.received(challenge) == .failed(.notProved))
        #expect(daemon.received(.proof(code: code)) == .failed(.notProved))
        // Its own code sent back proves nothing.
        var (second, mirrored) = try handshake(agent: secret, daemon: secret)
        guard case .send(.challenge(_, let own)) = mirrored.received(second.hello) else {
            Issue.record("no challenge")
            return
        }
        #expect(mirrored.received(.proof(code: own)) == .failed(.notProved))
        #expect(second.received(.release(channel: 1)) == .failed(.unexpected))
    }

    @Test("a proof of one connection is none for another") func recorded() throws {
        let secret = AgentSecret.random()
        var (agent, daemon) = try handshake(agent: secret, daemon: secret)
        guard case .send(let challenge) = daemon.received(agent.hello),
            case .done(let proof?) = agent.received(challenge)
        else {
            Issue.record("no proof")
            return
        }
        var other = DaemonHandshake(
            secret: secret, boot: try #require(boot), nonce: String(repeating: "c", count: 32))
        _ = other.received(agent.hello)
        #expect(other.received(proof) == .failed(.notProved))
        let third = AgentHandshake(
            secret: secret, boot: try #require(boot), nonce: String(repeating: "d", count: 32), version: "1")
        var copy = third
        #expect(copy.received(challenge) == .failed(.notProved))
    }

    @Test("an agent of another life is another") func otherBoot() throws {
        let secret = AgentSecret.random()
        var (agent, daemon) = try handshake(agent: secret, daemon: secret, expecting: .random())
        #expect(daemon.received(agent.hello) == .failed(.otherBoot(try #require(boot))))
        #expect(agent.received(agent.hello) == .failed(.unexpected))
    }
}
