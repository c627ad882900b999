import DesiredState
import Testing

@testable import Controller

/// Drift's rules by example, its breaker and the time of its regular looks.
struct DriftRulesTests {
    private static let now = Instant(nanoseconds: 1_700_000_000_000_000_000)

    private func input(_ change: (inout PlanInput) -> Void = { _ in }) throws -> PlanInput {
        let record = try makeRecord(invocations: 0)
        let identity = SiteIdentity(name: SiteDesigner.siteName(of: record.uid), designHash: "h", instance: "i")
        var input = PlanInput(now: Self.now, record: record, identity: identity, site: .unknown)
        input.record.status.site = SiteStatus(
            name: "n", resourceID: "/r", hostName: "host", lastModified: "1", designHash: "h", writer: "w:1")
        input.record.status.conditions = [
            Condition(type: .ready, status: .true, reason: "x", message: "", lastTransitionTime: Self.now)
        ]
        input.intent = Intent(
            uid: record.uid, kind: .putSite, siteName: identity.name, openedAt: Self.now + .seconds(-600),
            isSettled: true)
        input.site = .present(site(of: input), asOf: Self.now)
        change(&input)
        return input
    }

    private func site(
        of input: PlanInput, hash: String? = "h", state: String = "Running", lastModified: String? = "1"
    ) -> ObservedSite {
        var tags = [SiteTag.instance: "i", SiteTag.uid: input.record.uid.text, SiteTag.writer: "w:1"]
        tags[SiteTag.designHash] = hash
        return ObservedSite(
            name: input.identity.name, resourceID: "/r", hostName: "host", tags: tags, state: state,
            lastModified: lastModified)
    }

    private func see(_ input: inout PlanInput, _ site: ObservedSite, _ fields: [String]? = nil) {
        input.site = .present(site, asOf: Self.now)
        guard let fields else { return }
        input.details = DetailsObservation(
            readAt: Self.now, site: site, designHash: input.identity.designHash,
            differences: fields.map { Difference(field: $0, desired: "a", observed: nil) })
    }

    @Test func `what moved in a list is read in full before anything is written`() throws {
        let suspicions: [(inout PlanInput) -> Void] = [
            { see(&$0, site(of: $0, hash: "other")) }, { see(&$0, site(of: $0, hash: nil)) },
            { see(&$0, site(of: $0, lastModified: "2")) }, { see(&$0, site(of: $0, state: "Stopped")) },
        ]
        for suspicion in suspicions {
            let plan = plan(try input(suspicion))
            #expect(plan.rule == .drift && plan.actions == [.readDetails(namesWriter: false)])
            #expect(plan.status[.drifted]?.reason == "ModifiedOutside")
        }
        let quiet = plan(try input())
        #expect(quiet.rule == .steady && quiet.actions.isEmpty && quiet.status[.drifted]?.reason == "AsDeclared")
    }

    @Test func `no difference is kept with the time of change, so that it is not looked at again`() throws {
        var moved = try input { see(&$0, site(of: $0, lastModified: "2"), []) }
        let clean = plan(moved)
        #expect(clean.rule == .steady && clean.actions.isEmpty && clean.status.site?.lastModified == "2")
        moved.record.status = clean.status
        moved.details = nil
        #expect(plan(moved).actions.isEmpty && plan(moved).status == clean.status)
    }

    @Test func `a change of the record is written without a look, whatever the policy`() throws {
        for policy in DriftPolicy.allCases {
            let plan = plan(
                try input {
                    $0.record.spec.drift = policy
                    $0.identity.designHash = "new"
                })
            #expect(plan.rule == .drift && plan.actions == [.putSite])
            #expect(plan.status[.drifted]?.reason == "DesignHashDiffers" && plan.status.driftHistory.isEmpty)
        }
    }

    @Test func `differences are repaired, or told once`() throws {
        let repaired = plan(try input { see(&$0, site(of: $0, lastModified: "2"), ["b", "a"]) })
        #expect(repaired.actions == [.putSite] && repaired.status.driftHistory.first?.fields == ["a", "b"])
        #expect(repaired.status.driftHistory.map(\.answer) == [.repaired])
        #expect(repaired.status[.drifted]?.message == "b is gone, a is gone; being repaired")
        var reporting = try input {
            $0.record.spec.drift = .report
            see(&$0, site(of: $0, lastModified: "2"), ["a"])
        }
        let told = plan(reporting)
        #expect(told.rule == .steady && told.actions.isEmpty && told.status.isTrue(.drifted))
        reporting.record.status = told.status
        #expect(plan(reporting).status == told.status)
    }

