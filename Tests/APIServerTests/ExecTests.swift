import AgentLink
import AgentProtocol
import DesiredState
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import APIServer

@Suite("Exec over the wire", .timeLimit(.minutes(1)))
struct ExecTests {
    @Test("create is refused in Docker's words")
    func createRefusals() async throws {
        try await TestServer.with(sessions: FakeSessions()) { server in
            let held = try await server.started(["hold"])
            let idle = try await server.create(["true"])
            func refusal(_ id: String, _ body: String) async throws -> RawResponse {
                try await server.request("POST", "/v1.51/containers/\(id)/exec", body: body)
            }
            let cases = [
                (held, "{}", 400, "No exec command specified"),
                (held, #"{"Cmd":[]}"#, 400, "No exec command specified"),
                (held, #"{"Cmd":7}"#, 400, "cannot use a number for the field Cmd"),
                (held, #"{"Cmd":["sh"],"Privileged":true}"#, 501, "Privileged is not supported"),
                (held, #"{"Cmd":["sh"],"DetachKeys":"ctrl-"}"#, 400, "Invalid escape keys (ctrl-) provided"),
                (held, #"{"Cmd":["sh"],"ConsoleSize":[1]}"#, 400, "invalid ConsoleSize"),
                ("nobody", #"{"Cmd":["sh"]}"#, 404, "No such container: nobody"),
                (idle, #"{"Cmd":["sh"]}"#, 409, "container \(idle) is not running"),
            ]
            for (id, body, status, text) in cases {
                let reply = try await refusal(id, body)
                #expect(reply.status == status, "\(body)")
                #expect(reply.body.contains(text), "\(reply.body)")
            }
            for path in ["/exec/nosuch/json", "/exec/nosuch/start", "/exec/nosuch/resize?h=1&w=1"] {
                let method = path.hasSuffix("json") ? "GET" : "POST"
                let reply = try await server.request(method, path, body: method == "POST" ? "{}" : nil)
                #expect(reply.status == 404)
                #expect(reply.body == "{\"message\":\"No such exec instance: nosuch\"}")
            }
        }
    }

    @Test("the head comes alone, however quick the command is: docker-py loses what comes with it")
    func headAlone() async throws {
        try await TestServer.with(sessions: FakeSessions()) { server in
            let held = try await server.started(["hold"])
            for _ in 0..<20 {
                let id = try await server.createExec(held, ["play", "out:a", "exit:0"], more: #","AttachStdout":true"#)
                try await RawClient.with(server.socketPath) { session in
                    try await session.send(execStart(id))
                    let head = try await session.piece()
                    #expect(head.hasPrefix("HTTP/1.1 101 UPGRADED\r\n") && head.hasSuffix("\r\n\r\n"))
                    session.halfClose()
                    #expect(try await session.readToEnd() == StreamFrame.encode(.standardOutput, "a"))
                }
            }
        }
    }

    /// A tar of one file, as the agent makes it.
    private func tar(_ content: String) -> String {
        let size = String(content.utf8.count, radix: 8)
        let zero = "\0"
        return "passwd" + String(repeating: zero, count: 118) + String(repeating: "0", count: 11 - size.count) + size
            + String(repeating: zero, count: 21) + "0" + String(repeating: zero, count: 355) + content
            + String(repeating: zero, count: 512 - content.utf8.count + 1024)
    }

    @Test("a user that the container's files do not list is refused at create; a number is not looked up")
    func unknownUsers() async throws {
        let sessions = FakeSessions()
        sessions.can("archive", tar("# a list\nroot:x:0:0:root:/root:/bin/sh\nweb:x:7:\n"))
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(["hold"])
            let cases = [
                ("nosuch", "unable to find user nosuch: no matching entries in passwd file"),
                ("root:nosuch", "unable to find group nosuch: no matching entries in group file"),
                ("root", ""), ("web:root", ""), ("77", ""), ("77:88", ""), ("", ""), ("root:", ""),
            ]
            for (user, refusal) in cases {
                let reply = try await server.request(
                    "POST", "/containers/\(held)/exec", body: #"{"Cmd":["sh"],"User":"\#(user)"}"#)
                #expect(reply.status == (refusal.isEmpty ? 201 : 400), "\(user)")
                #expect(refusal.isEmpty || reply.body == "{\"message\":\"\(refusal)\"}")
            }
            // Where the files cannot be read, the agent tells at the start.
            sessions.can("archive", "", SessionResult(failure: .notFound, message: "no"))
            let reply = try await server.request(
                "POST", "/containers/\(held)/exec", body: #"{"Cmd":["sh"],"User":"nosuch"}"#)
            #expect(reply.status == 201)
        }
    }

    @Test("without sessions exec is refused at create, which is where clients show the message")
    func sessionsOff() async throws {
        try await TestServer.with { server in
            let held = try await server.started(["hold"])
            let reply = try await server.request("POST", "/containers/\(held)/exec", body: #"{"Cmd":["sh"]}"#)
            #expect(reply.status == 501)
            #expect(reply.body.contains("sessions are off: turn them on in the daemon's configuration"))
        }
    }

    @Test("an attached command's streams come in frames, and its exit code is known when they end")
    func attached() async throws {
        let sessions = FakeSessions()
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(
                ["hold"], more: #","Env":["A=1","B=2"],"WorkingDir":"/w","User":"7""#)
            let id = try await server.createExec(
                held, ["play", "out:a", "err:b", "exit:3"],
                more: #","Env":["B=3"],"AttachStdout":true,"AttachStderr":true"#)
            let created = try await server.exec(id)
            #expect(created["Running"] == false && created["ExitCode"] == .null && created["Pid"] == 0)
            #expect(created["ContainerID"] == .string(held))
            #expect(created["ProcessConfig"]?["entrypoint"] == "play")
            #expect(created["ProcessConfig"]?["arguments"] == ["out:a", "err:b", "exit:3"])
            #expect(created["OpenStdin"] == false && created["OpenStdout"] == true)
            try await RawClient.with(server.socketPath) { session in
                try await session.send(execStart(id))
                let head = try await session.read(through: "\r\n\r\n")
                #expect(head.hasPrefix("HTTP/1.1 101 UPGRADED\r\n"))
                #expect(head.contains("application/vnd.docker.multiplexed-stream"))
                session.halfClose()
                var expected = StreamFrame.encode(.standardOutput, "a")
                expected.writeImmutableBuffer(StreamFrame.encode(.standardError, "b"))
                #expect(try await session.readToEnd() == expected)
            }
            let ended = try await server.exec(id)
            #expect(ended["Running"] == false && ended["ExitCode"] == 3 && ended["CanRemove"] == true)
            let request = try #require(sessions.requests.first)
            #expect(request.environment == ["A=1", "B=2", "B=3"])
            #expect(request.workingDirectory == "/w" && request.user == "7" && request.terminal == nil)
            #expect(sessions.boots == [BootID(String(repeating: "b", count: 32))])
        }
    }

    @Test("a command that is over before its client reads loses no output")
    func quick() async throws {
        try await TestServer.with(sessions: FakeSessions()) { server in
            let held = try await server.started(["hold"])
            for _ in 0..<50 {
                let id = try await server.createExec(held, ["play", "out:a", "out:b"], more: #","AttachStdout":true"#)
                try await RawClient.with(server.socketPath) { session in
                    try await session.send(execStart(id, #"{"Tty":true}"#))
                    _ = try await session.read(through: "\r\n\r\n")
                    #expect(String(buffer: try await session.readToEnd()) == "ab")
                }
            }
        }
    }

    @Test("frames follow the start's word about a terminal, not the create's")
    func framing() async throws {
        let sessions = FakeSessions()
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(["hold"])
            for (isRaw, expected) in [
                (false, StreamFrame.encode(.standardOutput, "x")), (true, ByteBuffer(string: "x")),
            ] {
                let id = try await server.createExec(
                    held, ["play", "out:x"], more: #","Tty":true,"AttachStdout":true,"ConsoleSize":[10,20]"#)
                try await RawClient.with(server.socketPath) { session in
                    try await session.send(execStart(id, "{\"Tty\":\(isRaw),\"ConsoleSize\":[3,4]}"))
                    let head = try await session.read(through: "\r\n\r\n")
                    #expect(head.contains(isRaw ? "docker.raw-stream" : "docker.multiplexed-stream"))
                    #expect(try await session.readToEnd() == expected)
                }
                let size = TerminalSize(rows: isRaw ? 3 : 10, columns: isRaw ? 4 : 20)
                #expect(sessions.requests.first?.terminal == size)
                #expect(sessions.requests.first?.environment == ["TERM=xterm"])
            }
        }
    }

    @Test("the end of the client's input ends the command's, and the output still comes")
    func halfClose() async throws {
        let sessions = FakeSessions()
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(["hold"])
            let id = try await server.createExec(held, ["cat"], more: #","AttachStdin":true,"AttachStdout":true"#)
            try await RawClient.with(server.socketPath) { session in
                // The first bytes come right behind the request.
                try await session.send(execStart(id) + "one ")
                _ = try await session.read(through: "\r\n\r\n")
                try await session.send("two")
                session.halfClose()
                let all = String(buffer: try await session.readToEnd())
                #expect(all.filter { $0 != "\0" && $0 != "\u{1}" }.contains("two"))
            }
            #expect(sessions.task(id)?.input == "one two")
            #expect(try await server.exec(id)["ExitCode"] == 0)
        }
    }

    @Test(
        "a command that cannot be executed says so on its stream, with Docker's exit code",
        arguments: [
            ("nosuch", 127, "exec: \"nosuch\": executable file not found in $PATH"),
            ("denied", 126, "permission denied"),
        ])
    func startFailures(word: String, code: Int, text: String) async throws {
        try await TestServer.with(sessions: FakeSessions()) { server in
            let held = try await server.started(["hold"])
            let id = try await server.createExec(held, [word], more: #","AttachStdout":true"#)
            let expected = "OCI runtime exec failed: exec failed: unable to start container process: \(text)\r\n"
            try await RawClient.with(server.socketPath) { session in
                try await session.send(execStart(id))
                #expect(try await session.read(through: "\r\n\r\n").hasPrefix("HTTP/1.1 101"))
                #expect(try await session.readToEnd() == StreamFrame.encode(.standardOutput, expected))
            }
            #expect(try await server.exec(id)["ExitCode"] == .number(code))
            let detached = try await server.createExec(held, [word])
            let reply = try await server.request("POST", "/exec/\(detached)/start", body: #"{"Detach":true}"#)
            #expect(reply.status == 400)
            #expect(reply.body.contains(word == "nosuch" ? "executable file not found" : "permission denied"))
            #expect(try await server.exec(detached)["ExitCode"] == .number(code))
        }
    }

    @Test("a relative working directory fails the start, as with Docker's runtime")
    func relativeDirectory() async throws {
        let sessions = FakeSessions()
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(["hold"])
            let id = try await server.createExec(
                held, ["play"], more: #","WorkingDir":"relative","AttachStdout":true"#)
            try await RawClient.with(server.socketPath) { session in
                try await session.send(execStart(id, #"{"Tty":true}"#))
                _ = try await session.read(through: "\r\n\r\n")
                let text = String(buffer: try await session.readToEnd())
                #expect(text == "OCI runtime exec failed: exec failed: Cwd must be an absolute path\r\n")
            }
            #expect(try await server.exec(id)["ExitCode"] == 128)
            #expect(sessions.requests.isEmpty)
        }
    }

    @Test("a detached command goes on by itself, once, while its output is dropped")
    func detached() async throws {
        let sessions = FakeSessions()
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(["hold"])
            let id = try await server.createExec(held, ["flood"])
            let start = "/exec/\(id)/start"
            let body = #"{"Detach":true}"#
            let reply = try await server.request("POST", start, body: body)
            #expect(reply.status == 200 && reply.body.isEmpty)
            let running = try await server.exec(id)
            #expect(running["Running"] == true && running["ExitCode"] == .null && running["Pid"] == 42)
            let inspected = try JSON.parse(try await server.request("GET", "/containers/\(held)/json").body)
            #expect(inspected["ExecIDs"] == [.string(id)])
            let twice = try await server.request("POST", start, body: body)
            #expect(twice.status == 409)
            #expect(twice.body == "{\"message\":\"exec command \(id) is already running\"}")
            let task = try #require(sessions.task(id))
            try await task.waitForReads(10)
            task.end(5)
            try await task.waitForRelease()
            #expect(try await server.exec(id)["ExitCode"] == 5)
            let again = try await server.request("POST", start, body: body)
            #expect(again.status == 409)
            #expect(again.body == "{\"message\":\"exec command \(id) has already run\"}")
        }
    }

    @Test("commands end with the run that they are beside, and do not go on into the next one")
    func endWithRun() async throws {
        let sessions = FakeSessions()
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(["hold"])
            let id = try await server.createExec(held, ["hold"])
            let created = try await server.createExec(held, ["hold"])
            #expect(try await server.request("POST", "/exec/\(id)/start", body: #"{"Detach":true}"#).status == 200)
            #expect(try await server.request("POST", "/containers/\(held)/restart?t=1").status == 204)
            try await sessions.task(id)?.waitForRelease()
            #expect(try await server.exec(id)["ExitCode"] == 137)
            let late = try await server.request("POST", "/exec/\(created)/start", body: #"{"Detach":true}"#)
            #expect(late.status == 409 && late.body == "{\"message\":\"container \(held) is not running\"}")
        }
    }

    @Test("a command whose agent is gone with the run has ended, too")
    func goneWithRun() async throws {
        let sessions = FakeSessions()
        let directory = try TestDirectory()
        defer { directory.remove() }
        let ids = Ids()
        try await TestServer.with(directory, sessions: sessions) { server in
            let held = try await server.started(["hold"])
            ids.add(try await server.createExec(held, ["hold"]))
            let start = try await server.request("POST", "/exec/\(ids.all[0])/start", body: #"{"Detach":true}"#)
            #expect(start.status == 200)
        }
        try await Self.loseRuns(directory)
        sessions.fail(SessionError(.unreachable))
        try await TestServer.with(directory, sessions: sessions) { server in
            while try await server.exec(ids.all[0])["Running"] == true { await Task.yield() }
            #expect(try await server.exec(ids.all[0])["ExitCode"] == 137)
        }
    }

    /// While no server is there, the runs of all containers are lost.
    private static func loseRuns(_ directory: TestDirectory) async throws {
        var generator = SystemRandomNumberGenerator()
        let store = try SQLiteStore(path: directory.path + "/state.sqlite", generator: &generator)
        for var record in try await store.list(includingDeleted: false).records {
            for index in record.status.runs.indices { record.status.runs[index].attempts[0].outcome = .lost }
            try await store.commit(Transaction(origin: .controller, [.setStatus(record.uid, record.status)]))
        }
    }

    @Test("a client that vanishes ends nothing, and what nobody reads is dropped")
    func vanishedClient() async throws {
        let sessions = FakeSessions()
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(["hold"])
            let id = try await server.createExec(held, ["flood"], more: #","AttachStdin":true,"AttachStdout":true"#)
            try await RawClient.with(server.socketPath) { session in
                try await session.send(execStart(id))
                _ = try await session.read(through: "flood")
            }
            let task = try #require(sessions.task(id))
            try await task.waitForReads(2000)
            #expect(try await server.exec(id)["Running"] == true)
            task.end(9)
            try await task.waitForRelease()
            #expect(try await server.exec(id)["ExitCode"] == 9)
        }
    }

    @Test("what becomes of a command is told to who watches events")
    func events() async throws {
        let sessions = FakeSessions()
        sessions.can("processes", "PID\n1\n")
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(["hold"])
            let id = try await server.createExec(held, ["play", "exit:3"])
            #expect(try await server.request("POST", "/exec/\(id)/start", body: #"{"Detach":true}"#).status == 200)
            try await sessions.task(id)?.waitForRelease()
            _ = try await server.request("GET", "/containers/\(held)/top")
            _ = try await server.request("POST", "/containers/\(held)/update", body: #"{"Memory":10000000}"#)
            let events = try await server.store.events(after: 0, since: nil, limit: 100).filter { $0.actor == held }
            #expect(
                events.map(\.action).suffix(5) == [
                    "exec_create: play exit:3", "exec_start: play exit:3", "exec_die", "top", "update",
                ])
            #expect(events.first { $0.action == "exec_die" }?.attributes["exitCode"] == "3")
            #expect(events.filter { $0.attributes["execID"] == id }.count == 3)
        }
    }

    @Test("detach keys end a client's terminal and not the command")
    func detachKeys() async throws {
        let sessions = FakeSessions()
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(["hold"])
            let id = try await server.createExec(
                held, ["hold"],
                more: #","Tty":true,"AttachStdin":true,"AttachStdout":true,"DetachKeys":"ctrl-x,y""#)
            try await RawClient.with(server.socketPath) { session in
                try await session.send(execStart(id, #"{"Tty":true}"#) + "a\u{18}b\u{18}")
                _ = try await session.read(through: "\r\n\r\n")
                try await session.send("y")
                #expect(try await session.readToEnd().readableBytes == 0)
            }
            #expect(sessions.task(id)?.input == "a\u{18}b")
            #expect(sessions.task(id)?.isInputEnded == false)
            #expect(try await server.exec(id)["Running"] == true)
            sessions.task(id)?.end(0)
        }
    }

    @Test("a size reaches the terminal, also one that comes before the start")
    func resize() async throws {
        let sessions = FakeSessions()
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(["hold"])
            let id = try await server.createExec(held, ["hold"], more: #","Tty":true,"AttachStdout":true"#)
            #expect(try await server.request("POST", "/exec/\(id)/resize?h=x&w=1").status == 400)
            #expect(try await server.request("POST", "/exec/\(id)/resize?h=5&w=6").status == 200)
            #expect(try await server.request("POST", "/exec/\(id)/start", body: #"{"Detach":true}"#).status == 200)
            let task = try #require(sessions.task(id))
            try await task.waitForSize()
            #expect(try await server.request("POST", "/exec/\(id)/resize?h=7&w=70000").status == 200)
            #expect(task.sizes == [TerminalSize(rows: 5, columns: 6), TerminalSize(rows: 7, columns: 65535)])
            task.end(0)
            try await task.waitForRelease()
            #expect(try await server.request("POST", "/exec/\(id)/resize?h=1&w=1").status == 400)
        }
    }

    @Test("several commands run at once in one container")
    func several() async throws {
        let sessions = FakeSessions()
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(["hold"])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<10 {
                    group.addTask {
                        let id = try await server.createExec(
                            held, ["cat"], more: #","AttachStdin":true,"AttachStdout":true"#)
                        try await RawClient.with(server.socketPath) { session in
                            try await session.send(execStart(id, #"{"Tty":true}"#) + "number \(number)")
                            _ = try await session.read(through: "\r\n\r\n")
                            session.halfClose()
                            #expect(String(buffer: try await session.readToEnd()) == "number \(number)")
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("an agent that cannot be asked is told of on the stream, and nothing is begun late")
    func unreachable() async throws {
        let sessions = FakeSessions()
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(["hold"])
            for (code, exitCode) in [(SessionError.Code.unreachable, 125), (.busy, 126), (.otherBoot, 137)] {
                let id = try await server.createExec(held, ["play"], more: #","AttachStdout":true,"AttachStderr":true"#)
                sessions.fail(SessionError(code))
                try await RawClient.with(server.socketPath) { session in
                    try await session.send(execStart(id, #"{"Tty":true}"#))
                    _ = try await session.read(through: "\r\n\r\n")
                    #expect(try await session.readToEnd().readableBytes > 10)
                }
                #expect(try await server.exec(id)["ExitCode"] == .number(exitCode))
                #expect(sessions.task(id) == nil)
            }
        }
    }

    @Test("after a restart of the daemon commands are found again, and those that ended are remembered")
    func restart() async throws {
        let sessions = FakeSessions()
        let directory = try TestDirectory()
        defer { directory.remove() }
        let ids = Ids()
        try await TestServer.with(directory, sessions: sessions) { server in
            let held = try await server.started(["hold"])
            for words in [["hold"], ["hold"], ["play", "exit:4"], ["hold"]] {
                ids.add(try await server.createExec(held, words))
            }
            for id in ids.all.prefix(3) {
                let reply = try await server.request("POST", "/exec/\(id)/start", body: #"{"Detach":true}"#)
                #expect(reply.status == 200)
            }
            try await sessions.task(ids.all[2])?.waitForRelease()
        }
        sessions.task(ids.all[0])?.end(6)
        try await TestServer.with(directory, sessions: sessions) { server in
            // Whoever asks may be quicker than the daemon, which asks the agent by itself.
            while try await server.exec(ids.all[0])["Running"] == true { await Task.yield() }
            #expect(try await server.exec(ids.all[0])["ExitCode"] == 6)
            #expect(try await server.exec(ids.all[1])["Running"] == true)
            #expect(try await server.exec(ids.all[2])["ExitCode"] == 4)
            let untouched = try await server.exec(ids.all[3])
            #expect(untouched["Running"] == false && untouched["ExitCode"] == .null)
            #expect(sessions.requests.count == 3, "nothing was begun again")
        }
        sessions.forget()
        try await TestServer.with(directory, sessions: sessions) { server in
            while try await server.exec(ids.all[1])["Running"] == true { await Task.yield() }
            #expect(try await server.exec(ids.all[1])["ExitCode"] == 125)
            #expect(sessions.requests.count == 3)
        }
    }
}

private final class Ids: Sendable {
    private let ids = NIOLockedValueBox<[String]>([])
    var all: [String] { ids.withLockedValue { $0 } }
    func add(_ id: String) { ids.withLockedValue { $0.append(id) } }
}

/// A start as the CLI sends it.
func execStart(_ id: String, _ body: String = #"{"Detach":false,"Tty":false}"#) -> String {
    "POST /v1.50/exec/\(id)/start HTTP/1.1\r\nHost: api.moby.localhost\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        + "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body
}

extension TestServer {
    /// A container that was created and started.
    func started(_ words: [String], name: String? = nil, more: String = "") async throws -> String {
        let id = try await create(words, name: name, more: more)
        #expect(try await request("POST", "/containers/\(id)/start").status == 204)
        return id
    }

    func createExec(_ container: String, _ words: [String], more: String = "") async throws -> String {
        let command = JSON.strings(words).text
        let reply = try await request("POST", "/containers/\(container)/exec", body: "{\"Cmd\":\(command)\(more)}")
        #expect(reply.status == 201, "\(reply.body)")
        guard case .string(let id)? = try JSON.parse(reply.body)["Id"] else { throw CreateFailed(response: reply) }
        return id
    }

    func exec(_ id: String) async throws -> JSON {
        try JSON.parse(try await request("GET", "/exec/\(id)/json").body)
    }
}
