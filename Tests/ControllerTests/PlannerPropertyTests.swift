import DesiredState
import Testing

@testable import Controller

/// What is true of every plan, whatever the situation: asked of random ones, sensible or not.
@Suite(.timeLimit(.minutes(5)))
struct PlannerPropertyTests {
    private static let seeds = 20

    @Test(arguments: 0..<seeds) func `every plan keeps the invariants`(seed: Int) throws {
        var situations = Situations(seed: UInt64(seed))
        for number in 0..<1000 {
            let input = try situations.next()
            let plan = plan(input)
            let broken = Self.invariants.filter { !$0.holds(input, plan) }.map(\.name)
            if !broken.isEmpty {
                Issue.record("seed \(seed), number \(number): \(broken), \(plan.rule), \(plan.actions)\nof \(input)")
                return
            }
        }
    }

    @Test func `random situations reach every rule`() throws {
        var seen: Set<RuleName> = []
        for seed in 0..<Self.seeds {
            var situations = Situations(seed: UInt64(seed))
            for _ in 0..<1000 { seen.insert(plan(try situations.next()).rule) }
        }
        #expect(Set(RuleName.allCases).subtracting(seen).isEmpty)
    }

    // MARK: invariants

    private struct Invariant: Sendable {
        let name: String
        let holds: @Sendable (PlanInput, Plan) -> Bool
    }

    private static func calls(_ plan: Plan) -> [CallKind] { plan.actions.compactMap(\.call) }

    private static let siteWrites: Set<CallKind> = [.putSite, .deleteSite, .releaseSite]

    private static let invariants: [Invariant] = [
        Invariant(name: "the same input gives the same plan") { input, found in plan(input) == found },
        Invariant(name: "no site is written while an attempt is open") { input, plan in
            siteWrites.isDisjoint(with: calls(plan)) || !input.attempts.contains { $0.isOpen }
        },
        Invariant(name: "no attempt is opened beside an open one, or for a record that is being deleted") {
            input, plan in
            !opens(plan) || !input.attempts.contains { $0.isOpen } && !input.record.isBeingDeleted
        },
        Invariant(name: "an attempt follows another of its run only if that ran nothing or the policy allows it") {
            input, plan in
            plan.actions.allSatisfy { action in
                guard case .openAttempt(let run, let number, _) = action, number > 1 else { return true }
                let earlier = input.attempts.filter { $0.run == run && $0.result?.outcome != .refused }
                let policy = input.record.spec.run
                return earlier.isEmpty
                    || policy.delivery == .atLeastOnce && earlier.count < policy.attemptLimit
                        && earlier.allSatisfy { $0.result?.outcome == .lost || $0.result?.outcome == .unknown }
            }
        },
        Invariant(name: "a frozen record is read, and nothing else") { input, plan in
            input.freeze == nil || siteWrites.union([.postRun, .stopRun]).isDisjoint(with: calls(plan))
        },
        Invariant(name: "a paused record is not written and begins nothing") { input, plan in
            guard let pause = input.record.spec.suspend, !input.record.isBeingDeleted,
                pause.until.map({ $0 > input.wall }) ?? true
            else { return true }
            return siteWrites.isDisjoint(with: calls(plan)) && !calls(plan).contains(.postRun)
        },
        Invariant(name: "a foreign site is not written, unless it may be taken over") { input, plan in
            guard case .present(let site, _) = input.site,
                site.instance != input.identity.instance || site.uid != input.record.uid.text
            else { return true }
            let mayTakeOver =
                input.record.spec.adoption == .ifTagged && site.uid == input.record.uid.text && site.instance != nil
            let written = siteWrites.intersection(calls(plan))
            return written.isEmpty || mayTakeOver && written == [.putSite]
        },
        Invariant(name: "nothing is done while a write is under way") { input, plan in
            siteWrites.isDisjoint(with: input.inFlight) || plan.actions.isEmpty
        },
        Invariant(name: "no call is made twice at once, and none before its time") { input, plan in
            let made = calls(plan)
            return Set(made).count == made.count && input.inFlight.isDisjoint(with: made)
                && made.allSatisfy { input.failures[$0].map { $0.notBefore <= input.now } ?? true }
        },
        Invariant(name: "there is a next look, or a reason for none, and no look in the past") { _, plan in
            if case .at(let instant) = plan.nextLook, plan.actions.isEmpty, instant <= looked { return false }
            return !plan.reason.isEmpty && plan.status.nextAction?.reason == plan.reason
        },
        Invariant(name: "the observed generation rises only, and not beyond the record's") { input, plan in
            let before = input.record.status.observedGeneration
            return plan.status.observedGeneration >= before
                && plan.status.observedGeneration <= max(before, input.record.metadata.generation)
        },
        Invariant(name: "a record becomes ready only by an agent's answer, and no write leaves it so") { input, plan in
            guard plan.status.isTrue(.ready) else { return true }
            if !siteWrites.isDisjoint(with: calls(plan)) { return false }
            if case .live = input.agent { return true }
            return input.record.status.isTrue(.ready)
        },
        Invariant(name: "only an open attempt is ended") { input, plan in
            plan.actions.allSatisfy { action in
                guard case .finishAttempt(let token, _) = action else { return true }
                return input.attempts.contains { $0.token == token && $0.isOpen }
            }
        },
        Invariant(name: "a record is forgotten without a site of ours, and without an open attempt") { input, plan in
            guard plan.actions.contains(.forget) else { return true }
            if input.attempts.contains(where: { $0.isOpen }) { return false }
            guard case .present(let site, _) = input.site, !input.record.metadata.finalizers.isEmpty else {
                return true
            }
            return site.instance != input.identity.instance || site.uid != input.record.uid.text
                || input.isSurelyUnwritten || input.intent == nil
        },
    ]