    @Test func `what was read of another state of site or record does not count`() throws {
        let otherSite = plan(
            try input {
                see(&$0, site(of: $0, lastModified: "2"), ["a"])
                $0.site = .present(site(of: $0, lastModified: "3"), asOf: Self.now)
            })
        #expect(otherSite.actions == [.readDetails(namesWriter: false)])
        let otherDesign = plan(
            try input {
                see(&$0, site(of: $0, lastModified: "2"), ["a"])
                $0.details?.designHash = "older"
            })
        #expect(otherDesign.actions == [.readDetails(namesWriter: false)])
    }

    @Test func `a repair that did not land is taken out of the history, one that did must be proved`() throws {
        func settling(writer: String) throws -> Plan {
            plan(
                try input {
                    $0.record.status.driftHistory = [DriftFinding(foundAt: Self.now, fields: ["a"], answer: .repaired)]
                    $0.record.status.conditions.append(
                        Condition(
                            type: .drifted, status: .true, reason: "FieldsDiffer", message: "",
                            lastTransitionTime: Self.now))
                    $0.intent = Intent(
                        uid: $0.record.uid, kind: .putSite, siteName: $0.identity.name, openedAt: Self.now)
                    var site = site(of: $0, lastModified: "2")
                    site.tags[SiteTag.writer] = writer
                    $0.site = .present(site, asOf: Self.now)
                })
        }
        let refused = try settling(writer: "w:1")
        #expect(refused.actions == [.settleIntent] && refused.status.driftHistory.isEmpty)
        #expect(refused.status.site?.lastModified == "1" && refused.status.isTrue(.drifted))
        let landed = try settling(writer: "w:2")
        #expect(landed.status.driftHistory.count == 1 && landed.status.site?.lastModified == "2")
        #expect(landed.status.isTrue(.drifted), "until it was read in full")
        var next = try input { see(&$0, site(of: $0, lastModified: "2")) }
        next.record.status = landed.status
        #expect(plan(next).actions == [.readDetails(namesWriter: false)])
    }

    @Test func `a record that is paused is neither read in full nor written`() throws {
        let plan = plan(
            try input {
                $0.record.spec.suspend = Suspension()
                $0.detailsDue = Self.now
                see(&$0, site(of: $0, lastModified: "2"))
            })
        #expect(plan.actions.isEmpty && plan.status[.drifted]?.reason == "ModifiedOutside")
    }

    @Test func `the regular look stands beside what else is decided and does not show in the status`() throws {
        let due = plan(try input { $0.detailsDue = Self.now })
        #expect(due.rule == .steady && due.actions == [.readDetails(namesWriter: false)])
        #expect(due.status.nextAction?.at == nil)
        let later = plan(try input { $0.detailsDue = Self.now + .seconds(60) })
        #expect(later.actions.isEmpty && later.nextLook == .at(Self.now + .seconds(60)))
        #expect(later.status == due.status)
    }

    @Test func `a look is remembered until the status says what it has brought`() throws {
        var input = try input()
        input.record.status.conditions.append(
            Condition(
                type: .drifted, status: .false, reason: "AsDeclared", message: "", lastTransitionTime: Self.now))
        var memory = DriftMemory()
        func remembers(_ lastModified: String, _ fields: [String]) -> Bool {
            memory.learn(
                SiteReading(
                    site: site(of: input, lastModified: lastModified), designHash: "h",
                    differences: fields.map { Difference(field: $0, desired: "a", observed: nil) }),
                at: Self.now)
            memory.complete(&input, siteCount: 1)
            return input.details != nil
        }
        #expect(remembers("2", []) && remembers("1", ["a"]) && !remembers("1", []))
    }

    // MARK: breaker

    private func history(_ answers: [(DriftFinding.Answer, secondsAgo: Int)], generation: Int64 = 1) -> [DriftFinding] {
        answers.map { answer, seconds in
            DriftFinding(
                foundAt: Self.now + .seconds(-seconds), fields: ["a"], answer: answer, generation: generation)
        }
    }

    private func breaker(_ answers: (DriftFinding.Answer, secondsAgo: Int)..., generation: Int64 = 1) -> DriftBreaker {
        DriftBreaker(history(answers), generation: generation, now: Self.now) { $0.foundAt }
    }

    @Test func `three repairs within an hour are a fight`() {
        #expect(breaker((.repaired, 900), (.repaired, 300)) == .closed)
        #expect(breaker((.repaired, 900), (.repaired, 300), (.repaired, 10)) == .tripping)
        #expect(breaker((.repaired, 3700), (.repaired, 300), (.repaired, 10)) == .closed)
        #expect(breaker((.repaired, 900), (.repaired, 300), (.repaired, 10), generation: 2) == .closed)
        #expect(breaker((.reported, 30), (.reported, 20), (.reported, 10)) == .closed)
    }

