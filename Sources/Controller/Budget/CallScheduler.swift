import DequeModule
import DesiredState

/// When which call may start. Calls to agents always; calls to Azure when their quota has room, their plan is not busy and their
/// lane has its turn. Pure: time comes in.
///
/// What waits here is a record with a kind of call and not the call itself: once it is granted the record is looked at again, so
/// that what is committed and sent is never older than its turn. A granted call has paid already; it is begun, or given back by
/// ``keep(_:of:)``.
struct CallScheduler {
    private struct Waiter: Hashable {
        let uid: UID
        let kind: CallKind
    }

    /// What a call was promised, from its grant until it has ended.
    private struct Grant {
        let at: Instant
        let cost: CallCost
        /// Only writes of sites have one.
        let plan: Int?
        let epoch: Int
    }

    private struct Place {
        let number: UInt64
        let lane: Lane
        let cost: CallCost
        let plan: Int?
    }

    private struct InFlight {
        let uid: UID
        let call: Call
        let log: LogFacts
        let grant: Grant?
    }

    /// One lane of one quota. Writes stand by plan, and plans take turns, so that one that is busy holds nobody back.
    private struct LaneLine {
        var byPlan: [Int: Deque<(waiter: Waiter, number: UInt64)>] = [:]
        var turns: Deque<Int> = []
    }

    private struct Line {
        var bucket: CallBucket
        /// Calls that the client handed back unsent: they go first.
        var handedBack: Deque<CallID> = []
        var lanes = [LaneLine](repeating: LaneLine(), count: Lane.allCases.count)
        var credit = LaneCredit()
    }

    /// Bound of ARM calls in flight. Little's law: 10 writes per second that block for 25 to 45 s are 450 in flight, and the reads
    /// beside them end within a second.
    static let maximumAzureCalls = 512

    private var nextNumber: UInt64 = 0
    private var lines: [Line]
    private var waiting: [Waiter: Place] = [:]
    private var waitingCounts = [CallKind: Int]()
    private var granted: [Waiter: Grant] = [:]
    private var inFlight: [CallID: InFlight] = [:]
    /// Calls in flight and granted.
    private var azureCount = 0
    private var plans: [PlanConcurrency] = []
    private var planNumbers: [String: Int] = [:]
    /// Operations that Azure works on keep the place on the plan that their write took.
    private var working: [UID: Grant] = [:]
    private var ready: [ControllerEffect] = []
    private var newlyGranted: [UID] = []

    init(_ rates: CallRates) {
        lines = CallClass.allCases.map { Line(bucket: CallBucket(rates.rate($0))) }
    }

    // MARK: asking

    /// Whether the call may begin now. If not it waits in its lane, and its record comes out of ``takeGranted(now:)`` later.
    /// Asking again keeps its place, or moves it to a more urgent lane.
    mutating func admit(_ call: Call, for uid: UID, lane: Lane, now: Instant) -> Bool {
        guard let cost = CallCost(call) else { return true }
        let waiter = Waiter(uid: uid, kind: call.kind)
        if granted[waiter] != nil { return true }
        if let place = waiting[waiter], place.lane <= lane, place.cost == cost { return false }
        nextNumber += 1
        let place = Place(number: nextNumber, lane: lane, cost: cost, plan: planNumber(of: call))
        if waiting.updateValue(place, forKey: waiter) == nil { waitingCounts[call.kind, default: 0] += 1 }
        insert(waiter, place)
        grant(now)
        guard granted[waiter] != nil else { return false }
        newlyGranted.removeAll { $0 == uid }
        return true
    }

    /// Of all that waits or is granted for this record only these kinds are still wanted.
    mutating func keep(_ wanted: Set<CallKind>, of uid: UID) {
        for kind in CallKind.allCases where kind.isToAzure && !wanted.contains(kind) {
            let waiter = Waiter(uid: uid, kind: kind)
            stopWaiting(waiter)
            if let grant = granted.removeValue(forKey: waiter) { giveBack(grant) }
        }
    }

