import AzureSimulator
import Controller
import DesiredState

/// Watches over the safety invariants. It knows the World as it is, a journal of executions that the agents have
/// written, and the documents in the store; never what a controller believes.
///
/// Unchecked: see `Once`.
final class Judge: @unchecked Sendable {
    private unowned let run: SimulationRun
    private(set) var violations: [Violation] = []
    var coverage = Coverage()
    /// Writes that reached Azure, and transactions of controllers.
    private(set) var azureWrites = 0
    /// Those that only keep a leak in sight are not counted: it is there in each list.
    private(set) var controllerCommits = 0
    private(set) lazy var leaks = LeakJudge(run: run)

    /// The documents as they were committed last.
    private(set) var records: [UID: StoredRecord] = [:]
    /// Names of the sites of forgotten records.
    private(set) var tombstones: Set<String> = []
    private var observedGenerations: [UID: Int64] = [:]
    private var newestEpoch: Epoch?
    private var epochs: [Int: Epoch] = [:]
    private var writesInFlight: [String: Int] = [:]
    private var writer: [String: Int] = [:]
    private var lastPut: [String: Int64] = [:]
    private var lastGreeting: [String: Int64] = [:]
    private var foreignSince: [String: Int64] = [:]
    private var executions: [String: Int] = [:]
    private var runExecutions: [UID: [Int: Int]] = [:]
    private var rates: [String: RateMeter] = [:]
    private var frozenUntil: [String: Int64] = [:]
    private(set) var frozenSince: Int64?
    /// Of runs that the store has lost, and that others with their numbers may follow.
    private var lostExecutions: Set<String> = []
    private var repeats: [String: (window: Int64, count: Int)] = [:]

    /// A call is repeated after half a second at the soonest; other rounds of the same record add some more.
    private static let mostRepeats = 60

    init(run: SimulationRun) { self.run = run }

    func fail(_ invariant: Invariant, _ detail: String) {
        violations.append(Violation(invariant: invariant, detail: detail))
        run.trace.note("VIOLATION \(invariant.rawValue)")
    }

    /// Judges one case of an invariant.
    func demand(_ condition: Bool, _ invariant: Invariant, _ detail: @autoclosure () -> String) {
        coverage.add(judged: invariant)
        if !condition { fail(invariant, detail()) }
    }

    func record(ofSite name: String) -> StoredRecord? {
        records.values.first { SiteDesigner.siteName(of: $0.record.uid) == name }
    }

    // MARK: Azure

    func sends(_ request: SentRequest, life: Life) {
        demandProgress("\(request)", life)
        guard request.isCounted else { return }
        let key = "\(life.number) \(request.verb)"
        let now = run.time.elapsed
        if let end = frozenUntil[key] {
            demand(now >= end, .retryAfterHeeded, "\(request) is sent \((end - now) / 1_000_000) ms too early")
        }
        let isWithin = rates[key, default: RateMeter(verb: request.verb)].take(at: now)
        demand(isWithin, .requestRate, "\(request) exceeds the rate of \(request.verb)")
        guard request.effect != .none, let site = request.site else { return }
        demand(
            writesInFlight[site] == nil || writer[site] != life.number, .oneWritePerSite,
            "\(request) while another write of the site is in flight")
        writesInFlight[site] = 1
        writer[site] = life.number
    }

