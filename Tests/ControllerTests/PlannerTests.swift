import DesiredState
import Testing

@testable import Controller

/// The rule table by example: one situation, one rule, its actions.
struct PlannerTests {
    private static let now = Instant(nanoseconds: 1_700_000_000_000_000_000)
    private static let boot = "b0"

    private func input(_ change: (inout PlanInput) -> Void = { _ in }) throws -> PlanInput {
        let record = try makeRecord(invocations: 1)
        let identity = SiteIdentity(name: SiteDesigner.siteName(of: record.uid), designHash: "h", instance: "i")
        var input = PlanInput(now: PlannerTests.now, record: record, identity: identity)
        change(&input)
        return input
    }

    private func site(of input: PlanInput, hash: String = "h", instance: String = "i") -> SiteObservation {
        .present(
            ObservedSite(
                name: input.identity.name, resourceID: "/r", hostName: "host",
                tags: [SiteTag.instance: instance, SiteTag.uid: input.record.uid.text, SiteTag.designHash: hash],
                state: "Running"),
            asOf: PlannerTests.now)
    }

    private func settled(_ input: PlanInput, isSettled: Bool = true) -> Intent {
        Intent(
            uid: input.record.uid, kind: .putSite, siteName: input.identity.name,
            openedAt: PlannerTests.now + .seconds(-1), isSettled: isSettled)
    }

    private func attempt(_ input: PlanInput, acknowledged: Bool = true, result: AttemptResult? = nil) -> Attempt {
        var attempt = Attempt(
            uid: input.record.uid, run: 1, number: 1, token: "t", bootID: PlannerTests.boot,
            openedAt: PlannerTests.now + .seconds(-1))
        attempt.acknowledgedAt = acknowledged ? PlannerTests.now : nil
        attempt.result = result
        return attempt
    }

    @Test func `a fresh record gets a site without a look`() throws {
        let plan = plan(try input())
        #expect(plan.rule == .absent && plan.actions == [.putSite])
        #expect(plan.status[.provisioned]?.reason == "Creating")
    }

    @Test func `nothing is decided while a write is under way`() throws {
        let plan = plan(try input { $0.inFlight = [.putSite] })
        #expect(plan.rule == .operationInProgress && plan.actions.isEmpty && plan.nextLook == .onChange)
    }

    @Test func `a create of unknown outcome is settled by reading`() throws {
        let unread = plan(try input { $0.intent = settled($0, isSettled: false) })
        #expect(unread.rule == .createUnknown && unread.actions == [.readSite])
        let present = plan(
            try input {
                $0.intent = settled($0, isSettled: false)
                $0.site = site(of: $0)
            })
        #expect(present.actions == [.settleIntent] && present.status.isTrue(.provisioned))
        let absent = plan(
            try input {
                $0.intent = settled($0, isSettled: false)
                $0.site = .absent(asOf: PlannerTests.now)
            })
        #expect(absent.rule == .createUnknown && absent.actions == [.putSite])
    }

    @Test func `an operation is kept before it is followed, and once it has ended the site is read`() throws {
        func planned(kept: String?, _ operation: OperationObservation?, age: Duration = .seconds(1)) throws -> Plan {
            plan(
                try input {
                    $0.intent = settled($0, isSettled: false)
                    $0.intent?.operation = kept
                    $0.now = PlannerTests.now + age
                    $0.operation = operation
                })
        }
        #expect(try planned(kept: nil, .accepted("o")).actions == [.setOperation("o")])
        #expect(try planned(kept: "o", .accepted("o2")).actions == [.followOperation("o2")])
        #expect(try planned(kept: "o", nil).actions == [.followOperation("o")], "after a restart")
        #expect(try planned(kept: "o", .ended("o")).actions == [.readSite])
        #expect(try planned(kept: "o", .accepted("o"), age: .seconds(4000)).actions == [.setOperation(nil)])
        #expect(try planned(kept: nil, .ended("o")).actions == [.readSite])
        #expect(try planned(kept: "o", nil).rule == .operationAccepted)
    }

