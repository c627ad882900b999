import DesiredState
import Testing

@testable import Controller

/// The sweep over the real store and sites in memory, under virtual time.
@Suite(.timeLimit(.minutes(5)))
struct SweepServiceTests {
    private func world() async throws -> SweptWorld {
        let world = try SweptWorld()
        _ = try await world.store.beginEpoch(writer: "life")
        try await world.store.commit(Transaction(origin: .user, [.create(try makeRecord())]))
        return world
    }

    @Test func `an unknown site is quarantined after an hour and deleted a day later, with its share`() async throws {
        let world = try await world()
        world.addLeak(1)
        let before = world.sites[0]
        await world.pass(.seconds(3600))
        #expect(world.sites == [before] && world.changes.isEmpty)
        await world.pass(.seconds(600))
        #expect(world.changes == ["tag \(before.name)"])
        var tags = world.sites[0].tags
        #expect(tags.removeValue(forKey: SiteTag.quarantined) == "2023-11-14T23:13:20Z")
        #expect(tags == before.tags, "nothing else is changed")
        await world.pass(.seconds(86_000))
        #expect(world.sites.count == 1)
        await world.pass(.seconds(1200))
        #expect(world.changes == ["tag \(before.name)", "delete \(before.name)", "delete share \(before.name)"])
        #expect(world.shares.isEmpty)
        #expect(try await world.store.sightings().isEmpty)
    }

    @Test func `restarts of the daemon neither shorten nor prolong the quarantine`() async throws {
        let world = try await world()
        world.addLeak(1)
        await world.pass(.seconds(3600 + 86_400), restarts: true)
        #expect(world.sites.count == 1)
        await world.pass(.seconds(1200), restarts: true)
        #expect(world.sites.isEmpty && world.shares.isEmpty)
    }

    @Test func `a forgotten record's site goes at once, and one with a record never`() async throws {
        let world = try await world()
        var forgotten = try makeRecord("gone", seed: 5)
        forgotten.metadata.uid = .sweepSample(1)
        var kept = try makeRecord("kept", seed: 6)
        kept.metadata.uid = .sweepSample(2)
        for number in 1...2 { world.addLeak(number) }
        try await world.store.commit(Transaction(origin: .user, [.create(forgotten), .create(kept)]))
        let name = ObservedSite.leak(1).name
        try await world.store.commit(
            Transaction(
                origin: .controller,
                [.forget(.sweepSample(1), siteName: name, at: Instant(nanoseconds: 1_700_000_000_000_000_000))]))
        await world.pass(.seconds(300))
        #expect(world.changes == ["delete \(name)", "delete share \(name)"])
        await world.pass(.seconds(2 * 86_400))
        #expect(world.sites.map(\.name) == [ObservedSite.leak(2).name])
    }

    @Test(arguments: [false, true])
    func `whatever call fails or loses its answer, each step is made in the end`(loses: Bool) async throws {
        for isHeld in [false, true] {
            var failing = 0
            var hasFailed = true
            while hasFailed {
                failing += 1
                let world = try await world()
                world.addLeak(1)
                let site = world.sites[0]
                let now = Instant(nanoseconds: 1_700_000_000_000_000_000)
                let sighting = Sighting(
                    siteName: site.name, uid: .sweepSample(1), firstSeenAt: now + .seconds(-100_000), lastSeenAt: now,
                    count: 300, quarantinedAt: isHeld ? now + .seconds(-90_000) : nil)
                try await world.store.commit(Transaction(origin: .controller, [.keepSighting(sighting)]))
                world.change {
                    if isHeld { $0.sites[site.name] = site.quarantined }
                    $0.failingCall = failing
                    $0.loses = loses
                }
                await world.pass(.seconds(1800), restarts: true)
                if isHeld {
                    #expect(world.sites.isEmpty && world.shares.isEmpty, "call \(failing)")
                    #expect(try await world.store.sightings().isEmpty, "call \(failing)")
                } else {
                    #expect(world.sites.first?.quarantinedTag != nil, "call \(failing)")
                }
                hasFailed = world.callCount >= failing
            }
            #expect(failing > 6)
        }
    }

