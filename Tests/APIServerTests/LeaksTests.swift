import DesiredState
import RecordsClient
import Testing

@testable import APIServer

/// Leaks and recovery over the real socket, with the command line's own client.
@Suite(.timeLimit(.minutes(1)))
struct LeaksTests {
    private let start = Instant(nanoseconds: 1_700_000_000_000_000_000)

    @Test func `leaks are listed, adopted and deleted`() async throws {
        try await TestServer.with { server in
            let client = RecordsClient(socketPath: server.socketPath)
            let leak = LeakReport.Leak(
                name: "skls-a", kind: .site, state: .quarantined, uid: .test(1), firstSeenAt: start,
                lastSeenAt: start, quarantinedAt: start, deletionDueAt: start + .seconds(86_400))
            let report = LeakReport(items: [leak], mode: "delete", freeze: Freeze(since: start, reason: "behind"))
            let record = FunctionApp(
                metadata: Metadata(
                    name: try #require(RecordName("skls-a")), uid: .test(1), creationTimestamp: start),
                spec: FunctionAppSpec(image: try ImageReference(parsing: "alpine")))
            server.leaks.change {
                $0.report = report
                $0.adopted = record
            }
            #expect(try await client.leaks() == report)
            #expect(try await client.adoptLeak("skls-a") == record)
            try await client.deleteLeak("skls-a")
            #expect(server.leaks.calls == ["list", "adopt skls-a", "delete skls-a"])
        }
    }

    @Test func `a recovery is carried out only as it was shown`() async throws {
        try await TestServer.with { server in
            let client = RecordsClient(socketPath: server.socketPath)
            let name = try #require(RecordName("web"))
            let plan = RecoveryPlan(
                reason: "behind", writers: ["w"], revision: Revision(9),
                runs: [.init(uid: .test(1), name: name, run: 2, attempt: 1, isOpen: true)],
                suspended: [.init(uid: .test(1), name: name, reason: "its run may have happened already")],
                adopted: [.init(siteName: "skls-a", uid: .test(2), name: name)], leftAlone: ["x: y"], digest: "d1")
            server.leaks.change { $0.plan = plan }
            #expect(try await client.recoveryPlan(instance: "old1", isForced: true) == plan)
            #expect(try await client.recover(plan, instance: nil, isForced: false) == plan)
            server.leaks.change { $0.plan.digest = "d2" }
            let error = await #expect(throws: RecordsClientError.self) {
                try await client.recover(plan, instance: nil, isForced: false)
            }
            #expect(error?.code == .conflict)
            #expect(server.leaks.calls == ["plan old1 true", "recover own false", "recover own false"])
            #expect(LeakText.lines(of: plan).count == 7)
        }
    }

    @Test(arguments: [
        (LeakControlError.Code.notFound, RecordsClientError.Code.notFound), (.moved, .conflict), (.refused, .invalid),
        (.unavailable, .refused),
    ])
    func `refusals keep their kind and their sentence`(
        code: LeakControlError.Code, expected: RecordsClientError.Code
    ) async throws {
        try await TestServer.with { server in
            server.leaks.change { $0.refusal = LeakControlError(code, "because of that") }
            let client = RecordsClient(socketPath: server.socketPath)
            let error = await #expect(throws: RecordsClientError.self) { try await client.deleteLeak("skls-a") }
            #expect(error?.code == expected && error?.description == "because of that")
        }
    }

    @Test func `other methods and pages are refused, and a recovery without a digest`() async throws {
        try await TestServer.with { server in
            for (method, path, status) in [
                ("PUT", "leaks", 405), ("PUT", "leaks/a", 405), ("GET", "leaks/a/b", 404), ("DELETE", "recovery", 405),
                ("POST", "recovery", 409),
            ] {
                let reply = try await server.request(method, "/apis/skls.dev/v1/" + path)
                #expect(reply.status == status, "\(method) \(path)")
            }
            #expect(server.leaks.calls.isEmpty)
        }
    }
}