    @Test func `a record whose every write was refused goes at once, one in doubt does not`() throws {
        func planned(isSurelyUnwritten: Bool) throws -> Plan {
            plan(
                try input {
                    $0.record.metadata.deletionTimestamp = PlannerTests.now
                    $0.intent = settled($0, isSettled: false)
                    $0.isSurelyUnwritten = isSurelyUnwritten
                })
        }
        #expect(try planned(isSurelyUnwritten: true).actions.last == .forget)
        #expect(try planned(isSurelyUnwritten: false).actions.last == .readSite)
    }

    @Test func `a site that somebody else changed since our last write says so`() throws {
        func drifted(written: String?, observed: String?, isSettled: Bool = true, hash: String = "h") throws
            -> Condition?
        {
            plan(
                try input {
                    $0.record.status.site = SiteStatus(
                        name: "n", resourceID: "/r", hostName: "host", lastModified: written)
                    $0.intent = settled($0, isSettled: isSettled)
                    guard case .present(var site, let asOf) = site(of: $0, hash: hash) else { return }
                    site.lastModified = observed
                    $0.site = .present(site, asOf: asOf)
                }
            ).status[.drifted]
        }
        #expect(try drifted(written: "1", observed: "2")?.reason == "ModifiedOutside")
        #expect(try drifted(written: "1", observed: "2")?.status == .unknown)
        #expect(try drifted(written: "1", observed: "1")?.status == .false)
        #expect(try drifted(written: nil, observed: "2")?.status == .false)
        #expect(try drifted(written: "1", observed: nil)?.status == .false)
        #expect(try drifted(written: "1", observed: "2", isSettled: false)?.status == .false, "our own write")
        #expect(try drifted(written: "1", observed: "2", hash: "other")?.reason == "DesignHashDiffers")
    }

    @Test func `what a list will tell is not asked site by site`() throws {
        let plan = plan(
            try input {
                $0.intent = settled($0)
                $0.isListPending = true
            })
        #expect(plan.rule == .unobserved && plan.actions.isEmpty)
    }

    @Test func `somebody else's site is left alone and shown as stalled`() throws {
        let plan = plan(
            try input {
                $0.intent = settled($0)
                $0.site = site(of: $0, instance: "other")
            })
        #expect(plan.rule == .foreignOwner && plan.actions.isEmpty && plan.status.isTrue(.stalled))
    }

    @Test func `a run begins only with the boot id of a live agent`() throws {
        let ready = try input {
            $0.intent = settled($0)
            $0.site = site(of: $0)
        }
        #expect(plan(ready).rule == .starting && plan(ready).actions == [.greetAgent])
        var live = ready
        live.agent = .live(bootID: PlannerTests.boot)
        #expect(plan(live).actions == [.openAttempt(run: 1, number: 1, bootID: PlannerTests.boot)])
        var suspended = live
        suspended.record.spec.suspend = Suspension()
        #expect(plan(suspended).rule == .paused && plan(suspended).actions.isEmpty)
    }

    @Test func `an unconfirmed attempt is asked for again in the same life, and never in another`() throws {
        var same = try input {
            $0.intent = settled($0)
            $0.site = site(of: $0)
            $0.attempts = [attempt($0, acknowledged: false)]
            $0.agent = .live(bootID: PlannerTests.boot)
        }
        #expect(plan(same).rule == .runUnacknowledged && plan(same).actions == [.postRun(token: "t")])
        same.agent = .live(bootID: "another")
        let lost = plan(same)
        #expect(lost.rule == .attemptUnknown)
        guard case .finishAttempt(_, let result) = lost.actions.first else {
            Issue.record("\(lost.actions)")
            return
        }
        #expect(result.outcome == .unknown && lost.status.isTrue(.failed))
    }

