import DesiredState
import RecordsClient
import Testing

struct ExplanationTextTests {
    private let now = Instant(nanoseconds: 1_700_000_000_000_000_000)
    private let uid = UID(String(repeating: "0123456789abcdef", count: 4))

    private func condition(
        _ type: ConditionType, _ status: ConditionStatus, _ reason: String, _ message: String = ""
    ) -> Condition {
        Condition(type: type, status: status, reason: reason, message: message, lastTransitionTime: now + .seconds(-6))
    }

    /// A record whose plan does not exist.
    private func refused() throws -> Explanation {
        let message =
            "there is no plan nowhere: containers need an Elastic Premium plan, a Dedicated Linux plan, or Functions on "
            + "Container Apps; name a plan in spec.hosting.plan"
        return Explanation(
            name: "hello", uid: try #require(uid), asOf: now, generation: 2, observedGeneration: 1,
            summary:
                "It cannot go on: writing the site was refused, and is only tried again now and then (next in 36s).",
            advice: "change the record or Azure as the message says: \(message)", rule: "createUnknown",
            reason: "the site is not there; creating it again; last try: \(message)", phase: .resting, reconcileID: 3,
            facts: [
                .init("site", "not there 6s ago"), .init("agent", "not asked yet"), .init("runs", "none of 1 begun"),
            ],
            conditions: [
                condition(.provisioned, .false, "PlanNotFound", message), condition(.ready, .false, "Starting"),
            ],
            openCalls: [
                .init(call: "readSite", since: now + .seconds(-3)), .init(call: "putSite", since: nil),
                .init(
                    call: "readDetails", since: nil,
                    wait: .init(
                        scarcity: .quota, quota: "reads", lane: "drift", ahead: 12, turnAt: now + .seconds(40))),
                .init(
                    call: "releaseSite", since: nil,
                    wait: .init(scarcity: .plan, quota: "writes", lane: "user", ahead: 0, limit: 2)),
            ],
            backoffs: [
                .init(
                    call: "putSite", count: 1, notBefore: now + .seconds(36), message: message, isTerminal: true)
            ],
            intent: .init(
                kind: "putSite", siteName: "skls-abc", openedAt: now + .seconds(-6), isSettled: false,
                operation: "https://management.azure.com/operations/1?<redacted>"), nextLook: now + .seconds(36),
            budgets: [
                .init(name: "s-1 reads", remaining: 174, burst: 175, waiting: 0, underWay: 1, frozenUntil: nil),
                .init(
                    name: "s-1 writes", remaining: 0, burst: 140, waiting: 2, underWay: 0,
                    frozenUntil: now + .seconds(9)),
            ],
            journal: [
                JournalEntry(
                    uid: try #require(uid), at: now + .seconds(-6), kind: .event, name: "SiteCreating",
                    message: "creating the site"),
                JournalEntry(
                    uid: try #require(uid), at: now + .seconds(-6), kind: .call, name: "putSite", isWarning: true,
                    message: message, rule: "absent", reconcileID: 1, generation: 1,
                    correlationID: "7a4975a0-cb69-44c5-af59-070873f59114", durationMilliseconds: 27),
                JournalEntry(
                    uid: try #require(uid), at: now + .seconds(-1), kind: .call, name: "greetAgent", isWarning: true,
                    message: "no\u{1b}[31m answer", durationMilliseconds: 3, count: 5),
            ])
    }

    @Test func `an explanation reads well on a terminal`() throws {
        #expect(
            ExplanationText.page(try refused()) == """
                hello: It cannot go on: writing the site was refused, and is only tried again now and then (next in 36s).
                to do: change the record or Azure as the message says: there is no plan nowhere: containers need an Elastic Premium plan, a Dedicated Linux plan, or Functions on Container Apps; name a plan in spec.hosting.plan

                  rule        createUnknown: the site is not there; creating it again
                  generation  2, of which 1 was looked at
                  last look   reconcile 3; now resting
                  next look   in 36s, at 2023-11-14T22:13:56Z
                  intent      putSite skls-abc, 6s ago, outcome not known yet
                  operation   https://management.azure.com/operations/1?<redacted>

                Facts
                  site   not there 6s ago
                  agent  not asked yet
                  runs   none of 1 begun

                Calls under way
                  readSite     for 3s
                  putSite      waits for its turn
                  readDetails  not sent; waits about 40s for Azure's quota of reads, 12 before it, lane drift
                  releaseSite  not sent; waits for room on its plan, 0 before it, lane user

                Back-off
                  putSite  1 time  not before 36s from now  there is no plan nowhere: containers need an Elastic Premium plan, a Dedicated Linux plan, or Functions on Container Apps; name a plan in spec.hosting.plan

                Conditions
                  Provisioned  False  PlanNotFound  for 6s  there is no plan nowhere: containers need an Elastic Premium plan, a Dedicated Linux plan, or Funct…
                  Ready        False  Starting      for 6s

                Budget of all records
                  s-1 reads   174 of 175 left  0 waiting  not frozen
                  s-1 writes  0 of 140 left    2 waiting  frozen for 9s

                Journal
                  6s ago  event  SiteCreating     -                                     creating the site
                  6s ago  27 ms  ! putSite        7a4975a0-cb69-44c5-af59-070873f59114  there is no plan nowhere: containers need an Elastic Premium plan, a Dedicated Linux plan, or Funct…
                  1s ago  3 ms   ! greetAgent ×5  -                                     no\\u{1b}[31m answer

                """)
    }

    @Test func `a record without troubles takes a few lines`() throws {
        let quiet = Explanation(
            name: "hello", uid: try #require(uid), asOf: now, generation: 1, observedGeneration: 1,
            summary: "Nothing is to be done: Azure is as declared.", advice: nil, rule: "steady",
            reason: "nothing to do", phase: .resting, reconcileID: 9, facts: [], conditions: [], openCalls: [],
            backoffs: [], intent: nil, nextLook: nil)
        #expect(
            ExplanationText.page(quiet) == """
                hello: Nothing is to be done: Azure is as declared.

                  rule        steady: nothing to do
                  generation  1
                  last look   reconcile 9; now resting
                  next look   when something changes

                """)
    }

    @Test func `events alike are one line with a count, the newest last`() throws {
        func event(_ reason: String, _ message: String, at seconds: Int, isWarning: Bool = false, count: Int = 1) throws
            -> JournalEntry
        {
            JournalEntry(
                uid: try #require(uid), at: now + .seconds(seconds), kind: .event, name: reason, isWarning: isWarning,
                message: message, count: count)
        }
        let list = EventList([
            try event("Throttled", "slow down", at: -300, isWarning: true),
            try event("SiteCreated", "it is there", at: -200),
            JournalEntry(uid: try #require(uid), at: now, kind: .call, name: "putSite"),
            try event("Throttled", "slow down", at: -100, isWarning: true, count: 4),
            try event("Throttled", "another class", at: -50, isWarning: true),
        ])
        #expect(
            ExplanationText.table(list, now: now) == """
                LAST SEEN  TYPE     REASON       COUNT  MESSAGE
                3m         Normal   SiteCreated  1      it is there
                100s       Warning  Throttled    5      slow down
                50s        Warning  Throttled    1      another class

                """)
        #expect(list.items.first { $0.count == 5 }?.firstTimestamp == now + .seconds(-300))
    }
}