    @Test(arguments: [false, true])
    func `a life that ends after any commit leaves the next one the same end`(isHeld: Bool) async throws {
        var last = 0
        var hasEnded = true
        while hasEnded {
            last += 1
            let world = try await world()
            world.addLeak(1)
            let site = world.sites[0]
            let now = Instant(nanoseconds: 1_700_000_000_000_000_000)
            let sighting = Sighting(
                siteName: site.name, uid: .sweepSample(1), firstSeenAt: now + .seconds(-100_000), lastSeenAt: now,
                count: 300, quarantinedAt: isHeld ? now + .seconds(-90_000) : nil)
            try await world.store.commit(Transaction(origin: .controller, [.keepSighting(sighting)]))
            if isHeld { world.change { $0.sites[site.name] = site.quarantined } }
            let mortal = MortalStore(world.store, endsAfter: last)
            let life = world.service(store: mortal)
            for _ in 0..<3 where !mortal.hasEnded {
                // The task is the life: the store cancels it once the commit is there.
                try await Task { try await life.sweep(world.sites) }.value
                world.change { $0.now = $0.now + .seconds(300) }
            }
            hasEnded = mortal.hasEnded
            #expect(mortal.commitCount == (hasEnded ? last : last - 1), "nothing is written after the end")
            await world.pass(.seconds(1500))
            if isHeld {
                #expect(world.sites.isEmpty && world.shares.isEmpty, "commit \(last)")
                #expect(world.changes == ["delete \(site.name)", "delete share \(site.name)"], "commit \(last)")
                #expect(try await world.store.sightings().isEmpty, "commit \(last)")
            } else {
                #expect(world.sites.first?.quarantinedTag != nil, "commit \(last)")
                #expect(world.changes == ["tag \(site.name)"], "commit \(last)")
                #expect(try await world.store.sightings().first?.quarantinedAt != nil, "commit \(last)")
            }
        }
        // Of three sweeps: each keeps its sighting; or one does, the site goes, and its share.
        #expect(last == 4)
    }

    @Test func `what changes between the list and the deletion protects the site`() async throws {
        let interruptions: [@Sendable (SweptWorld) async -> Void] = [
            { world in
                guard var record = try? makeRecord("late", seed: 9) else { return }
                record.metadata.uid = .sweepSample(1)
                // A failure shows in the site, which would be deleted.
                _ = try? await world.store.commit(Transaction(origin: .user, [.create(record)]))
            },
            { world in world.change { $0.sites[ObservedSite.leak(1).name]?.tags[SiteTag.writer] = "newer:9" } },
            { world in world.change { $0.sites[ObservedSite.leak(1).name]?.tags[SiteTag.instance] = "other" } },
            { world in world.change { $0.sites[ObservedSite.leak(1).name]?.tags[SiteTag.quarantined] = nil } },
        ]
        for (index, interruption) in interruptions.enumerated() {
            let world = try await world()
            world.addLeak(1)
            world.change { $0.shares = [] }
            await world.pass(.seconds(3600 + 86_400))
            #expect(world.sites.count == 1)
            let service = world.service()
            // The next calls: the list of shares, then the fresh read.
            let fresh = world.callCount + 2
            world.change {
                $0.now = $0.now + .seconds(300)
                $0.interruption = (fresh, interruption)
            }
            try await service.sweep(world.sites)
            #expect(world.sites.count == 1, "interruption \(index)")
            #expect(service.counts.deleted == 0)
        }
    }

    @Test func `a site that a user works on is left alone meanwhile`() async throws {
        let world = try await world()
        world.addLeak(1)
        await world.pass(.seconds(3600 + 86_400))
        let service = world.service()
        #expect(service.claim(world.sites[0].name))
        for _ in 0..<3 {
            world.change { $0.now = $0.now + .seconds(300) }
            try await service.sweep(world.sites)
        }
        #expect(world.sites.count == 1)
        service.release(world.sites[0].name)
        try await service.sweep(world.sites)
        #expect(world.sites.isEmpty)
        #expect(service.counts.deleted == 1 && service.counts.sharesDeleted == 1 && service.counts.failed == 3)
    }

    @Test func `a sweep of an earlier life of the controller changes nothing`() async throws {
        let world = try await world()
        world.addLeak(1)
        let service = world.service()
        service.begin(try await world.store.beginEpoch(writer: "first"))
        _ = try await world.store.beginEpoch(writer: "second")
        for _ in 0..<400 {
            // It says so, since nothing else may be committed that would end this life.
            await #expect(throws: StoreError(.fenced(newest: Epoch(3)))) { try await service.sweep(world.sites) }
            world.change { $0.now = $0.now + .seconds(300) }
        }
        #expect(world.changes.isEmpty)
        #expect(try await world.store.sightings().isEmpty)
    }

    @Test func `a list of sites that are ahead freezes the store for good`() async throws {
        let world = try await world()
        world.addLeak(1)
        let service = world.service()
        #expect(try await service.review(world.sites) == nil)
        let name = world.sites[0].name
        world.change { $0.sites[name]?.tags[SiteTag.writer] = "stranger:1" }
        let freeze = try await service.review(world.sites)
        #expect(freeze?.reason.contains(name) == true)
        #expect(try await world.store.freeze() == freeze)
        #expect(try await service.review([]) == freeze)
        await world.pass(.seconds(3 * 86_400))
        #expect(world.changes.isEmpty)
    }
}
