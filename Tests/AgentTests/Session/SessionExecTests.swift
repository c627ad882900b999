import AgentLink
import AgentProtocol
import NIOCore
import Testing

/// Commands beside the run, through a session with the real agent in a container.
@Suite(.serialized, .timeLimit(.minutes(2))) struct SessionExecTests {
    private func exec(
        _ script: String, input: Bool = false, terminal: TerminalSize? = nil
    ) -> SessionTask {
        .exec(ExecRequest(arguments: ["sh", "-c", script], opensStdin: input, terminal: terminal))
    }

    @Test("a command's streams stay apart, its input ends, and its exit code is told") func streams() async throws {
        try await AgentContainer.run { agent in
            let probe = try await agent.session()
            let result = try await probe.run(exec("cat; echo err >&2; exit 7", input: true), input: "hello\n")
            #expect(result.text == "hello\n")
            #expect(result.errorText == "err\n")
            #expect(result.result == SessionResult(exitCode: 7))
            #expect(result.facts?[ExecFact.pid].flatMap(Int.init) ?? 0 > 1)
            let plain = try await probe.run(exec("cat; echo end"), name: .numbered(1))
            #expect(plain.text == "end\n")
            #expect(plain.isInputClosed)
            let killed = try await probe.run(exec("kill -9 $$"), name: .numbered(2))
            #expect(killed.result == SessionResult(exitCode: 137))
        }
    }

    @Test("a command that cannot be executed is told as such") func cannotExecute() async throws {
        try await AgentContainer.run { agent in
            let probe = try await agent.session()
            var number = 0
            func run(_ request: ExecRequest) async throws -> SessionResult? {
                number += 1
                let outcome = try await probe.run(.exec(request), name: .numbered(number))
                #expect(outcome.outputBytes == 0)
                return outcome.result
            }
            #expect(
                try await run(ExecRequest(arguments: ["nosuch"]))
                    == SessionResult(
                        exitCode: 127, failure: .notFound,
                        message: "exec: \"nosuch\": executable file not found in $PATH"))
            #expect(
                try await run(ExecRequest(arguments: ["/etc/passwd"]))
                    == SessionResult(
                        exitCode: 126, failure: .notPermitted, message: "exec: \"/etc/passwd\": permission denied"))
            let missing = try await run(ExecRequest(arguments: ["true"], workingDirectory: "/no/such"))
            #expect(missing?.exitCode == 126)
            #expect(missing?.message == "chdir to cwd (\"/no/such\"): no such file or directory")
            #expect(try await run(ExecRequest(arguments: ["true"], user: "nosuch"))?.exitCode == 126)
            // None of this is a run.
            #expect(try agent.log() == "")
        }
    }

    @Test("environment, directory and home are those of a run") func surroundings() async throws {
        try await AgentContainer.run { agent in
            let probe = try await agent.session()
            let result = try await probe.run(
                .exec(
                    ExecRequest(
                        arguments: ["sh", "-c", "pwd; env"], environment: ["A=x y"], workingDirectory: "/tmp")))
            for line in ["/tmp\n", "A=x y\n", "HOME=/root\n", "HOSTNAME=box\n", "PATH=/usr/local/sbin"] {
                #expect(result.text.contains(line))
            }
            #expect(!result.text.contains("SKLS_"))
        }
    }

    @Test("several run at once, each with its own streams") func several() async throws {
        try await AgentContainer.run { agent in
            let probe = try await agent.session()
            let channels = (0..<20).map { probe.open(exec("cat", input: true), name: .numbered($0)) }
            for (number, channel) in channels.enumerated() {
                try await probe.wait(channel) { $0.facts }
                try await probe.write(channel, "\(number)")
            }
            for (number, channel) in channels.enumerated().reversed() {
                try await probe.wait(channel) { $0.text == "\(number)" ? () : nil }
            }
            for channel in channels { probe.endInput(channel) }
            for channel in channels { #expect(try await probe.finish(channel).result?.exitCode == 0) }
        }
    }

    @Test("a connection that breaks in the middle loses and repeats nothing") func resume() async throws {
        try await AgentContainer.run { agent in
            let probe = try await agent.session()
            let channel = probe.open(exec("cat; exit 3", input: true))
            try await probe.wait(channel) { $0.facts }
            var sent: [UInt8] = []
            for round in 0..<8 {
                let piece = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ round) }
                sent += piece
                try await probe.write(channel, piece)
                try await probe.disconnect()
                try await probe.connect()
            }
            probe.endInput(channel)
            let result = try await probe.finish(channel)
            #expect(result.stdout == sent)
            #expect(result.result == SessionResult(exitCode: 3))
        }
    }

    @Test("a newer connection takes the place of the older, whose daemon is told by its end") func replaced()
        async throws
    {
        try await AgentContainer.run { agent in
            let older = try await agent.session()
            let newer = try await agent.session()
            await #expect(throws: SessionProbe.Failure.self) {
                try await older.run(exec("true"), name: .numbered(1))
            }
            #expect(try await newer.run(exec("true"), name: .numbered(2)).result?.exitCode == 0)
        }
    }

    @Test("a detached command goes on, and its result is there later") func detached() async throws {
        try await AgentContainer.run { agent in
            let probe = try await agent.session()
            _ = try await probe.run(exec("mkfifo /tmp/go"), name: .numbered(1))
            let channel = probe.open(exec("head -c 3000000 /dev/zero; read -r line < /tmp/go; exit 9"))
            try await probe.wait(channel) { $0.facts }
            probe.release(channel)
            _ = try await probe.run(exec("echo > /tmp/go"), name: .numbered(2))
            let again = probe.open(exec("true"), isKnown: true)
            let result = try await probe.finish(again)
            #expect(result.result == SessionResult(exitCode: 9))
            #expect(result.outputBytes == 0)
        }
    }

    @Test("signals reach the command, once") func signals() async throws {
        try await AgentContainer.run { agent in
            let probe = try await agent.session()
            let channel = probe.open(
                exec("trap 'echo got' USR1; trap 'exit 4' TERM; echo ready; while :; do sleep 0.01; done"))
            try await probe.wait(channel) { $0.text.contains("ready") ? () : nil }
            probe.control(channel, .signal("USR1"))
            try await probe.wait(channel) { $0.text.contains("got") ? () : nil }
            try await probe.disconnect()
            probe.control(channel, .signal("SIGTERM"))
            try await probe.connect()
            let result = try await probe.finish(channel)
            #expect(result.text == "ready\ngot\n")
            #expect(result.result?.exitCode == 4)
        }
    }

    @Test("the end of the run is the end of every command beside it, as in Docker", arguments: [true, false])
    func endOfRun(isProcessOne: Bool) async throws {
        try await AgentContainer.run(isProcessOne: isProcessOne) { agent in
            let probe = try await agent.session()
            _ = try await agent.start("sh", "-c", "read -r line", input: true)
            let channel = probe.open(exec("echo up; sleep 1000"))
            try await probe.wait(channel) { $0.text == "up\n" ? () : nil }
            try await agent.client.sendInput(
                agent.endpoint, boot: agent.boot, token: .test, offset: 0, bytes: .init(string: "\n"), endOfInput: true)
            #expect(try await probe.finish(channel).result == SessionResult(exitCode: 137))
            #expect(try await agent.finish().report.state == .exited)
        }
    }

    @Test("a process left behind that keeps the output open does not keep the command open") func leftBehind()
        async throws
    {
        try await AgentContainer.run { agent in
            let probe = try await agent.session()
            let result = try await probe.run(exec("sleep 1000 & echo started"))
            #expect(result.text == "started\n")
            #expect(result.result?.exitCode == 0)
            let children = try await probe.run(exec("ps -o stat,args | grep ^Z; ps"), name: .numbered(1))
            #expect(children.text.contains("sleep 1000"))
            #expect(!children.text.contains("Z "))
        }
    }

    @Test("input stops when the command does not read, and is all there when it does") func slowReader() async throws {
        try await AgentContainer.run { agent in
            let probe = try await agent.session()
            _ = try await probe.run(exec("mkfifo /tmp/go"), name: .numbered(1))
            let channel = probe.open(exec("echo up; read -r line < /tmp/go; wc -c", input: true))
            try await probe.wait(channel) { $0.facts }
            let piece = [UInt8](repeating: 1, count: 1 << 20)
            try await probe.write(channel, piece)
            #expect(!probe.hasRoom(channel))
            _ = try await probe.run(exec("echo > /tmp/go"), name: .numbered(2))
            for _ in 0..<7 { try await probe.write(channel, piece) }
            probe.endInput(channel)
            #expect(try await probe.finish(channel).text.hasSuffix("\n\(8 << 20)\n"))
        }
    }

    @Test("input that a command closed is told") func closedInput() async throws {
        try await AgentContainer.run { agent in
            let probe = try await agent.session()
            let channel = probe.open(exec("exec <&-; echo closed; sleep 1000", input: true))
            try await probe.wait(channel) { $0.text == "closed\n" ? () : nil }
            try await probe.write(channel, "x")
            try await probe.wait(channel) { $0.isInputClosed ? () : nil }
        }
    }

    @Test("a gigabyte of output keeps the agent's memory flat, read slowly or not at all for a while")
    func gigabyte() async throws {
        try await AgentContainer.run { agent in
            let probe = try await agent.session()
            probe.keepOutput(false)
            func peak(_ number: Int) async throws -> Int {
                probe.keepOutput(true)
                defer { probe.keepOutput(false) }
                let status = try await probe.run(exec("grep VmHWM /proc/1/status"), name: .numbered(number))
                return Int(status.text.split(separator: " ").first { Int($0) != nil } ?? "") ?? 0
            }
            // Twice the window has passed, so that what a session needs is there.
            _ = try await probe.run(exec("head -c 4000000 /dev/zero"), name: .numbered(1))
            let before = try await peak(2)
            let size = 1 << 30
            let channel = probe.open(exec("head -c \(size) /dev/zero"))
            try await probe.wait(channel) { $0.outputBytes > 1 << 20 ? () : nil }
            probe.consume(false)
            let other = try await probe.run(exec("echo still here"), name: .numbered(3))
            #expect(other.outputBytes == 11)
            probe.consume(true)
            let result = try await probe.finish(channel)
            #expect(result.outputBytes == size)
            #expect(result.result?.exitCode == 0)
            let after = try await peak(4)
            #expect(before > 0)
            #expect(after - before < 8 << 10)
        }
    }

    // MARK: terminals

    @Test("a command with a terminal has one, of the size that it is given") func terminal() async throws {
        try await AgentContainer.run { agent in
            let probe = try await agent.session()
            let channel = probe.open(
                exec(
                    "test -t 0 && test -t 1 && test -t 2 && stty size; trap 'stty size; exit 5' WINCH; echo up; while :; do sleep 0.01; done",
                    terminal: TerminalSize(rows: 24, columns: 80)))
            try await probe.wait(channel) { $0.text.contains("up\r\n") ? () : nil }
            probe.control(channel, .resize(TerminalSize(rows: 50, columns: 132)))
            let result = try await probe.finish(channel)
            #expect(result.text == "24 80\r\nup\r\n50 132\r\n")
            #expect(result.result?.exitCode == 5)
            #expect(result.errorText == "")
        }
    }

    @Test("what is typed is echoed, ^C interrupts, ^D ends, and the end of input does neither") func typing()
        async throws
    {
        try await AgentContainer.run { agent in
            let probe = try await agent.session()
            let size = TerminalSize(rows: 0, columns: 0)
            let first = probe.open(exec("cat", input: true, terminal: size), name: .numbered(1))
            try await probe.wait(first) { $0.facts }
            try await probe.write(first, "hello\n")
            try await probe.wait(first) { $0.text == "hello\r\nhello\r\n" ? () : nil }
            try await probe.write(first, "\u{4}")
            #expect(try await probe.finish(first).result?.exitCode == 0)

            let second = probe.open(
                exec(
                    "trap 'echo stopped; exit 6' INT; echo up; while :; do sleep 0.01; done", input: true,
                    terminal: size),
                name: .numbered(2))
            try await probe.wait(second) { $0.text.contains("up") ? () : nil }
            probe.endInput(second)
            let other = try await probe.run(exec("ps"), name: .numbered(3))
            #expect(other.text.contains("trap 'echo stopped"))
            probe.control(second, .signal("INT"))
            #expect(try await probe.finish(second).result?.exitCode == 6)

            let third = probe.open(
                exec(
                    "trap 'echo stopped; exit 6' INT; echo up; while :; do sleep 0.01; done", input: true,
                    terminal: size),
                name: .numbered(4))
            try await probe.wait(third) { $0.text.contains("up") ? () : nil }
            try await probe.write(third, "\u{3}")
            #expect(try await probe.finish(third).result?.exitCode == 6)
        }
    }

    @Test("much output of a terminal is all there, though its command is gone") func terminalOutput() async throws {
        try await AgentContainer.run { agent in
            let probe = try await agent.session()
            let result = try await probe.run(
                exec("stty -opost; head -c 3000000 /dev/zero | tr '\\0' x", terminal: TerminalSize(rows: 1, columns: 1))
            )
            #expect(result.outputBytes == 3_000_000)
            #expect(result.result?.exitCode == 0)
        }
    }

    @Test("a run has a terminal if it is asked for") func runTerminal() async throws {
        try await AgentContainer.run { agent in
            let request = RunRequest(
                arguments: ["sh", "-c", "stty size; read -r line; echo \"got $line\" >&2; stty size"], opensStdin: true,
                terminal: TerminalSize(rows: 24, columns: 80))
            _ = try await agent.start(request)
            try await agent.awaitOutput("24 80\r\n")
            #expect(try await agent.signed("POST", "/skls/v1/runs/\(RunToken.test)/resize?h=30&w=100") == 200)
            #expect(try await agent.signed("POST", "/skls/v1/runs/\(RunToken.test)/resize?h=x&w=100") == 400)
            #expect(try await agent.signed("POST", "/skls/v1/runs/\(RunToken.numbered(9))/resize?h=1&w=1") == 404)
            try await agent.client.sendInput(
                agent.endpoint, boot: agent.boot, token: .test, offset: 0, bytes: .init(string: "line\n"),
                endOfInput: true)
            let result = try await agent.finish()
            #expect(result.stdout == "24 80\r\nline\r\ngot line\r\n30 100\r\n")
            #expect(result.stderr == "")
            #expect(result.report.exitCode == 0)
            #expect(try await agent.signed("POST", "/skls/v1/runs/\(RunToken.test)/resize?h=30&w=100") == 410)
            _ = try await agent.start("sleep", "1000", token: .numbered(1))
            #expect(try await agent.signed("POST", "/skls/v1/runs/\(RunToken.numbered(1))/resize?h=3&w=1") == 400)
        }
    }

    // MARK: the connection

    @Test("an upgrade needs the secret and the boot, and a recorded one opens nothing") func strangers() async throws {
        try await AgentContainer.run { agent in
            let (status, _) = try await agent.raw(
                "GET", SessionLimit.path, headers: [("connection", "upgrade"), ("upgrade", "websocket")])
            #expect(status == 401)
            // That connection is of no more use, and nobody may be left waiting on it.
            for _ in 0..<4 { #expect(try await agent.raw("GET", "/").0 == 200) }
            let wrong = SessionProbe(socketPath: agent.socketPath, secret: .random(), boot: agent.boot)
            #expect(try await wrong.connect().hasPrefix("HTTP/1.1 401 "))
            let otherBoot = SessionProbe(socketPath: agent.socketPath, secret: agent.endpoint.secret, boot: .random())
            #expect(try await otherBoot.connect().hasPrefix("HTTP/1.1 409 "))
            #expect(try await agent.signed("GET", SessionLimit.path) == 400)
            let probe = SessionProbe(
                socketPath: agent.socketPath, secret: agent.endpoint.secret, boot: agent.boot)
            let nonce = RequestSignature.freshNonce()
            let head = try await probe.connect(proving: nonce)
            let fields = head.split(separator: "\r\n").dropFirst().map { $0.split(separator: ": ", maxSplits: 1) }
            let signature = RequestSignature(
                secret: agent.endpoint.secret, method: "GET", path: SessionLimit.path, boot: agent.boot, nonce: nonce,
                body: UnsafeRawBufferPointer(start: nil, count: 0))
            let proof = try #require(fields.first { $0[0].lowercased() == AgentHeader.proof }?[1])
            #expect(
                ReplyProof.verify(
                    String(proof), secret: agent.endpoint.secret, signature: signature, status: 101, boot: agent.boot,
                    headers: [], body: UnsafeRawBufferPointer(start: nil, count: 0)))
            // RFC 6455, section 1.3.
            #expect(fields.contains { $0[1] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" })
        }
    }
}
