import DesiredState
import Testing

@testable import Controller

/// What somebody else changed is found, repaired or told, and nothing is written for nothing: the whole controller under
/// virtual time.
@Suite(.timeLimit(.minutes(5)))
struct DriftTests {
    /// Longer than the time between two lists of all sites.
    private static let cycle: Duration = .seconds(320)

    private struct Scene {
        let driver: MachineDriver
        let uid: UID
        var name: String { SiteDesigner.siteName(of: uid) }

        func status() async throws -> FunctionAppStatus {
            try #require(try await driver.record(uid)).status
        }

        func reads(after start: Instant = Instant(nanoseconds: 0)) -> Int {
            driver.azure.detailsReads.count { $0.at > start }
        }
    }

    /// A record whose site is as declared and has come to rest.
    private func scene(seed: UInt64, policy: DriftPolicy = .repair, invocations: Int = 0) async throws -> Scene {
        let driver = try MachineDriver(seed: seed)
        var record = try makeRecord(seed: seed, invocations: invocations)
        record.spec.drift = policy
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle(for: .seconds(90))
        #expect(driver.azure.detailsReads.isEmpty, "a fresh site was suspected")
        return Scene(driver: driver, uid: record.uid)
    }

    @Test func `an edit is repaired once, proved by a look, and then nothing more is asked or written`() async throws {
        let scene = try await scene(seed: 1)
        scene.driver.azure.edit(scene.name) { $0.edits = ["appSettings.A"] }
        try await scene.driver.settle(for: Self.cycle)
        let status = try await scene.status()
        #expect(scene.driver.azure.putCount == 2 && scene.driver.azure.sites[scene.name]?.edits == [])
        #expect(status[.drifted]?.reason == "AsDeclared" && status.isTrue(.provisioned) && status.isTrue(.ready))
        #expect(status.driftHistory.map(\.fields) == [["appSettings.A"]])
        #expect(status.driftHistory.map(\.answer) == [.repaired])
        #expect(scene.reads() == 2, "one that found it, one that proved the repair")
        let commits = scene.driver.commitCount
        try await scene.driver.settle(for: .seconds(3600))
        #expect(scene.driver.azure.putCount == 2 && scene.reads() == 2 && scene.driver.commitCount == commits)
    }

    @Test func `a change that is none of ours is looked at once, also across restarts`() async throws {
        let scene = try await scene(seed: 2)
        scene.driver.azure.edit(scene.name) { $0.tags["hidden-link"] = "theirs" }
        try await scene.driver.settle(for: Self.cycle)
        #expect(scene.reads() == 1 && scene.driver.azure.putCount == 1)
        #expect(try await scene.status()[.drifted]?.status == .false)
        for _ in 0..<3 {
            try await scene.driver.crash()
            try await scene.driver.settle(for: Self.cycle)
        }
        #expect(scene.reads() == 1 && scene.driver.azure.putCount == 1)
        #expect(try await scene.status().driftHistory.isEmpty)
    }

    @Test func `edits made while the daemon was down are repaired by its next life`() async throws {
        let scene = try await scene(seed: 3)
        scene.driver.azure.edit(scene.name) {
            $0.tags[SiteTag.designHash] = nil
            $0.edits = ["siteConfig.linuxFxVersion"]
        }
        try await scene.driver.crash()
        try await scene.driver.settle(for: .seconds(200))
        let status = try await scene.status()
        #expect(scene.driver.azure.putCount == 2 && status[.drifted]?.status == .false)
        #expect(status.driftHistory.last?.fields == ["siteConfig.linuxFxVersion", "tags.\(SiteTag.designHash)"])
    }

    @Test
    func `with Report it is told once and nothing is written, and a change of the record is written all the same`()
        async throws
    {
        let scene = try await scene(seed: 4, policy: .report)
        scene.driver.azure.edit(scene.name) { $0.edits = ["appSettings.A"] }
        try await scene.driver.settle(for: Self.cycle)
        let told = try await scene.status()
        #expect(told[.drifted]?.reason == "FieldsDiffer" && told.isTrue(.drifted))
        #expect(told[.drifted]?.message.contains("appSettings.A is b and should be a; only reported") == true)
        #expect(told.driftHistory.map(\.answer) == [.reported] && !told.isTrue(.stalled))
        try await scene.driver.crash()
        try await scene.driver.settle(for: .seconds(1000))
        #expect(try await scene.status().driftHistory == told.driftHistory && scene.reads() == 1)
        #expect(try await scene.status()[.drifted] == told[.drifted] && scene.driver.azure.putCount == 1)
        var stored = try #require(try await scene.driver.record(scene.uid))
        stored.spec.image = try ImageReference(parsing: "busybox")
        try await scene.driver.write(
            .replace(stored, ifRevision: stored.metadata.resourceVersion), uid: scene.uid)
        try await scene.driver.settle()
        #expect(scene.driver.azure.putCount == 2)
        #expect(try await scene.status()[.drifted]?.reason == "AsDeclared")
    }

