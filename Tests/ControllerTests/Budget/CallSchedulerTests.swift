import AzureClient
import DesiredState
import Testing

@testable import Controller

/// Scripts of what may start when, and seeded ones with invariants.
@Suite(.timeLimit(.minutes(5)))
struct CallSchedulerTests {
    private static let start = Instant(nanoseconds: 1_700_000_000_000_000_000)
    private static let facts = LogFacts(generation: 1, rule: .absent, reason: "")

    private func rates(burst: Double = 2, perSecond: Double = 1) -> CallRates {
        var rates = CallRates(.published)
        rates.reads = RequestRate(burst: burst, perSecond: perSecond)
        rates.writes = RequestRate(burst: burst, perSecond: perSecond)
        rates.deletes = RequestRate(burst: burst, perSecond: perSecond)
        return rates
    }

    private func uids(_ count: Int, seed: UInt64 = 1) -> [UID] {
        var generator = SplitMix64(state: seed)
        return (0..<count).map { _ in UID(using: &generator) }
    }

    private func put(_ plan: String = "/plans/p") throws -> Call {
        let designer = SiteSample.designer { $0.defaultPlan = plan }
        return .putSite(designer.design(of: try makeRecord()), isUpdate: false)
    }

    @Test func `which lane a call is in follows from what it is, who wants it and why`() {
        #expect(Lane.of(.putSite, rule: .absent, woken: .user) == .user)
        #expect(Lane.of(.deleteSite, rule: .deletingSite, woken: .user) == .user)
        #expect(Lane.of(.putSite, rule: .drift, woken: .user) == .user, "a fresh generation")
        #expect(Lane.of(.followOperation, rule: .operationAccepted, woken: .user) == .progress)
        #expect(Lane.of(.readSite, rule: .deletingSite, woken: .answer) == .progress)
        #expect(Lane.of(.putSite, rule: .drift, woken: .list) == .drift)
        #expect(Lane.of(.putSite, rule: .absent, woken: .list) == .drift, "somebody removed the site")
        #expect(Lane.of(.readSite, rule: .createUnknown, woken: .start) == .progress)
        #expect(Lane.of(.readSite, rule: .unobserved, woken: .list) == .resync)
    }

