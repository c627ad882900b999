import AgentLink
import AgentProtocol
import AsyncHTTPClient
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

/// What the client makes of replies, by a server that answers as each test tells it.
@Suite(.timeLimit(.minutes(1))) struct AgentClientTests {
    private let secret = AgentSecret.random()
    private let boot = BootID.random()
    private let token = RunToken.test

    @Test("a proved hello tells boot id and version") func hello() async throws {
        let (hello, request) = try await answer {
            $0.proved(200, [(AgentHeader.version, "9")])
        } asking: {
            try await $0.hello($1, timeout: .seconds(10))
        }
        #expect(hello == AgentHello(boot: boot, version: "9"))
        #expect(request?.head.uri == "/skls/v1/hello")
        #expect(request?.head.headers[AgentHeader.boot] == [""])
    }

    @Test("a Host header of its own is sent, and once") func host() async throws {
        let (_, request) = try await answer(hostHeader: "x.azurewebsites.net") {
            $0.proved(200, [(AgentHeader.version, "9")])
        } asking: {
            try await $0.hello($1, timeout: .seconds(10))
        }
        #expect(request?.head.headers["host"] == ["x.azurewebsites.net"])
    }

    @Test("a reply without proof is the front end's", arguments: [200, 401, 404, 409, 502, 503])
    func unproved(status: Int) async throws {
        let code = try await code { _ in Reply(status: status, body: ByteBuffer(string: "<html>")) }
        #expect(code == .notReady(httpStatus: status))
    }

    @Test("a wrong proof is believed nothing") func wrongProof() async throws {
        let wrong: [@Sendable (Call) -> Reply] = [
            { call in
                var reply = call.proved(200, [(AgentHeader.version, "9")])
                reply.headers.append((AgentHeader.reason, "deadline"))
                return reply
            },
            { call in
                var reply = call.proved(409)
                reply.status = 200
                return reply
            },
            { call in
                var reply = call.proved(200, [(AgentHeader.version, "9")])
                reply.body = ByteBuffer(string: "x")
                return reply
            },
            { call in
                var reply = call.proved(200, [(AgentHeader.version, "9")])
                reply.headers.removeAll { $0.name == AgentHeader.boot }
                return reply
            },
            { call in
                Call(request: call.request, secret: .random(), boot: call.boot).proved(
                    200, [(AgentHeader.version, "9")])
            },
        ]
        for reply in wrong { #expect(try await code(reply) == .notProved) }
    }

    @Test("another boot id is told, whatever the status") func otherBoot() async throws {
        let other = BootID.random()
        for status in [409, 200] {
            let code = try await code { call in
                Call(request: call.request, secret: call.secret, boot: other).proved(status)
            } asking: {
                _ = try await $0.startRun($1, boot: boot, token: token, request: RunRequest(arguments: ["true"]))
            }
            #expect(code == .bootChanged(other))
        }
    }

    @Test(
        "a proved refusal has its own code",
        arguments: [
            (404, [], AgentError.Code.unknownToken), (410, [], .ended),
            (409, [(AgentHeader.conflict, "busy")], .busy), (409, [(AgentHeader.conflict, "stopping")], .stopping),
            (409, [(AgentHeader.stdinOffset, "12")], .inputGap(acceptedOffset: 12)),
            (409, [], .invalidReply("a conflict without reason")),
            (400, [(AgentHeader.message, "argv%20is%20missing")], .invalidRequest("argv is missing")),
            (500, [], .invalidReply("status 500")),
        ] as [(Int, [(String, String)], AgentError.Code)])
    func refusals(status: Int, headers: [(String, String)], expected: AgentError.Code) async throws {
        let code = try await code {
            $0.proved(status, headers)
        } asking: {
            try await $0.signal($1, boot: boot, token: token, signal: "TERM")
        }
        #expect(code == expected)
    }

    @Test("output has to be whole frames that fit their offsets") func output() async throws {
        func read(_ report: RunReport, _ body: ByteBuffer) async throws -> AgentError.Code? {
            try await code {
                $0.proved(200, report.headers, body)
            } asking: {
                _ = try await $0.readRun($1, boot: boot, token: token, offset: 100, wait: .zero)
            }
        }
        let invalid = AgentError.Code.invalidReply("its output does not fit its offsets")
        func running(_ offset: UInt64, _ end: UInt64) -> RunReport {
            RunReport(state: .running, startedAtNanoseconds: 1, offset: offset, end: end)
        }
        #expect(try await read(running(100, 119), frame("one")) == nil)
        #expect(try await read(running(300, 319), frame("one")) == nil)
        #expect(try await read(running(100, 100), ByteBuffer()) == nil)
        #expect(try await read(running(100, 118), frame("one")) == invalid)
        #expect(try await read(running(0, 119), frame("one")) == invalid)
        #expect(try await read(running(100, 119), ByteBuffer()) == invalid)
        #expect(try await read(running(100, 999), ByteBuffer(string: "junk")) == invalid)
        #expect(
            try await read(running(100, 999), ByteBuffer(bytes: GapFrame.encode(lostBytes: 1, timestampNanoseconds: 1)))
                == invalid)
    }

    @Test("a reply without its status headers is invalid") func noStatus() async throws {
        let code = try await code {
            $0.proved(200)
        } asking: {
            _ = try await $0.readRun($1, boot: boot, token: token, offset: 0, wait: .zero)
        }
        #expect(code == .invalidReply("its status headers are incomplete"))
    }

    @Test("stdin that the agent holds for a full pipe is asked about again, not sent again") func fullPipe()
        async throws
    {
        let bodies = NIOLockedValueBox<[String]>([])
        let (_, last) = try await answer { call in
            let count = bodies.withLockedValue { bodies in
                bodies.append(String(buffer: call.request.body))
                return bodies.count
            }
            return count == 1 ? call.proved(503, [(AgentHeader.stdinOffset, "14")]) : call.proved(200)
        } asking: {
            try await $0.sendInput(
                $1, boot: boot, token: token, offset: 10, bytes: ByteBuffer(string: "abcdef"), endOfInput: true)
        }
        #expect(bodies.withLockedValue { $0 } == ["abcdef", "ef"])
        #expect(last?.head.uri == "/skls/v1/runs/\(token)/stdin?offset=14&eof=1")
    }

    @Test("a body beyond the bound is not read") func longBody() async throws {
        let code = try await code { $0.proved(200, [], ByteBuffer(repeating: 0, count: (1 << 20) + 1)) }
        #expect(code == .invalidReply("the body is longer than 1 MiB"))
    }

    @Test("a malformed request is not sent") func malformed() async throws {
        let code = try await code {
            _ in
            Reply(status: 200)
        } asking: {
            _ = try await $0.startRun($1, boot: boot, token: token, request: RunRequest(arguments: []))
        }
        #expect(code == .invalidRequest("argv is missing"))
    }

    @Test("a reply that does not come in time, or not to its end, is given up") func timeout() async throws {
        for isHeadSent in [false, true] {
            let code = try await code {
                _ in
                Reply(status: 200, stall: isHeadSent ? .body : .head)
            } asking: {
                _ = try await $0.hello($1, timeout: .milliseconds(50))
            }
            #expect(code == .timedOut)
        }
    }

    @Test("a cancelled request is cancelled") func cancelled() async throws {
        let arrived = AsyncStream<Void>.makeStream()
        let code = try await code { _ in
            arrived.continuation.finish()
            return Reply(status: 200, stall: .head)
        } asking: { client, endpoint in
            let task = Task { _ = try await client.hello(endpoint, timeout: .seconds(50)) }
            for await _ in arrived.stream {}
            task.cancel()
            try await task.value
        }
        #expect(code == .cancelled)
    }

    @Test("nobody there is unreachable, and so is a broken connection") func unreachable() async throws {
        let broken = try await code { _ in Reply(status: 200, stall: .close) }
        #expect(broken == .unreachable)
        try await withClient { client in
            let endpoint = AgentEndpoint(baseURL: "http+unix://%2Fnonexistent%2Fsocket", secret: secret)
            let error = await #expect(throws: AgentError.self) {
                try await client.hello(endpoint, timeout: .seconds(10))
            }
            #expect(error?.code == .unreachable)
        }
    }

    // MARK: arranging

    /// Starts a server that answers every request by `reply`, and asks it once.
    private func answer<Value: Sendable>(
        hostHeader: String? = nil, _ reply: @escaping @Sendable (Call) -> Reply,
        asking: (AgentClient, AgentEndpoint) async throws -> Value
    ) async throws -> (Value, StubServer.Request?) {
        let server = try await StubServer.start { [secret, boot] in reply(Call(request: $0, secret: secret, boot: boot))
        }
        do {
            let value = try await withClient { client in
                try await asking(
                    client, AgentEndpoint(baseURL: server.baseURL, hostHeader: hostHeader, secret: secret))
            }
            let request = server.lastRequest
            try await server.stop()
            return (value, request)
        } catch {
            try await server.stop()
            throw error
        }
    }

    /// The code of the error that a call ends with; nil if it ends well.
    private func code(
        _ reply: @escaping @Sendable (Call) -> Reply,
        asking: (AgentClient, AgentEndpoint) async throws -> Void = {
            _ = try await $0.hello($1, timeout: .seconds(10))
        }
    ) async throws -> AgentError.Code? {
        do {
            _ = try await answer(reply, asking: asking)
            return nil
        } catch let error as AgentError {
            return error.code
        }
    }
}

