import DesiredState
import Testing

@testable import Controller

/// What a record's policies make of its life: pauses, deletion, adoption, replacement, delivery, deadlines and clocks that step.
@Suite(.timeLimit(.minutes(5)))
struct PolicyMachineTests {
    private func created(
        _ driver: MachineDriver, invocations: Int = 1, ttl: Int? = nil, _ change: (inout FunctionApp) -> Void = { _ in }
    ) async throws -> UID {
        var record = try makeRecord(invocations: invocations, ttl: ttl)
        change(&record)
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        return record.uid
    }

    private func change(
        _ driver: MachineDriver, _ uid: UID, _ change: (inout FunctionApp) throws -> Void
    ) async throws {
        var record = try #require(try await driver.record(uid))
        try change(&record)
        try await driver.write(.replace(record, ifRevision: record.metadata.resourceVersion), uid: uid)
    }

    private func attempts(_ driver: MachineDriver, _ uid: UID) async throws -> [AttemptStatus] {
        try #require(try await driver.record(uid)?.status.runs.last).attempts
    }

    // MARK: pauses

    @Test func `a paused record is not written before its time, which counts by the wall clock`() async throws {
        let driver = try MachineDriver(seed: 40)
        let end = driver.now + .seconds(3600)
        let uid = try await created(driver) {
            $0.spec.suspend = Suspension(by: "ann", until: end, reason: "an audit")
        }
        try await driver.pass(.seconds(600))
        let next = try #require(try await driver.record(uid)?.status.nextAction)
        #expect(next == NextAction(rule: "paused", reason: "paused by ann until \(end): an audit", at: end))
        #expect(driver.azure.putCount == 0)
        driver.wallStep = .seconds(3000)
        try await driver.pass(.seconds(400))
        #expect(driver.azure.executions.count == 1, "noticed with the next list of sites")
    }

    @Test func `a pause outlives a restart, and a deletion does not wait for it`() async throws {
        let driver = try MachineDriver(seed: 41)
        let uid = try await created(driver, invocations: 0)
        try await driver.settle()
        try await change(driver, uid) {
            $0.spec.suspend = Suspension(until: driver.now + .seconds(3600))
            $0.spec.image = try ImageReference(parsing: "busybox")
        }
        try await driver.crash()
        try await driver.pass(.seconds(1800))
        #expect(driver.azure.putCount == 1)
        #expect(try await driver.record(uid)?.status[.provisioned]?.reason == "NotAsDeclared")
        try await driver.write(.markDeleted(uid, at: driver.now), uid: uid)
        try await driver.pass(.seconds(60))
        #expect(driver.azure.sites.isEmpty)
    }

    // MARK: clocks

    @Test(arguments: [-3600, 3600]) func `no timer waits for a wall clock that stepped`(step: Int) async throws {
        let driver = try MachineDriver(seed: 42)
        driver.azure.refusal = "PlanCannotRunContainers"
        _ = try await created(driver)
        try await driver.pass(.seconds(30))
        driver.wallStep = .seconds(step)
        driver.azure.refusal = nil
        try await driver.pass(.seconds(700))
        #expect(driver.azure.executions.count == 1)
    }

    @Test(arguments: [-3600, 3600]) func `a time to live is not cut or stretched by a step`(step: Int) async throws {
        let driver = try MachineDriver(seed: 43)
        let uid = try await created(driver, ttl: 600)
        try await driver.pass(.seconds(60))
        #expect(try await driver.record(uid)?.status.isTrue(.succeeded) == true)
        driver.wallStep = .seconds(step)
        try await driver.pass(.seconds(400))
        #expect(driver.azure.deleteCount == 0)
        try await driver.pass(.seconds(200))
        #expect(try await driver.record(uid) == nil && driver.azure.deleteCount == 1)
    }