    /// The request is about to have its effect.
    func applies(_ request: SentRequest, life: Life) {
        guard request.effect != .none, let site = request.site else { return }
        azureWrites += 1
        let state = run.cloud.azure.site(site)
        leaks.applies(request, to: site, state, life: life)
        if let state, !state.isDeleted {
            let owner = record(ofSite: site)
            let isAdopted =
                owner?.record.spec.adoption == .ifTagged && state.tags["skls-uid"] == owner?.record.uid.text
            let isForeign = state.tags["skls-instance"] != run.store.instance.text && !isAdopted
            let since = foreignSince[site].map { run.time.elapsed - $0 } ?? 0
            demand(
                !isForeign || since < Self.patienceWithRaces, .foreignUntouched,
                "\(request) although the site does not carry our tag since \(since / 1_000_000_000) s")
        }
        let stored = record(ofSite: site)
        let intent = stored?.intent
        switch request.effect {
        case .putSite:
            demand(
                intent?.kind == .putSite && intent?.isSettled == false, .intentBeforeEffect,
                "\(request) with \(intent.map { "\($0.kind) settled \($0.isSettled)" } ?? "no intent")")
            demand(
                stored?.record.status.isTrue(.ready) != true, .readyIsTrue,
                "\(request) of a record that says Ready")
            if let open = stored?.attempts.last(where: \.isOpen) {
                demand(false, .noWriteDuringRun, "\(request) while run \(open.run) is open")
            } else {
                coverage.add(judged: .noWriteDuringRun)
            }
            lastPut[site] = run.time.elapsed
        case .deleteSite:
            let isSwept = stored == nil
            demand(
                isSwept || intent?.kind == .deleteSite, .intentBeforeEffect,
                "\(request) with \(intent.map { "\($0.kind)" } ?? "no intent")")
            let isWanted = stored.map { wantsSite($0.record) } ?? false
            demand(!isWanted, .wantedNeverDeleted, "\(request) although its record wants it")
        case .changeSite, .none: break
        }
    }

    /// As the site of a record that is there, or that leaves its site behind.
    private func wantsSite(_ record: FunctionApp) -> Bool {
        record.isBeingDeleted ? record.spec.deletionPolicy == .orphan : record.spec.replacement == .never
    }

    func applied(_ request: SentRequest, life: Life) {
        guard request.effect != .none else { return }
        checkOwnership()
        if let site = request.site { leaks.applied(to: site) }
    }

    func answered(_ request: SentRequest, life: Life, status: Int?, retryAfter: Int64?) {
        if request.effect != .none, let site = request.site, writer[site] == life.number { writesInFlight[site] = nil }
        guard status == 429, let retryAfter, request.isCounted else { return }
        frozenUntil["\(life.number) \(request.verb)"] = run.time.elapsed + retryAfter * 1_000_000_000
    }

    /// Nothing of this life is in flight any more.
    func ended(_ life: Life) {
        for (site, number) in writer where number == life.number { writesInFlight[site] = nil }
    }

    /// How long a controller may act on what it read before somebody else took the tags away.
    private static let patienceWithRaces: Int64 = 600_000_000_000

    private func checkOwnership() {
        for site in run.cloud.azure.sites where !site.isDeleted {
            let name = site.name.lowercased()
            guard site.tags["skls-instance"] == run.store.instance.text else {
                if foreignSince[name] == nil { foreignSince[name] = run.time.elapsed }
                continue
            }
            foreignSince[name] = nil
            demand(
                record(ofSite: name)?.intent != nil || tombstones.contains(name) || leaks.isExcused(name),
                .siteHasIntent,
                "\(name) exists and nothing in the store says so")
        }
    }

    /// Somebody else changed a site.
    func outsiderActed() {
        checkOwnership()
        leaks.look()
    }

    private func demandProgress(_ request: String, _ life: Life) {
        let line = "\(life.number) \(request)"
        let window = run.time.elapsed / 10_000_000_000
        repeats[line] = repeats[line].map { $0.window == window ? (window, $0.count + 1) : (window, 1) } ?? (window, 1)
        demand(
            repeats[line]?.count ?? 0 <= Self.mostRepeats, .noLivelock,
            "\(request) is sent more than \(Self.mostRepeats) times in 10 s")
    }

    // MARK: agents

    /// An agent is asked for something.
    func asks(_ what: String, site: String, life: Life) { demandProgress("agent \(what) \(site)", life) }

    func greeted(site: String) { lastGreeting[site.lowercased()] = run.time.elapsed }

    func executed(site: String, token: String) {
        executions[token, default: 0] += 1
        let owner = records.values.first { $0.attempts.contains { $0.token == token } }
        guard let owner, let attempt = owner.attempts.first(where: { $0.token == token }) else {
            return demand(false, .executionHasAttempt, "\(site) executes a token that no attempt has")
        }
        demand(
            attempt.result?.outcome != .refused && attempt.result?.outcome != .startFailed, .executionHasAttempt,
            "\(site) executes an attempt that ended as \(attempt.result?.outcome.rawValue ?? "")")
        let uid = attempt.uid
        runExecutions[uid, default: [:]][attempt.run, default: 0] += 1
        let count = runExecutions[uid]?[attempt.run] ?? 0
        let policy = owner.record.spec.run
        let limit = policy.delivery == .atMostOnce ? 1 : max(policy.attemptLimit, 1)
        demand(count <= limit, .executedOnce, "run \(attempt.run) of \(site) executes for the \(count). time")
    }