/// A client of its own, shut down in the end.
func withClient<Value>(_ body: (AgentClient) async throws -> Value) async throws -> Value {
    try await withHTTPClient { try await body(AgentClient(httpClient: $0, logger: Logger(label: "test"))) }
}

func withHTTPClient<Value>(_ body: (HTTPClient) async throws -> Value) async throws -> Value {
    var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
    configuration.connectionPool.retryConnectionEstablishment = false
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    do {
        let value = try await body(client)
        try await client.shutdown()
        return value
    } catch {
        // The first error is the one to report.
        try? await client.shutdown()
        throw error
    }
}

extension RunToken {
    /// One that is as good as any.
    static let test: RunToken = {
        guard let token = RunToken(String(repeating: "7e57", count: 16)) else { preconditionFailure("64 hex digits") }
        return token
    }()

    static func numbered(_ number: Int) -> RunToken {
        let digits = String(number)
        guard let token = RunToken(String(repeating: "0", count: 64 - digits.count) + digits) else {
            preconditionFailure("decimal digits are hex digits")
        }
        return token
    }
}

/// A request at the stub, and the means to answer it as an agent would.
struct Call: Sendable {
    let request: StubServer.Request
    let secret: AgentSecret
    let boot: BootID

    func proved(_ status: Int, _ headers: [(name: String, value: String)] = [], _ body: ByteBuffer = ByteBuffer())
        -> Reply
    {
        func header(_ name: String) -> String { request.head.headers.first(name: name) ?? "" }
        let signature = request.body.withUnsafeReadableBytes {
            RequestSignature(
                verifying: header(AgentHeader.signature), secret: secret, method: request.head.method.rawValue,
                path: request.head.uri, boot: header(AgentHeader.boot), nonce: header(AgentHeader.nonce), body: $0)
                // A stranger's proof, made with another secret, goes with whatever signature.
                ?? RequestSignature(secret: secret, method: "", path: "", boot: nil, nonce: "", body: $0)
        }
        let proof = body.withUnsafeReadableBytes {
            ReplyProof.make(
                secret: secret, signature: signature, status: status, boot: boot, headers: headers, body: $0)
        }
        let own = [(name: AgentHeader.boot, value: boot.hex), (name: AgentHeader.proof, value: proof)]
        return Reply(status: status, headers: headers + own, body: body)
    }
}
