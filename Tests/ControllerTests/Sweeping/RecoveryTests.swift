import AgentLink
import AzureClient
import DesiredState
import Foundation
import NIOConcurrencyHelpers
import SystemPackage
import Testing

@testable import Controller

/// How a store that is behind its sites goes on: what is decided, and that one commit makes it so.
@Suite(.timeLimit(.minutes(1)))
struct RecoveryTests {
    private static let start = Instant(nanoseconds: 1_700_000_000_000_000_000)

    private func record(_ number: Int, name: String? = nil, invocations: Int = 1) throws -> FunctionApp {
        var record = try makeRecord(name ?? "r\(number)", invocations: invocations)
        record.metadata.uid = .sweepSample(number)
        return record
    }

    private func attempt(_ number: Int, run: Int = 1, outcome: AttemptOutcome?) -> Attempt {
        var attempt = Attempt(
            uid: .sweepSample(number), run: run, number: 1, token: "token\(number)-\(run)", bootID: "b",
            openedAt: RecoveryTests.start)
        attempt.result = outcome.map { AttemptResult(outcome: $0, exitCode: 0, finishedAt: RecoveryTests.start) }
        return attempt
    }

    private func plan(
        _ records: [StoredRecord], sites: [ObservedSite], change: (inout RecoveryInput) -> Void = { _ in }
    ) -> RecoveryPlan {
        let age = StoreAge(sites: sites, instance: .sample, writers: ["a": Revision(5)])
        var input = RecoveryInput(
            instance: .sample, sites: sites, records: records, age: age,
            freeze: Freeze(since: RecoveryTests.start, reason: "behind"))
        change(&input)
        return recovery(input)
    }

    @Test func `a store that is not behind is left as it is, unless a user says that it is older`() throws {
        let pending = StoredRecord(record: try record(1))
        #expect(plan([pending], sites: []) { $0.freeze = nil } == RecoveryPlan())
        let forced = plan([pending], sites: []) {
            $0.freeze = nil
            $0.isForced = true
        }
        #expect(forced.runs.map(\.run) == [1] && forced.suspended.count == 1)
    }

