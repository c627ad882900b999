import AzureClient
import DesiredState
import Testing

@testable import Controller

@Suite(.timeLimit(.minutes(5)))
struct ExplanationTests {
    private func explanation(
        _ driver: MachineDriver, _ uid: UID, budgets: [Explanation.Budget] = []
    ) async throws -> Explanation {
        let stored = try #require(try await driver.store.load(uid))
        return Explanation(stored, driver.explain(stored), budgets: budgets)
    }

    private func settled(
        seed: UInt64 = 1, _ record: FunctionApp, for limit: Duration = .seconds(200),
        _ change: (MachineDriver) -> Void = { _ in }
    ) async throws -> MachineDriver {
        let driver = try MachineDriver(seed: seed)
        change(driver)
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle(for: limit)
        return driver
    }

    @Test func `a steady record says that nothing is to be done, by which rule and facts`() async throws {
        let record = try makeRecord()
        let driver = try await settled(record)
        let found = try await explanation(driver, record.uid)
        let look = try #require(found.nextLook, "its site is read in full once a day")
        #expect(look > found.asOf && look <= found.asOf + .seconds(86_400))
        let wait = SpokenTime.duration(look - found.asOf)
        #expect(found.summary == "Nothing is to be done: Azure is as declared. It is looked at again in \(wait).")
        #expect(found.rule == "steady" && found.phase == .resting && found.advice == nil)
        #expect(found.facts.map(\.name) == ["site", "agent", "runs"])
        #expect(found.facts[0].value.contains("as declared, seen"))
        #expect(found.facts[2].value == "run 1 of 1, attempt 1, ended: Succeeded")
        #expect(found.intent?.isSettled == true && found.reconcileID > 0)
        #expect(found.backoffs.isEmpty && found.openCalls.isEmpty)
    }

    @Test func `a refused write names what Azure said, and what to change`() async throws {
        let record = try makeRecord()
        let driver = try await settled(record, for: .seconds(20)) { $0.azure.refusal = "PlanNotFound" }
        let found = try await explanation(driver, record.uid)
        #expect(found.summary.hasPrefix("It cannot go on: writing the site was refused"), "\(found.summary)")
        #expect(found.advice == "change the record or Azure as the message says: refused")
        let backoff = try #require(found.backoffs.first)
        #expect(backoff.call == "putSite" && backoff.isTerminal && backoff.notBefore > found.asOf)
        #expect(found.conditions.contains { $0.type == .stalled && $0.status == .true && $0.reason == "PlanNotFound" })
    }

    @Test func `a pause names who asked for it, and how it ends`() async throws {
        var record = try makeRecord()
        record.spec.suspend = Suspension(by: "ann", reason: "holiday")
        let driver = try await settled(record)
        let found = try await explanation(driver, record.uid)
        #expect(found.summary == "It is paused: asked for by ann: holiday." && found.advice == "skls resume job")
    }

