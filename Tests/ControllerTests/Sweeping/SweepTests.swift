import DesiredState
import Testing

@testable import Controller

/// What the sweep decides, by example and by seeded generation.
struct SweepTests {
    private let start = Instant(nanoseconds: 1_700_000_000_000_000_000)
    private static let hour: Duration = .seconds(3600)

    private func input(_ sites: [ObservedSite], change: (inout SweepInput) -> Void = { _ in }) -> SweepInput {
        var input = SweepInput(
            now: start, instance: .sample, sites: sites, uids: [.sweepSample(99)])
        change(&input)
        return input
    }

    private func sighting(_ site: ObservedSite, age: Duration, count: Int = 12, held: Duration? = nil) -> Sighting {
        Sighting(
            siteName: site.name, uid: site.uid.flatMap { UID($0) }, firstSeenAt: start + (.zero - age),
            lastSeenAt: start + .seconds(-300), count: count, quarantinedAt: held.map { start + (.zero - $0) })
    }

    @Test func `sites with records, of other installations and of nobody are left alone`() {
        let plan = sweep(
            input([.leak(1), .leak(2, instance: "another"), .leak(3) { $0.tags["skls-managed-by"] = "me" }]) {
                $0.uids = [.sweepSample(1)]
            })
        #expect(plan == SweepPlan())
    }