    @Test func `settings and image are not written while an attempt is open`() throws {
        var running = try input {
            $0.intent = settled($0)
            $0.site = site(of: $0, hash: "old")
            $0.attempts = [attempt($0)]
            $0.agent = .live(bootID: PlannerTests.boot)
        }
        #expect(plan(running).rule == .running && plan(running).actions == [.followRun(token: "t")])
        running.attempts = [
            attempt(running, result: AttemptResult(outcome: .succeeded, exitCode: 0, finishedAt: PlannerTests.now))
        ]
        #expect(plan(running).rule == .drift && plan(running).actions == [.putSite])
    }

    @Test func `a deletion kills the run, then deletes the site, then forgets`() throws {
        var deleting = try input {
            $0.record.metadata.deletionTimestamp = PlannerTests.now
            $0.intent = settled($0)
            $0.site = site(of: $0)
            $0.attempts = [attempt($0)]
        }
        let kill = StopRequest(run: 1, signal: "KILL", graceSeconds: 0)
        #expect(plan(deleting).actions == [.followRun(token: "t"), .stopRun(token: "t", kill)])
        deleting.run = .ended(AttemptResult(outcome: .failed, exitCode: 137, finishedAt: PlannerTests.now))
        guard case .finishAttempt = plan(deleting).actions.first else {
            Issue.record("the result is not kept")
            return
        }
        deleting.attempts = []
        #expect(plan(deleting).actions == [.removeFinalizer(.endRun), .deleteSite])
        deleting.record.metadata.finalizers = [.deleteSite]
        deleting.site = .absent(asOf: PlannerTests.now)
        #expect(plan(deleting).actions == [.removeFinalizer(.deleteSite), .forget])
    }

    @Test func `a deletion does not begin a run that was never confirmed`() throws {
        var deleting = try input {
            $0.record.metadata.deletionTimestamp = PlannerTests.now
            $0.intent = settled($0)
            $0.site = site(of: $0)
            $0.attempts = [attempt($0, acknowledged: false)]
            $0.agent = .live(bootID: PlannerTests.boot)
        }
        guard case .finishAttempt(_, let result) = plan(deleting).actions.first else {
            Issue.record("\(plan(deleting).actions)")
            return
        }
        #expect(result.outcome == .unknown && plan(deleting).actions.count == 1)
        deleting.inFlight = [.postRun]
        #expect(plan(deleting).actions.isEmpty, "the answer to the request that is under way decides")
        #expect(plan(deleting).nextLook == .at(PlannerTests.now + PlannerConstants.deleteWaitsForAgent))
    }

    @Test func `a deleted record whose create is unknown waits for certainty`() throws {
        var deleting = try input {
            $0.record.metadata.deletionTimestamp = PlannerTests.now
            $0.record.metadata.finalizers = [.deleteSite]
            $0.intent = settled($0, isSettled: false)
            $0.site = .absent(asOf: PlannerTests.now)
        }
        #expect(!plan(deleting).actions.contains(.forget) && plan(deleting).nextLook != .onChange)
        deleting.now = PlannerTests.now + .seconds(4000)
        #expect(plan(deleting).actions == [.readSite])
        deleting.site = .absent(asOf: deleting.now)
        #expect(plan(deleting).actions == [.removeFinalizer(.deleteSite), .forget])
    }

    @Test func `an image that cannot be pulled fails the run that waits for it`() throws {
        let plan = plan(
            try input {
                $0.intent = settled($0)
                $0.site = site(of: $0)
                let diagnosis = StartDiagnosis.imagePullFailed(message: "manifest unknown")
                $0.agent = .notReady(NotReady(since: PlannerTests.now, message: "503", diagnosis: diagnosis))
            })
        #expect(plan.rule == .startFailed && plan.actions == [.failRun(number: 1, message: "manifest unknown")])
    }

    @Test func `a failed call is not made again before its back-off is over`() throws {
        let later = PlannerTests.now + .seconds(5)
        let plan = plan(
            try input {
                $0.failures[.putSite] = CallFailure(
                    kind: .terminal(reason: "NoPlan"), message: "no plan", count: 1, notBefore: later)
            })
        #expect(plan.actions.isEmpty && plan.nextLook == .at(later))
        #expect(plan.status[.stalled]?.reason == "NoPlan" && plan.status[.provisioned]?.message == "no plan")
    }

