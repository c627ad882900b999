import DesiredState
import Testing

@testable import Controller

@Suite(.timeLimit(.minutes(5)))
struct MachineTests {
    @Test func `a record that wants one run gets a site, runs once and says so`() async throws {
        let driver = try MachineDriver(seed: 1)
        let record = try makeRecord()
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle()
        let status = try #require(try await driver.record(record.uid)).status
        #expect(status.isTrue(.provisioned) && status.isTrue(.ready) && status.isTrue(.succeeded))
        #expect(status.runs.count == 1 && status.runs.first?.attempts.first?.exitCode == 0)
        #expect(driver.azure.executions.count == 1 && driver.azure.putCount == 1)
        let commits = driver.commitCount
        let puts = driver.azure.putCount
        try await driver.settle(for: .seconds(3000))
        #expect(driver.commitCount == commits && driver.azure.putCount == puts, "a steady record is not written")
    }

    @Test func `a container that is created and not started has a site and no run`() async throws {
        let driver = try MachineDriver(seed: 2)
        let record = try makeRecord(invocations: 0)
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle()
        #expect(driver.azure.sites.count == 1 && driver.azure.executions.isEmpty)
        let stored = try #require(try await driver.record(record.uid))
        #expect(stored.status.isTrue(.ready) && stored.status[.succeeded]?.status == .unknown)
        try await driver.write(
            .replace(stored.requestingRun().record, ifRevision: stored.metadata.resourceVersion), uid: record.uid)
        try await driver.settle()
        #expect(driver.azure.executions.count == 1)
    }

    @Test func `a time to live of zero leaves nothing behind`() async throws {
        let driver = try MachineDriver(seed: 3)
        let record = try makeRecord(ttl: 0)
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle()
        #expect(try await driver.record(record.uid) == nil)
        #expect(driver.azure.sites.isEmpty && driver.azure.executions.count == 1 && driver.azure.deleteCount == 1)
        #expect(try await driver.store.tombstone(record.uid) != nil)
    }

    @Test func `a deletion ends the open run first`() async throws {
        let driver = try MachineDriver(seed: 4)
        driver.azure.runsStayOpen = true
        let record = try makeRecord()
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle(for: .seconds(20))
        #expect(try await driver.record(record.uid)?.status.isTrue(.running) == true)
        try await driver.write(.markDeleted(record.uid, at: driver.now), uid: record.uid)
        try await driver.settle(for: .seconds(20))
        #expect(try await driver.record(record.uid) == nil, "\(driver.recent)")
        #expect(driver.azure.sites.isEmpty && driver.azure.exitCode == 143)
    }

    @Test func `a container restarted before its first request gets another attempt`() async throws {
        let driver = try MachineDriver(seed: 5)
        let record = try makeRecord(invocations: 0)
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle()
        driver.azure.restartContainer(of: SiteDesigner.siteName(of: record.uid))
        let stored = try #require(try await driver.record(record.uid))
        try await driver.write(
            .replace(stored.requestingRun().record, ifRevision: stored.metadata.resourceVersion), uid: record.uid)
        try await driver.settle()
        let run = try #require(try await driver.record(record.uid)?.status.runs.last)
        #expect(run.attempts.map(\.outcome) == [.refused, .succeeded])
        #expect(driver.azure.executions.count == 1)
    }

    @Test func `a run whose container is restarted is lost and not tried again`() async throws {
        let driver = try MachineDriver(seed: 6)
        driver.azure.runsStayOpen = true
        let record = try makeRecord()
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle(for: .seconds(5))
        driver.azure.restartContainer(of: SiteDesigner.siteName(of: record.uid))
        driver.azure.runsStayOpen = false
        try await driver.settle(for: .seconds(60))
        let attempts = try #require(try await driver.record(record.uid)?.status.runs.last).attempts
        #expect(attempts.map(\.outcome) == [.lost] && driver.azure.executions.count == 1)
        #expect(try await driver.record(record.uid)?.status.isTrue(.failed) == true)
    }

