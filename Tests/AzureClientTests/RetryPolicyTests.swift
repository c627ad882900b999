import NIOConcurrencyHelpers
import NIOHTTP1
import Testing

@testable import AzureClient

@Suite(.timeLimit(.minutes(1))) struct RetryPolicyTests {
    func error(
        _ code: AzureError.Code, retryAfter: Duration? = nil, unknown: Bool = false, inner: String? = nil
    ) -> AzureError {
        AzureError(
            code: code, operation: .getSite, resource: "r", innerCode: inner, message: "m", retryAfter: retryAfter,
            effectIsUnknown: unknown)
    }

    func decide(
        _ error: AzureError, _ policy: RetryPolicy = .standard, repeatable: Bool = true, attempt: Int = 1,
        elapsed: Duration = .zero, jitter: Double = 0
    ) -> RetryPolicy.Decision {
        policy.decide(error: error, isRepeatable: repeatable, attempt: attempt, elapsed: elapsed, jitter: jitter)
    }

    @Test(arguments: [AzureError.Code.serverFault, .timedOut, .connection, .throttled, .malformedReply])
    func `a passing failure is waited out, twice as long each time`(_ code: AzureError.Code) {
        #expect(decide(error(code)) == .wait(.milliseconds(800)))
        #expect(decide(error(code), attempt: 2) == .wait(.milliseconds(1600)))
        #expect(decide(error(code), attempt: 4) == .wait(.milliseconds(6400)))
        #expect(decide(error(code), attempt: 5) == .stop(.attemptsSpent))
        #expect(decide(error(code), jitter: 0.5) == .wait(.milliseconds(1000)))
    }

    @Test func `what is busy is left alone ten seconds longer each time`() {
        #expect(decide(error(.conflictBusy)) == .wait(.seconds(10)))
        #expect(decide(error(.conflictBusy), attempt: 3) == .wait(.seconds(30)))
        #expect(decide(error(.pendingDelete), attempt: 2, jitter: 0.5) == .wait(.seconds(25)))
    }

    @Test(arguments: [
        AzureError.Code.unauthorized, .forbidden, .invalid, .nameTaken, .policyDenied, .locked, .quotaExceeded,
        .missingRegistration, .notFound, .scopeNotFound, .conflict, .other,
    ]) func `a final failure is not repeated`(_ code: AzureError.Code) {
        #expect(decide(error(code)) == .stop(.permanent))
    }

    @Test func `a wait that Azure names is kept, and one beyond the budget stops`() {
        #expect(decide(error(.throttled, retryAfter: .seconds(120))) == .wait(.seconds(120)))
        #expect(decide(error(.serverFault, retryAfter: .milliseconds(1))) == .wait(.milliseconds(800)))
        #expect(decide(error(.throttled, retryAfter: .seconds(372))) == .stop(.timeSpent))
        #expect(decide(error(.throttled, retryAfter: .seconds(100)), elapsed: .seconds(201)) == .stop(.timeSpent))
        #expect(decide(error(.other, retryAfter: .seconds(3))) == .wait(.seconds(3)))
        #expect(decide(error(.conflict, retryAfter: .seconds(3))) == .wait(.seconds(3)))
    }

    @Test func `what may have been applied is repeated only where twice is as good as once`() {
        let doubtful = error(.connection, unknown: true)
        #expect(decide(doubtful, repeatable: true) == .wait(.milliseconds(800)))
        #expect(decide(doubtful, repeatable: false) == .stop(.notRepeatable))
        // A refusal was not applied, whatever the call.
        #expect(decide(error(.throttled), repeatable: false) == .wait(.milliseconds(800)))
        var request = Sample.request(isWrite: true)
        #expect(
            [HTTPMethod.PUT, .DELETE, .GET, .PATCH, .POST].map { method in
                request.method = method
                return request.isRepeatable
            } == [true, true, true, false, false])
        request.isWrite = false
        #expect(request.isRepeatable)
    }

    @Test func `what Azure does not know everywhere yet is waited for, for a while`() {
        var policy = RetryPolicy.standard
        policy.mostElapsed = .seconds(3600)
        policy.expecting = [.resourceJustPut]
        #expect(decide(error(.notFound), policy) == .wait(.milliseconds(800)))
        #expect(decide(error(.notFound), policy, elapsed: .seconds(60)) == .stop(.permanent))
        #expect(decide(error(.forbidden), policy) == .stop(.permanent))
        policy.expecting = [.roleJustGiven, .identityJustMade]
        #expect(decide(error(.forbidden), policy, elapsed: .seconds(599)) == .wait(.milliseconds(800)))
        #expect(decide(error(.forbidden), policy, elapsed: .seconds(600)) == .stop(.permanent))
        #expect(decide(error(.scopeNotFound), policy) == .stop(.permanent))
        #expect(decide(error(.scopeNotFound, inner: "PrincipalNotFound"), policy) == .wait(.milliseconds(800)))
    }

    @Test func `budgets hold, waits grow and Retry-After is never cut, whatever fails`() {
        for seed in UInt64(1)...3000 {
            var generator = SplitMix(seed: seed)
            var policy = RetryPolicy.standard
            policy.mostAttempts = .random(in: 1...12, using: &generator)
            policy.mostElapsed = .milliseconds(Int.random(in: 0...2_000_000, using: &generator))
            policy.expecting = .init(rawValue: .random(in: 0...7, using: &generator))
            var (elapsed, attempt) = (Duration.zero, 1)
            while true {
                let named: Duration? =
                    Bool.random(using: &generator) ? .milliseconds(Int.random(in: 0...400_000, using: &generator)) : nil
                let failure = error(
                    AzureError.Code.allCases.randomElement(using: &generator) ?? .other, retryAfter: named,
                    unknown: Bool.random(using: &generator))
                let (repeatable, jitter) = (
                    Bool.random(using: &generator), Double.random(in: 0..<1, using: &generator)
                )
                let decision = decide(
                    failure, policy, repeatable: repeatable, attempt: attempt, elapsed: elapsed, jitter: jitter)
                guard case .wait(let wait) = decision else { break }
                #expect(wait > .zero && wait >= named ?? .zero, "seed \(seed)")
                #expect(repeatable || !failure.effectIsUnknown, "seed \(seed)")
                let next = decide(
                    failure, policy, repeatable: repeatable, attempt: attempt + 1, elapsed: elapsed, jitter: jitter)
                if case .wait(let longer) = next { #expect(longer >= wait, "seed \(seed)") }
                elapsed += wait
                attempt += 1
                #expect(attempt <= policy.mostAttempts && elapsed <= policy.mostElapsed, "seed \(seed)")
                // The call itself takes time as well.
                elapsed += .milliseconds(Int.random(in: 0...5000, using: &generator))
            }
        }
    }

    // MARK: The executor

    func persist(
        _ answers: [AzureReply], method: HTTPMethod = .GET, policy: RetryPolicy = .standard
    ) async throws -> (Result<AzureReply, AzureError>, sent: Int, waits: [Duration]) {
        let left = NIOLockedValueBox(answers)
        let transport = ScriptedTransport { (_, _) throws(AzureError) in
            left.withLockedValue { $0.count > 1 ? $0.removeFirst() : $0[0] }
        }
        let waits = NIOLockedValueBox<[Duration]>([])
        let client = try Sample.client(transport, waits: waits)
        var request = Sample.request(isWrite: method != .GET)
        request.method = method
        do throws(AzureError) {
            let reply = try await client.persistently(request, policy: policy)
            return (.success(reply), transport.requests.count, waits.withLockedValue(\.self))
        } catch {
            return (.failure(error), transport.requests.count, waits.withLockedValue(\.self))
        }
    }

    @Test func `a read survives faults and throttling`() async throws {
        let (result, sent, waits) = try await persist([
            .json(503, ""), .json(502, "<html>"), .json(200, "{}"),
        ])
        #expect(try result.get().status == 200)
        #expect(sent == 3 && waits == [.milliseconds(800), .milliseconds(1600)])
    }

    @Test func `the last failure is told once the budget is spent`() async throws {
        let (result, sent, waits) = try await persist([.json(500, "")])
        let error = try await failure { () throws(AzureError) in try result.get() }
        #expect(error.code == .serverFault && sent == 5 && waits.count == 4)
        let (final, once, _) = try await persist([.json(400, "")])
        #expect(try await failure { () throws(AzureError) in try final.get() }.code == .invalid && once == 1)
    }

    @Test func `an action in doubt is not sent again`() async throws {
        let (_, sent, waits) = try await persist([.json(500, "")], method: .POST)
        #expect(sent == 1 && waits.isEmpty)
    }
}