    // MARK: the store

    func began(_ epoch: Epoch, life: Life) {
        epochs[life.number] = epoch
        newestEpoch = epoch
    }

    /// A later life has begun.
    func isFenced(_ life: Life) -> Bool { epochs[life.number] != newestEpoch }

    func committed(_ transaction: Transaction, life: Life?, now records: [UID: StoredRecord?]) {
        if let life {
            if !transaction.isOnlySightings { controllerCommits += 1 }
            demand(
                epochs[life.number] == newestEpoch, .fenced,
                "life \(life.number) commits after a later one has begun")
        }
        let before = self.records
        for (uid, stored) in records { self.records[uid] = stored }
        leaks.committed(transaction, life: life)
        for operation in transaction.operations {
            // A recovery writes down what may have happened, and begins nothing.
            if transaction.isRepair { if case .openIntent = operation { continue } }
            if transaction.isRepair { if case .openAttempt = operation { continue } }
            judge(operation, before: before, life: life)
        }
        for (uid, stored) in records {
            if let stored { judge(stored, before: before[uid]) }
        }
        leaks.look()
    }

    /// The store is an older form of itself. What it has lost may have happened, and only what it still knows must not
    /// happen again.
    func restored(_ older: [StoredRecord], tombstones: [Tombstone], freeze: Freeze?) {
        let tokens = Set(older.flatMap { $0.attempts.map(\.token) })
        var counts: [UID: [Int: Int]] = [:]
        for stored in older {
            let uid = stored.record.uid
            let newest = max(stored.record.spec.invocations, stored.attempts.last?.run ?? 0)
            // Whoever asks for a run at least once takes another try of it.
            counts[uid] = [:]
            let mayRepeat = stored.record.spec.run.delivery == .atLeastOnce
            for (run, count) in runExecutions[uid] ?? [:] where run <= newest {
                let known = stored.attempts.count { $0.run == run && executions[$0.token] != nil }
                counts[uid]?[run] = mayRepeat ? known : count
            }
        }
        // A record that comes back from its site alone has run 1 behind it.
        for (uid, runs) in runExecutions where counts[uid] == nil { counts[uid] = runs.filter { $0.key == 1 } }
        runExecutions = counts
        for token in executions.keys where !tokens.contains(token) {
            lostExecutions.insert(token)
            executions[token] = nil
        }
        records = Dictionary(older.map { ($0.record.uid, $0) }) { $1 }
        observedGenerations = records.mapValues { $0.record.status.observedGeneration }
        self.tombstones = Set(tombstones.map(\.siteName))
        frozenSince = freeze == nil ? nil : run.time.elapsed
        leaks.look()
    }

    private func judge(_ operation: Transaction.Operation, before: [UID: StoredRecord], life: Life?) {
        switch operation {
        case .setFreeze(let freeze): frozenSince = freeze == nil ? nil : run.time.elapsed
        case .openIntent(let intent):
            judgeFreeze()
            if let stored = before[intent.uid] {
                demand(
                    stored.record.spec.suspend.map { isOver($0) } ?? true || stored.record.isBeingDeleted,
                    .pausedWritesNothing, "an intent is opened for a paused record")
            }
        case .openAttempt(let attempt):
            judgeFreeze()
            guard let stored = before[attempt.uid] else { return }
            demand(
                stored.record.spec.suspend.map { isOver($0) } ?? true, .pausedWritesNothing,
                "a run is begun for a paused record")
            let policy = stored.record.spec.run
            let limit = policy.delivery == .atMostOnce ? 1 : max(policy.attemptLimit, 1)
            let earlier = stored.attempts.filter { $0.run == attempt.run && $0.result?.outcome != .refused }
            demand(
                earlier.count < limit, .attemptsWithinLimit,
                "attempt \(attempt.number) of run \(attempt.run), \(earlier.count) of \(limit) are used up")
        case .setStatus(let uid, let status):
            guard life != nil, let now = before[uid]?.record.metadata.generation else { return }
            demand(
                status.observedGeneration >= now, .generationObserved,
                "a status of generation \(status.observedGeneration) is written to generation \(now)")
        case .finishAttempt(let token, let result): judge(result, of: token)
        case .forget(let uid, let siteName, _):
            let name = SiteDesigner.siteName(of: uid)
            if siteName != nil { tombstones.insert(name) }
            let state = run.cloud.azure.site(name)
            let isGone = state.map { $0.isDeleted || $0.tags["skls-instance"] != run.store.instance.text } ?? true
            let isOrphaned = before[uid]?.record.spec.deletionPolicy == .orphan
            demand(isGone || isOrphaned, .forgottenOnlyWhenGone, "\(name) is still there")
        default: return
        }
    }