    @Test func `while a run is open nothing is written, and it is repaired once the run has ended`() async throws {
        let scene = try await scene(seed: 5)
        scene.driver.azure.runsStayOpen = true
        let stored = try #require(try await scene.driver.record(scene.uid))
        try await scene.driver.write(
            .replace(stored.requestingRun().record, ifRevision: stored.metadata.resourceVersion), uid: scene.uid)
        try await scene.driver.settle(for: .seconds(20))
        scene.driver.azure.edit(scene.name) { $0.edits = ["siteConfig.linuxFxVersion"] }
        try await scene.driver.settle(for: .seconds(700))
        let waiting = try await scene.status()
        #expect(waiting.isTrue(.running) && waiting.isTrue(.drifted) && scene.driver.azure.putCount == 1)
        #expect(waiting[.drifted]?.message.contains("once the open run has ended") == true)
        #expect(waiting.driftHistory.isEmpty && scene.reads() == 1)
        try await scene.driver.crash()
        try await scene.driver.settle(for: .seconds(60))
        #expect(scene.driver.azure.putCount == 1)
        scene.driver.azure.runsStayOpen = false
        try await scene.driver.settle(for: .seconds(200))
        let status = try await scene.status()
        #expect(scene.driver.azure.putCount == 2 && status.runs.last?.attempts.map(\.outcome) == [.succeeded])
        #expect(status[.drifted]?.status == .false && scene.driver.azure.executions.count == 1)
    }

    @Test func `a site that somebody stopped is started again`() async throws {
        let scene = try await scene(seed: 6)
        scene.driver.azure.edit(scene.name) { $0.state = "Stopped" }
        try await scene.driver.settle(for: Self.cycle)
        #expect(scene.driver.azure.sites[scene.name]?.state == "Running")
        #expect(try await scene.status().driftHistory.map(\.fields) == [["state"]])
    }

    /// Until repairs stop: one edit after each repair.
    private func fight(_ scene: Scene, rounds: Int) async throws {
        for _ in 0..<rounds {
            scene.driver.azure.edit(scene.name) { $0.edits = ["appSettings.A"] }
            try await scene.driver.settle(for: Self.cycle)
        }
    }

    @Test func `a fight stops after three repairs, names the writer, and is tried again once after an hour`()
        async throws
    {
        let scene = try await scene(seed: 7)
        scene.driver.azure.activityCaller = "ops@example.com"
        try await fight(scene, rounds: 4)
        let stopped = try await scene.status()
        #expect(scene.driver.azure.putCount == 4, "\(scene.driver.recent)")
        #expect(stopped[.stalled]?.reason == "DriftFight" && stopped.isTrue(.stalled))
        #expect(stopped[.stalled]?.message.contains("ops@example.com changes appSettings.A") == true)
        #expect(stopped.driftHistory.map(\.answer) == [.repaired, .repaired, .repaired, .suspended])
        #expect(stopped.driftHistory.last?.writer == "ops@example.com")
        #expect(scene.driver.azure.detailsReads.count { $0.asksForWriter } == 1)
        // A restart changes nothing: it is all in the history.
        try await scene.driver.crash()
        try await scene.driver.settle(for: .seconds(2400))
        #expect(scene.driver.azure.putCount == 4)
        #expect(try await scene.status()[.stalled]?.reason == "DriftFight")
        try await scene.driver.settle(for: .seconds(1800))
        #expect(scene.driver.azure.putCount == 5, "one try")
        #expect(try await scene.status().isTrue(.stalled) == false)
        try await fight(scene, rounds: 1)
        #expect(scene.driver.azure.putCount == 5)
        #expect(try await scene.status()[.stalled]?.reason == "DriftFight")
    }

    @Test func `a new generation of the record ends the pause`() async throws {
        let scene = try await scene(seed: 8)
        try await fight(scene, rounds: 4)
        #expect(try await scene.status().isTrue(.stalled))
        var stored = try #require(try await scene.driver.record(scene.uid))
        stored.spec.azure.tags = ["team": "blue"]
        try await scene.driver.write(
            .replace(stored, ifRevision: stored.metadata.resourceVersion), uid: scene.uid)
        try await scene.driver.settle(for: .seconds(200))
        let status = try await scene.status()
        #expect(scene.driver.azure.putCount == 5 && !status.isTrue(.stalled))
        #expect(status[.drifted]?.reason == "AsDeclared")
    }