    @Test func `a used-up quota comes before the failures that it makes`() async throws {
        let record = try makeRecord()
        let driver = try await settled(record, for: .seconds(1)) { $0.azure.faultPercent = 100 }
        let now = driver.now
        let frozen = Explanation.Budget(
            name: "s-1 writes", remaining: 0, burst: 140, waiting: 3, underWay: 0, frozenUntil: now + .seconds(90))
        let other = Explanation.Budget(
            name: "resource graph", remaining: 0, burst: 7, waiting: 0, underWay: 0, frozenUntil: now + .seconds(90))
        let found = try await explanation(driver, record.uid, budgets: [other, frozen])
        #expect(found.backoffs.contains { $0.call == "putSite" || $0.call == "readSite" }, "\(found)")
        let writes = try await explanation(driver, record.uid, budgets: [frozen])
        let reads = Explanation.Budget(
            name: "s-1 reads", remaining: 0, burst: 140, waiting: 3, underWay: 0, frozenUntil: now + .seconds(90))
        let both = try await explanation(driver, record.uid, budgets: [frozen, reads])
        #expect(both.summary.hasPrefix("Azure's quota of "), "\(both.summary)")
        #expect(both.summary.hasSuffix("is used up: nothing of that kind is sent for 1m 30s."))
        #expect(
            try await explanation(driver, record.uid, budgets: [other]).summary != writes.summary
                || !writes.summary.hasPrefix("Azure's quota"), "another class's quota does not matter")
    }

    @Test func `a write that waits for its turn says for what, behind how many and for how long about`() async throws {
        var rates = CallRates(.published)
        rates.writes = RequestRate(burst: 1, perSecond: 0.05)
        let driver = try MachineDriver(seed: 1, rates: rates)
        try await driver.start()
        let records = try (1...3).map { try makeRecord("job\($0)", seed: UInt64($0)) }
        for record in records { try await driver.write(.create(record), uid: record.uid) }
        try await driver.settle(for: .seconds(1))
        var waits: [Explanation] = []
        for record in records { waits.append(try await explanation(driver, record.uid)) }
        waits = waits.filter { $0.openCalls.contains { $0.wait != nil } }.sorted { $0.summary > $1.summary }
        try #require(waits.count == 2, "one was sent")
        let pattern = /It waits for its turn, about (\d+)s: writing the site waits for Azure's quota of writes, (.+)\./
        let told = try waits.map { try #require($0.summary.wholeMatch(of: pattern)?.output, "\($0.summary)") }
        #expect(told.map(\.2).sorted() == ["after 1 other", "next in turn"])
        let times = try told.map { try #require(Int($0.1)) }.sorted()
        #expect((18...20).contains(times[0]) && (38...40).contains(times[1]), "\(times)")
        for found in waits {
            let call = try #require(found.openCalls.first { $0.call == "putSite" })
            #expect(call.since == nil && call.wait?.lane == "user" && call.wait?.scarcity == .quota)
            #expect(found.intent == nil, "nothing is written down before its turn")
        }
        try await driver.settle(for: .seconds(200))
        #expect(try await explanation(driver, records[2].uid).summary.hasPrefix("Nothing is to be done"))
    }

    @Test func `a freeze comes before everything else`() async throws {
        let record = try makeRecord()
        let driver = try await settled(record)
        driver.feed(.freezeChanged(Freeze(since: driver.now, reason: "the store is older than its sites")))
        let found = try await explanation(driver, record.uid)
        #expect(found.summary.hasPrefix("Nothing is written to Azure: "), "\(found.summary)")
        #expect(found.advice?.hasPrefix("skls recover") == true)
        #expect(found.facts.contains { $0.name == "freeze" })
    }

    @Test func `Azure's operation is shown without its signature, and is no failure`() async throws {
        let record = try makeRecord()
        let driver = try await settled(record, for: .seconds(20)) { $0.azure.operationPolls = 1000 }
        let found = try await explanation(driver, record.uid)
        #expect(found.rule == "operationAccepted")
        #expect(found.backoffs.isEmpty, "\(found.backoffs)")
        #expect(found.summary.hasPrefix("Waiting for Azure's operation to end; next look in "), "\(found.summary)")
        #expect(found.intent?.isSettled == false)
        #expect(
            found.intent?.operation == "an operation that this release cannot read", "not the simulation's own text")
    }

    @Test func `a record that the controller never heard of says so`() async throws {
        let record = try makeRecord()
        let driver = try MachineDriver(seed: 1)
        try await driver.store.commit(Transaction(origin: .user, [.create(record)]))
        let found = try await explanation(driver, record.uid)
        #expect(found.phase == .unknown && found.reconcileID == 0)
        #expect(found.summary == "The controller has not heard of it yet.")
    }

    @Test func `explaining changes nothing`() async throws {
        let record = try makeRecord()
        let driver = try await settled(record, for: .seconds(20)) { $0.azure.refusal = "PlanNotFound" }
        let once = try await explanation(driver, record.uid)
        #expect(try await explanation(driver, record.uid) == once)
        let commits = driver.commitCount
        try await driver.settle(for: .zero)
        #expect(driver.commitCount == commits)
    }
}