    @Test func `what the quota has room for begins at once and the rest in its lane's turn`() throws {
        var scheduler = CallScheduler(rates())
        let all = uids(5)
        for uid in all.prefix(2) {
            #expect(scheduler.admit(try put(), for: uid, lane: .resync, now: Self.start) == true)
        }
        #expect(!scheduler.admit(try put(), for: all[2], lane: .resync, now: Self.start))
        #expect(!scheduler.admit(try put(), for: all[3], lane: .user, now: Self.start))
        #expect(scheduler.takeGranted(now: Self.start).isEmpty)
        #expect(scheduler.nextGrant(now: Self.start) == Self.start + .seconds(1))
        #expect(scheduler.takeGranted(now: Self.start + .seconds(1)) == [all[3]], "the user goes first")
        #expect(scheduler.takeGranted(now: Self.start + .seconds(2)) == [all[2]])
        #expect(
            scheduler.admit(try put(), for: all[3], lane: .user, now: Self.start + .seconds(2)) == true, "it has paid")
    }

    @Test func `one quota that is used up does not hold back another`() throws {
        var scheduler = CallScheduler(rates())
        let all = uids(4)
        for uid in all.prefix(2) { #expect(scheduler.admit(try put(), for: uid, lane: .user, now: Self.start) == true) }
        #expect(!scheduler.admit(try put(), for: all[2], lane: .user, now: Self.start))
        #expect(scheduler.admit(.readSite(name: "s"), for: all[2], lane: .resync, now: Self.start) == true)
        #expect(scheduler.admit(.deleteSite(name: "s"), for: all[3], lane: .resync, now: Self.start) == true)
    }

    @Test func `a user's write is next however many sites are to be looked at`() throws {
        var scheduler = CallScheduler(rates())
        let looks = uids(100)
        let user = uids(1, seed: 2)[0]
        let design = SiteSample.designer().design(of: try makeRecord())
        var now = Self.start
        var looked = 0
        for uid in looks
        where scheduler.admit(.readDetails(design, namesWriter: false), for: uid, lane: .drift, now: now) {
            looked += 1
        }
        for _ in 0..<20 {
            now = now + .seconds(1)
            looked += scheduler.takeGranted(now: now).count
        }
        #expect(looked == 22, "looks have all the writes while nobody else wants any")
        #expect(try !scheduler.admit(put(), for: user, lane: .user, now: now))
        #expect(scheduler.takeGranted(now: now + .seconds(1)) == [user])
    }

    @Test func `what waits for its quota is told with how many go first and for how long about`() throws {
        var scheduler = CallScheduler(rates())
        let all = uids(5)
        for uid in all.prefix(2) { #expect(scheduler.admit(try put(), for: uid, lane: .resync, now: Self.start)) }
        for uid in all[2...3] { #expect(!scheduler.admit(try put(), for: uid, lane: .resync, now: Self.start)) }
        #expect(!scheduler.admit(try put(), for: all[4], lane: .user, now: Self.start))
        func waits(_ index: Int, at now: Instant = Self.start) -> [CallKind: CallWait] {
            scheduler.waits(of: all[index], now: now)
        }
        #expect(waits(0).isEmpty)
        #expect(
            waits(3)
                == [.putSite: CallWait(lane: .resync, quota: .writes, cause: .quota, ahead: 2, turn: .seconds(3))])
        #expect(
            waits(4) == [.putSite: CallWait(lane: .user, quota: .writes, cause: .quota, ahead: 0, turn: .seconds(1))])
        #expect(scheduler.waitingByLane == [.resync: 2, .user: 1])
        #expect(scheduler.takeGranted(now: Self.start + .seconds(1)) == [all[4]])
        #expect(waits(4, at: Self.start + .seconds(1)).isEmpty)
        #expect(waits(3, at: Self.start + .seconds(1))[.putSite]?.turn == .seconds(2))
        // What the client hands back unsent waits as well.
        let id = scheduler.begin(try put(), for: all[0], Self.facts)
        #expect(scheduler.finished(id, .notSent(retryAfter: .seconds(30)), now: Self.start) == .handedBack)
        #expect(
            waits(0)
                == [.putSite: CallWait(lane: .progress, quota: .writes, cause: .quota, ahead: 0, turn: .seconds(30))])
    }

    @Test func `what waits for a busy plan is told with the plan's bound, and with a time once one write was timed`()
        throws
    {
        var scheduler = CallScheduler(rates(burst: 50))
        let all = uids(5)
        var ids: [CallID] = []
        for uid in all.prefix(4) {
            #expect(scheduler.admit(try put(), for: uid, lane: .user, now: Self.start))
            ids.append(scheduler.begin(try put(), for: uid, Self.facts))
        }
        let busy = CallResult.failed(.init(kind: .transient, message: "busy", isPlanBusy: true))
        #expect(scheduler.finished(ids[0], busy, now: Self.start) == .ended(.putSite))
        #expect(!scheduler.admit(try put(), for: all[4], lane: .user, now: Self.start))
        var wait = CallWait(lane: .user, quota: .writes, cause: .plan(writesAtATime: 2), ahead: 0, turn: nil)
        #expect(scheduler.waits(of: all[4], now: Self.start) == [.putSite: wait])
        let later = Self.start + .seconds(10)
        #expect(scheduler.finished(ids[1], .siteWritten, now: later) == .ended(.putSite))
        wait.turn = .seconds(5)
        #expect(scheduler.waits(of: all[4], now: later) == [.putSite: wait])
    }

    @Test func `what is not wanted any more gives its turn back`() throws {
        var scheduler = CallScheduler(rates(burst: 1))
        let all = uids(3)
        #expect(scheduler.admit(try put(), for: all[0], lane: .user, now: Self.start) == true)
        #expect(!scheduler.admit(try put(), for: all[1], lane: .user, now: Self.start))
        #expect(!scheduler.admit(try put(), for: all[2], lane: .user, now: Self.start))
        scheduler.keep([], of: all[1])
        #expect(scheduler.takeGranted(now: Self.start).isEmpty)
        scheduler.keep([], of: all[0])
        #expect(scheduler.takeGranted(now: Self.start) == [all[2]])
        scheduler.forget(all[2])
        #expect(scheduler.azureCallsInFlight == 0)
    }

    @Test func `a busy plan gets fewer writes at a time, and others as many as before`() throws {
        var scheduler = CallScheduler(rates(burst: 1000, perSecond: 1000))
        let all = uids(300)
        var calls: [CallID] = []
        for uid in all.prefix(100) {
            let call = try put("/plans/busy")
            #expect(scheduler.admit(call, for: uid, lane: .user, now: Self.start) == true)
            calls.append(scheduler.begin(call, for: uid, Self.facts))
        }
        #expect(!scheduler.admit(try put("/plans/busy"), for: all[100], lane: .user, now: Self.start), "it is full")
        let busy = CallResult.failed(.init(kind: .transient, message: "busy", isPlanBusy: true))
        for id in calls.prefix(40) { _ = scheduler.finished(id, busy, now: Self.start) }
        #expect(scheduler.bound(ofPlan: "/plans/busy") == 50, "halved once for what was begun together")
        #expect(scheduler.takeGranted(now: Self.start).isEmpty, "sixty are still under way")
        #expect(scheduler.admit(try put("/plans/other"), for: all[101], lane: .resync, now: Self.start) == true)
        for id in calls.dropFirst(40) { _ = scheduler.finished(id, .siteWritten, now: Self.start) }
        #expect(scheduler.takeGranted(now: Self.start) == [all[100]])
        #expect(scheduler.bound(ofPlan: "/plans/busy") == 51, "one more after a bound of successes")
    }

    @Test func `what Azure works on keeps its place on the plan until it has ended`() throws {
        var scheduler = CallScheduler(rates(burst: 1000, perSecond: 1000))
        let all = uids(101)
        for uid in all.prefix(100) {
            #expect(scheduler.admit(try put(), for: uid, lane: .user, now: Self.start) == true)
            let id = scheduler.begin(try put(), for: uid, Self.facts)
            let accepted = CallResult.siteAccepted(operation: "o", pollAfter: .seconds(10))
            #expect(scheduler.finished(id, accepted, now: Self.start) == .ended(.putSite))
        }
        #expect(!scheduler.admit(try put(), for: all[100], lane: .user, now: Self.start))
        #expect(scheduler.admit(.followOperation("o"), for: all[0], lane: .progress, now: Self.start) == true)
        let poll = scheduler.begin(.followOperation("o"), for: all[0], Self.facts)
        #expect(scheduler.finished(poll, .operationEnded, now: Self.start) == .ended(.followOperation))
        #expect(scheduler.takeGranted(now: Self.start) == [all[100]])
    }

    @Test func `a call that was handed back unsent goes out again once, when the quota is back`() throws {
        var scheduler = CallScheduler(rates(burst: 10, perSecond: 1))
        let uid = uids(1)[0]
        #expect(scheduler.admit(try put(), for: uid, lane: .user, now: Self.start) == true)
        let id = scheduler.begin(try put(), for: uid, Self.facts)
        #expect(scheduler.takeReady().count == 1)
        let unsent = CallResult.notSent(retryAfter: .seconds(40))
        #expect(scheduler.finished(id, unsent, now: Self.start) == .handedBack)
        #expect(scheduler.finished(id, unsent, now: Self.start) == .handedBack, "a duplicated event")
        #expect(scheduler.nextGrant(now: Self.start) == Self.start + .seconds(40))
        _ = scheduler.takeGranted(now: Self.start + .seconds(39))
        #expect(scheduler.takeReady().isEmpty)
        _ = scheduler.takeGranted(now: Self.start + .seconds(41))
        #expect(scheduler.takeReady().count == 1)
        #expect(scheduler.finished(id, .siteWritten, now: Self.start + .seconds(50)) == .ended(.putSite))
        #expect(scheduler.finished(id, .siteWritten, now: Self.start + .seconds(50)) == .unknown)
        #expect(scheduler.azureCallsInFlight == 0)
    }

    @Test func `what the client knows of the quota only ever lowers it, and a freeze holds`() throws {
        var scheduler = CallScheduler(rates(burst: 10, perSecond: 1))
        let all = uids(3)
        scheduler.learn(BudgetReading(kind: .writes, remaining: 99, frozenFor: nil), now: Self.start)
        scheduler.learn(BudgetReading(kind: .writes, remaining: 1, frozenFor: nil), now: Self.start)
        #expect(scheduler.admit(try put(), for: all[0], lane: .user, now: Self.start) == true)
        #expect(!scheduler.admit(try put(), for: all[1], lane: .user, now: Self.start))
        scheduler.learn(BudgetReading(kind: .writes, remaining: 0, frozenFor: .seconds(30)), now: Self.start)
        #expect(scheduler.takeGranted(now: Self.start + .seconds(29)).isEmpty)
        #expect(scheduler.takeGranted(now: Self.start + .seconds(31)) == [all[1]])
    }

    @Test func `a clock that is put back neither fills a quota nor stops it for long`() throws {
        var scheduler = CallScheduler(rates(burst: 1, perSecond: 1))
        let all = uids(2)
        #expect(scheduler.admit(try put(), for: all[0], lane: .user, now: Self.start) == true)
        #expect(!scheduler.admit(try put(), for: all[1], lane: .user, now: Self.start))
        let earlier = Self.start + .seconds(-86_400)
        #expect(scheduler.takeGranted(now: earlier).isEmpty)
        #expect(scheduler.takeGranted(now: earlier + .seconds(1)) == [all[1]])
    }

    /// Random asking, answering, refusing and losing interest. At each step: no more is granted than the quota had, no plan has more
    /// writes than its bound was when they began, no record's call is granted twice, and no lane is passed over longer than its
    /// bound. In the end everybody who still wanted a call had it.
    @Test(arguments: 0..<60) func `no lane starves, no plan is flooded and nothing is lost or doubled`(seed: UInt64)
        throws
    {
        var random = SplitMix64(state: seed &* 977 &+ 5)
        let rate = RequestRate(burst: Double.random(in: 1...20, using: &random), perSecond: 5)
        var scheduler = CallScheduler(rates(burst: rate.burst, perSecond: rate.perSecond))
        let puts = try Dictionary(uniqueKeysWithValues: ["/plans/a", "/plans/b", "/plans/c"].map { ($0, try put($0)) })
        let plans = puts.keys.sorted()
        let all = uids(120, seed: seed)
        var model = Model()
        var now = Self.start
        for step in 0..<400 {
            now = now + .milliseconds(Int64.random(in: 0...400, using: &random))
            switch Int.random(in: 0..<10, using: &random) {
            case 0...4 where step < 300:
                let uid = try #require(all.randomElement(using: &random))
                guard model.isIdle(uid) else { continue }
                let plan = try #require(plans.randomElement(using: &random))
                let lane = try #require(Lane.allCases.randomElement(using: &random))
                let call = try #require(puts[plan])
                model.ask(uid, call, lane, plan)
                if scheduler.admit(call, for: uid, lane: lane, now: now) { model.grant(uid, now: now, scheduler) }
            case 5...7:
                guard let id = model.underWay.keys.min(by: { $0.number < $1.number }), let uid = model.underWay[id]
                else { continue }
                let isBusy = Int.random(in: 0..<6, using: &random) == 0
                let result: CallResult =
                    isBusy ? .failed(.init(kind: .transient, message: "busy", isPlanBusy: true)) : .siteWritten
                #expect(scheduler.finished(id, result, now: now) == .ended(.putSite))
                model.finish(id, uid)
            case 8 where step < 300:
                guard let uid = model.waiting.keys.sorted().randomElement(using: &random) else { continue }
                scheduler.keep([], of: uid)
                model.waiting[uid] = nil
            default: break
            }
            for uid in scheduler.takeGranted(now: now) {
                let call = try #require(model.waiting[uid]?.call, "granted without being asked, or twice")
                #expect(scheduler.admit(call, for: uid, lane: .resync, now: now) == true)
                model.grant(uid, now: now, scheduler)
            }
            for uid in model.granted {
                let asked = try #require(model.calls[uid])
                model.begin(uid, scheduler.begin(asked.call, for: uid, Self.facts))
            }
            #expect(model.starts.count <= Int(rate.burst + rate.perSecond * (now - Self.start).inSeconds) + 1)
            #expect(model.longestPassedOver.allSatisfy { $0.value <= LaneCredit.mostPassedOver($0.key) })
            #expect(!model.isFlooded)
        }
        for _ in 0..<2000 where !(model.waiting.isEmpty && model.underWay.isEmpty) {
            now = now + .seconds(1)
            for (id, uid) in model.underWay {
                #expect(scheduler.finished(id, .siteWritten, now: now) == .ended(.putSite))
                model.finish(id, uid)
            }
            for uid in scheduler.takeGranted(now: now) {
                let call = try #require(model.waiting[uid]?.call)
                #expect(scheduler.admit(call, for: uid, lane: .resync, now: now) == true)
                model.grant(uid, now: now, scheduler)
                model.begin(uid, scheduler.begin(call, for: uid, Self.facts))
            }
        }
        #expect(model.waiting.isEmpty && scheduler.azureCallsInFlight == 0 && scheduler.waitingByLane.isEmpty)
    }
}

