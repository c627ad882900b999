package import Controller
package import DesiredState
import HeapModule

/// Drives the production machine with its planner and scheduler against ``VirtualAzure`` under virtual time: the machine's own work
/// takes none of it. Records want a site and no run.
package final class ScaleRun {
    private struct Answer: Comparable {
        let at: Instant
        let number: Int
        let event: ControllerEvent

        static func < (left: Answer, right: Answer) -> Bool { (left.at, left.number) < (right.at, right.number) }
        static func == (left: Answer, right: Answer) -> Bool { left.number == right.number }
    }

    package static let sitesPerPlan = 100
    package static let start = Instant(nanoseconds: 1_700_000_000_000_000_000)

    package let store: any RecordStore
    package private(set) var azure: VirtualAzure
    package private(set) var now = ScaleRun.start
    /// Set to nil its memory is free: what is in use less then was the machine's.
    package var machine: ControllerMachine?
    private var effects: [ControllerEffect] = []
    private var nextEffect = 0
    private var answers = Heap<Answer>()
    private var answerCount = 0
    private var timer: Instant?
    private let designer: SiteDesigner
    private var generator = SplitMix64(state: 20_261_121)
    private var ready: Set<UID> = []
    package private(set) var uids: [UID] = []
    /// When the newest record became ready.
    package private(set) var lastReadyAt = ScaleRun.start
    package private(set) var commitCount = 0
    package private(set) var loadCount = 0
    package private(set) var callCount = 0
    package private(set) var mostInFlight = 0
    private var inFlight = 0
    /// Told about each call to Azure as it leaves.
    package var onAzureCall: (UID, Instant) -> Void = { _, _ in }

    package init(pace: PutPace, store: any RecordStore) {
        self.store = store
        azure = VirtualAzure(pace: pace, now: ScaleRun.start)
        let group = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/containers"
        designer = SiteDesigner(
            configuration: SiteDesigner.Configuration(
                location: "westeurope", defaultPlan: nil, resourceGroupID: group),
            instance: store.instance, key: store.key, writer: "bench")
        machine = ControllerMachine(designer: designer, seed: 1)
    }

    package var readyCount: Int { ready.count }

    /// Begins a life, the first or another one.
    package func begin() async throws {
        (effects, nextEffect, timer) = ([], 0, nil)
        answers = Heap()
        machine = ControllerMachine(designer: designer, seed: 1)
        let epoch = try await store.beginEpoch(writer: "bench")
        feed(.started(try await store.allUIDs(), epoch: epoch, freeze: nil))
    }

    /// A user makes a record: committed, and told to the machine.
    @discardableResult
    package func create(_ name: String) async throws -> UID {
        let record = try makeRecord(name)
        try await store.commit(Transaction(origin: .user, [.create(record)]))
        feed(.changed(record.uid))
        return record.uid
    }

    /// Many in one commit, as `apply` of many files makes them.
    package func create(count: Int) async throws {
        var made: [FunctionApp] = []
        for _ in 0..<count { made.append(try makeRecord("r\(uids.count)")) }
        try await store.commit(Transaction(origin: .user, made.map { .create($0) }))
        for record in made { feed(.changed(record.uid)) }
    }

    private func makeRecord(_ name: String) throws -> FunctionApp {
        guard let name = RecordName(name) else { throw StoreError(.damaged, "not a name: \(name)") }
        let spec = FunctionAppSpec(
            image: try ImageReference(parsing: "alpine"), args: ["true"], invocations: 0,
            hosting: Hosting(plan: "plan\(uids.count / ScaleRun.sitesPerPlan)"))
        let record = FunctionApp(creating: Manifest(name: name, spec: spec), uid: UID(using: &generator), at: now)
        uids.append(record.uid)
        return record
    }

    package func feed(_ event: ControllerEvent) {
        guard let more = machine?.handle(event, now: Moment(wall: now, steady: now)) else { return }
        if nextEffect > 10_000, nextEffect * 2 > effects.count {
            effects.removeFirst(nextEffect)
            nextEffect = 0
        }
        effects += more
    }

    /// Carries out effects at the present time, in order, until none is left or `isDone` says so.
    package func work(until isDone: () -> Bool = { false }) async throws {
        while nextEffect < effects.count, !isDone() {
            let effect = effects[nextEffect]
            nextEffect += 1
            try await carryOut(effect)
        }
    }

    /// Lets time pass until the end, or until `isDone` says so.
    package func run(for limit: Duration, until isDone: (ScaleRun) -> Bool = { _ in false }) async throws {
        let end = now + limit
        while true {
            try await work()
            if isDone(self) { return }
            guard let next = [timer, answers.min?.at].compactMap(\.self).min(), next <= end else {
                now = end
                return
            }
            now = max(now, next)
            if let at = timer, at <= now {
                timer = nil
                feed(.timerFired)
            }
            while let answer = answers.min, answer.at <= now {
                answers.removeMin()
                if case .callFinished = answer.event { inFlight -= 1 }
                feed(answer.event)
            }
        }
    }

    /// What a list of all sites would show now; costs nothing.
    package func sitesForList() -> [ObservedSite] { azure.present(now: now) }

    package func touchAllSites() { azure.touchAll() }

    private func carryOut(_ effect: ControllerEffect) async throws {
        switch effect {
        case .load(let uid):
            loadCount += 1
            feed(.loaded(uid, try await store.load(uid)))
        case .commit(let uid, let transaction, _, _):
            commitCount += 1
            do throws(StoreError) {
                try await store.commit(transaction)
                noteStatus(of: transaction)
                feed(.committed(uid))
            } catch {
                feed(.commitFailed(uid, error))
            }
        case .call(let uid, let id, let call, _):
            callCount += 1
            inFlight += 1
            mostInFlight = max(mostInFlight, inFlight)
            if call.kind != .greetAgent { onAzureCall(uid, now) }
            let (result, wait) = azure.answer(call, now: now)
            later(wait, .callFinished(uid, id, result))
        case .listSites:
            let startedAt = now
            later(.milliseconds(200), .listed(startedAt: startedAt, azure.list(now: now)))
        case .setTimer(let instant): timer = instant
        case .removeOutput, .dropOutput, .report: break
        case .end(let error): throw error
        }
    }

    private func later(_ wait: Duration, _ event: ControllerEvent) {
        answerCount += 1
        answers.insert(Answer(at: now + wait, number: answerCount, event: event))
    }

    private func noteStatus(of transaction: Transaction) {
        for case .setStatus(let uid, let status) in transaction.operations where status.isTrue(.ready) {
            if ready.insert(uid).inserted { lastReadyAt = now }
        }
    }
}

/// What the write bucket alone allows: nothing can be quicker than this.
package struct WriteBound {
    package let burst: Double
    package let perSecond: Double

    /// ARM's published bucket, and the share of it that we use.
    package static let published = WriteBound(burst: 200, perSecond: 10)
    package static let configured = WriteBound(burst: 140, perSecond: 7)

    /// Until the last of so many writes may be sent.
    package func seconds(writes count: Int) -> Double { max(0, (Double(count) - burst) / perSecond) }
}
