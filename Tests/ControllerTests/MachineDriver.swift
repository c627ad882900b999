import AzureClient
import DesiredState
import Foundation
import Testing

@testable import Controller

/// Runs the production machine against the real store and a simulated Azure under virtual time, one effect after the other, and can end the machine's
/// life at any of them.
final class MachineDriver {
    var azure: SimulatedAzure
    let store: SQLiteStore
    private(set) var now = Instant(nanoseconds: 1_700_000_000_000_000_000)
    /// How far the wall clock has stepped away from the steady one.
    var wallStep: Duration = .zero
    /// Why the machine has ended its life.
    private(set) var end: StoreError?
    private var machine: ControllerMachine
    private var effects: [ControllerEffect] = []
    private var held: [(uid: UID, id: CallID, call: Call)] = []
    private var timer: Instant?
    private(set) var recent: [String] = []
    private let directory: URL
    private let seed: UInt64
    private(set) var lives = 1
    private(set) var stepCount = 0
    private(set) var rules: Set<RuleName> = []
    /// What the machine told those who look on.
    private(set) var observed: [ControllerObservation] = []
    /// The log workspace can be asked.
    let runLogSettlesAfter: Duration?
    /// Commits made while nothing was left to do should be none.
    private(set) var commitCount = 0

    private let rates: CallRates