    @Test func `a site that somebody removed is created again, and an ended run is not repeated`() async throws {
        let driver = try MachineDriver(seed: 7)
        let record = try makeRecord()
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle()
        driver.azure.sites = [:]
        try await driver.settle(for: .seconds(700))
        #expect(driver.azure.sites.count == 1 && driver.azure.executions.count == 1)
    }

    @Test func `a changed image is written once, and only when no run is open`() async throws {
        let driver = try MachineDriver(seed: 8)
        let record = try makeRecord()
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle()
        var stored = try #require(try await driver.record(record.uid))
        stored.spec.image = try ImageReference(parsing: "busybox")
        try await driver.write(.replace(stored, ifRevision: stored.metadata.resourceVersion), uid: record.uid)
        try await driver.settle()
        #expect(driver.azure.putCount == 2 && driver.azure.executions.count == 1)
        #expect(try await driver.record(record.uid)?.status.isTrue(.ready) == true)
    }

    @Test func `reads that lag behind a write do not make it be written again`() async throws {
        let driver = try MachineDriver(seed: 10)
        driver.azure.staleReads = 3
        let record = try makeRecord()
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle()
        #expect(driver.azure.putCount == 1)
        var stored = try #require(try await driver.record(record.uid))
        stored.spec.image = try ImageReference(parsing: "busybox")
        try await driver.write(.replace(stored, ifRevision: stored.metadata.resourceVersion), uid: record.uid)
        try await driver.settle()
        #expect(driver.azure.putCount == 2)
        #expect(try await driver.record(record.uid)?.status.isTrue(.provisioned) == true)
    }

    @Test func `what Azure works on is asked about until it has ended, and the site is written once`() async throws {
        let driver = try MachineDriver(seed: 11)
        driver.azure.operationPolls = 4
        let record = try makeRecord()
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle(for: .seconds(20))
        #expect(try await driver.store.load(record.uid)?.intent?.operation == "operation-1")
        #expect(try await driver.record(record.uid)?.status.nextAction?.rule == "operationAccepted")
        try await driver.settle()
        #expect(driver.azure.putCount == 1 && driver.azure.pollCount == 4 && driver.azure.executions.count == 1)
        let intent = try #require(try await driver.store.load(record.uid)?.intent)
        #expect(intent.operation == nil && intent.isSettled)
        #expect(try await driver.record(record.uid)?.status.isTrue(.succeeded) == true)
    }

    @Test func `a refused record says why, is tried again slowly and can be deleted at once`() async throws {
        let driver = try MachineDriver(seed: 16)
        driver.azure.refusal = "PlanCannotRunContainers"
        let (kept, dropped) = (try makeRecord("kept"), try makeRecord("dropped", seed: 2))
        try await driver.start()
        try await driver.write(.create(kept), uid: kept.uid)
        try await driver.write(.create(dropped), uid: dropped.uid)
        try await driver.settle(for: .seconds(30))
        let status = try #require(try await driver.record(dropped.uid)).status
        #expect(status[.provisioned]?.reason == "PlanCannotRunContainers" && status.isTrue(.stalled))
        try await driver.write(.markDeleted(dropped.uid, at: driver.now), uid: dropped.uid)
        try await driver.settle(for: .seconds(1))
        #expect(try await driver.record(dropped.uid) == nil && driver.azure.deleteCount == 0)
        driver.azure.refusal = nil
        try await driver.settle(for: .seconds(700))
        #expect(driver.azure.executions.count == 1 && driver.azure.sites.count == 1)
    }

    @Test func `another life of the daemon goes on with the operation that was kept`() async throws {
        let driver = try MachineDriver(seed: 12)
        driver.azure.operationPolls = 3
        let record = try makeRecord()
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle(for: .seconds(16))
        try await driver.crash()
        try await driver.settle()
        #expect(driver.azure.putCount == 1 && driver.azure.pollCount == 3 && driver.azure.executions.count == 1)
    }

    @Test func `an operation that was answered and not kept is settled by reading`() async throws {
        let driver = try MachineDriver(seed: 13)
        driver.azure.operationPolls = 1
        let record = try makeRecord()
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        while driver.azure.putCount == 0 { _ = try await driver.step() }
        try await driver.crash()
        driver.azure.operationPolls = nil
        try await driver.settle()
        #expect(driver.azure.putCount == 2 && driver.azure.sites.count == 1 && driver.azure.executions.count == 1)
    }

