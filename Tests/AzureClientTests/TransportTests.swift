import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Testing

@testable import AzureClient

/// The real transport against a server that breaks connections.
@Suite(.timeLimit(.minutes(1))) struct TransportTests {
    func send(
        _ action: ScriptedServer.Action, isWrite: Bool, timeout: Duration = .seconds(20),
        bound: AzureRequest.BodyBound = .refuse(aboveBytes: 1000)
    ) async throws -> Result<AzureReply, AzureError> {
        try await ScriptedServer.run({ _ in action }) { server in
            try await send(to: server.url, isWrite: isWrite, timeout: timeout, bound: bound)
        }
    }

    func send(
        to url: String, isWrite: Bool, timeout: Duration = .seconds(20),
        bound: AzureRequest.BodyBound = .refuse(aboveBytes: 1000)
    ) async throws -> Result<AzureReply, AzureError> {
        var request = Sample.request(isWrite: isWrite)
        request.url = url
        request.timeout = timeout
        request.bodyBound = bound
        if isWrite { request.body = ByteBuffer(string: "{}") }
        return try await Sample.withTransport { [request] transport in
            do throws(AzureError) {
                return .success(try await transport.send(request, bearer: nil))
            } catch {
                return .failure(error)
            }
        }
    }

    /// Expects the failure of a call and checks that only a write is in doubt.
    func expect(
        _ action: ScriptedServer.Action, fails code: AzureError.Code, timeout: Duration = .seconds(20),
        location: SourceLocation = #_sourceLocation
    ) async throws {
        for isWrite in [false, true] {
            let result = try await send(action, isWrite: isWrite, timeout: timeout)
            guard case .failure(let error) = result else {
                Issue.record("the call succeeded", sourceLocation: location)
                continue
            }
            #expect(error.code == code, sourceLocation: location)
            #expect(error.effectIsUnknown == isWrite, "\(error)", sourceLocation: location)
            #expect(error.status == nil && error.requestID != nil, sourceLocation: location)
        }
    }

    @Test func `a reset after the request leaves a write in doubt`() async throws {
        try await expect(.reset, fails: .connection)
    }

    @Test func `a close without an answer leaves a write in doubt`() async throws {
        try await expect(.close, fails: .connection)
    }

    @Test func `a body that ends early leaves a write in doubt`() async throws {
        try await expect(.replyAndClose("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id"), fails: .connection)
        try await expect(
            .replyAndClose("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n"), fails: .connection)
    }

    @Test func `an answer that is not HTTP leaves a write in doubt`() async throws {
        try await expect(.replyAndClose("SSH-2.0-OpenSSH\r\n\r\n"), fails: .malformedReply)
    }

    @Test func `no answer in time leaves a write in doubt`() async throws {
        try await expect(.replyAndStall(""), fails: .timedOut, timeout: .seconds(1))
    }

    @Test func `a body that does not come in time leaves a write in doubt`() async throws {
        try await expect(
            .replyAndStall("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1"), fails: .timedOut,
            timeout: .seconds(1))
    }

    @Test func `a body above its bound is refused`() async throws {
        let long = String(repeating: "x", count: 1001)
        try await expect(.http("200 OK", long), fails: .malformedReply)
    }

    @Test func `nobody listening means that nothing was sent`() async throws {
        // Bound and not listening: connections are refused, and nobody else can take the port meanwhile.
        let holder = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(holder) }
        let port = try #require(UnlistenedPort.bind(holder))
        for host in ["127.0.0.1", "localhost"] {
            let result = try await send(to: "http://\(host):\(port)/", isWrite: true)
            guard case .failure(let error) = result else { throw Sample.Missing() }
            #expect(error.code == .connection && !error.effectIsUnknown, "\(error)")
        }
    }

    @Test func `a name that does not resolve means that nothing was sent`() async throws {
        let result = try await send(to: "http://no-such-host.invalid/", isWrite: true)
        guard case .failure(let error) = result else { throw Sample.Missing() }
        #expect(error.code == .connection && !error.effectIsUnknown, "\(error)")
        #expect(error.message.contains("no-such-host.invalid"))
    }

    @Test func `an address that is none is invalid`() async throws {
        let result = try await send(to: "http://", isWrite: true)
        guard case .failure(let error) = result else { throw Sample.Missing() }
        #expect(error.code == .invalid && !error.effectIsUnknown, "\(error)")
    }

    @Test func `a cancelled call ends as cancelled`() async throws {
        let arrived = AsyncStream<Void>.makeStream()
        let action = ScriptedServer.Action.replyAndStall("")
        let error = try await ScriptedServer.run({ _ in
            arrived.continuation.yield()
            return action
        }) { server in
            let url = server.url
            return try await withThrowingTaskGroup(of: Result<AzureReply, AzureError>.self) { group in
                group.addTask { try await send(to: url, isWrite: true) }
                for await _ in arrived.stream { break }
                group.cancelAll()
                return try await group.next()
            }
        }
        guard case .failure(let cancelled) = error else { throw Sample.Missing() }
        #expect(cancelled.code == .cancelled && cancelled.effectIsUnknown)
    }

    @Test func `of a long log the end is kept`() async throws {
        let log = String(repeating: "a", count: 500_000) + "END"
        let result = try await send(.http("200 OK", log), isWrite: false, bound: .keepLast(bytes: 1000))
        let body = String(buffer: try result.get().body)
        #expect(body.utf8.count == 1000 && body.hasSuffix("aEND"))
    }

    @Test func `a redirect is not followed`() async throws {
        let requests = NIOLockedValueBox(0)
        let result = try await ScriptedServer.run({ _ in
            requests.withLockedValue { $0 += 1 }
            return .http("307 Temporary Redirect", headers: ["location: /elsewhere"])
        }) { try await send(to: $0.url, isWrite: true) }
        #expect(try result.get().status == 307)
        #expect(requests.withLockedValue(\.self) == 1)
    }

    @Test func `every call carries fresh ids and says who calls`() async throws {
        let texts = NIOLockedValueBox<[String]>([])
        try await ScriptedServer.run({ text in
            texts.withLockedValue { $0.append(text.lowercased()) }
            return .http("200 OK", "{}")
        }) { server in
            try await Sample.withTransport { transport in
                var request = Sample.request()
                request.url = server.url + "/x"
                let token = AccessToken(secret: Secret("tok"), expiresAt: transport.clock.now(), refreshAt: nil)
                let first = try await transport.send(request, bearer: token)
                let second = try await transport.send(request, bearer: nil)
                #expect(first.requestID != second.requestID)
                let seen = texts.withLockedValue(\.self)
                for (text, reply) in zip(seen, [first, second]) {
                    #expect(text.contains("x-ms-client-request-id: \(reply.requestID)\r\n"))
                    #expect(text.contains("x-ms-correlation-request-id: \(Sample.correlation)\r\n"))
                    #expect(text.contains("x-ms-return-client-request-id: true\r\n"))
                    #expect(text.contains("user-agent: skls-tests\r\n"))
                }
                #expect(seen[0].contains("authorization: bearer tok\r\n"))
                #expect(!seen[1].contains("authorization"))
            }
        }
    }

    @Test func `each call is one line in the log, without query, header and body`() async throws {
        let log = RecordingLog()
        var logger = Logger(label: "test", factory: { _ in log })
        logger.logLevel = .debug
        try await ScriptedServer.run({ _ in
            .http(
                "200 OK",
                headers: ["x-ms-ratelimit-remaining-subscription-reads: 249", "x-ms-secret: canary-header"],
                #"{"secret":"canary-body"}"#)
        }) { server in
            try await Sample.withTransport(logger: logger) { transport in
                var request = Sample.request()
                request.url = server.url + "/x?sig=canary-query"
                request.headers = ["x-key": "canary-sent"]
                let token = AccessToken(
                    secret: Secret("canary-token"), expiresAt: transport.clock.now(), refreshAt: nil)
                _ = try await transport.send(request, bearer: token)
            }
        }
        let lines = log.lines.withLockedValue(\.self)
        #expect(lines.count == 1)
        let line = try #require(lines.first)
        #expect(line.hasPrefix("Azure call"))
        for part in [
            "status=200", "remaining=subscription-reads=249", "correlation_id=\(Sample.correlation)",
            "operation=sites.get",
        ] {
            #expect(line.contains(part), "\(line)")
        }
        #expect(!line.contains("canary"))
    }
}

/// Keeps the lines it is given.
struct RecordingLog: LogHandler {
    let lines = NIOLockedValueBox<[String]>([])
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let pairs = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        lines.withLockedValue { $0.append("\(event.message) \(pairs.joined(separator: " "))") }
    }
}

private enum UnlistenedPort {
    /// The port on 127.0.0.1 that the kernel gave the socket.
    static func bind(_ descriptor: Int32) -> UInt16? {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                Glibc.bind(descriptor, generic, length) == 0 && getsockname(descriptor, generic, &length) == 0
            }
        }
        return isBound ? UInt16(bigEndian: address.sin_port) : nil
    }
}