    /// The record is no more.
    mutating func forget(_ uid: UID) {
        keep([], of: uid)
        if let grant = working.removeValue(forKey: uid) { leavePlan(grant) }
    }

    /// Records that may begin a call which they waited for.
    mutating func takeGranted(now: Instant) -> [UID] {
        grant(now)
        defer { newlyGranted = [] }
        return newlyGranted
    }

    // MARK: calls

    /// The call is carried out with the next ``takeReady()``. Calls to Azure must have been admitted.
    mutating func begin(_ call: Call, for uid: UID, _ log: LogFacts) -> CallID {
        nextNumber += 1
        let id = CallID(number: nextNumber)
        let grant = granted.removeValue(forKey: Waiter(uid: uid, kind: call.kind))
        if call.kind == .putSite, let earlier = working.removeValue(forKey: uid) { leavePlan(earlier) }
        inFlight[id] = InFlight(uid: uid, call: call, log: log, grant: grant)
        ready.append(.call(uid, id, call, log))
        return id
    }

    enum Finish: Hashable {
        case ended(CallKind)
        /// Nothing was sent: the call goes on waiting, and its result is none.
        case handedBack
        /// It is not known: a duplicated event.
        case unknown
    }

    mutating func finished(_ id: CallID, _ result: CallResult, now: Instant) -> Finish {
        guard let call = inFlight[id] else { return .unknown }
        if case .notSent(let wait) = result, let grant = call.grant {
            let line = grant.cost.line.rawValue
            lines[line].bucket.freeze(for: wait, now: now)
            if !lines[line].handedBack.contains(id) { lines[line].handedBack.append(id) }
            return .handedBack
        }
        inFlight[id] = nil
        for line in lines.indices { lines[line].handedBack.removeAll { $0 == id } }
        guard let grant = call.grant else { return .ended(call.call.kind) }
        azureCount -= 1
        switch result {
        case .siteAccepted: working[call.uid] = grant
        default: leavePlan(grant, PlanConcurrency.Ending(result), now)
        }
        switch result {
        case .operationEnded, .siteRead(.some): endWork(of: call.uid, .success, now)
        case .operationFailed: endWork(of: call.uid, PlanConcurrency.Ending(result), now)
        default: break
        }
        return .ended(call.call.kind)
    }

    mutating func takeReady() -> [ControllerEffect] {
        defer { ready = [] }
        return ready
    }

    // MARK: budget

    /// What the client knows of the quota.
    mutating func learn(_ reading: BudgetReading, now: Instant) {
        lines[reading.kind.rawValue].bucket.lower(to: reading.remaining, now: now)
        if let wait = reading.frozenFor { lines[reading.kind.rawValue].bucket.freeze(for: wait, now: now) }
    }

    /// Reads that are made beside the calls here, such as a list's.
    mutating func chargeReads(_ count: Int, now: Instant) {
        lines[CallClass.reads.rawValue].bucket.charge(count, now: now)
    }

    /// When a call that waits for its quota may start; nil if none waits for it.
    func nextGrant(now: Instant) -> Instant? {
        guard azureCount < CallScheduler.maximumAzureCalls else { return nil }
        return lines.filter { !$0.handedBack.isEmpty || hasStartable($0) }.map { $0.bucket.readyTime(now: now) }.min()
    }

    /// How many calls of this kind wait.
    func waitingCount(_ kind: CallKind) -> Int {
        waitingCounts[kind] ?? 0
    }

    /// For `explain`: what the record's calls wait for that are not sent yet. Takes as long as the line is.
    func waits(of uid: UID, now: Instant) -> [CallKind: CallWait] {
        var waits: [CallKind: CallWait] = [:]
        for kind in CallKind.allCases {
            let waiter = Waiter(uid: uid, kind: kind)
            waits[kind] = waiting[waiter].map { wait(waiter, $0, now: now) }
        }
        for (index, line) in lines.enumerated() {
            for (ahead, id) in line.handedBack.enumerated() {
                guard let call = inFlight[id], call.uid == uid, let quota = CallClass(rawValue: index) else { continue }
                waits[call.call.kind] = CallWait(
                    lane: call.log.lane, quota: quota, cause: .quota, ahead: ahead,
                    turn: line.bucket.turn(after: ahead, now: now))
            }
        }
        return waits
    }