    /// The time of every situation.
    fileprivate static let looked = Instant(nanoseconds: 1_700_000_000_000_000_000)

    private static func opens(_ plan: Plan) -> Bool {
        plan.actions.contains { action in
            if case .openAttempt = action { true } else { false }
        }
    }
}

/// Random inputs of the planner: consistent as a store keeps them, and otherwise anything.
private struct Situations {
    private var random: SplitMix64
    private let now = PlannerPropertyTests.looked

    init(seed: UInt64) {
        random = SplitMix64(state: seed &* 0x9E37_79B9 &+ 7)
    }

    mutating func next() throws -> PlanInput {
        let record = try record()
        let identity = SiteIdentity(
            name: SiteDesigner.siteName(of: record.uid), designHash: "h", instance: "i", location: "westeurope",
            hosting: .plan)
        var input = PlanInput(now: now, record: record, identity: identity)
        input.wallLead = choose([.zero, .zero, .seconds(3600), .seconds(-3600)])
        input.attempts = attempts(of: record)
        if input.attempts.contains(where: { $0.isOpen }), record.isBeingDeleted {
            input.record.metadata.finalizers = Finalizer.allCases
        }
        retryMarks(&input)
        if chance(85) { input.intent = intent(of: record) }
        input.site = site(of: record)
        if chance(15) { input.operation = chance(50) ? .accepted("o") : .ended("o") }
        input.agent = agent()
        if case .live = input.agent, chance(70) { input.bootSeenAt = past(2000) }
        if input.attempts.last?.isOpen == true, chance(40) { input.run = run() }
        input.runLogSettlesAfter = chance(40) ? .seconds(900) : nil
        if input.attempts.last?.isOpen == true, chance(30) {
            input.runLog = RunLogObservation(finding: choose([.nothing, .began, .exited(code: 2)]), asOf: past(2000))
        }
        for kind in CallKind.allCases {
            if chance(4) { input.inFlight.insert(kind) }
            if chance(8) { input.failures[kind] = failure() }
        }
        input.isListPending = chance(10)
        input.isSurelyUnwritten = chance(5)
        if chance(6) { input.freeze = Freeze(since: past(100), reason: "a clone") }
        return input
    }

    // MARK: parts

    private mutating func record() throws -> FunctionApp {
        var record = try makeRecord(seed: random.next(), invocations: choose([0, 1, 1, 2, 3]), at: past(5000))
        record.metadata.generation = Int64.random(in: 1...5, using: &random)
        record.status.observedGeneration = Int64.random(in: 0...record.metadata.generation, using: &random)
        if chance(20) { record.spec.run.ttlSecondsAfterFinished = choose([0, 60, 5000]) }
        if chance(40) { record.spec.run.delivery = .atLeastOnce }
        record.spec.run.attemptLimit = record.spec.run.delivery == .atLeastOnce ? choose([1, 2, 3]) : 1
        record.spec.run.timeoutSeconds = choose([0, 10, 600])
        if chance(10) {
            record.spec.suspend = Suspension(until: chance(50) ? now + choose([.seconds(-5), .seconds(90)]) : nil)
        }
        record.spec.replacement = choose(ReplacementPolicy.allCases)
        record.spec.deletionPolicy = choose(DeletionPolicy.allCases)
        record.spec.adoption = choose(AdoptionPolicy.allCases)
        if chance(15) { record.spec.stop = StopRequest(run: choose([1, 2])) }
        if chance(25) {
            record.metadata.deletionTimestamp = past(4000)
            record.metadata.finalizers = choose([Finalizer.allCases, [.deleteSite], []])
        }
        for type in ConditionType.allCases where chance(50) {
            record.status.conditions.append(
                Condition(
                    type: type, status: choose([.true, .false, .unknown]), reason: "Before", message: "",
                    lastTransitionTime: past(100)))
        }
        return record
    }

