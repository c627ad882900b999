import DesiredState
import Testing

@testable import Controller

@Suite(.timeLimit(.minutes(5)))
struct EventTests {
    /// Every event of a record's life, in order, as its observer sees them.
    private func reasons(_ driver: MachineDriver) -> [String] {
        driver.observed.flatMap { observation -> [String] in
            guard case .decided(let reconcile) = observation, reconcile.commits else { return [] }
            return events(reconcile.record.status, reconcile.plan).map(\.reason)
        }
    }

    @Test func `a run's life is told from the first write to the end of the site`() async throws {
        let driver = try MachineDriver(seed: 1)
        let record = try makeRecord()
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle()
        #expect(reasons(driver) == ["SiteCreating", "SiteCreated", "ContainerReady", "RunStarted", "RunFinished"])
        try await driver.write(.markDeleted(record.uid, at: driver.now), uid: record.uid)
        try await driver.settle()
        #expect(reasons(driver).suffix(2) == ["SiteDeleting", "SiteDeleted"])
    }

    @Test func `a write that Azure refuses for good is told once, with the reason`() async throws {
        let driver = try MachineDriver(seed: 3)
        driver.azure.refusal = "QuotaExceeded"
        let record = try makeRecord()
        try await driver.start()
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle(for: .seconds(4000))
        let told = reasons(driver)
        #expect(told.count { $0 == "QuotaExceeded" } == 1, "\(told)")
        #expect(told.contains("Stalled"), "\(told)")
        #expect(told.count { $0 == "SiteCreating" } > 1, "tried again in the slowest lane")
    }

    private func plan(_ rule: RuleName = .steady, reason: String = "", _ change: (inout FunctionAppStatus) -> Void)
        -> Plan
    {
        var status = FunctionAppStatus()
        change(&status)
        return Plan(rule: rule, reason: reason, actions: [], status: status, nextLook: .onChange)
    }

    private let now = Instant(nanoseconds: 0)

    private func attempt(_ outcome: AttemptOutcome?, code: Int? = nil) -> RunStatus {
        RunStatus(
            number: 2,
            attempts: [AttemptStatus(token: "t", bootID: "b", startedAt: now, exitCode: code, outcome: outcome)])
    }

    @Test(
        arguments: [
            (AttemptOutcome.succeeded, 0, "RunFinished", false), (.failed, 7, "RunFinished", true),
            (.startFailed, nil, "RunStartFailed", true), (.deadlineExceeded, nil, "RunDeadlineExceeded", true),
            (.unknown, nil, "RunUnknown", true), (.lost, nil, "RunUnknown", true), (.refused, nil, "RunRefused", false),
        ] as [(AttemptOutcome, Int?, String, Bool)])
    func `each outcome of a run has its event`(outcome: AttemptOutcome, code: Int?, reason: String, isWarning: Bool) {
        var old = FunctionAppStatus()
        old.runs = [attempt(nil)]
        let found = events(old, plan { $0.runs = [attempt(outcome, code: code)] })
        #expect(found.map(\.reason) == [reason] && found.first?.isWarning == isWarning)
        #expect(found.first?.message.contains("run 2") == true)
        #expect(
            events(
                plan { $0.runs = [attempt(outcome, code: code)] }.status,
                plan { $0.runs = [attempt(outcome, code: code)] }
            ).isEmpty, "told once")
    }

    @Test func `a refused write names Azure's reason, and a used-up quota is throttling`() {
        func provisioned(_ reason: String, _ message: String) -> Plan {
            plan {
                $0.conditions = [
                    Condition(
                        type: .provisioned, status: .false, reason: reason, message: message, lastTransitionTime: now)
                ]
            }
        }
        let refused = events(FunctionAppStatus(), provisioned("QuotaExceeded", "the plan is full"))
        #expect(refused == [RecordEvent(reason: "QuotaExceeded", isWarning: true, message: "the plan is full")])
        let throttled = events(
            FunctionAppStatus(), provisioned("WriteFailed", "sites.put x: Throttled (HTTP 429): try again later"))
        #expect(throttled.map(\.reason) == ["Throttled"])
        #expect(events(FunctionAppStatus(), provisioned("Creating", "")).isEmpty)
    }

    @Test func `drift is told with the fields, the writer and the answer`() {
        let finding = DriftFinding(
            foundAt: now, fields: ["siteConfig.linuxFxVersion"], writer: "ann", answer: .repaired)
        let repaired = plan { $0.driftHistory = [finding] }
        let found = events(FunctionAppStatus(), repaired)
        #expect(found.map(\.reason) == ["DriftDetected", "DriftRepaired"])
        #expect(found.first?.message == "siteConfig.linuxFxVersion, written by ann")
        #expect(events(repaired.status, repaired).isEmpty)
    }

    @Test func `a pause is told when it begins and when it ends`() throws {
        let pause = try #require(RuleName(rawValue: "paused") ?? RuleName(rawValue: "suspended"))
        var old = FunctionAppStatus()
        #expect(events(old, plan(pause, reason: "by ann") { _ in }).map(\.reason) == ["Paused"])
        old.nextAction = NextAction(rule: pause.rawValue, reason: "by ann", at: nil)
        #expect(events(old, plan(pause) { _ in }).isEmpty)
        #expect(events(old, plan { _ in }).map(\.reason) == ["Resumed"])
    }
}
