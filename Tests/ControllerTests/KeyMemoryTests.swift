import AgentLink
import DesiredState
import Testing

@testable import Controller

/// What is remembered of the answers to calls.
struct KeyMemoryTests {
    private static let start = Instant(nanoseconds: 1_700_000_000_000_000_000)

    /// Writes that Azure takes and whose operations then fail, one after another: how long each next one waits.
    private func waits(_ failures: [CallResult.Failure], _ memory: inout KeyMemory) throws -> [Duration] {
        let record = try makeRecord()
        let design = SiteSample.designer().design(of: record)
        var generator = SplitMix64(state: 1)
        var now = Self.start
        var waits: [Duration] = []
        for (number, failure) in failures.enumerated() {
            memory.begins(
                .putSite(design, isUpdate: number > 0), id: CallID(number: UInt64(2 * number)), at: now)
            memory.learn(
                from: .siteAccepted(operation: "o", pollAfter: .seconds(10)), of: .putSite, now: now,
                using: &generator)
            memory.begins(.followOperation("o"), id: CallID(number: UInt64(2 * number + 1)), at: now)
            now = now + .seconds(10)
            memory.learn(from: .operationFailed(failure), of: .followOperation, now: now, using: &generator)
            let stored = StoredRecord(record: record, attempts: [], intent: nil)
            let known = try #require(
                memory.input(
                    stored, now: Moment(wall: now, steady: now), isListPending: false
                ).failures[.putSite])
            waits.append(known.notBefore - now)
            now = known.notBefore
        }
        return waits
    }

    @Test func `writes whose operations fail are made less and less often`() throws {
        var memory = KeyMemory()
        let passing = CallResult.Failure(kind: .transient, message: "Azure failed")
        let waits = try waits(Array(repeating: passing, count: 9), &memory)
        // Jitter takes up to half of a wait away.
        #expect(waits[0] <= .seconds(1) && waits[4] >= .seconds(8) && waits[8] >= .seconds(60))
    }

    @Test func `an operation that ends well ends the row of failures`() throws {
        var memory = KeyMemory()
        let passing = CallResult.Failure(kind: .transient, message: "Azure failed")
        _ = try waits(Array(repeating: passing, count: 9), &memory)
        var generator = SplitMix64(state: 2)
        memory.learn(from: .operationEnded, of: .followOperation, now: Self.start, using: &generator)
        #expect(try waits([passing], &memory)[0] <= .seconds(1))
    }

    @Test func `outputs that are not kept are dropped once, when their ends are stored`() throws {
        var memory = KeyMemory()
        var record = try makeRecord()
        func attempt(_ outcome: AttemptOutcome?) -> AttemptStatus {
            AttemptStatus(token: "t", bootID: "b", startedAt: Self.start, outcome: outcome)
        }
        record.status.runs = [
            RunStatus(number: 4, attempts: [attempt(.refused), attempt(.succeeded)]),
            RunStatus(number: 5, attempts: [attempt(nil)]),
        ]
        #expect(memory.takeUnkeptOutputs(of: record).isEmpty, "it keeps them")
        record.metadata.annotations[FunctionApp.logAnnotation] = "none"
        let uid = record.uid.text
        #expect(
            memory.takeUnkeptOutputs(of: record) == [
                OutputKey(uid: uid, run: 4, attempt: 1), OutputKey(uid: uid, run: 4, attempt: 2),
            ])
        #expect(memory.takeUnkeptOutputs(of: record).isEmpty)
        record.status.runs[1].attempts[0].outcome = .lost
        #expect(memory.takeUnkeptOutputs(of: record) == [OutputKey(uid: uid, run: 5, attempt: 1)])
        // Another life does not know what an earlier one has done.
        var next = KeyMemory()
        #expect(next.takeUnkeptOutputs(of: record).count == 3)
    }
}
