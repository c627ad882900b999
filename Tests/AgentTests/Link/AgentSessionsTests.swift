import AgentProtocol
import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOSSL
import Testing

@testable import AgentLink

/// Sessions over real connections to a scripted agent.
@Suite(.timeLimit(.minutes(1))) struct AgentSessionsTests {
    /// Runs `body` with sessions that are kept.
    static func run<Result: Sendable>(
        _ direction: AgentSessions.Direction = .forward, proxy: SessionProxy? = nil,
        _ change: (inout AgentSessions.Settings) -> Void = { _ in },
        body: @escaping @Sendable (AgentSessions) async throws -> Result
    ) async throws -> Result {
        var settings = AgentSessions.Settings()
        settings.shortestPause = .milliseconds(2)
        change(&settings)
        let sessions = AgentSessions(
            direction, tls: try NIOSSLContext(configuration: .clientDefault), proxy: proxy, settings: settings,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask {
                await sessions.run()
                return nil
            }
            group.addTask {
                while !sessions.isRunning { await Task.yield() }
                return try await body(sessions)
            }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw CancellationError()
        }
    }

    static func name() -> String { BootID.random().hex }

    private func open(
        _ arguments: [String], _ sessions: AgentSessions, _ agent: StubAgent, at endpoint: AgentEndpoint,
        name: String = name()
    ) async throws -> any SessionChannel {
        try await sessions.open(
            .exec(ExecRequest(arguments: arguments, opensStdin: true)), name: name, endpoint: endpoint,
            boot: agent.boot, offset: 0, isKnown: false)
    }

    /// Everything that comes, in order, with every offset checked.
    private func readAll(_ channel: any SessionChannel) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let output = try await channel.read() {
            bytes += output.bytes.readableBytesView
            #expect(output.offset == UInt64(bytes.count))
        }
        return bytes
    }

    @Test(arguments: [false, true])
    func `a command's input and output pass, and its result is known`(isSocket: Bool) async throws {
        let agent = StubAgent()
        let path = FileManager.default.temporaryDirectory.appending(path: "skls-\(Self.name()).sock").path
        try await agent.listen(onSocket: isSocket ? path : nil) { endpoint in
            try await Self.run { sessions in
                let channel = try await open(["echo"], sessions, agent, at: endpoint)
                #expect(channel.facts == ["pid": "7"])
                try await channel.write(ByteBuffer(string: "one"))
                let output = try #require(try await channel.read())
                #expect(String(buffer: output.bytes) == "one" && output.stream == .stdout && output.offset == 3)
                try await channel.endInput()
                #expect(try await channel.result() == SessionResult(exitCode: 0))
                #expect(try await channel.read() == nil)
                await #expect(throws: SessionError(.ended)) { try await channel.signal("TERM") }
                #expect(agent.record.withLockedValue { $0.hosts } == ["site.example"])
            }
        }
    }

    @Test func `a proxy is asked to connect`() async throws {
        let agent = StubAgent()
        let proxy = try await ConnectProxy.start()
        try await agent.listen { endpoint in
            let way = SessionProxy(host: "127.0.0.1", port: proxy.port, authorization: "Basic eDp5")
            try await Self.run(proxy: way) { sessions in
                let channel = try await open(["echo"], sessions, agent, at: endpoint)
                try await channel.endInput()
                #expect(try await channel.result().exitCode == 0)
                let request = try #require(proxy.asked.first)
                #expect(proxy.asked.count == 1)
                let target = endpoint.baseURL.dropFirst("http://".count)
                #expect(request.hasPrefix("CONNECT \(target) HTTP/1.1\r\n"))
                #expect(request.contains("\r\nProxy-Authorization: Basic eDp5\r\n"))
            }
        }
        try await proxy.stop()
    }

    @Test func `everything in one container shares a connection, which ends when nobody uses it`() async throws {
        let agent = StubAgent()
        try await agent.listen { endpoint in
            try await Self.run {
                $0.keepsIdleFor = .milliseconds(20)
            } body: { sessions in
                let first = try await open(["wait"], sessions, agent, at: endpoint)
                let second = try await open(["echo"], sessions, agent, at: endpoint)
                let stat = try await sessions.open(
                    .stat(path: "/x"), name: Self.name(), endpoint: endpoint, boot: agent.boot, offset: 0,
                    isKnown: false)
                #expect(try await stat.result().facts == [PathFact.name: "x"])
                for channel in [first, second, stat] { channel.release() }
                while agent.record.withLockedValue({ $0.openConnections }) > 0 { await Task.yield() }
                #expect(agent.record.withLockedValue { $0.connections } == 1)
                #expect(agent.record.withLockedValue { $0.released } == 3)
                // The next one gets another connection.
                let third = try await open(["echo"], sessions, agent, at: endpoint)
                try await third.endInput()
                #expect(try await third.result().exitCode == 0)
                #expect(agent.record.withLockedValue { $0.connections } == 2)
            }
        }
    }

    @Test func `output survives broken connections, whole and in order`() async throws {
        let agent = StubAgent(behaviour: .init(breaksAfter: (messages: 12, connections: 12)))
        try await agent.listen { endpoint in
            try await Self.run { sessions in
                let count = 8 << 20
                let channel = try await open(["count", "\(count)"], sessions, agent, at: endpoint)
                let bytes = try await readAll(channel)
                #expect(bytes.count == count)
                #expect(bytes.indices.allSatisfy { bytes[$0] == StubAgent.pattern($0) })
                #expect(try await channel.result().exitCode == 0)
                #expect(agent.record.withLockedValue { $0.connections } == 13)
                #expect(agent.record.withLockedValue { $0.begun.count } == 1)
            }
        }
    }

    @Test func `input survives broken connections, and controls are carried out once`() async throws {
        let agent = StubAgent(behaviour: .init(breaksAfter: (messages: 15, connections: 6)))
        try await agent.listen { endpoint in
            try await Self.run { sessions in
                let channel = try await open(["echo"], sessions, agent, at: endpoint)
                async let echoed = readAll(channel)
                let sizes = (1...20).map { TerminalSize(rows: $0, columns: 80) }
                var sent: [UInt8] = []
                for size in sizes {
                    try await channel.resize(to: size)
                    let piece = (0..<300_000).map { StubAgent.pattern(sent.count + $0) }
                    try await channel.write(ByteBuffer(bytes: piece))
                    sent += piece
                }
                try await channel.endInput()
                #expect(try await echoed == sent)
                #expect(try await channel.result().exitCode == 0)
                #expect(agent.record.withLockedValue { $0.controls } == sizes.map { .resize($0) })
                #expect(agent.record.withLockedValue { $0.connections } == 7)
            }
        }
    }

    @Test func `an agent goes no further than a window ahead of the reader`() async throws {
        let agent = StubAgent()
        try await agent.listen { endpoint in
            try await Self.run { sessions in
                let count = 4 << 20
                let channel = try await open(["count", "\(count)"], sessions, agent, at: endpoint)
                while !agent.record.withLockedValue({ $0.isFull }) { await Task.yield() }
                // Another command is not held up.
                let other = try await open(["echo"], sessions, agent, at: endpoint)
                try await other.endInput()
                #expect(try await other.result().exitCode == 0)
                #expect(agent.record.withLockedValue { $0.produced } < Int(SessionLimit.windowBytes) + 50_000)
                #expect(try await readAll(channel).count == count)
            }
        }
    }

    @Test(arguments: [
        (StubAgent.Behaviour(refusesWith: 409), SessionError.Code.otherBoot),
        (StubAgent.Behaviour(refusesWith: 409, cutsRefusals: true), .otherBoot),
        (StubAgent.Behaviour(refusesWith: 404), .unavailable),
        (StubAgent.Behaviour(refusesWith: 404, cutsRefusals: true), .unavailable),
        (StubAgent.Behaviour(isHidden: true), .unreachable),
        (StubAgent.Behaviour(handshakeSecret: .random()), .unreachable),
        (StubAgent.Behaviour(breaksAfter: (messages: 0, connections: .max)), .unreachable),
    ])
    func `an agent that cannot be had is an error of its own kind`(
        behaviour: StubAgent.Behaviour, code: SessionError.Code
    ) async throws {
        // Another boot answers 409, with its own id.
        let agent = StubAgent(behaviour: behaviour)
        try await agent.listen { endpoint in
            try await Self.run {
                if code == .unreachable { $0.givesUpAfter = .milliseconds(400) }
                $0.longestPause = .milliseconds(10)
            } body: { sessions in
                let boot = code == .otherBoot ? BootID.random() : agent.boot
                let error = await #expect(throws: SessionError.self) {
                    _ = try await sessions.open(
                        .exec(ExecRequest(arguments: ["echo"])), name: Self.name(), endpoint: endpoint, boot: boot,
                        offset: 0, isKnown: false)
                }
                #expect(error?.code == code)
                #expect(agent.record.withLockedValue { $0.begun.count } <= 1)
            }
        }
    }

    @Test func `a name that the agent does not know is not begun anew`() async throws {
        let agent = StubAgent()
        try await agent.listen { endpoint in
            try await Self.run { sessions in
                let error = await #expect(throws: SessionError.self) {
                    _ = try await sessions.open(
                        .exec(ExecRequest(arguments: ["echo"])), name: Self.name(), endpoint: endpoint,
                        boot: agent.boot, offset: 0, isKnown: true)
                }
                #expect(error?.code == .unknownTask)
                // Nor is the name of a command without arguments, and what is no name.
                for (name, arguments) in [(Self.name(), []), ("x", ["echo"])] {
                    let error = await #expect(throws: SessionError.self) {
                        _ = try await open(arguments, sessions, agent, at: endpoint, name: name)
                    }
                    #expect(error?.code == .refused)
                }
                #expect(agent.record.withLockedValue { $0.begun.isEmpty })
            }
        }
    }

    @Test func `waiting ends with its task`() async throws {
        let agent = StubAgent()
        try await agent.listen { endpoint in
            try await Self.run { sessions in
                let channel = try await open(["wait"], sessions, agent, at: endpoint)
                for wait in [
                    { _ = try await channel.read() }, { _ = try await channel.result() },
                ] as [@Sendable () async throws -> Void] {
                    let task = Task { try await wait() }
                    task.cancel()
                    await #expect(throws: SessionError(.cancelled)) { try await task.value }
                }
                agent.behaviour.withLockedValue { $0.isHidden = true }
                agent.cut()
                let opening = Task { _ = try await open(["echo"], sessions, agent, at: endpoint) }
                opening.cancel()
                await #expect(throws: SessionError(.cancelled)) { try await opening.value }
                agent.behaviour.withLockedValue { $0.isHidden = false }
                try await channel.signal("TERM")
                #expect(try await channel.result().exitCode == 143)
                #expect(agent.record.withLockedValue { $0.begun.count } == 1)
            }
        }
    }

    @Test func `the end of the sessions is the end of what waits`() async throws {
        let agent = StubAgent()
        try await agent.listen { endpoint in
            let channel = try await Self.run { sessions in
                try await open(["wait"], sessions, agent, at: endpoint)
            }
            await #expect(throws: SessionError.self) { _ = try await channel.result() }
        }
    }
}