    @Test func `a time to live runs from the end of the last run`() throws {
        let finished = AttemptResult(outcome: .failed, exitCode: 1, finishedAt: PlannerTests.now)
        var input = try input {
            $0.record.spec.run.ttlSecondsAfterFinished = 60
            $0.record.status.conditions = [
                Condition(type: .ready, status: .true, reason: "x", message: "", lastTransitionTime: PlannerTests.now)
            ]
            $0.intent = settled($0)
            $0.site = site(of: $0)
            $0.attempts = [attempt($0, result: finished)]
        }
        #expect(plan(input).rule == .timeToLive && plan(input).nextLook == .at(PlannerTests.now + .seconds(60)))
        input.now = PlannerTests.now + .seconds(60)
        #expect(plan(input).actions == [.markDeleted])
    }

    @Test func `the table's rules stand in the order of their names`() {
        #expect(rules.map(\.name) == RuleName.allCases.dropLast())
    }

    @Test func `waiting for the rate limit is no failed write`() throws {
        let later = PlannerTests.now + .seconds(40)
        let plan = plan(
            try input {
                $0.failures[.putSite] = CallFailure(kind: .throttled, message: "40 s", count: 1, notBefore: later)
            })
        #expect(plan.rule == .absent && plan.actions.isEmpty && plan.nextLook == .at(later))
        #expect(plan.reason == "creating the site; waiting for Azure's rate limit: 40 s")
        #expect(plan.status[.provisioned]?.reason == "Throttled" && !plan.status.isTrue(.stalled))
    }

