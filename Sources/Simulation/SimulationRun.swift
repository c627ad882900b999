import AgentLink
import AzureClient
import AzureSimulator
import Controller
import DesiredState
import Foundation
import Logging
import NIOConcurrencyHelpers
package import SystemPackage

/// One seed's run of the production controller against the World: a time in which everything may fail, then one in which
/// nothing does, and all that must hold.
///
/// Unchecked: everything happens on the thread that calls ``run()``.
package final class SimulationRun: @unchecked Sendable {
    package struct Options: Sendable {
        package var seed: UInt64
        package var scenario: Scenario
        package var printsTrace = false
        /// In place of chance: one misfortune, at one place.
        package var anomaly: Anomaly?

        package init(seed: UInt64, scenario: Scenario, anomaly: Anomaly? = nil) {
            self.seed = seed
            self.scenario = scenario
            self.anomaly = anomaly
        }
    }

    /// One misfortune at the N-th place, counted from 1.
    package enum Anomaly: Sendable, Hashable {
        /// The N-th request to Azure is lost before it has an effect.
        case loseRequest(Int)
        /// The reply to the N-th request is lost.
        case loseReply(Int)
        case crashBeforeCommit(Int)
        case crashAfterCommit(Int)
    }

    package struct Report: Sendable {
        package let violations: [Violation]
        package let coverage: Coverage
        package let steps: Int
        /// The same for two runs of the same options.
        package let digest: UInt64
        package let recent: [String]
        /// How many requests to Azure and commits of controllers there were: an anomaly beyond them hits nothing.
        package let requests: Int
        package let commits: Int
        package let virtualSeconds: Int
        /// Whether the anomaly found its place before the time of rest.
        package var isHit = false
    }

    enum RequestFate { case normal, lostBefore, lostAfter, crashBefore, crashAfter }
    enum CommitFate { case normal, before, after }

    let options: Options
    let dice: Dice
    let time = VirtualTime()
    let trace: Trace
    let executor = SimulatedExecutor()
    let cloud: Cloud
    let store: MemoryStore
    private(set) lazy var judge = Judge(run: self)
    var chaos = Chaos.calm
    private(set) var lives: [Life] = []
    var openWaiters = 0
    var usersAtWork = 0
    /// Sites that somebody else has stopped.
    var stoppedByOthers: Set<String> = []
    /// Somebody has set settings while a write of the site was under way: nothing shows that but a look at everything.
    var hasHiddenDrift = false
    /// How long leaks live, as an installation may have set it.
    let sweepSettings: SweepSettings
    let outputDirectory: FilePath
    let backupDirectory: FilePath
    private var tasks: [Task<Void, Never>] = []
    private var steps = 0
    private var requests = 0
    private var commits = 0
    private var isOver = false
    private var wasAnomalyHit = false
    private var isCalm = false
    private let disorder: Double
    private let baseInstant = ContinuousClock.now

    /// - Parameter directory: where files may go; a folder of its own is made there.
    package init(_ options: Options, directory: FilePath) throws {
        self.options = options
        dice = Dice(seed: options.seed)
        trace = Trace(time: time, isPrinted: options.printsTrace)
        var settings = InProcessAzure.Settings(seed: dice.number())
        settings.latencyScale = options.anomaly == nil ? dice.pick([0, 0.2, 1]) : 0
        settings.web.writes = options.anomaly == nil ? dice.pick(WebSettings.WriteMode.allCases) : .instant
        settings.web.deleteLag = options.anomaly == nil ? .seconds(dice.pick([0, 0, 60])) : .zero
        settings.web.environments = [.init(name: Self.environment)]
        // The World wants to know from the start what may fail later.
        let storm = options.anomaly == nil ? options.scenario.chaos(dice) : .calm
        chaos = storm
        settings.faults = storm.plan
        cloud = try Cloud(settings, time: time, dice: dice, trace: trace)
        var generator = dice.branch()
        store = MemoryStore(generator: &generator)
        outputDirectory = directory.appending("output")
        backupDirectory = directory.appending("backup")
        try FileManager.default.createDirectory(
            atPath: outputDirectory.string, withIntermediateDirectories: true)
        disorder = dice.pick([0, 0.2, 1])
        let isReported = options.anomaly == nil && dice.chance(0.15)
        sweepSettings = SweepSettings(
            mode: isReported ? .report : .delete,
            minimumAge: .seconds(options.anomaly == nil ? dice.pick([60, 300, 600]) : 60),
            gracePeriod: .seconds(options.anomaly == nil ? dice.pick([60, 300, 900]) : 60))
    }

    // MARK: the whole

    package func run() -> Report {
        cloud.onExecution = { [unowned self] site, token, boot in
            trace.note("EXECUTES \(token.prefix(6)) in \(site)")
            judge.executed(site: site, token: token)
        }
        stormy()
        if judge.violations.isEmpty { calm() }
        finish()
        judge.demand(executor.strayJobs == 0, .noStrayJobs, "\(executor.strayJobs) jobs came from other threads")
        return Report(
            violations: judge.violations, coverage: judge.coverage, steps: steps, digest: trace.digest,
            recent: trace.recent.suffix(Trace.kept), requests: requests, commits: commits,
            virtualSeconds: Int(time.elapsed / 1_000_000_000), isHit: wasAnomalyHit)
    }

    private func stormy() {
        if options.anomaly == nil {
            cloud.habits.failure = dice.chance(0.3) ? 0.2 : 0
            cloud.habits.silence = dice.chance(0.2) ? 0.1 : 0
            begin { [self] in
                // Ends when it is cancelled, at the end of the storm.
                do { try await wrecker() } catch { return }
            }
        }
        let wreckers = tasks
        beginLife()
        for index in 0..<dice.int(options.scenario.recordCount) {
            let script = options.scenario.script(dice)
            usersAtWork += 1
            begin { [self] in
                // What a user cannot do is left undone.
                do { try await user(index, script) } catch { trace.note("user \(index) gives up") }
                usersAtWork -= 1
            }
        }
        if options.scenario.hasStrangers(dice) {
            usersAtWork += 1
            begin { [self] in
                // Ends with the run at the latest.
                do { try await strangers() } catch {}
                usersAtWork -= 1
            }
        }
        if options.scenario.isRestored(dice) {
            usersAtWork += 1
            begin { [self] in
                // As above.
                do { try await restorer() } catch {}
                usersAtWork -= 1
            }
        }
        drive(seconds: options.anomaly == nil ? dice.int(120...900) : options.scenario.quietSeconds)
        chaos = .calm
        cloud.setFaults(FaultPlan())
        cloud.habits = Cloud.ContainerHabits()
        for wrecker in wreckers { wrecker.cancel() }
    }

    /// Nothing fails any more: everything has to come to rest, and stay so.
    private func calm() {
        isCalm = true
        trace.note("calm")
        let start = time.elapsed
        // What others have done is seen in the next list; what came of it in the one after.
        drive(seconds: 700)
        while judge.violations.isEmpty, time.elapsed - start < longestConvergence {
            drive(seconds: 60)
            if lives.allSatisfy({ !$0.isAlive }) { continue }
            if unrest().isEmpty { break }
        }
        guard judge.violations.isEmpty else { return }
        for (invariant, what) in unrest() { judge.fail(invariant, what) }
        for invariant in [Invariant.converged, .noLeaks, .waitersWoken] { judge.demand(true, invariant, "") }
        guard judge.violations.isEmpty else { return }
        // What is at rest still settles its last answers.
        drive(seconds: 120)
        stayQuiet(.quiet, "at rest")
        guard judge.violations.isEmpty else { return }
        for life in lives where life.isAlive { crash(life, .atRest) }
        drive(seconds: 60)
        let before = judge.records.mapValues(\.record)
        stayQuiet(.restartChangesNothing, "after a restart")
        judge.demand(before == judge.records.mapValues(\.record), .restartChangesNothing, "records have changed")
    }

    private func stayQuiet(_ invariant: Invariant, _ when: String) {
        let (writes, commits) = (judge.azureWrites, judge.controllerCommits)
        drive(seconds: 950)
        guard judge.violations.isEmpty else { return }
        judge.demand(
            judge.azureWrites == writes, invariant, "\(judge.azureWrites - writes) writes to Azure \(when)")
        judge.demand(
            judge.controllerCommits == commits, invariant, "\(judge.controllerCommits - commits) commits \(when)")
    }

    /// Four hours: a create whose outcome is unknown counts as failed after one. Or the day after which every site is
    /// looked at in full.
    private var longestConvergence: Int64 { (hasHiddenDrift ? 26 : 4) * 3_600_000_000_000 }

    private func finish() {
        isOver = true
        for life in lives { life.end() }
        for task in tasks { task.cancel() }
        while executor.runOne(pick: { _ in 0 }) {}
        for life in lives { if let service = life.service { judge.coverage.add(rules: service.decisions) } }
        for life in lives {
            life.service = nil
            life.desk = nil
        }
    }

    // MARK: time

    private static let mostSteps = 400_000

    /// Runs until so much time has passed, or something is violated.
    private func drive(seconds: Int) {
        let end = time.elapsed + Int64(seconds) * 1_000_000_000
        while judge.violations.isEmpty {
            if executor.runOne(pick: { [self] count in dice.chance(disorder) ? dice.int(0...count - 1) : 0 }) {
                steps += 1
                if chaos.crashAtAwait > 0, dice.chance(chaos.crashAtAwait), let life = lives.last(where: \.isAlive) {
                    crash(life, .await)
                }
                if steps == Self.mostSteps { judge.demand(false, .noLivelock, "\(steps) steps") }
                continue
            }
            guard let due = time.nextDue, due <= end else { return time.advance(to: end) }
            time.advance()
        }
    }

    /// A task on the simulation's thread that ends by itself, or when the run does.
    func begin(_ work: @escaping @Sendable () async -> Void) {
        tasks.append(Task(executorPreference: executor) { await work() })
    }

    var azureClock: AzureClock {
        AzureClock(
            now: { [self] in baseInstant + .nanoseconds(time.elapsed) },
            unixSeconds: { [self] in time.wall / 1_000_000_000 })
    }

    func latency() -> Duration { dice.milliseconds(1...60) }

    func storeLatency() -> Duration {
        guard dice.chance(chaos.storeSlowness) else { return .microseconds(dice.int(50...2_000)) }
        noteFault("store-slow")
        return dice.milliseconds(100...3_000)
    }

    func requestID() -> GUID {
        var generator = dice.branch()
        return GUID.random(using: &generator)
    }

    // MARK: lives

    func beginLife() {
        guard !isOver else { return }
        let life = Life(number: lives.count + 1)
        lives.append(life)
        trace.note("life \(life.number) begins")
        life.crashesAfterAgentCall = { [unowned self] in dice.chance(chaos.crashAtRequest) }
        let service: ControllerService
        do { service = try makeService(life) } catch {
            return judge.fail(.converged, "no controller could be made: \(error)")
        }
        life.service = service
        life.task = Task(executorPreference: executor) { [self] in
            do { try await service.live() } catch {
                trace.note("life \(life.number) ends by itself")
            }
            guard life.isAlive else { return }
            life.end()
            judge.ended(life)
            // As a supervisor does; not where another has taken over.
            if lives.allSatisfy({ !$0.isAlive }) { beginLifeLater() }
        }
    }

    private func beginLifeLater() {
        time.after(.milliseconds(dice.int(1...5_000))) { [weak self] in self?.beginLife() }
    }

    /// The life ends here and now, whatever is under way.
    func crash(_ life: Life, _ point: CrashPoint) {
        guard life.isAlive, !isOver else { return }
        judge.coverage.add(crash: point)
        trace.note("life \(life.number) crashes \(point.rawValue)")
        life.end()
        judge.ended(life)
        beginLifeLater()
    }

    private func designer(writer: String) -> SiteDesigner {
        let group =
            "/subscriptions/\(InProcessAzure.subscriptionID)/resourceGroups/\(InProcessAzure.group)"
        let configuration = SiteDesigner.Configuration(
            location: InProcessAzure.location,
            defaultPlan: group + "/providers/Microsoft.Web/serverfarms/\(InProcessAzure.planName)",
            resourceGroupID: group)
        return SiteDesigner(configuration: configuration, instance: store.instance, key: store.key, writer: writer)
    }

    /// What sites should look like.
    var anyDesigner: SiteDesigner { designer(writer: "judge") }

    private func makeService(_ life: Life) throws -> ControllerService {
        let designer = designer(writer: "life\(life.number)")
        let time = time
        let dice = dice
        let executor = executor
        let pacing = Pacing(
            pause: { try await time.pause($0) }, jitter: { dice.fraction() },
            start: { work in
                // Ends as the simulation's own tasks do: nothing it waits for outlives the life.
                Task(executorPreference: executor) { await work() }
            })
        let azure = AzureClient(
            environment: .publicCloud,
            scope: try AzureScope(subscriptionID: InProcessAzure.subscriptionID, resourceGroup: InProcessAzure.group),
            credential: WorldCredential(run: self), sending: WorldTransport(life: life, run: self), pacing: pacing)
        // As `SteadyClock`: it begins where the wall clock stands.
        let offset = time.wallOffset
        let clock: @Sendable () -> Moment = {
            Moment(wall: Instant(nanoseconds: time.wall), steady: Instant(nanoseconds: time.steady + offset))
        }
        let output = try OutputStore(directory: outputDirectory)
        let store = LifeStore(life: life, run: self)
        let logger = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
        let sweeper = SweepService(
            store: store, azure: SweptSubscription(client: azure, account: nil), designer: designer,
            settings: sweepSettings, clock: { Instant(nanoseconds: time.wall) }, logger: logger)
        life.desk = RepairDesk(sweeper: sweeper, output: output) { [weak life] in life?.service?.freezeChanged(nil) }
        return ControllerService(
            store: store,
            performer: CallPerformer(
                sites: azure, agents: SimulatedAgents(life: life, run: self),
                directory: AgentDirectory(designer: designer, siteAddress: nil), output: output, clock: clock),
            output: output, designer: designer, seed: dice.number(), rates: CallRates(azure.rates),
            budgets: { azure.budgets() }, sweeper: sweeper, clock: clock,
            timers: TimerSource { delay, fire in time.after(delay, fire) }, logger: logger)
    }

    // MARK: misfortune

    func noteFault(_ name: String) { judge.coverage.add(fault: name) }

    func noteFaults(_ names: [String]) { for name in names { noteFault(name) } }

    func fate(of request: SentRequest, life: Life) -> RequestFate {
        requests += isCalm ? 0 : 1
        if let anomaly = options.anomaly {
            guard [.loseRequest(requests), .loseReply(requests)].contains(anomaly), !wasAnomalyHit else {
                return .normal
            }
            wasAnomalyHit = true
            return anomaly == .loseReply(requests) ? .lostAfter : .lostBefore
        }
        if dice.chance(chaos.requestLoss) { return .lostBefore }
        if dice.chance(chaos.replyLoss) { return .lostAfter }
        if dice.chance(chaos.crashAtRequest) { return dice.chance(0.5) ? .crashBefore : .crashAfter }
        return .normal
    }

    func fateOfCommit(life: Life) -> CommitFate {
        commits += isCalm ? 0 : 1
        if let anomaly = options.anomaly {
            guard [.crashBeforeCommit(commits), .crashAfterCommit(commits)].contains(anomaly), !wasAnomalyHit else {
                return .normal
            }
            wasAnomalyHit = true
            return anomaly == .crashAfterCommit(commits) ? .after : .before
        }
        guard dice.chance(chaos.crashAtCommit) else { return .normal }
        return dice.chance(0.5) ? .before : .after
    }

    // MARK: the store

    /// Commits, and shows the judge what has become of the records. Nothing happens in between.
    @discardableResult
    func commit(_ transaction: Transaction, by life: Life?) async throws(StoreError) -> Revision {
        let revision = try await store.commit(transaction)
        var now: [UID: StoredRecord?] = [:]
        for uid in Set(transaction.operations.compactMap(\.uid)) {
            now[uid] = .some(try await store.load(uid))
        }
        for token in transaction.operations.compactMap(\.token) {
            guard let owner = judge.records.values.first(where: { $0.attempts.contains { $0.token == token } }) else {
                continue
            }
            now[owner.record.uid] = .some(try await store.load(owner.record.uid))
        }
        let changes = now.flatMap { uid, stored in
            StatusChange.names(from: judge.records[uid]?.record.status, to: stored?.record.status)
        }
        trace.note(
            "\(life.map { "life \($0.number)" } ?? "user") commits \(transaction.operations.map(\.name)) \(changes)")
        judge.committed(transaction, life: life, now: now)
        return revision
    }

    func userCommit(_ operations: [Transaction.Operation]) async throws(StoreError) {
        let transaction = Transaction(origin: .user, operations)
        try await commit(transaction, by: nil)
        hint(transaction)
    }

    /// Tells every life of a user's commit.
    func hint(_ transaction: Transaction) {
        let uids = Set(transaction.operations.compactMap(\.uid)).sorted()
        for life in lives where life.isAlive { hint(uids, to: life) }
    }

    /// Tells a life of a change: once and at once, or late and twice.
    private func hint(_ uids: [UID], to life: Life) {
        guard dice.chance(chaos.hintTrouble) else { return life.hub.publish(uids, origin: .user) }
        noteFault("hint-trouble")
        for _ in 0..<dice.int(1...3) {
            time.after(.milliseconds(dice.int(0...3_000))) { life.hub.publish(uids, origin: .user) }
        }
    }
}