    @Test func `whatever may have been done in the lost part is given up and its record suspended`() throws {
        let ended = StoredRecord(record: try record(1), attempts: [attempt(1, outcome: .succeeded)])
        let open = StoredRecord(record: try record(2), attempts: [attempt(2, outcome: nil)])
        let neverBegun = StoredRecord(record: try record(3, invocations: 3), attempts: [attempt(3, outcome: .failed)])
        let refused = StoredRecord(record: try record(4), attempts: [attempt(4, outcome: .refused)])
        let ahead = StoredRecord(record: try record(5), attempts: [attempt(5, outcome: .succeeded)])
        let siteless = StoredRecord(record: try record(6, invocations: 0))
        var deleting = StoredRecord(record: try record(7), attempts: [attempt(7, outcome: nil)])
        deleting.record.metadata.deletionTimestamp = RecoveryTests.start
        var paused = StoredRecord(record: try record(8))
        paused.record.spec.suspend = Suspension(by: "me")
        let records = [ended, open, neverBegun, refused, ahead, siteless, deleting, paused]
        let sites = [1, 2, 3, 4, 5, 7, 8].map { number in
            ObservedSite.leak(number) { if number == 5 { $0.tags[SiteTag.writer] = "stranger:9" } }
        }
        let plan = plan(records, sites: sites)
        #expect(
            plan.runs.map { "\($0.name) \($0.run).\($0.attempt) \($0.isOpen)" } == [
                "r2 1.1 true", "r3 3.1 false", "r4 1.2 false", "r7 1.1 true", "r8 1.1 false",
            ])
        #expect(plan.suspended.map(\.name.text) == ["r2", "r3", "r4", "r5", "r6"])
        #expect(plan.writers == ["stranger"] && plan.revision == Revision(9))
        #expect(plan.adopted.isEmpty && plan.leftAlone.isEmpty)
    }

    @Test func `a copy under another name is not a record's site`() throws {
        let stored = StoredRecord(record: try record(1), attempts: [attempt(1, outcome: .succeeded)])
        let found = plan([stored], sites: [.leak(1)])
        let copied = plan([stored], sites: [.leak(1) { $0.name = "somebodys-own" }])
        #expect(found.suspended.isEmpty)
        #expect(copied.suspended.map(\.name.text) == ["r1"])
    }

    @Test func `untracked sites are adopted under their records' names, forgotten ones and copies are not`() throws {
        let sites = [
            ObservedSite.leak(1) { $0.tags[SiteTag.recordName] = "web" },
            .leak(2) { $0.tags[SiteTag.recordName] = "taken" }, .leak(3), .leak(4, instance: "another"),
            .leak(5) { $0.name = "a-copy" },
        ]
        let taken = StoredRecord(record: try record(9, name: "taken"), attempts: [attempt(9, outcome: .succeeded)])
        let tombstone = Tombstone(uid: .sweepSample(3), siteName: sites[2].name, forgottenAt: RecoveryTests.start)
        let plan = plan([taken], sites: sites) { $0.tombstones = [tombstone] }
        #expect(Set(plan.adopted.map(\.name.text)) == ["web", sites[1].name])
        #expect(plan.leftAlone.count == 1 && plan.leftAlone[0].hasPrefix("a-copy: "))
        let takenOver = self.plan([taken], sites: sites) {
            $0.freeze = nil
            $0.adoptedInstance = InstanceID("another")
        }
        #expect(takenOver.adopted.map(\.siteName) == [sites[3].name])
        #expect(takenOver.reason == nil && takenOver.suspended.isEmpty && takenOver.runs.isEmpty)
    }

    // MARK: carried out

    private func desk(_ world: SweptWorld, thaws: NIOLockedValueBox<Int> = .init(0)) throws -> RepairDesk {
        RepairDesk(
            sweeper: world.service(),
            output: try OutputStore(
                directory: FilePath(NSTemporaryDirectory() + "/skls-recovery-" + UUID().uuidString))
        ) { thaws.withLockedValue { $0 += 1 } }
    }

    private func details(_ site: ObservedSite, image: String? = "DOCKER|docker.io/library/alpine:latest") throws
        -> SiteDetails
    {
        let id = try #require(
            ResourceID("/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/" + site.name))
        var tags = site.tags
        tags[SiteTag.declared] = "owner"
        return SiteDetails(
            site: Site(name: site.name, resourceID: id, location: "westeurope", tags: tags, linuxFxVersion: image),
            appSettings: [
                SiteSetting.owned: Secret("MODE,SKLS_AGENT_SECRET,AzureWebJobsStorage"), "MODE": Secret("fast"),
                "SKLS_AGENT_SECRET": Secret("s"), "AzureWebJobsStorage": Secret("c"), "FOREIGN": Secret("x"),
            ])
    }

    @Test func `one commit ends the freeze, and nothing begins by itself`() async throws {
        let world = try SweptWorld()
        world.addLeak(1)
        let name = world.sites[0].name
        world.change { $0.sites[name]?.tags[SiteTag.writer] = "stranger:700" }
        let site = world.sites[0]
        let details = try details(site)
        world.change { $0.details[name] = details }
        let pending = try record(2, name: "job")
        try await world.store.commit(Transaction(origin: .user, [.create(pending)]))
        #expect(try await world.service().review(world.sites) != nil)

        let thaws = NIOLockedValueBox(0)
        let desk = try desk(world, thaws: thaws)
        let plan = try await desk.recoveryPlan(instance: nil, isForced: false)
        let moved = await #expect(throws: RepairError.self) {
            try await desk.recover(digest: "other", instance: nil, isForced: false)
        }
        #expect(moved?.code == .moved)
        #expect(try await world.store.freeze() != nil)
        let done = try await desk.recover(digest: plan.digest, instance: nil, isForced: false)
        #expect(done == plan && thaws.withLockedValue { $0 } == 1)

        #expect(try await world.store.freeze() == nil)
        #expect(try await world.service().review(world.sites) == nil, "it is not found to be behind again")
        let adopted = try #require(try await world.store.load(.sweepSample(1)))
        #expect(adopted.record.spec.image.canonical == "docker.io/library/alpine:latest")
        #expect(adopted.record.spec.azure == AzureSettings(appSettings: ["MODE": "fast"], tags: ["owner": "somebody"]))
        #expect(adopted.record.spec.suspend?.by == "recover")
        #expect(adopted.intent?.isSettled == true && adopted.intent?.siteName == name)
        let known = try #require(try await world.store.load(pending.uid))
        #expect(known.record.spec.suspend?.by == "recover")
        for stored in [adopted, known] {
            #expect(stored.attempts.map(\.result?.outcome) == [.unknown])
            var resumed = stored.record
            resumed.spec.suspend = nil
            let input = PlanInput(
                now: RecoveryTests.start, record: resumed, attempts: stored.attempts, intent: stored.intent,
                identity: world.designer.identity(of: resumed))
            #expect(Facts(input: input).pendingRun == nil, "not even when it is resumed")
        }
        #expect(world.changes.isEmpty, "Azure is not changed")
    }

    @Test func `a site whose image cannot be understood stays as it is`() async throws {
        let world = try SweptWorld()
        world.addLeak(1)
        let site = world.sites[0]
        let details = try details(site, image: nil)
        world.change { $0.details[site.name] = details }
        let desk = try desk(world)
        let plan = try await desk.recoveryPlan(instance: nil, isForced: true)
        #expect(plan.adopted.count == 1)
        let done = try await desk.recover(digest: plan.digest, instance: nil, isForced: true)
        #expect(done.adopted.isEmpty && done.leftAlone.count == 1)
        #expect(try await world.store.allUIDs().isEmpty)
    }

    @Test func `users adopt and delete leaks, and nothing else`() async throws {
        let world = try SweptWorld()
        for number in 1...3 { world.addLeak(number) }
        let sites = (1...3).map { ObservedSite.leak($0).name }
        for site in world.sites {
            let details = try details(site)
            world.change { $0.details[site.name] = details }
        }
        let desk = try desk(world)
        let adopted = try await desk.adopt(sites[0])
        #expect(adopted.metadata.name.text == sites[0] && adopted.spec.suspend?.by == "leaks adopt")
        for work in [
            { (site: String) async throws in _ = try await desk.adopt(site) },
            { (site: String) async throws in try await desk.delete(site) },
        ] {
            let refused = await #expect(throws: RepairError.self) { try await work(sites[0]) }
            #expect(refused?.code == .refused && refused?.description.contains("belongs to the record") == true)
            for name in ["skls-none", "", "a/b", "..", "a b"] {
                let missing = await #expect(throws: RepairError.self) { try await work(name) }
                #expect(missing?.code == .notFound)
            }
        }
        try await desk.delete(sites[1])
        #expect(world.sites.map(\.name).sorted() == [sites[0], sites[2]].sorted())
        #expect(!world.shares.contains(sites[1]) && world.shares.count == 2)

        let name = sites[2]
        world.change { $0.sites[name]?.tags[SiteTag.instance] = "another" }
        let foreign = await #expect(throws: RepairError.self) { try await desk.delete(name) }
        #expect(foreign?.code == .refused)
        #expect(world.sites.count == 2)
    }

    @Test func `the report says what becomes of each leak`() async throws {
        let world = try SweptWorld()
        try await world.store.commit(Transaction(origin: .user, [.create(try makeRecord())]))
        world.addLeak(1)
        let stray = SiteDesigner.siteName(of: .sweepSample(50))
        world.change { $0.shares.insert(stray) }
        let desk = try desk(world)
        await world.pass(.seconds(600))
        let suspected = try await desk.leaks()
        #expect(suspected.items.map(\.name) == [stray, world.sites[0].name] && suspected.mode == "delete")
        #expect(suspected.items.map(\.kind) == [.share, .site])
        #expect(suspected.items.map(\.state) == [.reported, .suspected])
        await world.pass(.seconds(3600))
        let held = try #require(try await desk.leaks().items.last)
        #expect(held.state == .quarantined)
        #expect(held.deletionDueAt == held.quarantinedAt.map { $0 + .seconds(86_400) })
    }
}
