import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Testing

@testable import AzureClient

/// The gate in front of the transport, and what a server sees of it.
@Suite(.timeLimit(.minutes(1))) struct RequestGateTests {
    static let path = "/subscriptions/s/resourceGroups/g"

    func request(_ url: String, _ method: HTTPMethod = .GET) -> AzureRequest {
        var request = Sample.request()
        request.url = url + Self.path
        request.method = method
        return request
    }

    @Test func `a quota 429 holds back every caller for as long as Azure says`() async throws {
        let clock = NIOLockedValueBox<ContinuousClock.Instant?>(nil)
        let arrivals = NIOLockedValueBox<[(line: String, at: Duration)]>([])
        let time = ScriptedTransport { (_, _) throws(AzureError) in .json(500, "") }
        let begin = time.clock.now()
        clock.withLockedValue { $0 = begin }
        try await ScriptedServer.run { text in
            let line = String(text.prefix { $0 != "\r" })
            let count = arrivals.withLockedValue { log in
                log.append((line, time.clock.now() - begin))
                return log.count
            }
            return count == 3
                ? .http(
                    "429 Too Many Requests", headers: ["retry-after: 17"],
                    #"{"error":{"code":"SubscriptionRequestsThrottled","message":"slow"}}"#) : .http("200 OK", "{}")
        } _: { server in
            try await Sample.withTransport { transport in
                let waits = NIOLockedValueBox<[Duration]>([])
                let client = try timed(transport, at: server.url, time, waits)
                for _ in 0..<2 { _ = try await client.call(request(server.url)) }
                let refused = try await failure { () throws(AzureError) in
                    try await client.call(request(server.url))
                }
                #expect(refused.code == .throttled && refused.retryAfter == .seconds(17))
                _ = try await client.call(request(server.url, .PUT))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<20 { group.addTask { _ = try await client.call(request(server.url)) } }
                    try await group.waitForAll()
                }
                #expect(waits.withLockedValue { $0.first } == .seconds(17))
            }
        }
        let log = arrivals.withLockedValue(\.self)
        #expect(log.prefix(4).map { String($0.line.prefix(3)) } == ["GET", "GET", "GET", "PUT"] && log.count == 24)
        #expect(log[3].at == .zero)
        #expect(log[4...].allSatisfy { $0.at >= .seconds(17) })
    }

    @Test func `a busy answer delivered as 429 holds back nobody else`() async throws {
        let arrivals = NIOLockedValueBox(0)
        try await ScriptedServer.run { _ in
            let count = arrivals.withLockedValue { count in
                count += 1
                return count
            }
            return count == 1
                ? .http("429 Too Many Requests", headers: ["retry-after: 17"], AzureErrorTests.web("59203"))
                : .http("200 OK", "{}")
        } _: { server in
            try await Sample.withTransport { transport in
                let time = ScriptedTransport { (_, _) throws(AzureError) in .json(500, "") }
                let waits = NIOLockedValueBox<[Duration]>([])
                let client = try timed(transport, at: server.url, time, waits)
                let busy = try await failure { () throws(AzureError) in try await client.call(request(server.url)) }
                #expect(busy.code == .conflictBusy && busy.retryAfter == .seconds(17))
                _ = try await client.call(request(server.url))
                #expect(waits.withLockedValue(\.self) == [])
                #expect(client.budgets().map(\.frozenFor) == [nil])
            }
        }
    }

    @Test func `a turn that is too far away fails at once with the wait, and nothing is sent`() async throws {
        let transport = ScriptedTransport { (_, _) throws(AzureError) in
            .json(429, AzureErrorTests.arm("TooManyRequests"), headers: ["retry-after": "372"])
        }
        let waits = NIOLockedValueBox<[Duration]>([])
        let client = try Sample.client(transport, waits: waits, rates: .published)
        let get = request("https://management.example")
        _ = try await failure { () throws(AzureError) in try await client.call(get) }
        transport.advance(by: .seconds(2))
        let held = try await failure { () throws(AzureError) in try await client.call(get) }
        #expect(held.code == .throttled && held.status == nil && held.retryAfter == .seconds(370))
        #expect(!held.effectIsUnknown && transport.requests.count == 1 && waits.withLockedValue(\.self) == [])
        #expect(client.budgets().map(\.frozenFor) == [.seconds(370)])
        #expect(client.budgets().map(\.waiting) == [0])
    }

    @Test func `requests beyond the burst leave at the rate, none is lost`() async throws {
        let transport = ScriptedTransport { (_, _) throws(AzureError) in .json(200, "{}") }
        let begin = transport.clock.now()
        let waits = NIOLockedValueBox<[Duration]>([])
        let client = try Sample.client(transport, waits: waits, rates: .published)
        for _ in 0..<200 { _ = try await client.call(request("https://management.example", .PUT)) }
        #expect(transport.requests.count == 200)
        let passed = (transport.clock.now() - begin).inSeconds
        #expect(abs(passed - 60.0 / 7) < 0.01)
    }

    @Test func `a cancelled waiter gives its place back`() async throws {
        let transport = ScriptedTransport { (_, _) throws(AzureError) in
            .json(429, AzureErrorTests.arm("TooManyRequests"), headers: ["retry-after": "20"])
        }
        let client = AzureClient(
            environment: try Sample.environment(), scope: try Sample.scope(),
            credential: CountingCredential(now: transport.clock.now), sending: transport)
        let get = request("https://management.example")
        _ = try await failure { () throws(AzureError) in try await client.call(get) }
        let code = await withTaskGroup(of: AzureError.Code?.self) { group in
            group.addTask {
                do throws(AzureError) {
                    _ = try await client.call(get)
                    return nil
                } catch {
                    return error.code
                }
            }
            while client.budgets().first?.waiting != 1 { await Task.yield() }
            group.cancelAll()
            return await group.next() ?? nil
        }
        #expect(code == .cancelled && client.budgets().first?.waiting == 0)
        #expect(transport.requests.count == 1)
    }

    /// A client that talks to a server; its time is the given one and passes only by its own waits.
    func timed(
        _ transport: AzureTransport, at url: String, _ time: ScriptedTransport,
        _ waits: NIOLockedValueBox<[Duration]>
    ) throws -> AzureClient {
        let pacing = Pacing(
            pause: { wait in
                waits.withLockedValue { $0.append(wait) }
                time.advance(by: wait)
            }, jitter: { 0 })
        return AzureClient(
            environment: try Sample.environment(url), scope: try Sample.scope(),
            credential: CountingCredential(now: time.clock.now),
            sending: Retimed(transport: transport, clock: time.clock),
            pacing: pacing)
    }

    /// The real transport under a clock of the test.
    struct Retimed: Transport {
        let transport: AzureTransport
        let clock: AzureClock

        func send(_ request: AzureRequest, bearer: AccessToken?) async throws(AzureError) -> AzureReply {
            try await transport.send(request, bearer: bearer)
        }
    }
}