    @Test func `an operation that fails is shown and its site made again`() async throws {
        let driver = try MachineDriver(seed: 14)
        driver.azure.operationPolls = 1
        driver.azure.operationsFail = true
        let record = try makeRecord()
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle(for: .seconds(17))
        let provisioned = try #require(try await driver.record(record.uid)?.status[.provisioned])
        #expect(provisioned.status == .false && provisioned.message == "it failed")
        driver.azure.operationsFail = false
        try await driver.settle()
        #expect(driver.azure.sites.count == 1 && driver.azure.executions.count == 1)
        #expect(try await driver.record(record.uid)?.status.isTrue(.provisioned) == true)
    }

    @Test func `an operation that never ends is given up after an hour for a look at the site`() async throws {
        let driver = try MachineDriver(seed: 15)
        driver.azure.operationPolls = .max
        let record = try makeRecord()
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle(for: .seconds(3500))
        #expect(driver.azure.putCount == 1)
        driver.azure.operationPolls = nil
        try await driver.settle(for: .seconds(600))
        #expect(driver.azure.putCount == 2 && driver.azure.executions.count == 1)
    }

    @Test func `a site with other tags is never written or deleted`() async throws {
        let driver = try MachineDriver(seed: 9)
        let record = try makeRecord()
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle()
        let name = SiteDesigner.siteName(of: record.uid)
        driver.azure.sites[name]?.tags[SiteTag.instance] = "somebody else"
        var stored = try #require(try await driver.record(record.uid))
        stored.spec.image = try ImageReference(parsing: "busybox")
        try await driver.write(.replace(stored, ifRevision: stored.metadata.resourceVersion), uid: record.uid)
        try await driver.crash()
        try await driver.settle(for: .seconds(700))
        #expect(try await driver.record(record.uid)?.status.isTrue(.stalled) == true)
        try await driver.write(.markDeleted(record.uid, at: driver.now), uid: record.uid)
        try await driver.settle()
        #expect(driver.azure.putCount == 1 && driver.azure.deleteCount == 0 && driver.azure.sites[name] != nil)
        #expect(try await driver.record(record.uid) == nil)
    }

    @Test func `a controller whose store another one works on ends and calls nothing more`() async throws {
        let driver = try MachineDriver(seed: 17)
        let record = try makeRecord()
        try await driver.start()
        _ = try await driver.store.beginEpoch(writer: "another")
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle()
        #expect(driver.end?.description == "another controller works on this store (epoch 2)")
        #expect(driver.azure.putCount == 0)
        driver.feed(.changed(record.uid))
        #expect(try await driver.step() == false)
    }

    @Test func `a controller ends when only its sweep is told that another one works on the store`() async throws {
        let driver = try MachineDriver(seed: 17)
        try await driver.start()
        try await driver.settle()
        driver.feed(.fenced(StoreError(.fenced(newest: Epoch(2)))))
        try await driver.settle()
        #expect(driver.end?.description == "another controller works on this store (epoch 2)")
        driver.feed(.changed(.sweepSample(1)))
        #expect(try await driver.step() == false)
    }

    @Test func `a frozen store writes and begins nothing until the freeze ends`() async throws {
        let driver = try MachineDriver(seed: 18)
        let (record, doomed) = (try makeRecord(), try makeRecord("doomed", seed: 2, invocations: 0))
        let freeze = Freeze(since: driver.now, reason: "a site is newer than the store")
        try await driver.start()
        try await driver.write(.create(doomed), uid: doomed.uid)
        try await driver.settle()
        try await driver.store.commit(Transaction(origin: .user, [.setFreeze(freeze)]))
        try await driver.crash()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.write(.markDeleted(doomed.uid, at: driver.now), uid: doomed.uid)
        try await driver.settle(for: .seconds(700))
        #expect(driver.azure.putCount == 1 && driver.azure.deleteCount == 0 && driver.azure.executions.isEmpty)
        let status = try #require(try await driver.record(record.uid)).status
        #expect(status[.stalled]?.reason == "Frozen" && status.nextAction?.rule == "frozen")
        driver.feed(.freezeChanged(nil))
        try await driver.settle()
        #expect(driver.azure.executions.count == 1 && driver.azure.deleteCount == 1)
        #expect(try await driver.record(record.uid)?.status.isTrue(.stalled) == false)
    }