    @Test func `a run is not over because the wall clock stepped, and is ended once it has been watched for its time`()
        async throws
    {
        let driver = try MachineDriver(seed: 44)
        driver.azure.runsStayOpen = true
        let uid = try await created(driver)
        try await driver.pass(.seconds(300))
        driver.wallStep = .seconds(7200)
        try await driver.crash()
        try await driver.pass(.seconds(300))
        #expect(driver.azure.runsStayOpen, "nobody has stopped it")
        // What the first life had put down counts: two quarters of 660 s at most are lost to the restart.
        try await driver.pass(.seconds(250))
        #expect(!driver.azure.runsStayOpen && driver.rules.contains(.deadline))
        #expect(try await attempts(driver, uid).map(\.exitCode) == [143])
    }

    // MARK: delivery

    @Test func `a run that is delivered at least once is tried again up to its limit, later each time`() async throws {
        let driver = try MachineDriver(seed: 45)
        driver.azure.runsStayOpen = true
        let uid = try await created(driver) {
            $0.spec.run = RunPolicy(delivery: .atLeastOnce, attemptLimit: 3)
        }
        let name = SiteDesigner.siteName(of: uid)
        for number in 1...3 {
            try await driver.settle(for: .seconds(60)) { $0.azure.executions.count == number }
            try await driver.pass(.seconds(2))
            driver.azure.restartContainer(of: name)
            driver.feed(.changed(uid))
            driver.azure.runsStayOpen = false
            try await driver.pass(.seconds(5))
            driver.azure.runsStayOpen = true
            let record = try #require(try await driver.record(uid))
            #expect(record.hasOpenRun == (number < 3) && record.status.isTrue(.failed) == (number == 3))
        }
        try await driver.pass(.seconds(3000))
        #expect(driver.azure.executions.count == 3)
        #expect(try await attempts(driver, uid).map(\.outcome) == [.lost, .lost, .lost])
        #expect(try await attempts(driver, uid).map(\.isRetried) == [true, true, false])
        try await change(driver, uid) { $0.spec.run.attemptLimit = 9 }
        try await driver.pass(.seconds(3000))
        #expect(driver.azure.executions.count == 3, "what was reported as its end stays the run's end")
    }

    @Test func `a lost run's exit code is found in the log`() async throws {
        let driver = try MachineDriver(seed: 46, hasRunLog: true)
        driver.azure.runsStayOpen = true
        let uid = try await created(driver)
        try await driver.pass(.seconds(5))
        let token = try #require(driver.azure.executions.first)
        driver.azure.logged[token] = .exited(code: 3)
        driver.azure.restartContainer(of: SiteDesigner.siteName(of: uid))
        driver.azure.runsStayOpen = false
        try await driver.pass(.seconds(600))
        #expect(try await attempts(driver, uid).map(\.outcome) == [nil], "rows come late")
        #expect(try await driver.record(uid)?.status.nextAction?.rule == "attemptUnknown")
        try await driver.pass(.seconds(600))
        #expect(try await attempts(driver, uid).map(\.exitCode) == [3])
        #expect(try await attempts(driver, uid).map(\.outcome) == [.failed])
    }

    // MARK: starts

    @Test func `a container that exits fails the run that waits, is asked seldom, and recovers by itself`() async throws
    {
        let driver = try MachineDriver(seed: 47)
        driver.azure.startFailure = .containerExited(code: 64, message: "Container x has exited, failing site start")
        let uid = try await created(driver)
        try await driver.pass(.seconds(40))
        #expect(try await driver.record(uid)?.status.runs.isEmpty == true)
        try await driver.pass(.seconds(60))
        #expect(try await attempts(driver, uid).map(\.outcome) == [.startFailed])
        let status = try #require(try await driver.record(uid)).status
        #expect(status[.ready]?.reason == "ContainerExited" && status[.stalled]?.reason == "ContainerExited")
        #expect(status[.ready]?.message == "exit code 64: Container x has exited, failing site start")
        let before = driver.azure.greetCount
        try await driver.pass(.seconds(3000))
        #expect((8...11).contains(driver.azure.greetCount - before))
        driver.azure.startFailure = nil
        try await driver.pass(.seconds(400))
        #expect(try await driver.record(uid)?.status.isTrue(.ready) == true)
        #expect(try await driver.record(uid)?.status.isTrue(.stalled) == false)
    }

    // MARK: whose the site is

