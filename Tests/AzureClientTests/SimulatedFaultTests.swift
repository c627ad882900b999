import AzureSimulator
import FoundationEssentials
import NIOConcurrencyHelpers
import NIOHTTP1
import Testing

@testable import AzureClient

/// The client against the simulator's faults, judged by the simulator's own journal of requests. The client's time is
/// the test's and passes only by the client's own waits.
@Suite(.timeLimit(.minutes(1))) struct SimulatedFaultTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let fault: FaultKind
        /// What one call fails with; nil if it succeeds all the same.
        var code: AzureError.Code?
        /// What the persistent call waits for before it succeeds.
        var waits: [Duration] = []
        var testDescription: String { fault.rawValue }
    }

    static let reads = [
        Case(fault: .internalError, code: .serverFault, waits: [.milliseconds(800)]),
        Case(fault: .badGateway, code: .serverFault, waits: [.milliseconds(800)]),
        Case(fault: .unavailable, code: .serverFault, waits: [.milliseconds(800)]),
        Case(fault: .gatewayTimeout, code: .timedOut, waits: [.milliseconds(800)]),
        Case(fault: .htmlBadGateway, code: .serverFault, waits: [.milliseconds(800)]),
        Case(fault: .resetBefore, code: .connection, waits: [.milliseconds(800)]),
        Case(fault: .byteOrderMark), Case(fault: .emptyPage),
    ]

    @Test(arguments: reads) func `a read that meets a fault says which, and survives it when it may`(
        _ sample: Case
    ) async throws {
        for isPersistent in [false, true] {
            try await withFaults([.init(sample.fault, .first(1))]) { azure in
                let list = azure.list
                do throws(AzureError) {
                    let sites = try await azure.client.all(
                        SiteDocument.self, list, policy: isPersistent ? .standard : nil)
                    #expect(sites.isEmpty && (isPersistent || sample.code == nil))
                } catch {
                    #expect(!isPersistent && error.code == sample.code && !error.effectIsUnknown)
                }
                #expect(azure.waits.withLockedValue(\.self) == (isPersistent ? sample.waits : []))
                let asked = try azure.journal().filter { $0["path"]?.string?.hasSuffix("/sites") == true }
                #expect(try azure.journal().contains { $0["faults"] != nil })
                #expect(asked.count <= 2)
            }
        }
    }

    @Test func `nobody asks during Retry-After, and everybody may afterwards`() async throws {
        try await withFaults([.init(.throttled, .first(1))]) { azure in
            let first = try await failure { () throws(AzureError) in try await azure.client.call(azure.list) }
            #expect(first.code == .throttled && first.status == 429 && first.retryAfter == .seconds(600))
            for second in 1...20 {
                azure.time.advance(by: .seconds(25))
                let held = try await failure { () throws(AzureError) in try await azure.client.call(azure.list) }
                #expect(held.code == .throttled && held.status == nil)
                #expect(held.retryAfter == .seconds(600 - 25 * second))
            }
            #expect(try azure.asked() == 1)
            azure.time.advance(by: .seconds(75))
            // Within its patience a call waits for the end by itself.
            _ = try await azure.client.call(azure.list)
            #expect(try azure.asked() == 2)
            #expect(azure.waits.withLockedValue { $0.reduce(.zero, +) } >= .seconds(25))
        }
    }

    @Test func `a persistent caller waits as long as Azure says, or not at all`() async throws {
        try await withFaults([.init(.throttled, .first(1))]) { azure in
            let error = try await failure { () throws(AzureError) in try await azure.client.persistently(azure.list) }
            #expect(error.code == .throttled && azure.waits.withLockedValue(\.self) == [])
            var policy = RetryPolicy.standard
            policy.mostElapsed = .seconds(3600)
            _ = try await azure.client.persistently(azure.list, policy: policy)
            #expect(azure.waits.withLockedValue { $0.reduce(.zero, +) } >= .seconds(600))
            #expect(try azure.asked() == 2)
        }
    }

    @Test func `the simulator's own quota is never met, and respected where it is smaller than ours`() async throws {
        try await withFaults([]) { configuration in
            configuration.quota.isEnforced = true
            configuration.quota.reads = .init(capacity: 5, refillPerSecond: 0.001)
        } body: { azure in
            var answered = 0
            var refused = 0
            for _ in 0..<40 {
                do throws(AzureError) {
                    _ = try await azure.client.call(azure.list)
                    answered += 1
                } catch {
                    #expect(error.code == .throttled)
                    refused += 1
                }
            }
            let statuses = try azure.journal().filter { $0["path"]?.string?.hasSuffix("/sites") == true }
                .compactMap { $0["status"]?.integer }
            #expect(answered == 5 && refused == 35)
            #expect(statuses == [200, 200, 200, 200, 200, 429])
        }
    }

    @Test(arguments: [FaultKind.busyConflict, .busyThrottled]) func `a busy site holds back nobody else`(
        _ fault: FaultKind
    ) async throws {
        try await withFaults([.init(fault, .first(1))]) { azure in
            let (name, request) = (try Sample.name(), try azure.simulated.request())
            let busy = try await failure { () throws(AzureError) in
                try await azure.client.putSite(name, request, correlationID: Sample.correlation)
            }
            #expect(busy.code == .conflictBusy && busy.innerCode == "59203" && !busy.effectIsUnknown)
            _ = try await azure.client.putSite(
                try Sample.name("skls-other"), request, correlationID: Sample.correlation)
            #expect(azure.waits.withLockedValue(\.self) == [])
            #expect(azure.client.budgets().allSatisfy { $0.frozenFor == nil })
        }
    }

    @Test(arguments: [FaultKind.resetAfter, .gatewayTimeout]) func `a write that was applied unseen is in doubt`(
        _ fault: FaultKind
    ) async throws {
        try await withFaults([.init(fault, .first(1))]) { azure in
            let (name, request) = (try Sample.name(), try azure.simulated.request())
            let lost = try await failure { () throws(AzureError) in
                try await azure.client.putSite(name, request, correlationID: Sample.correlation)
            }
            #expect(lost.effectIsUnknown)
            #expect(try await azure.client.getSite(name, correlationID: Sample.correlation) != nil)
        }
    }

    // MARK: Support

    struct Azure: Sendable {
        let simulated: SimulatedAzure
        let client: AzureClient
        let time: ScriptedTransport
        let waits: NIOLockedValueBox<[Duration]>

        var list: AzureRequest {
            client.request(
                .listSites, .GET, client.scope.web("sites"), apiVersion: AzureClient.webVersion,
                correlationID: Sample.correlation)
        }

        /// The simulator's lines about requests, in the order of their answers.
        func journal() throws -> [JSONValue] {
            guard let directory = simulated.configuration.directory else { throw Sample.Missing() }
            let text = try String(contentsOf: URL(filePath: directory + "/requests.jsonl"), encoding: .utf8)
            return try text.split(separator: "\n").map { try JSONValue(parsing: $0.utf8) }
        }

        /// How often the list was asked for.
        func asked() throws -> Int { try asked(.GET, "/sites") }

        /// How often a path that ends so, or holds it in front of an id, was asked for.
        func asked(_ method: HTTPMethod, _ path: String) throws -> Int {
            try journal().count { line in
                guard line["method"]?.string == method.rawValue, let asked = line["path"]?.string else { return false }
                return asked.hasSuffix(path) || (path.hasSuffix("/") && asked.contains(path))
            }
        }
    }

    func withFaults(
        _ rules: [FaultPlan.Rule], _ change: (inout SimulatorConfiguration) -> Void = { _ in },
        body: (Azure) async throws -> Void
    ) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "skls-faults-\(UUID())")
        defer {
            // Only the test's own files are lost to the next clean-up of the temporary directory.
            try? FileManager.default.removeItem(at: directory)
        }
        try await withSimulator {
            $0.directory = directory.path()
            $0.faults.rules = rules
            change(&$0)
        } body: { simulated in
            let time = ScriptedTransport { (_, _) throws(AzureError) in .json(500, "") }
            let waits = NIOLockedValueBox<[Duration]>([])
            let pacing = Pacing(
                pause: { wait in
                    waits.withLockedValue { $0.append(wait) }
                    time.advance(by: wait)
                }, jitter: { 0 })
            let begun = time.clock.now()
            let clock = AzureClock(
                now: time.clock.now,
                unixSeconds: { 1_000_000_000 + (time.clock.now() - begun).components.seconds })
            let environment = try AzureEnvironment(
                resourceManager: simulated.url, authority: simulated.url, audience: "https://management.azure.com")
            let credential = ClientSecretCredential(
                environment: environment, tenant: simulated.configuration.tenantID,
                clientID: simulated.configuration.clientID,
                secret: Secret(simulated.configuration.clientSecret.revealed), transport: simulated.transport)
            let client = AzureClient(
                environment: environment, scope: simulated.scope, credential: credential,
                sending: RequestGateTests.Retimed(transport: simulated.transport, clock: clock), pacing: pacing)
            try await body(Azure(simulated: simulated, client: client, time: time, waits: waits))
        }
    }
}
