import DesiredState
import Foundation
import Logging
import NIOConcurrencyHelpers
import Testing

@testable import Controller

@Suite(.timeLimit(.minutes(5)))
struct JournalTests {
    private let start = Instant(nanoseconds: 1_700_000_000_000_000_000)
    private let uid: UID = {
        var generator = SplitMix64(state: 1)
        return UID(using: &generator)
    }()

    private func entry(
        _ name: String = "putSite", kind: JournalEntry.Kind = .call, message: String = "", isWarning: Bool = false,
        at seconds: Double = 0, rule: String = "absent"
    ) -> JournalEntry {
        JournalEntry(
            uid: uid, at: start + .seconds(seconds), kind: kind, name: name, isWarning: isWarning, message: message,
            rule: rule)
    }

    // MARK: batches

    @Test func `a batch is due after 50 entries or 200 ms, and not before`() {
        var buffer = JournalBuffer()
        buffer.add(entry(), now: start)
        #expect(buffer.due == start + .milliseconds(200))
        #expect(buffer.takeBatch(now: start + .milliseconds(199)).isEmpty)
        #expect(buffer.takeBatch(now: start + .milliseconds(200)).count == 1)
        #expect(buffer.due == nil)
        for _ in 0..<49 { buffer.add(entry(), now: start) }
        #expect(buffer.takeBatch(now: start).isEmpty)
        buffer.add(entry(), now: start)
        #expect(buffer.due == start)
        #expect(buffer.takeBatch(now: start).count == 50)
    }

    @Test func `polling is counted, and written once a minute`() throws {
        var buffer = JournalBuffer()
        for second in 0..<70 {
            buffer.add(entry("followOperation", at: Double(second)), now: start + .seconds(second))
        }
        let first = buffer.takeBatch(now: start + .seconds(60))
        #expect(first.map(\.count) == [1], "the first is told at once; the others are not due yet")
        #expect(buffer.due == start + .seconds(61), "repeated since second 1")
        let repeats = buffer.takeBatch(now: start + .seconds(61))
        #expect(repeats.map(\.count) == [69])
        #expect(repeats.first?.at == start + .seconds(69), "the newest time")
        #expect(buffer.due == nil && buffer.takeRest(now: start + .seconds(70)).isEmpty)
    }