    init(seed: UInt64, hasRunLog: Bool = false, rates: CallRates = CallRates(.published)) throws {
        self.runLogSettlesAfter = hasRunLog ? .seconds(900) : nil
        self.rates = rates
        self.seed = seed
        azure = SimulatedAzure(seed: seed)
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("skls-machine-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        var generator = SplitMix64(state: seed)
        store = try SQLiteStore(path: directory.path + "/state.sqlite", generator: &generator)
        machine = MachineDriver.machine(
            store: store, seed: seed, runLogSettlesAfter: runLogSettlesAfter, rates: rates)
    }

    deinit {
        try? FileManager.default.removeItem(at: directory)  // a leftover of a test in the temporary folder harms nobody
    }

    private static func machine(
        store: SQLiteStore, seed: UInt64, runLogSettlesAfter: Duration?, rates: CallRates
    ) -> ControllerMachine {
        let configuration = SiteDesigner.Configuration(
            location: "westeurope", defaultPlan: "/plans/p", resourceGroupID: "/subscriptions/s/resourceGroups/g")
        return ControllerMachine(
            designer: SiteDesigner(
                configuration: configuration, instance: store.instance, key: store.key, writer: "test"),
            seed: seed, rates: rates, runLogSettlesAfter: runLogSettlesAfter, isObserved: true)
    }

    /// Begins a life: the first of the test, or another after a crash. Effects that were not carried out are lost, as in a crash.
    func start() async throws {
        effects = []
        end = nil
        held = []
        timer = nil
        machine = MachineDriver.machine(
            store: store, seed: seed &+ UInt64(lives), runLogSettlesAfter: runLogSettlesAfter, rates: rates)
        let epoch = try await store.beginEpoch(writer: "life\(lives)")
        feed(.started(try await store.allUIDs(), epoch: epoch, freeze: try await store.freeze()))
    }

    func crash() async throws {
        lives += 1
        try await start()
    }

    func feed(_ event: ControllerEvent) {
        let wanted = machine.handle(event, now: Moment(wall: now + wallStep, steady: now))
        observed += machine.takeObservations()
        effects += wanted
        // As the service does: what was wanted before and has not begun is not done any more.
        if case .end = wanted.last { effects = wanted }
    }

    func explain(_ stored: StoredRecord) -> KeyExplanation {
        machine.explain(stored, now: Moment(wall: now + wallStep, steady: now))
    }

    func preview(_ record: FunctionApp, replacing stored: StoredRecord?) -> Preview {
        machine.preview(record, replacing: stored, now: Moment(wall: now + wallStep, steady: now))
    }

    /// Loads that were asked for and not carried out.
    var pendingLoads: Int {
        effects.count { effect in
            if case .load = effect { true } else { false }
        }
    }

    /// Commits as a user would, and tells the machine.
    func write(_ operations: Transaction.Operation..., uid: UID) async throws {
        try await store.commit(Transaction(origin: .user, operations))
        feed(.changed(uid))
    }

    /// Carries out one effect; `false` when none is left.
    func step() async throws -> Bool {
        guard !effects.isEmpty else { return false }
        let effect = effects.removeFirst()
        stepCount += 1
        recent = recent.suffix(30) + ["\(now) \(summary(effect))"]
        if stepCount > 40_000 { throw Livelock(recent: recent) }
        now = now + .milliseconds(1)
        switch effect {
        case .load(let uid): feed(.loaded(uid, try await store.load(uid)))
        case .commit(let uid, let transaction, _, let log):
            rules.insert(log.rule)
            commitCount += 1
            do throws(StoreError) {
                try await store.commit(transaction)
                feed(.committed(uid))
            } catch {
                feed(.commitFailed(uid, error))
            }
        case .call(let uid, let id, let call, let log):
            rules.insert(log.rule)
            if let result = azure.perform(call, now: now) {
                feed(.callFinished(uid, id, result))
            } else {
                held.append((uid, id, call))
            }
        case .listSites: feed(.listed(startedAt: now, azure.observedSites()))
        case .setTimer(let instant): timer = instant
        case .end(let error): end = error
        case .removeOutput, .dropOutput, .report: break
        }
        return true
    }

    /// Runs until nothing is left to do before `limit` of virtual time has passed, or `isDone` says so.
    func settle(
        for limit: Duration = .seconds(200), until isDone: (MachineDriver) async throws -> Bool = { _ in false }
    ) async throws {
        let end = now + limit
        while true {
            if try await isDone(self) { return }
            if try await step() { continue }
            if answerHeldCall() { continue }
            guard let timer, timer <= end else { return }
            now = max(now, timer)
            self.timer = nil
            feed(.timerFired)
        }
    }

    /// Runs for so long, to the end.
    func pass(_ duration: Duration) async throws {
        let end = now + duration
        try await settle(for: duration)
        now = max(now, end)
    }

    private func answerHeldCall() -> Bool {
        for (index, waiting) in held.enumerated() {
            guard let result = azure.perform(waiting.call, now: now) else { continue }
            held.remove(at: index)
            feed(.callFinished(waiting.uid, waiting.id, result))
            return true
        }
        return false
    }

    func record(_ uid: UID) async throws -> FunctionApp? {
        try await store.load(uid)?.record
    }
}

/// Something is done again and again without an end.
struct Livelock: Error {
    let recent: [String]
}

private func summary(_ effect: ControllerEffect) -> String {
    switch effect {
    case .load(let uid): "load \(uid.short)"
    case .commit(let uid, let transaction, _, let log):
        "commit \(uid.short) \(log.rule) \(transaction.operations.map { "\($0)".prefix(24) })"
    case .call(let uid, _, let call, let log): "call \(uid.short) \(log.rule) \(call.kind)"
    case .listSites: "list"
    case .removeOutput(let uid): "remove output \(uid.short)"
    case .dropOutput(let keys): "drop \(keys.count) outputs"
    case .setTimer(let instant): "timer \(instant)"
    case .end(let error): "end \(error)"
    case .report(let uid, _, let message): "report \(uid.short) \(message)"
    }
}

/// A record as a user would create it; what a test does not care about has ordinary values.
func makeRecord(
    _ name: String = "job", seed: UInt64 = 1, invocations: Int = 1, ttl: Int? = nil, image: String = "alpine",
    at instant: Instant = Instant(nanoseconds: 1_700_000_000_000_000_000)
) throws -> FunctionApp {
    var generator = SplitMix64(state: seed)
    let spec = FunctionAppSpec(
        image: try ImageReference(parsing: image), args: ["true"], invocations: invocations,
        run: RunPolicy(ttlSecondsAfterFinished: ttl))
    let recordName = try #require(RecordName(name))
    return FunctionApp(creating: Manifest(name: recordName, spec: spec), uid: UID(using: &generator), at: instant)
}
