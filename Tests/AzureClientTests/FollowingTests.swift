import NIOConcurrencyHelpers
import NIOHTTP1
import Testing

@testable import AzureClient

/// The runner around the machine: what is really asked, when, and with what.
@Suite(.timeLimit(.minutes(1))) struct FollowingTests {
    static let status = LongRunningOperationTests.signed

    /// Answers in order; the last one for ever. Time passes only by waiting.
    func play(
        _ answers: [AzureReply], within deadline: Duration = .seconds(100)
    ) async throws -> (result: Result<OperationResult, AzureError>, transport: ScriptedTransport, waits: [Duration]) {
        let left = NIOLockedValueBox(answers)
        let transport = ScriptedTransport { (_, _) throws(AzureError) in
            left.withLockedValue { $0.count > 1 ? $0.removeFirst() : $0[0] }
        }
        let waits = NIOLockedValueBox<[Duration]>([])
        let client = try Sample.client(transport, waits: waits)
        let put = LongRunningOperationTests().request()
        do throws(AzureError) {
            let step = try await client.begin(put)
            let result = try await client.finish(step, within: deadline, correlationID: Sample.correlation)
            return (.success(result), transport, waits.withLockedValue(\.self))
        } catch {
            return (.failure(error), transport, waits.withLockedValue(\.self))
        }
    }

    @Test func `an operation is followed to its result, with its signature untouched`() async throws {
        let (result, transport, waits) = try await play([
            .json(202, "", headers: ["azure-asyncoperation": Self.status, "retry-after": "15"]),
            .json(200, #"{"status":"Running"}"#), .json(200, #"{"status":"Succeeded"}"#),
            .json(200, Sample.site("a")),
        ])
        #expect(try result.get().reply?.json?["name"]?.string == "a")
        #expect(waits == [.seconds(15), .seconds(10)])
        #expect(transport.requests.map(\.method) == [.PUT, .GET, .GET, .GET])
        #expect(
            transport.requests.map(\.url).dropFirst() == [
                Self.status, Self.status, LongRunningOperationTests().request().url,
            ])
        #expect(transport.requests.dropFirst().allSatisfy { !$0.isWrite })
        #expect(transport.requests[1].secrets.map { $0.reveal() } == [String(Self.status.split(separator: "?")[1])])
    }

    @Test func `an operation that does not end in time leaves its outcome unknown`() async throws {
        let (result, _, waits) = try await play([
            .json(202, "", headers: ["azure-asyncoperation": Self.status]), .json(200, #"{"status":"Running"}"#),
        ])
        let error = try await failure { () throws(AzureError) in try result.get() }
        #expect(error.code == .timedOut && error.effectIsUnknown)
        #expect(waits.reduce(.zero, +) <= .seconds(100) && waits.count == 10)
    }

    @Test(arguments: [true, false]) func `the reason of a failure does not repeat what was secret in the request`(
        _ isInFirstAnswer: Bool
    ) async throws {
        let transport = ScriptedTransport { (request, _) throws(AzureError) in
            guard request.method == .GET || isInFirstAnswer else {
                return .json(202, "", headers: ["azure-asyncoperation": Self.status])
            }
            let echo = request.secrets.map { $0.reveal() }.joined()
            return .json(200, #"{"status":"Failed","error":{"code":"BadValue","message":"refused: \#(echo)"}}"#)
        }
        let client = try Sample.client(transport)
        var put = LongRunningOperationTests().request()
        put.secrets = [Secret("hunter-22")]
        var step = try await client.begin(put)
        if !isInFirstAnswer { step = try await client.poll(step.operation, correlationID: Sample.correlation) }
        guard case .failed(let error) = step.next else { throw Sample.Missing() }
        #expect(error.message == "refused: <redacted>")
    }

    @Test func `a stored operation of another cloud is not asked about`() async throws {
        let transport = ScriptedTransport { (_, _) throws(AzureError) in .json(200, "{}") }
        let client = try Sample.client(transport)
        var put = LongRunningOperationTests().request()
        put.url = "https://other.example/x"
        let step = LongRunningOperation.started(
            by: .json(202, ""), to: put, service: try ServiceURL("https://other.example"), now: 0)
        let error = try await failure { () throws(AzureError) in
            try await client.poll(step.operation, correlationID: Sample.correlation)
        }
        #expect(error.code == .invalid && error.effectIsUnknown && transport.requests.isEmpty)
    }
}
