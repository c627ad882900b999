import DesiredState
import NIOCore
import Testing

@testable import RecordsClient

@Suite("The client's pure parts")
struct RecordsClientTests {
    private func condition(_ type: ConditionType, _ status: ConditionStatus) -> Condition {
        Condition(
            type: type, status: status, reason: "R", message: "m", lastTransitionTime: Instant(nanoseconds: 0))
    }

    @Test("goals are written as kubectl's")
    func goals() {
        #expect(WaitGoal("condition=Succeeded") == .condition(.succeeded, .true))
        #expect(WaitGoal("condition=ready=False") == .condition(.ready, .false))
        #expect(WaitGoal("delete") == .deleted)
        for text in ["", "condition", "condition=Nope", "condition=Ready=maybe", "Succeeded", "delete=1"] {
            #expect(WaitGoal(text) == nil, "\(text)")
        }
    }

    @Test("a goal is met, pending or impossible by the record's present conditions")
    func verdicts() throws {
        let goal = WaitGoal.condition(.succeeded, .true)
        let ended = attempt(.failed, exitCode: 1)
        #expect(goal.verdict(nil) == .impossible("it was deleted"))
        #expect(WaitGoal.deleted.verdict(nil) == .met)
        #expect(goal.verdict(try app { $0.status.conditions = [condition(.succeeded, .true)] }) == .pending)
        func current(_ conditions: Condition..., attempts: [AttemptStatus] = [ended]) throws -> FunctionApp {
            try app(attempts: attempts) {
                $0.status.observedGeneration = 1
                $0.status.conditions = conditions
            }
        }
        #expect(goal.verdict(try current(condition(.succeeded, .true))) == .met)
        #expect(goal.verdict(try current(condition(.failed, .true))) == .impossible("it is Failed (R: m)"))
        let running = try current(condition(.failed, .true), attempts: [attempt(nil)])
        #expect(goal.verdict(running) == .pending)
        #expect(goal.verdict(try current(condition(.stalled, .true))) == .impossible("it is Stalled (R: m)"))
        #expect(WaitGoal.condition(.stalled, .true).verdict(try current(condition(.stalled, .true))) == .met)
    }

    @Test("a name stands for the record that had it first")
    func pendingGoals() throws {
        let record = try app()
        let later = try app { $0.metadata.uid = .test(2) }
        var goals = PendingGoals(goal: .deleted, names: ["web"])
        #expect(try goals.take(.snapshot([record])).isEmpty)
        #expect(try goals.take(.changed(later)).isEmpty)
        #expect(try goals.take(.deleted(later)).isEmpty)
        #expect(try goals.take(.snapshot([later])).map(\.name) == ["web"])
        #expect(goals.isEmpty)
        var missing = PendingGoals(goal: .condition(.ready, .true), names: ["web"])
        #expect(throws: RecordsClientError.self) { try missing.take(.snapshot([])) }
    }

    @Test("control characters and changes of direction do not reach the terminal")
    func escaping() {
        #expect(TerminalText.escaped("a\u{1b}[31m\n\u{202e}é") == "a\\u{1b}[31m\\n\\u{202e}é")
        #expect(TerminalText.table([["A", "BB"], ["ccc", "\t"]]) == "A    BB\nccc  \\t\n")
    }

    @Test("frames are put together from any pieces, and errors in them are thrown")
    func frames() throws {
        let bytes: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 2, 104, 105, 2, 0, 0, 0, 0, 0, 0, 1, 33]
        var decoder = LogFrameDecoder()
        var texts: [String] = []
        for byte in bytes {
            decoder.add(ByteBuffer(bytes: [byte]))
            while let piece = try decoder.next() { texts.append(String(decoding: piece.bytes, as: UTF8.self)) }
        }
        #expect(texts == ["hi", "!"])
        #expect(decoder.isEmpty)
        decoder.add(ByteBuffer(bytes: [3, 0, 0, 0, 0, 0, 0, 1, 120]))
        #expect(throws: RecordsClientError(.refused, "x")) { try decoder.next() }
        var other = LogFrameDecoder()
        other.add(ByteBuffer(string: "HTTP/1.1 200"))
        #expect(throws: RecordsClientError.self) { try other.next() }
    }

    @Test("the table tells the last run in one word")
    func table() throws {
        let now = Instant(nanoseconds: 1_700_000_300_000_000_000)
        func run(_ record: FunctionApp) -> String { RecordTable.rows(of: [record], now: now)[1][3] }
        #expect(run(try app()) == "-")
        #expect(run(try app(invocations: 1)) == "1 Pending")
        #expect(run(try app(attempts: [attempt(nil, isStarted: false)])) == "1 Starting")
        #expect(run(try app(attempts: [attempt(nil)])) == "1 Running")
        #expect(run(try app(attempts: [attempt(.succeeded, exitCode: 0)])) == "1 Succeeded (0)")
        #expect(RecordTable.rows(of: [try app()], now: now)[1] == ["web", "alpine", "Unknown", "-", "-", "5m"])
    }
}