    @Test func `after an hour's pause one try decides`() {
        let end = Self.now + .seconds(3500)
        #expect(breaker((.repaired, 200), (.suspended, 100)) == .open(until: end))
        #expect(breaker((.repaired, 3700), (.suspended, 3600)) == .halfOpen)
        #expect(breaker((.suspended, 3800), (.repaired, 100)) == .tripping)
        #expect(breaker((.suspended, 9000), (.repaired, 4000)) == .closed)
        #expect(breaker((.suspended, 9000), (.repaired, 4000), (.repaired, 10)) == .closed)
    }

    /// A life that has seen the history at `now`, with its clocks as they are when the breaker is asked for.
    private func breaker(_ history: [DriftFinding], wallStep: Duration, after passed: Duration) throws -> DriftBreaker {
        var input = try input()
        input.record.status.driftHistory = history
        var clock = StoredClock()
        let stored = StoredRecord(record: input.record, attempts: [], intent: nil)
        clock.notice(stored, at: Moment(wall: Self.now, steady: Self.now))
        let later = Moment(wall: Self.now + wallStep + passed, steady: Self.now + passed)
        clock.notice(stored, at: later)
        input.now = later.steady
        input.wallLead = later.wall - later.steady
        input.times = clock.times(at: later)
        return Facts(input: input).breaker
    }

    @Test(arguments: [-86_400, -1800, 0, 1800, 86_400]) func `a step of the wall clock moves no breaker`(
        step: Int64
    ) throws {
        let stopped = history([(.suspended, 100)])
        let end = Self.now + .seconds(3500)
        #expect(try breaker(stopped, wallStep: .seconds(step), after: .seconds(60)) == .open(until: end))
        #expect(try breaker(stopped, wallStep: .seconds(step), after: .seconds(3500)) == .halfOpen)
        let repaired = history([(.repaired, 900), (.repaired, 300), (.repaired, 10)])
        #expect(try breaker(repaired, wallStep: .seconds(step), after: .seconds(60)) == .tripping)
        #expect(try breaker(repaired, wallStep: .seconds(step), after: .seconds(2701)) == .closed)
    }

    @Test func `what an earlier life found in what is now the future was found just now`() throws {
        let stopped = history([(.suspended, -86_400)])
        #expect(
            try breaker(stopped, wallStep: .zero, after: .zero) == .open(until: Self.now + DriftBreaker.pause))
        #expect(try breaker(stopped, wallStep: .zero, after: DriftBreaker.pause) == .halfOpen)
    }

    // MARK: regular looks

    private func uids(_ count: Int) -> [UID] {
        var generator = SplitMix64(state: 5)
        return (0..<count).map { _ in UID(using: &generator) }
    }

    @Test func `a thousand sites are read once in each day, spread over it, also right after a start`() {
        let midnight = Instant(nanoseconds: 0) + .seconds(20_000 * 86_400)
        for uid in uids(50) {
            var moments: [Instant] = []
            var moment = midnight + .nanoseconds(-1)
            while let next = Optional(DetailsSchedule.next(after: moment, of: uid, siteCount: 1000)),
                next < midnight + .seconds(10 * 86_400)
            {
                moments.append(next)
                moment = next
            }
            #expect(moments.map { ($0 - midnight).components.seconds / 86_400 } == Array(0..<10))
            #expect(Set(moments.map { ($0 - midnight).components.seconds % 86_400 }).count > 1)
        }
        // A start at noon: nothing at once, about as many in each hour.
        let noon = midnight + .seconds(43_200)
        let waits = uids(1000).map { DetailsSchedule.next(after: noon, of: $0, siteCount: 1000) - noon }
        let perHour = Dictionary(grouping: waits) { $0.components.seconds / 3600 }.mapValues(\.count)
        #expect(perHour.keys.allSatisfy { (0..<36).contains($0) } && perHour.values.allSatisfy { $0 < 80 })
    }

    @Test func `the looks stay within a tenth of the budget, however many sites there are`() {
        // 1,000 sites: 3,000 reads and 1,000 writes a day of 151,200 and 60,480 that the tenth allows.
        #expect(DetailsSchedule.periodSeconds(siteCount: 1000) == 86_400)
        for count in [1000, 10_000, 50_400, 50_401, 100_000, 1_000_000] {
            let period = Double(DetailsSchedule.periodSeconds(siteCount: count))
            #expect(Double(count) * DetailsSchedule.reads / period <= DetailsSchedule.readsPerSecond)
            #expect(Double(count) * DetailsSchedule.writes / period <= DetailsSchedule.writesPerSecond)
        }
        #expect(DetailsSchedule.periodSeconds(siteCount: 50_400) == 86_400)
        #expect(DetailsSchedule.periodSeconds(siteCount: 50_401) == 2 * 86_400)
    }
}
