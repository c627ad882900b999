import AgentLink
import AgentProtocol
import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import Subprocess
import Testing

/// The real agent in a container, driven by the daemon's end.
@Suite(.serialized, .timeLimit(.minutes(2))) struct AgentContainerTests {
    @Test("a command's streams stay apart and its exit code is told") func streams() async throws {
        try await AgentContainer.run { agent in
            let result = try await agent.script("echo out; echo err >&2; exit 7")
            #expect(result.stdout == "out\n")
            #expect(result.stderr == "err\n")
            #expect(result.report.state == .exited)
            #expect(result.report.exitCode == 7)
            #expect(result.report.reason == nil)
            #expect(try #require(result.report.finishedAtNanoseconds) >= result.report.startedAtNanoseconds)
            let hello = try await agent.script("echo hello", token: .numbered(2))
            #expect(hello.stdout == "hello\n")
            #expect(hello.report.exitCode == 0)
        }
    }

    @Test("a command that cannot be executed has failed, and no execution is logged") func cannotExecute() async throws
    {
        try await AgentContainer.run { agent in
            let missing = try await agent.start("nosuch", token: .numbered(1))
            #expect(missing.state == .failed)
            #expect(missing.exitCode == 127)
            #expect(missing.message == "exec: \"nosuch\": executable file not found in $PATH")
            let noFile = try await agent.start("/no/such", token: .numbered(2))
            #expect(noFile.exitCode == 127)
            #expect(noFile.message == "exec: \"/no/such\": no such file or directory")
            let denied = try await agent.start("/etc/passwd", token: .numbered(3))
            #expect(denied.exitCode == 126)
            #expect(denied.message == "exec: \"/etc/passwd\": permission denied")
            #expect(try await agent.start("/etc", token: .numbered(4)).exitCode == 126)
            let stranger = try await agent.start(
                RunRequest(arguments: ["true"], user: "nosuch"), token: .numbered(5))
            #expect(stranger.exitCode == 126)
            #expect(stranger.message == "unable to find user nosuch: no matching entries in passwd file")
            let file = try await agent.start(
                RunRequest(arguments: ["true"], workingDirectory: "/etc/passwd"), token: .numbered(6))
            #expect(file.exitCode == 126)
            #expect(try await agent.finish(token: .numbered(6)).report.state == .failed)
            #expect(try agent.log() == "")
        }
    }

    @Test("a script without interpreter line is the shell's, and one execution") func script() async throws {
        try await AgentContainer.run { agent in
            _ = try await agent.script("printf 'echo \"script $1\"' > /tmp/s; chmod +x /tmp/s", token: .numbered(1))
            _ = try await agent.start("/tmp/s", "argument", token: .numbered(2))
            #expect(try await agent.finish(token: .numbered(2)).stdout == "script argument\n")
            #expect(
                try agent.log().split(separator: "\n") == [
                    "skls-agent: exec token=\(RunToken.numbered(1)) boot=\(agent.boot)",
                    "skls-agent: exit token=\(RunToken.numbered(1)) boot=\(agent.boot) code=0",
                    "skls-agent: exec token=\(RunToken.numbered(2)) boot=\(agent.boot)",
                    "skls-agent: exit token=\(RunToken.numbered(2)) boot=\(agent.boot) code=0",
                ])
        }
    }

    @Test("the environment is the declared one, and the agent's is nowhere to be read") func environment() async throws
    {
        let canary = "canary-1f3870be"
        let variables = ["IDENTITY_HEADER": canary, "WEBSITE_SITE_NAME": canary, "PATH": "/\(canary)"]
        try await AgentContainer.run(variables: variables) { agent in
            _ = try await agent.start(
                RunRequest(arguments: ["env"], environment: ["A=1", "B=x y"], workingDirectory: "/new/place"),
                token: .numbered(1))
            #expect(
                try await agent.finish(token: .numbered(1)).stdout.split(separator: "\n").sorted() == [
                    "A=1", "B=x y", "HOME=/root", "HOSTNAME=box",
                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                ])
            let search = try await agent.script(
                "cat /proc/1/environ /proc/self/environ /proc/1/cmdline; ls -l /proc/self/fd | grep -v /proc/; pwd",
                token: .numbered(2))
            let secret = agent.endpoint.secret.revealedHex
            #expect(!search.stdout.contains(secret) && !search.stdout.contains(canary))
            // Without this the search could have found nothing because it read nothing.
            #expect(search.stdout.contains("HOSTNAME=box"))
            #expect(search.stdout.contains("pipe:"))
            #expect(!search.stdout.contains("socket:") && !search.stdout.contains("(deleted)"))
            #expect(search.stdout.hasSuffix("/\n"))
        }
    }

    @Test("the working directory is made, and the umask is the usual one") func surroundings() async throws {
        try await AgentContainer.run { agent in
            _ = try await agent.start(
                RunRequest(arguments: ["sh", "-c", "pwd; umask; id -u"], workingDirectory: "/new/place"))
            #expect(try await agent.finish().stdout == "/new/place\n0022\n0\n")
        }
    }

    @Test("stdin arrives in pieces, repeated ones once, and ends when it is said to") func input() async throws {
        try await AgentContainer.run { agent in
            _ = try await agent.start("cat", input: true)
            func send(_ offset: UInt64, _ text: String, end: Bool = false) async throws {
                try await agent.client.sendInput(
                    agent.endpoint, boot: agent.boot, token: .test, offset: offset, bytes: ByteBuffer(string: text),
                    endOfInput: end)
            }
            try await send(0, "one\n")
            try await agent.awaitOutput("one\n")
            try await send(0, "one\ntwo\n")
            let gap = await #expect(throws: AgentError.self) { try await send(100, "lost") }
            #expect(gap?.code == .inputGap(acceptedOffset: 8))
            try await send(8, "three", end: true)
            try await send(8, "three", end: true)
            let result = try await agent.finish()
            #expect(result.stdout == "one\ntwo\nthree")
            #expect(result.report.exitCode == 0)
            try await send(8, "three", end: true)
            let late = await #expect(throws: AgentError.self) { try await send(13, "more") }
            #expect(late?.code == .ended)
        }
    }

    @Test("stdin that is sent before the run is held for it") func earlyInput() async throws {
        try await AgentContainer.run { agent in
            async let first: Void = agent.client.sendInput(
                agent.endpoint, boot: agent.boot, token: .test, offset: 0, bytes: ByteBuffer(string: "early\n"),
                endOfInput: true)
            // Requests that the agent answers after it has got that one, as far as can be told from here.
            for _ in 0..<5 { _ = try await agent.client.hello(agent.endpoint, timeout: .seconds(10)) }
            _ = try await agent.start("cat", input: true)
            try await first
            #expect(try await agent.finish().stdout == "early\n")
        }
    }

    @Test("much stdin waits for a slow command, and is all there") func muchInput() async throws {
        try await AgentContainer.run { agent in
            _ = try await agent.start("sh", "-c", "sleep 0.2; wc -c", input: true)
            let piece = ByteBuffer(repeating: UInt8(ascii: "x"), count: 3 << 20)
            for number in 0..<4 {
                try await agent.client.sendInput(
                    agent.endpoint, boot: agent.boot, token: .test, offset: UInt64(number) * (3 << 20), bytes: piece,
                    endOfInput: number == 3)
            }
            #expect(try await agent.finish().stdout == "\(12 << 20)\n")
        }
    }

    @Test("a command without stdin, or that closed it, takes none") func noInput() async throws {
        try await AgentContainer.run { agent in
            func send() async -> AgentError.Code? {
                do throws(AgentError) {
                    // More than a pipe holds, so that it cannot be taken by one that nobody reads.
                    try await agent.client.sendInput(
                        agent.endpoint, boot: agent.boot, token: .test, offset: 0,
                        bytes: ByteBuffer(repeating: 0, count: 1 << 20), endOfInput: false)
                    return nil
                } catch {
                    return error.code
                }
            }
            let plain = try await agent.script("cat; echo end")
            #expect(plain.stdout == "end\n")
            #expect(await send() == .ended)
        }
        try await AgentContainer.run { agent in
            _ = try await agent.start("sh", "-c", "exec <&-; echo closed; sleep 100", input: true)
            try await agent.awaitOutput("closed")
            let error = await #expect(throws: AgentError.self) {
                try await agent.client.sendInput(
                    agent.endpoint, boot: agent.boot, token: .test, offset: 0,
                    bytes: ByteBuffer(repeating: 0, count: 1 << 20), endOfInput: false)
            }
            #expect(error?.code == .ended)
        }
    }

    @Test("a signal reaches the command, and its death by one is told as 128 + n") func signals() async throws {
        try await AgentContainer.run { agent in
            _ = try await agent.start(
                "sh", "-c", "trap 'echo got; exit 3' USR1; echo ready; while :; do sleep 0.01; done")
            try await agent.awaitOutput("ready")
            try await agent.client.signal(agent.endpoint, boot: agent.boot, token: .test, signal: "SIGUSR1")
            let result = try await agent.finish()
            #expect(result.stdout == "ready\ngot\n")
            #expect(result.report.exitCode == 3)
            let late = await #expect(throws: AgentError.self) {
                try await agent.client.signal(agent.endpoint, boot: agent.boot, token: .test, signal: "TERM")
            }
            #expect(late?.code == .ended)

            _ = try await agent.start("sleep", "1000", token: .numbered(1))
            try await agent.client.signal(agent.endpoint, boot: agent.boot, token: .numbered(1), signal: "9")
            #expect(try await agent.finish(token: .numbered(1)).report.exitCode == 137)

            for (token, signal, code) in [
                (RunToken.test, "NOSUCH", AgentError.Code.invalidRequest("unknown signal")),
                (.numbered(9), "TERM", .unknownToken),
            ] {
                let error = await #expect(throws: AgentError.self) {
                    try await agent.client.signal(agent.endpoint, boot: agent.boot, token: token, signal: signal)
                }
                #expect(error?.code == code)
            }
        }
    }

    @Test("a stop lets a command end by itself, and kills one that does not") func stop() async throws {
        try await AgentContainer.run { agent in
            _ = try await agent.start(
                "sh", "-c", "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done")
            try await agent.awaitOutput("ready")
            try await agent.client.stop(
                agent.endpoint, boot: agent.boot, token: .test, signal: "TERM", grace: .seconds(60))
            let polite = try await agent.finish()
            #expect(polite.stdout == "ready\nbye\n")
            #expect(polite.report.exitCode == 3)

            _ = try await agent.start(
                "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.01; done", token: .numbered(1))
            try await agent.awaitOutput("ready", token: .numbered(1))
            try await agent.client.stop(
                agent.endpoint, boot: agent.boot, token: .numbered(1), signal: "TERM", grace: .seconds(1))
            #expect(try await agent.finish(token: .numbered(1)).report.exitCode == 137)
        }
    }

    @Test("a deadline ends the command, and is told as the reason") func deadline() async throws {
        try await AgentContainer.run { agent in
            let clock = ContinuousClock()
            let start = clock.now
            _ = try await agent.start(RunRequest(arguments: ["sleep", "1000"], timeoutSeconds: 1))
            let result = try await agent.finish()
            #expect(result.report.exitCode == 143)
            #expect(result.report.reason == .deadline)
            #expect(clock.now - start >= .seconds(1))
        }
    }

    @Test("orphans are reaped, and what a command leaves behind is killed with it") func orphans() async throws {
        try await AgentContainer.run { agent in
            let left = try await agent.script(
                "(sleep 1000 &); (setsid sleep 1000 &); sh -c 'sleep 0.05 & :'; echo started")
            #expect(left.stdout == "started\n")
            #expect(left.report.exitCode == 0)
            let others = try await agent.script(
                """
                (sleep 0.05 & echo $! > /tmp/orphan)
                # It is there until it is reaped.
                while [ -d /proc/$(cat /tmp/orphan) ]; do sleep 0.01; done
                for process in /proc/[0-9]*; do read -r line < $process/stat && echo "$line" | cut -d ' ' -f 2,3; done
                """, token: .numbered(1))
            #expect(!others.stdout.contains("sleep"), "\(others.stdout)")
            #expect(!others.stdout.contains(") Z"))
            #expect(others.stdout.contains("(agent)") || others.stdout.contains("(skls-agent)"))
        }
    }

    @Test("an agent that is not process 1 kills the command's group, and does not wait for who left it")
    func notProcessOne() async throws {
        try await AgentContainer.run(isProcessOne: false) { agent in
            // The fifo tells when that process has left the group.
            let left = try await agent.script(
                """
                mkfifo /tmp/left
                (setsid sh -c 'echo > /tmp/left; exec sleep 1002' &)
                read -r line < /tmp/left
                (sleep 1001 &)
                echo started
                """)
            #expect(left.stdout == "started\n")
            #expect(left.report.exitCode == 0)
            let others = try await agent.script("ps", token: .numbered(1))
            #expect(!others.stdout.contains("sleep 1001"))
            #expect(others.stdout.contains("sleep 1002"))
        }
    }

    @Test("a reader that keeps up loses nothing of a hundred megabytes through a small spool") func fastReader()
        async throws
    {
        let size = 100_000_000
        try await AgentContainer.run(variables: ["SKLS_AGENT_SPOOL_BYTES": String(8 << 20)]) { agent in
            _ = try await agent.start("head", "-c", String(size), "/dev/zero")
            let result = try await agent.finish()
            #expect(result.lostBytes == 0)
            #expect(result.stdout.utf8.count == size)
            #expect(result.report.exitCode == 0)
        }
    }

    @Test("without a reader a command is not held up, and what was dropped is a gap") func noReader() async throws {
        let size = 100_000_000
        try await AgentContainer.run(variables: ["SKLS_AGENT_SPOOL_BYTES": String(8 << 20)]) { agent in
            // To start it again tells its state, and is no reading.
            var report = try await agent.start("head", "-c", String(size), "/dev/zero")
            while report.state == .running { report = try await agent.start("head", "-c", String(size), "/dev/zero") }
            let result = try await agent.finish()
            #expect(result.lostBytes > UInt64(size) - (8 << 20))
            #expect(result.stdout.utf8.count > 6 << 20)
            #expect(UInt64(result.stdout.utf8.count) + result.lostBytes < report.end)
            #expect(result.report.exitCode == 0)
        }
    }

    @Test("a token is executed once, however often it is posted") func once() async throws {
        try await AgentContainer.run { agent in
            let request = RunRequest(arguments: ["sh", "-c", "echo x >> /tmp/count; sleep 0.1"])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<10 { group.addTask { _ = try await agent.start(request) } }
                try await group.waitForAll()
            }
            let first = try await agent.finish().report
            var again = try await agent.start(request)
            // Where reading would begin is the one thing that two reports of a run may differ in.
            again.offset = first.offset
            #expect(again == first)
            #expect(try await agent.script("cat /tmp/count", token: .numbered(1)).stdout == "x\n")
            #expect(try agent.log().components(separatedBy: "exec token=\(RunToken.test)").count == 2)
        }
    }

    @Test("one command at a time") func busy() async throws {
        try await AgentContainer.run { agent in
            _ = try await agent.start("sleep", "1000")
            let error = await #expect(throws: AgentError.self) { try await agent.start("true", token: .numbered(1)) }
            #expect(error?.code == .busy)
            let unknown = await #expect(throws: AgentError.self) { try await agent.finish(token: .numbered(1)) }
            #expect(unknown?.code == .unknownToken)
        }
    }

    @Test("what was meant for another life is not run") func otherBoot() async throws {
        try await AgentContainer.run { agent in
            let error = await #expect(throws: AgentError.self) {
                try await agent.client.startRun(
                    agent.endpoint, boot: .random(), token: .test, request: RunRequest(arguments: ["true"]))
            }
            #expect(error?.code == .bootChanged(agent.boot))
            let log = try agent.log()
            #expect(log == "")
        }
    }

    @Test("strangers are told nothing, and probes that all is well") func strangers() async throws {
        try await AgentContainer.run { agent in
            for path in ["/", "/api/ping?x=1", "/robots933456.txt", "/skls"] {
                let (status, response) = try await agent.raw("GET", path)
                #expect(status == 200)
                #expect(!response.headers.contains { $0.name.hasPrefix("skls-") })
            }
            #expect(try await agent.raw("HEAD", "/").0 == 200)
            #expect(try await agent.raw("POST", "/").0 == 405)
            for (method, path) in [
                ("GET", "/skls/v1/hello"), ("POST", "/skls/v1/runs/\(RunToken.test)"), ("GET", "/skls/"),
            ] {
                let (status, response) = try await agent.raw(method, path)
                #expect(status == 401)
                #expect(!response.headers.contains { $0.name.hasPrefix("skls-") })
                #expect(try await response.body.collect(upTo: 1).readableBytes == 0)
            }
            let wrong = AgentClient(httpClient: agent.httpClient, logger: .init(label: "test"))
            let error = await #expect(throws: AgentError.self) {
                try await wrong.hello(
                    AgentEndpoint(baseURL: agent.endpoint.baseURL, secret: .random()), timeout: .seconds(10))
            }
            #expect(error?.code == .notReady(httpStatus: 401))
        }
    }

    @Test("the platform's TERM ends the run, lets its rest be read, and ends the agent") func termination() async throws
    {
        let (result, status) = try await AgentContainer.run(endsByItself: true) { agent in
            _ = try await agent.start(
                "sh", "-c", "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.01; done")
            try await agent.awaitOutput("ready")
            try agent.signalAgent(SIGTERM)
            return try await agent.finish()
        }
        #expect(result.stdout == "ready\nbye\n")
        #expect(result.report.exitCode == 5)
        #expect(status == .exited(0))
    }

    @Test("an idle agent ends at once, whose run was read or not") func idleTermination() async throws {
        for hasRun in [false, true] {
            let (_, status) = try await AgentContainer.run(endsByItself: true) { agent in
                if hasRun { _ = try await agent.start("true") }
                try agent.signalAgent(SIGTERM)
            }
            #expect(status == .exited(0))
        }
    }
}