    /// For metrics: how many wait in each lane.
    var waitingByLane: [Lane: Int] {
        waiting.values.reduce(into: [:]) { $0[$1.lane, default: 0] += 1 }
    }

    /// How many writes this plan is given at a time.
    func bound(ofPlan plan: String) -> Int {
        planNumbers[plan].map { plans[$0].bound } ?? PlanConcurrency.most
    }

    var azureCallsInFlight: Int { azureCount }

    // MARK: parts

    private func wait(_ waiter: Waiter, _ place: Place, now: Instant) -> CallWait {
        let line = lines[place.cost.line.rawValue]
        let sameLane = line.lanes[place.lane.rawValue].byPlan.mapValues(counting)
        let own = line.lanes[place.lane.rawValue].byPlan[place.plan ?? -1]
        let before = own?.count { $0.number < place.number && waiting[$0.waiter]?.number == $0.number } ?? 0
        var wait = CallWait(
            lane: place.lane, quota: place.cost.line, cause: .quota, ahead: before, turn: nil)
        if let plan = place.plan, !plans[plan].hasRoom {
            wait.cause = .plan(writesAtATime: plans[plan].bound)
            wait.turn = plans[plan].turn(after: before)
            return wait
        }
        // Plans take turns within a lane, and lanes by their weights.
        let others = sameLane.filter { $0.key != place.plan ?? -1 && ($0.key < 0 || plans[$0.key].hasRoom) }
        let inLane = before + others.values.reduce(0) { $0 + min($1, before + 1) }
        wait.ahead =
            line.handedBack.count + inLane
            + Lane.allCases.filter { $0 != place.lane }.reduce(0) { sum, lane in
                let all = line.lanes[lane.rawValue].byPlan.reduce(0) { sum, places in
                    places.key < 0 || plans[places.key].hasRoom ? sum + counting(places.value) : sum
                }
                return sum + min(all, (inLane + 1) * lane.weight / place.lane.weight)
            }
        if azureCount >= CallScheduler.maximumAzureCalls {
            wait.cause = .callsUnderWay
        } else {
            wait.turn = line.bucket.turn(after: wait.ahead * place.cost.amount(of: place.cost.line), now: now)
        }
        return wait
    }

    /// Without places that do not count any more.
    private func counting(_ places: Deque<(waiter: Waiter, number: UInt64)>) -> Int {
        places.count { waiting[$0.waiter]?.number == $0.number }
    }

    private mutating func insert(_ waiter: Waiter, _ place: Place) {
        let key = place.plan ?? -1
        let line = place.cost.line.rawValue
        if lines[line].lanes[place.lane.rawValue].byPlan[key] == nil {
            lines[line].lanes[place.lane.rawValue].turns.append(key)
        }
        lines[line].lanes[place.lane.rawValue].byPlan[key, default: []].append((waiter, place.number))
    }

    @discardableResult
    private mutating func stopWaiting(_ waiter: Waiter) -> Place? {
        guard let place = waiting.removeValue(forKey: waiter) else { return nil }
        waitingCounts[waiter.kind, default: 0] -= 1
        return place
    }

    private mutating func grant(_ now: Instant) {
        for line in lines.indices {
            while let id = lines[line].handedBack.first {
                guard let call = inFlight[id], let grant = call.grant else {
                    lines[line].handedBack.removeFirst()
                    continue
                }
                guard lines[line].bucket.isReady(now: now) else { break }
                lines[line].bucket.charge(grant.cost.amount(of: grant.cost.line), now: now)
                lines[line].handedBack.removeFirst()
                ready.append(.call(call.uid, id, call.call, call.log))
            }
            while azureCount < CallScheduler.maximumAzureCalls, lines[line].bucket.isReady(now: now) {
                let startable = Lane.allCases.filter { startablePlan(&lines[line].lanes[$0.rawValue]) != nil }
                guard let lane = lines[line].credit.next(among: startable),
                    let waiter = pop(line: line, lane), let place = stopWaiting(waiter)
                else { break }
                lines[line].credit.started(lane)
                pay(place.cost, now)
                azureCount += 1
                if let plan = place.plan { plans[plan].begin() }
                granted[waiter] = Grant(
                    at: now, cost: place.cost, plan: place.plan, epoch: place.plan.map { plans[$0].epoch } ?? 0)
                newlyGranted.append(waiter.uid)
            }
        }
    }