    @Test func `the site of a record that orphans it stays without our tags`() async throws {
        for crashAt in 1... {
            let driver = try MachineDriver(seed: 48)
            let uid = try await created(driver, invocations: 0) {
                $0.spec.deletionPolicy = .orphan
                $0.spec.azure.tags = ["team": "blue"]
            }
            try await driver.pass(.seconds(60))
            try await driver.write(.markDeleted(uid, at: driver.now), uid: uid)
            let first = driver.stepCount
            try await driver.settle { $0.stepCount >= first + crashAt }
            let isUntouched = driver.stepCount < first + crashAt
            if !isUntouched { try await driver.crash() }
            try await driver.pass(.seconds(4000))
            #expect(driver.azure.sites.values.map(\.tags) == [["team": "blue"]], "crash at \(crashAt)")
            #expect(driver.azure.deleteCount == 0)
            #expect(try await driver.record(uid) == nil)
            #expect(try await driver.store.tombstone(uid) == nil)
            if isUntouched { break }
        }
    }

    @Test(arguments: AdoptionPolicy.allCases)
    func `a site of another installation with this uid is taken over only if that is allowed`(
        policy: AdoptionPolicy
    ) async throws {
        let driver = try MachineDriver(seed: 49)
        let uid = try await created(driver, invocations: 0)
        try await driver.settle()
        let name = SiteDesigner.siteName(of: uid)
        driver.azure.sites[name]?.tags[SiteTag.instance] = "another"
        try await change(driver, uid) { $0.spec.adoption = policy }
        try await driver.crash()
        try await driver.pass(.seconds(700))
        let isAllowed = policy == .ifTagged
        #expect(driver.azure.putCount == (isAllowed ? 2 : 1))
        #expect((driver.azure.sites[name]?.tags[SiteTag.instance] == "another") == !isAllowed)
        #expect(try await driver.record(uid)?.status.isTrue(.stalled) == !isAllowed)
    }

    // MARK: replacement

    @Test func `a change of hosting is told and not tried unless the record allows a new site`() async throws {
        let driver = try MachineDriver(seed: 50)
        let uid = try await created(driver)
        try await driver.settle()
        try await change(driver, uid) { $0.spec.hosting = Hosting(managedEnvironment: "e") }
        try await driver.pass(.seconds(700))
        let stalled = try #require(try await driver.record(uid)?.status[.stalled])
        #expect(stalled.reason == "ImmutableFieldChanged" && driver.azure.putCount == 1)
        #expect(
            stalled.message
                == "the site is on an App Service plan, and the record wants it on a Container Apps environment, which Azure "
                + "cannot change on a site: undo the change, or set spec.replacement to Recreate to have the site deleted "
                + "and made anew")
        try await change(driver, uid) { $0.spec.replacement = .recreate }
        try await driver.settle()
        #expect(driver.azure.sites.values.map(\.hosting) == [.managedEnvironment])
        #expect(driver.azure.deleteCount == 1 && driver.azure.putCount == 2 && driver.azure.executions.count == 1)
        #expect(try await driver.record(uid)?.status.isTrue(.provisioned) == true)
    }

    @Test func `a replacement that is cut off anywhere ends with the new site, and waits for an open run`() async throws
    {
        for crashAt in 1... {
            let driver = try MachineDriver(seed: 51)
            driver.azure.runsStayOpen = true
            let uid = try await created(driver)
            try await driver.pass(.seconds(20))
            try await change(driver, uid) {
                $0.spec.hosting = Hosting(managedEnvironment: "e")
                $0.spec.replacement = .recreate
            }
            try await driver.pass(.seconds(20))
            #expect(driver.azure.deleteCount == 0)
            driver.azure.runsStayOpen = false
            let first = driver.stepCount
            try await driver.settle { $0.stepCount >= first + crashAt }
            let isUntouched = driver.stepCount < first + crashAt
            if !isUntouched { try await driver.crash() }
            try await driver.pass(.seconds(700))
            #expect(driver.azure.sites.values.map(\.hosting) == [.managedEnvironment], "crash at \(crashAt)")
            #expect(driver.azure.executions.count == 1)
            #expect(try await driver.record(uid)?.status.isTrue(.provisioned) == true)
            if isUntouched { break }
        }
    }
}