/// What the test itself knows of who waits and who was started.
private struct Model {
    struct Asked {
        let call: Call
        let lane: Lane
        let plan: String
    }

    var waiting: [UID: Asked] = [:]
    var calls: [UID: Asked] = [:]
    var granted: [UID] = []
    var underWay: [CallID: UID] = [:]
    var starts: [Instant] = []
    /// A write began although its plan had as many as its bound.
    var isFlooded = false
    /// By lane: how many of others started since it last did or began to wait.
    private var passedOver: [Lane: Int] = [:]
    var longestPassedOver: [Lane: Int] = [:]

    func isIdle(_ uid: UID) -> Bool { waiting[uid] == nil && calls[uid] == nil }

    mutating func ask(_ uid: UID, _ call: Call, _ lane: Lane, _ plan: String) {
        if !waiting.values.contains(where: { $0.lane == lane }) { passedOver[lane] = 0 }
        waiting[uid] = Asked(call: call, lane: lane, plan: plan)
    }

    mutating func grant(_ uid: UID, now: Instant, _ scheduler: CallScheduler) {
        guard let asked = waiting.removeValue(forKey: uid) else { return }
        isFlooded = isFlooded || count(on: asked.plan) >= scheduler.bound(ofPlan: asked.plan)
        let startable = waiting.values.filter { count(on: $0.plan) < scheduler.bound(ofPlan: $0.plan) }
        calls[uid] = asked
        granted.append(uid)
        starts.append(now)
        passedOver[asked.lane] = 0
        for lane in Set(startable.map(\.lane)) where lane != asked.lane {
            passedOver[lane, default: 0] += 1
            longestPassedOver[lane] = max(longestPassedOver[lane] ?? 0, passedOver[lane] ?? 0)
        }
    }

    mutating func begin(_ uid: UID, _ id: CallID) {
        granted.removeAll { $0 == uid }
        underWay[id] = uid
    }

    mutating func finish(_ id: CallID, _ uid: UID) {
        underWay[id] = nil
        calls[uid] = nil
    }

    /// Writes that were granted or are under way.
    func count(on plan: String) -> Int {
        calls.values.count { $0.plan == plan }
    }
}

extension Duration {
    fileprivate var inSeconds: Double { Double(wholeNanoseconds) * 1e-9 }
}