    private func judgeFreeze() {
        // Who has committed a freeze tells the controller afterwards, and a slow commit may be under way by then.
        let since = frozenSince.map { run.time.elapsed - $0 } ?? 0
        demand(since < 4_000_000_000, .frozenWritesNothing, "an intent or attempt is opened in a frozen store")
    }

    private func isOver(_ pause: Suspension) -> Bool {
        pause.until.map { $0.nanoseconds <= run.time.wall } ?? false
    }

    private func judge(_ result: AttemptResult, of token: String) {
        switch result.outcome {
        case .succeeded, .failed, .deadlineExceeded, .lost:
            demand(
                executions[token] != nil || lostExecutions.contains(token), .resultIsTrue,
                "an attempt ends as \(result.outcome) and never executed")
        case .refused:
            demand(executions[token] == nil, .resultIsTrue, "an attempt ends as refused and was executed")
        case .startFailed:
            demand(executions[token] == nil, .resultIsTrue, "an attempt ends as not started and was executed")
        case .unknown: return
        }
    }

    private func judge(_ stored: StoredRecord, before: StoredRecord?) {
        let record = stored.record
        let name = SiteDesigner.siteName(of: record.uid)
        let observed = record.status.observedGeneration
        demand(
            observed <= record.metadata.generation && observed >= observedGenerations[record.uid] ?? 0,
            .generationObserved,
            "\(observedGenerations[record.uid] ?? 0) becomes \(observed) of \(record.metadata.generation)")
        observedGenerations[record.uid] = observed
        for attempt in before?.attempts ?? [] {
            guard let result = attempt.result else { continue }
            let now = stored.attempts.first { $0.token == attempt.token }?.result
            demand(now == result, .firstResultWins, "run \(attempt.run) ended as \(result.outcome), then otherwise")
        }
        if record.status.isTrue(.ready), before?.record.status.isTrue(.ready) != true {
            demand(
                lastGreeting[name] ?? -1 > lastPut[name] ?? -1, .readyIsTrue,
                "\(name) is called ready; put at \(lastPut[name] ?? -1), greeted at \(lastGreeting[name] ?? -1)")
        }
    }

    func executionCount(of token: String) -> Int { executions[token] ?? 0 }
}

extension Transaction {
    /// Of a user, by way of a life: an adoption or a recovery.
    var isRepair: Bool {
        origin == .user
            && operations.contains { operation in
                switch operation {
                case .setFreeze(nil), .dropSighting: true
                default: false
                }
            }
    }

    /// The sweep sees once more what it saw before.
    fileprivate var isOnlySightings: Bool {
        operations.allSatisfy { if case .keepSighting = $0 { true } else { false } }
    }
}

/// Resource Manager's published bucket of one verb.
private struct RateMeter {
    private let burst: Double
    private let perNanosecond: Double
    private var tokens: Double
    private var updated: Int64 = 0

    init(verb: String) {
        burst = verb == "reads" ? 250 : 200
        perNanosecond = (verb == "reads" ? 25 : 10) / 1e9
        tokens = burst
    }

    mutating func take(at now: Int64) -> Bool {
        tokens = min(burst, tokens + Double(now - updated) * perNanosecond) - 1
        updated = now
        return tokens >= 0
    }
}

extension SentRequest {
    /// The class that Resource Manager counts it in.
    var verb: String {
        switch method {
        case "GET", "HEAD": "reads"
        case "DELETE": "deletes"
        default: "writes"
        }
    }
}