    @Test func `what Azure does not keep stops as not converging, and runs go on`() async throws {
        let scene = try await scene(seed: 9)
        scene.driver.azure.unsteadyFields = ["siteConfig.alwaysOn"]
        scene.driver.azure.edit(scene.name)
        try await scene.driver.settle(for: .seconds(1500))
        let status = try await scene.status()
        #expect(scene.driver.azure.putCount == 4, "the first and three repairs")
        #expect(status[.stalled]?.reason == "NotConverging")
        #expect(status[.stalled]?.message.contains("siteConfig.alwaysOn") == true)
        let stored = try #require(try await scene.driver.record(scene.uid))
        try await scene.driver.write(
            .replace(stored.requestingRun().record, ifRevision: stored.metadata.resourceVersion), uid: scene.uid)
        try await scene.driver.settle(for: .seconds(400))
        #expect(scene.driver.azure.executions.count == 1)
    }

    @Test func `a repair that Azure refuses is neither counted nor taken for done`() async throws {
        let scene = try await scene(seed: 10)
        scene.driver.azure.edit(scene.name) { $0.edits = ["appSettings.A"] }
        scene.driver.azure.refusal = "Conflict"
        try await scene.driver.settle(for: .seconds(1800))
        let refused = try await scene.status()
        #expect(!refused.driftHistory.contains { $0.answer == .suspended } && refused.isTrue(.drifted))
        #expect(refused.driftHistory.count <= 1)
        try await scene.driver.crash()
        scene.driver.azure.refusal = nil
        try await scene.driver.settle(for: .seconds(700))
        let status = try await scene.status()
        #expect(scene.driver.azure.sites[scene.name]?.edits == [] && status[.drifted]?.status == .false)
        #expect(status.driftHistory.map(\.answer) == [.repaired])
    }

    @Test func `a site that cannot be read in full is unknown, is asked for ever more slowly, and runs`() async throws {
        let scene = try await scene(seed: 11)
        scene.driver.azure.detailsRefusal = "Denied"
        scene.driver.azure.edit(scene.name) { $0.edits = ["appSettings.A"] }
        try await scene.driver.settle(for: .seconds(3600))
        #expect(try await scene.status()[.drifted]?.reason == "ModifiedOutside")
        #expect((2...40).contains(scene.reads()) && scene.driver.azure.putCount == 1)
        let stored = try #require(try await scene.driver.record(scene.uid))
        try await scene.driver.write(
            .replace(stored.requestingRun().record, ifRevision: stored.metadata.resourceVersion), uid: scene.uid)
        try await scene.driver.settle(for: .seconds(20))
        #expect(scene.driver.azure.executions.count == 1)
    }

    @Test func `an edit that moves no time is found within two days`() async throws {
        let scene = try await scene(seed: 12)
        scene.driver.azure.sites[scene.name]?.edits = ["appSettings.A"]
        try await scene.driver.settle(for: .seconds(600))
        #expect(scene.reads() == 0)
        try await scene.driver.settle(for: .seconds(2 * 86_400))
        #expect(scene.driver.azure.sites[scene.name]?.edits == [] && scene.driver.azure.putCount == 2)
        // One look a day, one that proved the repair.
        #expect((2...4).contains(scene.reads()), "\(scene.driver.azure.detailsReads)")
    }

    @Test func `a crash after any step of a repair leaves neither drift nor a second repair`() async throws {
        for crashAt in 1... {
            let scene = try await scene(seed: 13)
            let start = scene.driver.stepCount
            scene.driver.azure.edit(scene.name) { $0.edits = ["appSettings.A"] }
            try await scene.driver.settle(for: Self.cycle) { $0.stepCount >= start + crashAt }
            let isUntouched = scene.driver.stepCount < start + crashAt
            if !isUntouched { try await scene.driver.crash() }
            try await scene.driver.settle(for: .seconds(4000))
            let status = try await scene.status()
            #expect(scene.driver.azure.sites[scene.name]?.edits == [], "crash at step \(crashAt)")
            #expect((2...3).contains(scene.driver.azure.putCount), "crash at step \(crashAt)")
            #expect(status[.drifted]?.status == .false && !status.isTrue(.stalled), "crash at step \(crashAt)")
            if isUntouched { break }
        }
    }
}