    @Test func `a frozen record is read and followed, and told so`() throws {
        var frozen = try input {
            $0.freeze = Freeze(since: PlannerTests.now, reason: "the site x was written by a later life")
            $0.intent = settled($0)
            $0.site = site(of: $0, hash: "old")
            $0.agent = .live(bootID: PlannerTests.boot)
        }
        let idle = plan(frozen)
        #expect(idle.rule == .frozen && idle.actions.isEmpty && idle.nextLook == .onChange)
        #expect(
            idle.reason == "frozen: the site x was written by a later life; `skls recover` leads out"
                && idle.status[.stalled]?.reason == "Frozen")
        frozen.attempts = [attempt(frozen)]
        #expect(plan(frozen).actions == [.followRun(token: "t")])
        frozen.record.spec.stop = StopRequest(run: 1)
        #expect(plan(frozen).actions == [.followRun(token: "t")], "nothing is ended on the strength of an old store")
        frozen.attempts = [attempt(frozen, acknowledged: false)]
        #expect(plan(frozen).actions.isEmpty)
        frozen.record.metadata.deletionTimestamp = PlannerTests.now
        #expect(plan(frozen).rule == .frozen && plan(frozen).actions.isEmpty)
    }

    @Test func `a paused record's run is followed and may be stopped`() throws {
        var paused = try input {
            $0.record.spec.suspend = Suspension(by: "ann", until: PlannerTests.now + .seconds(60), reason: "audit")
            $0.intent = settled($0)
            $0.site = site(of: $0)
            $0.attempts = [attempt($0)]
        }
        #expect(plan(paused).rule == .paused && plan(paused).actions == [.followRun(token: "t")])
        #expect(plan(paused).nextLook == .at(PlannerTests.now + .seconds(60)))
        #expect(plan(paused).reason.hasPrefix("paused by ann until 2023-11-14T22:14:20Z: audit"))
        let stop = StopRequest(run: 1)
        paused.record.spec.stop = stop
        #expect(plan(paused).actions == [.followRun(token: "t"), .stopRun(token: "t", stop)])
        paused.wallLead = .seconds(60)
        #expect(plan(paused).rule == .stopAsked, "by the wall clock its time is over")
    }

    @Test func `a run that outlives its time is killed from here, and given up at last`() throws {
        func planned(observed: Duration) throws -> Plan {
            plan(
                try input {
                    $0.intent = settled($0)
                    $0.site = site(of: $0)
                    $0.attempts = [attempt($0)]
                    $0.times = StoredTimes(runObserved: observed)
                })
        }
        #expect(try planned(observed: .seconds(659)).rule == .running)
        #expect(try planned(observed: .seconds(659)).nextLook == .at(PlannerTests.now + .seconds(1)))
        let kill = StopRequest(run: 1, signal: "KILL", graceSeconds: 0)
        let late = try planned(observed: .seconds(660))
        #expect(late.rule == .deadline && late.actions == [.followRun(token: "t"), .stopRun(token: "t", kill)])
        #expect(late.nextLook == .at(PlannerTests.now + .seconds(300)))
        let given = try planned(observed: .seconds(960))
        guard case .finishAttempt(_, let result) = given.actions.first else {
            Issue.record("\(given.actions)")
            return
        }
        #expect(result.outcome == .deadlineExceeded && result.exitCode == nil)
    }

    @Test func `where there is a log a lost run is looked for in it a quarter of an hour later`() throws {
        var lost = try input {
            $0.intent = settled($0)
            $0.site = site(of: $0)
            $0.attempts = [attempt($0, acknowledged: false)]
            $0.agent = .live(bootID: "another")
            $0.bootSeenAt = PlannerTests.now
            $0.runLogSettlesAfter = .seconds(900)
        }
        let due = PlannerTests.now + .seconds(900)
        #expect(plan(lost).rule == .attemptUnknown && plan(lost).actions.isEmpty && plan(lost).nextLook == .at(due))
        lost.now = due
        #expect(plan(lost).actions == [.readRunLog(token: "t")])
        func outcome(_ finding: RunLogFinding) -> AttemptOutcome? {
            lost.runLog = RunLogObservation(finding: finding, asOf: due)
            guard case .finishAttempt(_, let result) = plan(lost).actions.first else { return nil }
            return result.outcome
        }
        #expect(outcome(.nothing) == .unknown && outcome(.began) == .lost && outcome(.exited(code: 0)) == .succeeded)
        lost.runLog = nil
        lost.failures[.readRunLog] = CallFailure(
            kind: .terminal(reason: "Forbidden"), message: "no role", count: 6, notBefore: due + .seconds(600))
        guard case .finishAttempt(_, let result) = plan(lost).actions.first else {
            Issue.record("\(plan(lost).actions)")
            return
        }
        #expect(result.outcome == .unknown)
    }

    @Test func `reasons why a container does not start become conditions`() throws {
        func planned(_ diagnosis: StartDiagnosis?, since seconds: Int, invocations: Int = 0) throws -> Plan {
            plan(
                try input {
                    $0.record.spec.invocations = invocations
                    $0.intent = settled($0)
                    $0.site = site(of: $0)
                    $0.agent = .notReady(
                        NotReady(
                            since: PlannerTests.now + .seconds(-seconds), askedAt: PlannerTests.now, message: "503",
                            diagnosis: diagnosis))
                })
        }
        let silent = try planned(.noAnswerOnPort(message: "didn't respond"), since: 0)
        #expect(silent.rule == .startFailed && silent.status[.ready]?.reason == "NoAnswerOnPort")
        #expect(silent.actions.isEmpty && silent.nextLook == .at(PlannerTests.now + .seconds(300)))
        let exited = StartDiagnosis.containerExited(code: nil, message: "has exited")
        #expect(try planned(exited, since: 59).rule == .starting)
        #expect(try planned(exited, since: 60).status[.ready]?.reason == "ContainerExited")
        #expect(try planned(exited, since: 60, invocations: 1).actions == [.failRun(number: 1, message: "has exited")])
        #expect(try planned(StartDiagnosis.none, since: 600).status[.ready]?.reason == "StartFailed")
    }

    @Test func `a container that goes on failing to start is asked again without anything to write`() throws {
        var facts = try input {
            $0.intent = settled($0)
            $0.record.spec.invocations = 0
            $0.site = site(of: $0)
            $0.agent = .notReady(
                NotReady(
                    since: PlannerTests.now + .seconds(-900), askedAt: PlannerTests.now, message: "503",
                    diagnosis: .noAnswerOnPort(message: "didn't respond")))
        }
        facts.record.status = plan(facts).status
        let before = facts.record.status
        facts.now = PlannerTests.now + .seconds(300)
        facts.failures[.greetAgent] = CallFailure(
            kind: .transient, message: "503", count: 7, notBefore: facts.now)
        let asking = plan(facts)
        #expect(asking.actions == [.greetAgent])
        facts.failures[.greetAgent]?.message = "timed out"
        facts.inFlight = [.greetAgent]
        let waiting = plan(facts)
        #expect(waiting.actions.isEmpty)
        for var status in [asking.status, waiting.status] {
            #expect(status.nextAction?.at != nil && status.nextAction?.reason == before.nextAction?.reason)
            // The time of the next look alone is no news.
            status.nextAction = before.nextAction
            #expect(status == before)
        }
    }

    @Test func `what every try of the platform writes anew is not part of the reason`() {
        func diagnosis(_ time: String, _ digits: String) -> StartDiagnosis {
            StartDiagnosis(
                containerLog:
                    "\(time) ERROR - Container s_a_\(digits) didn't respond to HTTP pings on port: 8080, failing site start"
            )
        }
        let expected = "ERROR - Container s_a didn't respond to HTTP pings on port: 8080, failing site start"
        #expect(diagnosis("2027-01-15T08:00:00.123Z", "0_1a2b3c4d") == .noAnswerOnPort(message: expected))
        #expect(diagnosis("2027-01-15 08:05:01.000", "12_99aabbcc") == .noAnswerOnPort(message: expected))
    }

    @Test func `the container log of a failed pull is understood, an old one is not`() {
        let failed = "Pulling image: docker.io/library/x\nError: manifest unknown: manifest unknown"
        #expect(
            StartDiagnosis(containerLog: failed)
                == .imagePullFailed(message: "Error: manifest unknown: manifest unknown"))
        #expect(StartDiagnosis(containerLog: failed + "\nPulling image: docker.io/library/y\nPull complete") == .none)
        let silent =
            "Container a_0 didn't respond to HTTP pings on port: 80, failing site start. See container logs for debugging."
        #expect(
            StartDiagnosis(
                containerLog: "Pulling image: x\n" + silent + "\nStopping site a because it failed during startup.")
                == .noAnswerOnPort(message: silent))
        let exited = "ERROR - Container a_0 for site a has exited, failing site start"
        #expect(
            StartDiagnosis(containerLog: "Pulling image: x\n" + exited + "\nPulling image: x")
                == .containerExited(code: nil, message: exited), "the next try has nothing to say yet")
        #expect(
            StartDiagnosis(containerLog: "Pulling image: x\n" + exited + "\nPulling image: x\nPull complete") == .none)
        let coded = "Container a_0 exited with code: 137"
        #expect(StartDiagnosis(containerLog: coded) == .containerExited(code: 137, message: coded))
        #expect(StartDiagnosis(containerLog: "") == .none)
    }

    @Test func `only the agent's own lines about a token say what became of it`() {
        let lines = [
            "noise t1", "skls-agent: exec token=t1 boot=b",
            "2026-01-01T00:00:00Z skls-agent: exit token=t1 boot=b code=7",
        ]
        #expect(RunLogFinding(lines: Array(lines.prefix(1)), token: "t1") == .nothing)
        #expect(RunLogFinding(lines: Array(lines.prefix(2)), token: "t1") == .began)
        #expect(RunLogFinding(lines: lines, token: "t1") == .exited(code: 7))
        #expect(RunLogFinding(lines: lines.reversed(), token: "t1") == .exited(code: 7))
        #expect(RunLogFinding(lines: lines, token: "t2") == .nothing)
    }
}