    private mutating func pay(_ cost: CallCost, _ now: Instant) {
        for kind in CallClass.allCases where cost.amount(of: kind) > 0 {
            lines[kind.rawValue].bucket.charge(cost.amount(of: kind), now: now)
        }
    }

    private mutating func giveBack(_ grant: Grant) {
        azureCount -= 1
        for kind in CallClass.allCases { lines[kind.rawValue].bucket.giveBack(grant.cost.amount(of: kind)) }
        leavePlan(grant)
    }

    private mutating func endWork(of uid: UID, _ ending: PlanConcurrency.Ending, _ now: Instant) {
        if let grant = working.removeValue(forKey: uid) { leavePlan(grant, ending, now) }
    }

    private mutating func leavePlan(_ grant: Grant) {
        if let plan = grant.plan { plans[plan].end(.other, begunIn: grant.epoch, after: .zero) }
    }

    private mutating func leavePlan(_ grant: Grant, _ ending: PlanConcurrency.Ending, _ now: Instant) {
        if let plan = grant.plan { plans[plan].end(ending, begunIn: grant.epoch, after: now - grant.at) }
    }

    /// The plan in this lane whose turn it is and that has room. Drops places that do not count any more.
    private func startablePlan(_ line: inout LaneLine) -> Int? {
        var passed = 0
        while passed < line.turns.count, let plan = line.turns.first {
            while let first = line.byPlan[plan]?.first, waiting[first.waiter]?.number != first.number {
                line.byPlan[plan]?.removeFirst()
            }
            if line.byPlan[plan]?.isEmpty ?? true {
                line.byPlan[plan] = nil
                line.turns.removeFirst()
                continue
            }
            if plan < 0 || plans[plan].hasRoom { return plan }
            line.turns.append(line.turns.removeFirst())
            passed += 1
        }
        return nil
    }

    private mutating func pop(line: Int, _ lane: Lane) -> Waiter? {
        guard let plan = startablePlan(&lines[line].lanes[lane.rawValue]) else { return nil }
        let first = lines[line].lanes[lane.rawValue].byPlan[plan]?.popFirst()
        // The next turn is another plan's.
        lines[line].lanes[lane.rawValue].turns.removeFirst()
        lines[line].lanes[lane.rawValue].turns.append(plan)
        return first?.waiter
    }

    private func hasStartable(_ line: Line) -> Bool {
        line.lanes.contains { lane in
            lane.byPlan.contains { plan, places in
                (plan < 0 || plans[plan].hasRoom) && places.contains { waiting[$0.waiter]?.number == $0.number }
            }
        }
    }

    /// Plans are few: at least one for a hundred sites.
    private mutating func planNumber(of call: Call) -> Int? {
        guard case .putSite(let design, _) = call else { return nil }
        let text = CallScheduler.plan(of: design)
        if let number = planNumbers[text] { return number }
        planNumbers[text] = plans.count
        plans.append(PlanConcurrency())
        return plans.count - 1
    }

    /// What a write may find busy.
    static func plan(of design: SiteDesign) -> String {
        switch design.placement {
        case .plan(let id), .managedEnvironment(let id): id.lowercased()
        case .onlyPlan: ""
        }
    }
}

extension PlanConcurrency.Ending {
    init(_ result: CallResult) {
        switch result {
        case .siteWritten, .operationEnded: self = .success
        case .failed(let failure), .operationFailed(let failure): self = failure.isPlanBusy ? .busy : .other
        default: self = .other
        }
    }
}