    /// Runs in order, each with attempts in order; only the last may be open.
    private mutating func attempts(of record: FunctionApp) -> [Attempt] {
        var attempts: [Attempt] = []
        for run in 1..<(1 + choose([1, 1, 2, 2, 3])) {
            for number in 1...choose([1, 1, 2, 3]) {
                var attempt = Attempt(
                    uid: record.uid, run: run, number: number, token: "t\(run)-\(number)", bootID: choose(["a", "b"]),
                    openedAt: past(3000))
                if chance(60) { attempt.acknowledgedAt = attempt.openedAt + .seconds(1) }
                attempt.result = AttemptResult(
                    outcome: choose(number == 1 ? AttemptOutcome.allCases : [.lost, .unknown, .refused, .succeeded]),
                    exitCode: nil, finishedAt: past(2000))
                attempts.append(attempt)
            }
        }
        if chance(40), let last = attempts.indices.last { attempts[last].result = nil }
        return attempts
    }

    /// As the controller would have decided it, or not.
    private mutating func retryMarks(_ input: inout PlanInput) {
        guard let last = input.attempts.last else { return }
        let status = AttemptStatus(
            token: last.token, bootID: last.bootID, outcome: last.result?.outcome, isRetried: chance(60))
        input.record.status.runs = [RunStatus(number: last.run, attempts: [status])]
    }

    private mutating func intent(of record: FunctionApp) -> Intent {
        Intent(
            uid: record.uid, kind: choose([.putSite, .putSite, .putSite, .deleteSite, .releaseSite]),
            siteName: SiteDesigner.siteName(of: record.uid), openedAt: past(5000), isSettled: chance(70),
            operation: chance(15) ? "o" : nil)
    }

    private mutating func site(of record: FunctionApp) -> SiteObservation {
        if chance(15) { return .unknown }
        if chance(20) { return .absent(asOf: past(5000)) }
        var tags: [String: String] = [:]
        if chance(95) { tags[SiteTag.instance] = chance(85) ? "i" : "another" }
        if chance(95) { tags[SiteTag.uid] = chance(95) ? record.uid.text : "another" }
        if chance(95) { tags[SiteTag.designHash] = chance(75) ? "h" : "another" }
        return .present(
            ObservedSite(
                name: SiteDesigner.siteName(of: record.uid), resourceID: "/r", hostName: "host", tags: tags,
                state: "Running", location: choose(["westeurope", "westeurope", "westeurope", "eastus", nil]),
                hosting: choose([.plan, .plan, .plan, .managedEnvironment, nil])), asOf: past(5000))
    }

    private mutating func agent() -> AgentObservation {
        if chance(20) { return .unknown }
        if chance(60) { return .live(bootID: choose(["a", "b"])) }
        let diagnoses: [StartDiagnosis?] = [
            nil, StartDiagnosis.none, .imagePullFailed(message: "denied"), .noAnswerOnPort(message: "silent"),
            .containerExited(code: 1, message: "exited"),
        ]
        return .notReady(
            NotReady(since: past(1500), askedAt: past(600), message: "503", diagnosis: choose(diagnoses)))
    }

    private mutating func run() -> RunObservation {
        choose([
            .refused(bootID: "b"), .acknowledged(at: past(10)),
            .ended(AttemptResult(outcome: .succeeded, exitCode: 0, finishedAt: past(10))),
        ])
    }

    private mutating func failure() -> CallFailure {
        CallFailure(
            kind: choose([.transient, .throttled, .outcomeUnknown, .terminal(reason: "Invalid")]), message: "no",
            count: choose([1, 3, 9]), notBefore: now + choose([.seconds(-1), .zero, .seconds(1), .seconds(600)]))
    }

    private mutating func past(_ seconds: Int) -> Instant {
        now + .seconds(-Int.random(in: 0...seconds, using: &random))
    }

    private mutating func chance(_ percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &random) < percent
    }

    private mutating func choose<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &random)]
    }
}
