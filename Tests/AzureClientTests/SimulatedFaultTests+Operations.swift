import AzureSimulator
import NIOConcurrencyHelpers
import NIOHTTP1
import Testing

@testable import AzureClient

/// Faults of writes that Azure took: what becomes of them shows later, wrongly, or never.
extension SimulatedFaultTests {
    private func put(_ azure: Azure, version: String = "1") async throws -> PutOutcome {
        var request = try azure.simulated.request()
        request.tags["version"] = version
        return try await azure.client.putSite(try Sample.name(), request, correlationID: Sample.correlation)
    }

    /// Follows a write to its end, as a one-shot caller does.
    private func followed(_ azure: Azure) async throws -> Result<OperationResult, AzureError> {
        guard case .accepted(let operation, let wait) = try await put(azure) else { throw Sample.Missing() }
        do throws(AzureError) {
            let step = LongRunningOperation.Step(operation: operation, next: .pollAfter(wait))
            return .success(try await azure.client.finish(step, correlationID: Sample.correlation))
        } catch {
            return .failure(error)
        }
    }

    private func read(_ azure: Azure) async throws -> Site? {
        try await azure.client.getSite(try Sample.name(), correlationID: Sample.correlation)
    }

    private static let site = "/sites/skls-sample"
    private static let operations = "/operationResults/"

    @Test func `an operation that is lost is asked for during a minute, and then the site is read in its place`()
        async throws
    {
        try await withFaults([.init(.lostOperation, .every(1))]) {
            $0.web.writes = .accepted
        } body: { azure in
            let result = try await followed(azure).get()
            #expect(result.reply?.json?["name"]?.string == "skls-sample" && !result.isConfirmed)
            // The first wait, then every 10 s until a minute of absence is over.
            #expect(azure.waits.withLockedValue(\.self) == Array(repeating: .seconds(10), count: 7) + [.seconds(1)])
            #expect(try azure.asked(.GET, Self.operations) == 7 && azure.asked(.GET, Self.site) == 1)
            #expect(try azure.asked(.PUT, Self.site) == 1)
        }
    }

    @Test func `an operation that is lost with a site that stays away ends in doubt`() async throws {
        try await withFaults([.init(.lostOperation, .every(1)), .init(.lateVisibility, .every(1))]) {
            $0.web.writes = .accepted
            $0.latencyScale = 1_000  // Longer than any test lasts.
        } body: { azure in
            let error = try await failure { [result = try await followed(azure)] () throws(AzureError) in
                try result.get()
            }
            #expect(error.code == .notFound && error.effectIsUnknown && Disposition(error) == .outcomeUnknown)
            // Ten minutes of absence, every 10 s, and not one write more.
            #expect(try azure.asked(.GET, Self.operations) == 7 && azure.asked(.GET, Self.site) == 61)
            #expect(try azure.asked(.PUT, Self.site) == 1)
        }
    }

    @Test func `an operation that fails says why, and the write may be made again`() async throws {
        try await withFaults([.init(.failedOperation, .first(1))]) {
            $0.web.writes = .accepted
        } body: { azure in
            let error = try await failure { [result = try await followed(azure)] () throws(AzureError) in
                try result.get()
            }
            #expect(error.code == .serverFault && error.serviceCode == "InternalServerError")
            #expect(!error.effectIsUnknown && Disposition(error) == .retryAfter(nil))
            #expect(try await read(azure) == nil)
            #expect(try azure.asked(.GET, Self.operations) == 1 && azure.asked(.PUT, Self.site) == 1)
            let again = try await followed(azure).get()
            #expect(again.isConfirmed && again.reply?.json?["name"]?.string == "skls-sample")
        }
    }

    @Test func `a stale read shows the site as it was, once per call, until Azure has caught up`() async throws {
        try await withFaults([.init(.staleRead, .first(2))]) {
            $0.latencyScale = 1_000
        } body: { azure in
            for version in ["1", "2"] {
                guard case .finished = try await put(azure, version: version) else { throw Sample.Missing() }
            }
            var seen: [String?] = []
            for _ in 0..<3 { seen.append(try await read(azure)?.tags["version"]) }
            #expect(seen == ["1", "1", "2"])
            #expect(try azure.asked(.GET, Self.site) == 3 && azure.asked(.PUT, Self.site) == 2)
            #expect(azure.waits.withLockedValue(\.self) == [])
        }
    }

    @Test func `a new site that is not found is waited for by who made it, and not for ever`() async throws {
        try await withFaults([.init(.lateVisibility, .every(1))]) {
            $0.latencyScale = 1_000
        } body: { azure in
            guard case .finished = try await put(azure) else { throw Sample.Missing() }
            #expect(try await read(azure) == nil)
            let get = azure.client.request(
                .getSite, .GET, azure.client.scope.site(try Sample.name()), apiVersion: AzureClient.webVersion,
                correlationID: Sample.correlation)
            let final = try await failure { () throws(AzureError) in try await azure.client.persistently(get) }
            #expect(final.code == .notFound && !final.effectIsUnknown)
            #expect(try azure.asked(.GET, Self.site) == 2 && azure.waits.withLockedValue(\.self) == [])
            var policy = RetryPolicy.standard
            policy.expecting = .resourceJustPut
            let spent = try await failure { [policy] () throws(AzureError) in
                try await azure.client.persistently(get, policy: policy)
            }
            #expect(spent.code == .notFound && Disposition(spent) == .waitForChange)
            #expect(
                azure.waits.withLockedValue(\.self)
                    == [.milliseconds(800), .milliseconds(1600), .milliseconds(3200), .milliseconds(6400)])
            #expect(try azure.asked(.GET, Self.site) == 2 + policy.mostAttempts)
        }
    }
}