    @Test func `hundreds of records are looked at a bounded number at a time, and all of them are`() async throws {
        let driver = try MachineDriver(seed: 11)
        try await driver.start()
        var loading = 0
        var longest = 0
        for index in 0..<300 {
            let record = try makeRecord("job\(index)", seed: UInt64(index), invocations: 0)
            try await driver.store.commit(Transaction(origin: .user, [.create(record)]))
        }
        try await driver.crash()
        try await driver.settle { driver in
            loading = driver.pendingLoads
            longest = max(longest, loading)
            return false
        }
        #expect(driver.azure.sites.count == 300)
        #expect((1...ControllerMachine.maximumActiveKeys).contains(longest))
    }

    /// The crash-after-every-step loop: whatever the moment, no run happens twice, and in the end nothing is left.
    @Test func `a crash after any step neither repeats a run nor leaves a site`() async throws {
        for crashAt in 1... {
            let driver = try MachineDriver(seed: 100)
            let record = try makeRecord(ttl: 0)
            try await driver.start()
            try await driver.write(.create(record), uid: record.uid)
            try await driver.settle { $0.stepCount >= crashAt }
            let isUntouched = driver.stepCount < crashAt
            if !isUntouched { try await driver.crash() }
            try await driver.settle(for: .seconds(4000))
            #expect(driver.azure.executions.count <= 1, "crash at step \(crashAt)")
            #expect(driver.azure.sites.isEmpty, "crash at step \(crashAt)")
            #expect(try await driver.record(record.uid) == nil, "crash at step \(crashAt)")
            if isUntouched { break }
        }
    }

    /// Seeded lives with faults and crashes; then the faults end, and everything must have come true.
    @Test(arguments: 0..<150) func `faults and crashes never run a job twice and never leak`(seed: UInt64) async throws
    {
        let driver = try MachineDriver(seed: seed)
        driver.azure.faultPercent = 25
        var choices = SplitMix64(state: seed &* 7919 &+ 1)
        var uids: [UID] = []
        try await driver.start()
        for index in 0..<4 {
            let record = try makeRecord(
                "job\(index)", seed: seed &* 31 &+ UInt64(index), ttl: index == 0 ? 0 : nil, at: driver.now)
            uids.append(record.uid)
            try await driver.write(.create(record), uid: record.uid)
            let until = driver.stepCount + Int.random(in: 0..<40, using: &choices)
            try await driver.settle(for: .seconds(30)) { $0.stepCount >= until }
            if Bool.random(using: &choices) { try await driver.crash() }
        }
        for uid in uids.dropLast(2) where try await driver.record(uid) != nil {
            try await driver.write(.markDeleted(uid, at: driver.now), uid: uid)
            let until = driver.stepCount + Int.random(in: 0..<20, using: &choices)
            try await driver.settle(for: .seconds(10)) { $0.stepCount >= until }
            if Bool.random(using: &choices) { try await driver.crash() }
        }
        driver.azure.faultPercent = 0
        try await driver.settle(for: .seconds(9000))

        #expect(Set(driver.azure.executions).count == driver.azure.executions.count, "a token was executed twice")
        let remaining = uids.suffix(2)
        #expect(Set(driver.azure.sites.keys) == Set(remaining.map { SiteDesigner.siteName(of: $0) }))
        for uid in remaining {
            let record = try #require(try await driver.record(uid))
            let run = try #require(record.status.runs.last)
            let executed = run.attempts.filter { driver.azure.executions.contains($0.token) }
            #expect(executed.count <= 1, "two attempts of one run were executed")
            #expect(run.attempts.last?.outcome != nil, "the run has no end")
            if run.attempts.last?.outcome == .succeeded { #expect(executed.count == 1) }
            #expect(record.status.observedGeneration == record.metadata.generation)
        }
        for uid in uids.dropLast(2) { #expect(try await driver.record(uid) == nil) }
    }
}