/// Agents that call.
@Suite(.timeLimit(.minutes(1))) struct CallbackListenerTests {
    private static let site = String(repeating: "ab", count: 32)

    /// Sessions, and a listener that knows one site.
    private func listen(
        _ agent: StubAgent, _ change: @escaping @Sendable (inout CallbackListener.Settings) -> Void = { _ in },
        body: @escaping @Sendable (AgentSessions, Int) async throws -> Void
    ) async throws {
        try await AgentSessionsTests.run(.reverse) { sessions in
            var settings = CallbackListener.Settings(host: "127.0.0.1", port: 0, path: "/agents")
            change(&settings)
            let listener = CallbackListener(
                settings: settings, sessions: sessions, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            ) { $0 == Self.site ? agent.secret : nil }
            let (ports, sink) = AsyncStream.makeStream(of: Int.self)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await listener.run { sink.yield($0) }
                }
                let port = try #require(await ports.first { _ in true })
                try await body(sessions, port)
                group.cancelAll()
            }
        }
    }

    @Test func `a command runs over the agent's own connection, also over the next one`() async throws {
        let agent = StubAgent()
        try await listen(agent) { sessions, port in
            let calls = Task {
                while !Task.isCancelled {
                    let status = try await agent.call(port: port, path: "/agents", site: Self.site)
                    #expect(status == 101)
                }
            }
            let endpoint = AgentEndpoint(baseURL: "http://127.0.0.1:1", secret: agent.secret)
            let channel = try await sessions.open(
                .exec(ExecRequest(arguments: ["echo"], opensStdin: true)), name: AgentSessionsTests.name(),
                endpoint: endpoint, boot: agent.boot, offset: 0, isKnown: false)
            for word in ["one", "two", "three"] {
                try await channel.write(ByteBuffer(string: word))
                #expect(try await channel.read().map { String(buffer: $0.bytes) } == word)
                agent.cut()
            }
            try await channel.endInput()
            #expect(try await channel.result().exitCode == 0)
            #expect(agent.record.withLockedValue { $0.connections } >= 2)
            calls.cancel()
            agent.cut()
            _ = await calls.result
        }
    }

    @Test func `whoever is no agent of a known site is turned away`() async throws {
        let agent = StubAgent()
        try await listen(agent) { _, port in
            let stranger = try await agent.call(port: port, path: "/agents", site: "00")
            let liar = try await agent.call(port: port, path: "/agents", site: Self.site, secret: .random())
            let lost = try await agent.call(port: port, path: "/other", site: Self.site)
            #expect(stranger == 401 && liar == 401 && lost == 404)
            #expect(agent.record.withLockedValue { $0.connections } == 0)
        }
    }

    @Test func `a request that is not followed by a proof opens nothing`() async throws {
        let agent = StubAgent(behaviour: .init(handshakeSecret: .random()))
        try await listen(agent) { sessions, port in
            let first = try await agent.call(port: port, path: "/agents", site: Self.site)
            let endpoint = AgentEndpoint(baseURL: "http://127.0.0.1:1", secret: agent.secret)
            let opening = Task {
                _ = try await sessions.open(
                    .stat(path: "/"), name: AgentSessionsTests.name(), endpoint: endpoint, boot: agent.boot, offset: 0,
                    isKnown: false)
            }
            let second = try await agent.call(port: port, path: "/agents", site: Self.site)
            #expect(first == 101 && second == 101)
            opening.cancel()
            await #expect(throws: SessionError(.cancelled)) { try await opening.value }
            #expect(agent.record.withLockedValue { $0.begun.isEmpty })
        }
    }

    @Test func `connections that prove nothing are few`() async throws {
        let agent = StubAgent()
        try await listen(agent) {
            $0.mostUnproved = 2
            $0.handshakeTimeout = .seconds(50)
        } body: { _, port in
            var clients: [any Channel] = []
            for _ in 0..<5 { clients.append(try await SilentClient.connect(port: port)) }
            // Which of them are taken is up to the listener's threads.
            while clients.count(where: \.isActive) > 2 { await Task.yield() }
            let taken = clients.filter(\.isActive)
            #expect(taken.count == 2)
            for client in taken { try await client.close() }
            // There is room again, as soon as the listener has seen that.
            var status: Int?
            while status == nil {
                // It throws while the listener is full.
                status = try? await agent.call(port: port, path: "/other", site: Self.site)
            }
            #expect(status == 404)
        }
    }

    @Test func `connections that prove nothing end`() async throws {
        try await listen(StubAgent()) {
            $0.handshakeTimeout = .milliseconds(50)
        } body: { _, port in
            try await SilentClient.connect(port: port).closeFuture.get()
        }
    }
}