    @Test func `a forgotten record's site is deleted at the first sight`() {
        let site = ObservedSite.leak(1)
        let plan = sweep(
            input([site]) {
                $0.tombstones = [Tombstone(uid: .sweepSample(1), siteName: site.name, forgottenAt: start)]
            })
        #expect(plan.actions == [.delete(site, .sweepSample(1), .forgotten)])
        #expect(
            plan.operations == [
                .keepSighting(
                    Sighting(
                        siteName: site.name, uid: .sweepSample(1), firstSeenAt: start, lastSeenAt: start))
            ])
    }

    @Test func `a copy of a site carries its tags and is never touched`() {
        let copy = ObservedSite.leak(1) { $0.name = "somebodys-own" }
        let plan = sweep(
            input([copy]) {
                $0.tombstones = [
                    Tombstone(uid: .sweepSample(1), siteName: ObservedSite.leak(1).name, forgottenAt: start)
                ]
                $0.sightings = [sighting(copy, age: .seconds(999_999), held: .seconds(999_999))]
            })
        #expect(plan.actions.isEmpty)
        #expect(plan.suspected == 1)
    }

    @Test func `a copy of a site that has a record is shown, and not even released`() {
        let copy = ObservedSite.leak(1) {
            $0.name = "somebodys-own"
            $0.tags[SiteTag.quarantined] = "2027-01-15T08:00:00Z"
        }
        let plan = sweep(input([.leak(1), copy]) { $0.uids = [.sweepSample(1)] })
        #expect(plan.actions.isEmpty)
        #expect(plan.suspected == 1)
    }

    @Test func `an unknown site is suspected, then quarantined, then deleted`() {
        let site = ObservedSite.leak(1)
        #expect(sweep(input([site])).actions.isEmpty)
        let young = sweep(input([site]) { $0.sightings = [sighting(site, age: .seconds(3000))] })
        #expect(young.actions.isEmpty)
        let onceSeen = sweep(input([site]) { $0.sightings = [sighting(site, age: .seconds(9000), count: 0)] })
        #expect(onceSeen.actions.isEmpty)
        let old = sweep(input([site]) { $0.sightings = [sighting(site, age: SweepTests.hour)] })
        #expect(old.actions == [.quarantine(site, .sweepSample(1))])
        #expect(old.quarantined == 1)

        let held = site.quarantined
        let waiting = sweep(
            input([held]) {
                $0.sightings = [sighting(held, age: .seconds(90_000), held: .seconds(86_000))]
            })
        #expect(waiting.actions.isEmpty)
        let due = sweep(
            input([held]) {
                $0.sightings = [sighting(held, age: .seconds(99_000), held: .seconds(86_400))]
            })
        #expect(due.actions == [.delete(held, .sweepSample(1), .unknown)])
    }

    @Test func `the grace begins anew when the tag was removed, and when nobody knows since when it is there`() {
        let site = ObservedSite.leak(1)
        let removed = sweep(
            input([site]) {
                $0.sightings = [sighting(site, age: .seconds(999_999), held: .seconds(999_999))]
            })
        #expect(removed.actions == [.quarantine(site, .sweepSample(1))])
        let forgotten = sweep(input([site.quarantined]) { $0.sightings = [sighting(site, age: .seconds(999_999))] })
        #expect(forgotten.actions.isEmpty)
        guard case .keepSighting(let kept)? = forgotten.operations.first else {
            Issue.record("the sighting is kept")
            return
        }
        #expect(kept.quarantinedAt == start)
    }

    @Test func `time that nobody looked, or that the clock jumped, does not count`() {
        let site = ObservedSite.leak(1).quarantined
        for gap in [Duration.seconds(1_000_000), .seconds(-1_000_000)] {
            var earlier = sighting(site, age: .seconds(4000), held: .seconds(100))
            earlier.lastSeenAt = start + (.zero - gap)
            earlier.firstSeenAt = earlier.lastSeenAt + .seconds(-4000)
            earlier.quarantinedAt = earlier.lastSeenAt + .seconds(-100)
            let plan = sweep(input([site]) { $0.sightings = [earlier] })
            #expect(plan.actions.isEmpty)
            guard case .keepSighting(let kept)? = plan.operations.first, let since = kept.quarantinedAt else {
                Issue.record("the sighting is kept")
                continue
            }
            #expect(start - since == (gap > .zero ? .seconds(1000) : .seconds(100)))
        }
    }

    @Test func `a site that is missing from one list begins anew`() {
        let site = ObservedSite.leak(1)
        let plan = sweep(input([]) { $0.sightings = [sighting(site, age: .seconds(9000))] })
        #expect(plan.operations == [.dropSighting(siteName: site.name)])
    }

    @Test func `a record that turns up releases its site`() {
        let site = ObservedSite.leak(1).quarantined
        let plan = sweep(
            input([site]) {
                $0.uids = [.sweepSample(1)]
                $0.sightings = [sighting(site, age: .seconds(9000), held: .seconds(100))]
            })
        #expect(plan.actions == [.release(site)])
        #expect(plan.operations == [.dropSighting(siteName: site.name)])
    }

    @Test func `without any record nothing is changed unless there are tombstones`() {
        let held = ObservedSite.leak(1).quarantined
        let rows = [sighting(held, age: .seconds(999_999), held: .seconds(999_999))]
        let empty = sweep(
            input([held, .leak(2)]) {
                $0.uids = []
                $0.sightings = rows
            })
        #expect(empty.actions.isEmpty && empty.withheld != nil)
        let emptied = sweep(
            input([held]) {
                $0.uids = []
                $0.tombstones = [Tombstone(uid: .sweepSample(7), siteName: "skls-x", forgottenAt: start)]
                $0.sightings = rows
            })
        #expect(emptied.actions == [.delete(held, .sweepSample(1), .unknown)])
    }

    @Test func `report mode and a frozen store change nothing`() {
        let held = ObservedSite.leak(1).quarantined
        let rows = [sighting(held, age: .seconds(999_999), held: .seconds(999_999))]
        let reported = sweep(
            input([held, .leak(2)]) {
                $0.sightings = rows
                $0.settings.mode = .report
            })
        #expect(reported.actions.isEmpty && reported.suspected == 2 && reported.withheld != nil)
        let frozen = sweep(
            input([held]) {
                $0.sightings = rows
                $0.isFrozen = true
            })
        #expect(frozen.actions.isEmpty && frozen.operations.isEmpty)
    }

    @Test func `five deletions at most, or a tenth of all sites`() {
        for (count, bound) in [(40, 5), (100, 10)] {
            let sites = (0..<count).map { ObservedSite.leak($0).quarantined }
            let plan = sweep(
                input(sites) {
                    $0.sightings = sites.map { sighting($0, age: .seconds(999_999), held: .seconds(999_999)) }
                    $0.uids = [.sweepSample(1000)]
                })
            #expect(plan.actions.count == bound)
            #expect(plan.postponed == count - bound)
        }
    }

    @Test func `shares are deleted only where a tombstone or a deletion vouches for their name`() {
        let names = (1...5).map { SiteDesigner.siteName(of: .sweepSample($0)) }
        let owed = Sighting(
            siteName: Sighting.key(ofShare: names[3]), uid: nil, firstSeenAt: start, lastSeenAt: start,
            quarantinedAt: start)
        let plan = sweep(
            input([.leak(2)]) {
                $0.uids = [.sweepSample(1), .sweepSample(2)]
                $0.shares = names + ["somebodys-share", "skls-short"]
                $0.tombstones = [Tombstone(uid: .sweepSample(3), siteName: names[2], forgottenAt: start)]
                $0.sightings = [owed]
            })
        #expect(Set(plan.actions) == [.deleteShare(names[2]), .deleteShare(names[3])])
        #expect(plan.suspected == 3)
        let unlisted = sweep(input([]) { $0.sightings = [owed] })
        #expect(unlisted.actions == [.deleteShare(names[3])])
    }

    @Test(arguments: 0..<400)
    func `whatever the input: no record's, no foreign and no young site is changed, within the caps`(seed: UInt64) {
        var generator = SplitMix64(state: seed)
        func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }
        let sites = (0..<Int.random(in: 0...60, using: &generator)).map { number in
            ObservedSite.leak(number, instance: chance(80) ? InstanceID.sample.text : "another") { site in
                if chance(40) { site.tags[SiteTag.quarantined] = "then" }
                if chance(5) { site.tags[SiteTag.managedBy] = nil }
                if chance(5) { site.tags[SiteTag.uid] = "no uid" }
                if chance(5) { site.name = "copy-\(number)" }
            }
        }
        var rows: [Sighting] = []
        for site in sites where chance(70) {
            let age = Int.random(in: 0...200_000, using: &generator)
            rows.append(
                sighting(
                    site, age: .seconds(age), count: Int.random(in: 1...5, using: &generator),
                    held: chance(60) ? .seconds(Int.random(in: 0...age, using: &generator)) : nil))
        }
        let uids = Set((0..<60).filter { _ in chance(30) }.map { UID.sweepSample($0) })
        let tombstones = (0..<60).filter { _ in chance(20) }.map { number in
            Tombstone(uid: .sweepSample(number), siteName: ObservedSite.leak(number).name, forgottenAt: start)
        }
        let input = input(sites) {
            $0.uids = uids
            $0.tombstones = tombstones
            $0.sightings = rows
            $0.settings.mode = chance(90) ? .delete : .report
        }
        let plan = sweep(input)
        #expect(plan == sweep(input), "the same input decides the same")
        var deletions = 0
        for action in plan.actions {
            #expect(input.settings.mode == .delete && !(uids.isEmpty && tombstones.isEmpty))
            switch action {
            case .release(let site): #expect(uids.contains { $0.text == site.uid } && site.instance == "sample")
            case .quarantine(let site, let uid), .delete(let site, let uid, _):
                #expect(site.isOwned(by: .sample) && site.name == SiteDesigner.siteName(of: uid))
                #expect(!uids.contains(uid) && site.uid == uid.text)
                let row = rows.first { $0.siteName == site.name }
                let isForgotten = tombstones.contains { $0.uid == uid }
                if !isForgotten {
                    #expect(row.map { start - $0.firstSeenAt >= SweepTests.hour } ?? false)
                }
                guard case .delete(_, _, let reason) = action else { continue }
                deletions += 1
                #expect((reason == .forgotten) == isForgotten)
                if !isForgotten {
                    #expect(site.quarantinedTag != nil)
                    #expect(row?.quarantinedAt.map { start - $0 >= .seconds(86_400) } ?? false)
                }
            case .deleteShare: Issue.record("no share was listed")
            }
        }
        #expect(deletions <= max(5, sites.count { $0.isOwned(by: .sample) } / 10))
    }

    @Test func `a store is behind what an unknown writer or a later revision wrote`() {
        func age(_ writer: String?, instance: String = "sample") -> StoreAge {
            let site = ObservedSite.leak(1, instance: instance) { $0.tags[SiteTag.writer] = writer }
            return StoreAge(sites: [site], instance: .sample, writers: ["a": Revision(7), "b": Revision(9)])
        }
        for writer in ["a:7", "b:0", "b:9", nil, "", "a", "a:x", ":9", "a:1:2"] { #expect(!age(writer).isBehind) }
        #expect(age("c:1").writersAhead == ["c"] && age("a:8").writersAhead == ["a"])
        #expect(age("c:1").reason?.contains("written by a life of the daemon") == true)
        #expect(
            age("a:8").reason?.contains("at revision 8, and the store knows that life of the daemon up to 7") == true)
        #expect(age("a:8").newestSeen == Revision(8) && age("a:8").ahead == [.sweepSample(1)])
        #expect(!age("c:99", instance: "another").isBehind)
    }
}

extension InstanceID {
    static let sample = InstanceID("sample")
}

extension UID {
    /// A uid whose first digits, which make the site's name, tell it from others.
    static func sweepSample(_ number: Int) -> UID {
        let digits = String(0x10000 + number, radix: 16)
        guard let uid = UID(digits + String(repeating: "f", count: 64 - digits.count)) else {
            preconditionFailure("64 digits are a uid")
        }
        return uid
    }
}

extension ObservedSite {
    /// A site of ours, whether or not there is a record for it.
    static func leak(
        _ number: Int, instance: String = InstanceID.sample.text, change: (inout ObservedSite) -> Void = { _ in }
    ) -> ObservedSite {
        let uid = UID.sweepSample(number)
        let name = SiteDesigner.siteName(of: uid)
        var site = ObservedSite(
            name: name, resourceID: "/sites/" + name, hostName: name + ".test",
            tags: [
                SiteTag.managedBy: "skls", SiteTag.instance: instance, SiteTag.uid: uid.text, SiteTag.writer: "a:1",
                "owner": "somebody",
            ], state: "Running")
        change(&site)
        return site
    }

    var quarantined: ObservedSite {
        var site = self
        site.tags[SiteTag.quarantined] = "then"
        return site
    }
}