    @Test func `each kind of polling is counted, and no other call`() {
        #expect(
            Set(CallKind.allCases.filter(\.isPolling)) == [
                .followOperation, .readSite, .readDetails, .readContainerLog, .greetAgent, .followRun, .readRunLog,
            ])
    }

    @Test func `what came of a call is told in its own words`() {
        for (result, words) in [
            (CallResult.notSent(retryAfter: .seconds(90)), "not sent: the quota is used up for another 1m 30s"),
            (.runLogRead(.nothing), "the log does not know the run"),
            (.runLogRead(.began), "the log says that the run began"),
            (.runLogRead(.exited(code: 3)), "the log says that the run ended with exit code 3"),
            (
                .containerLogRead(.containerExited(code: 1, message: "no entry point")),
                "the container did not start: no entry point"
            ),
            (.detailsRead(nil), "no such site"), (.siteReleased, "our tags were taken off"),
        ] {
            #expect(result.summary == words)
            #expect(result.failure == nil)
        }
    }

    @Test func `no write is folded into another, and no failure into a success`() {
        var buffer = JournalBuffer()
        for _ in 0..<3 { buffer.add(entry("putSite"), now: start) }
        buffer.add(entry("readSite"), now: start)
        buffer.add(entry("readSite"), now: start)
        buffer.add(entry("readSite", isWarning: true), now: start)
        buffer.add(entry("readSite"), now: start)
        let written = buffer.takeRest(now: start)
        #expect(written.filter { $0.name == "putSite" }.map(\.count) == [1, 1, 1])
        #expect(written.filter { $0.name == "readSite" }.map(\.count) == [1, 1, 1, 1])
        #expect(written.filter { $0.name == "readSite" }.map(\.isWarning) == [false, false, true, false])
    }

    @Test func `events alike are one with a count; others stand by themselves`() {
        var buffer = JournalBuffer()
        for message in ["a", "a", "a", "b"] {
            buffer.add(entry("Throttled", kind: .event, message: message, isWarning: true), now: start)
        }
        let written = buffer.takeRest(now: start)
        #expect(written.map { "\($0.message)\($0.count)" } == ["a1", "a2", "b1"])
    }

    @Test func `what the store does not take in time is dropped and counted, never kept without bound`() {
        var buffer = JournalBuffer()
        for _ in 0..<JournalBuffer.maximumPending + 7 { buffer.add(entry(), now: start) }
        #expect(buffer.dropped == 7)
        var written = 0
        while case let batch = buffer.takeRest(now: start), !batch.isEmpty { written += batch.count }
        #expect(written == JournalBuffer.maximumPending)
    }

    @Test func `counting repeats of very many records has a bound and loses none`() {
        var buffer = JournalBuffer()
        var generator = SplitMix64(state: 2)
        var added = 0
        for _ in 0..<JournalBuffer.maximumRepeats + 100 {
            let other = UID(using: &generator)
            for _ in 0..<2 {
                var one = entry("followRun")
                one.uid = other
                buffer.add(one, now: start)
                added += 1
            }
        }
        var written = 0
        while case let batch = buffer.takeRest(now: start), !batch.isEmpty {
            written += batch.reduce(0) { $0 + $1.count }
        }
        #expect(written == added)
    }

    // MARK: with the store

    /// The steady clock stands 100 s behind: what is told is wall time, what is measured is not.
    private func moment(_ wall: Instant) -> Moment { Moment(wall: wall, steady: wall + .seconds(-100)) }

    private func facts(_ kind: CallKind, number: UInt64 = 1) -> CallFacts {
        CallFacts(
            uid: uid, id: CallID(number: number), kind: kind,
            reconcile: LogFacts(generation: 3, rule: .absent, reason: "creating the site", reconcileID: 12),
            correlationID: kind.isToAzure ? "c-\(number)" : nil)
    }

    private struct Bench {
        let driver: MachineDriver
        let journal: Journal
        let now: NIOLockedValueBox<Moment>
        let alarms: NIOLockedValueBox<[Duration]>
    }

    private func bench() async throws -> Bench {
        let driver = try MachineDriver(seed: 1)
        try await driver.store.commit(Transaction(origin: .user, [.create(try makeRecord())]))
        let now = NIOLockedValueBox(Moment(wall: start, steady: start + .seconds(-100)))
        let alarms = NIOLockedValueBox<[Duration]>([])
        let journal = Journal(
            store: driver.store, clock: { now.withLockedValue { $0 } },
            timers: TimerSource { delay, _ in
                alarms.withLockedValue { $0.append(delay) }
                return {}
            }, logger: Logger(label: "test"))
        return Bench(driver: driver, journal: journal, now: now, alarms: alarms)
    }

    @Test func `each call is one entry with its reconcile, correlation id, duration and outcome`() async throws {
        let bench = try await bench()
        let call = facts(.putSite)
        bench.journal.observed(.callBegun(call), at: moment(start))
        bench.journal.observed(
            .callFinished(call, .failed(.init(kind: .transient, message: "HTTP 503"))), at: moment(start + .seconds(2)))
        let agentCall = facts(.greetAgent, number: 2)
        bench.journal.observed(.callBegun(agentCall), at: moment(start + .seconds(3)))
        bench.journal.observed(.callFinished(agentCall, .agentGreeted(bootID: "b")), at: moment(start + .seconds(4)))
        let cancelled = facts(.readSite, number: 3)
        bench.journal.observed(.callBegun(cancelled), at: moment(start + .seconds(5)))
        bench.journal.observed(.callFinished(cancelled, nil), at: moment(start + .seconds(5)))

        let unwritten = try await bench.journal.newest(of: uid, limit: 10)
        #expect(unwritten.count == 2, "readers see what is not written yet")
        #expect(bench.alarms.withLockedValue { $0 } == [.milliseconds(200)])
        await bench.journal.flush()
        let written = try await bench.driver.store.journal(of: uid, limit: 10)
        #expect(written == unwritten)
        #expect(try await bench.journal.newest(of: uid, limit: 10) == written, "none twice")
        let first = try #require(written.first)
        #expect(
            first
                == JournalEntry(
                    uid: uid, at: start + .seconds(2), kind: .call, name: "putSite", isWarning: true,
                    message: "HTTP 503", rule: "absent", reconcileID: 12, generation: 3, correlationID: "c-1",
                    durationMilliseconds: 2000))
        #expect(written.last?.correlationID == nil && written.last?.message == "the agent answered")
    }

    @Test func `a store that refuses costs entries and nothing else`() async throws {
        let bench = try await bench()
        let call = facts(.putSite)
        bench.journal.observed(.callBegun(call), at: moment(start))
        bench.journal.observed(.callFinished(call, .siteWritten), at: moment(start))
        let journal = bench.journal
        // A store refuses whom nobody waits for any more.
        await withTaskGroup(of: Void.self) { group in
            group.cancelAll()
            group.addTask { await journal.flush() }
        }
        #expect(journal.droppedCount == 1)
        #expect(try await bench.driver.store.journal(of: uid, limit: 10).isEmpty)
    }

    @Test func `events are noted once their decision is durable, and not before`() async throws {
        let bench = try await bench()
        let record = try makeRecord()
        var status = FunctionAppStatus()
        status.runs = [
            RunStatus(number: 1, attempts: [AttemptStatus(token: "t", bootID: "b", startedAt: start)])
        ]
        let reconcile = Reconcile(
            uid: uid, facts: LogFacts(generation: 1, rule: .runAcknowledged, reason: "", reconcileID: 5),
            record: record,
            plan: Plan(rule: .runAcknowledged, reason: "", actions: [], status: status, nextLook: .onChange),
            commits: true)
        bench.journal.observed(.decided(reconcile), at: moment(start))
        bench.journal.observed(.ended(uid, reconcile.facts, .requeue), at: moment(start))
        #expect(try await bench.journal.newest(of: uid, limit: 10).isEmpty, "a commit that failed tells nothing")
        bench.journal.observed(.decided(reconcile), at: moment(start))
        bench.journal.observed(.committed(uid, reconcile.facts), at: moment(start))
        bench.journal.observed(.ended(uid, reconcile.facts, .success), at: moment(start))
        let told = try await bench.journal.newest(of: uid, limit: 10)
        #expect(told.map(\.name) == ["RunStarted"] && told.first?.reconcileID == 5)
    }
}
