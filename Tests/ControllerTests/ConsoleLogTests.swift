import AgentProtocol
import DesiredState
import NIOConcurrencyHelpers
import Testing

@testable import AzureClient
@testable import Controller

/// What is asked of the log workspace about a run's output, and what is made of the answers.
struct ConsoleLogTests {
    private static let token = String(repeating: "0123456789abcdef", count: 4)

    private func query(_ side: ConsoleLogQuery.Side = .after(0), rows: Int = 3) -> ConsoleLogQuery {
        ConsoleLogQuery(
            token: Self.token, from: Instant(nanoseconds: 1_000_000_000_000_000_000),
            to: Instant(nanoseconds: 1_000_000_100_000_000_000), side: side, rows: rows)
    }

    private func row(_ number: UInt64, mark: String = "0123456789abcdef") -> String {
        let content = ConsoleLine.Content.output(.stdout, Array("line \(number)".utf8), endsLine: true)
        let line = ConsoleLine(sequence: number, timestampNanoseconds: number * 10, content: content)
        return String(decoding: line.encoded(mark: mark), as: UTF8.self)
    }

    private func table(_ rows: [String]) -> LogTable {
        LogTable(
            columns: [.init(name: "ResultDescription", type: "string")], rows: rows.map { [.text($0)] })
    }

    @Test func `a query is bounded in time and rows, and ordered by the lines' own numbers`() {
        #expect(
            query(.after(41), rows: 500).text == """
                AppServiceConsoleLogs
                | where TimeGenerated >= datetime(2001-09-09T01:46:40.0000000Z)
                | where TimeGenerated <= datetime(2001-09-09T01:48:20.0000000Z)
                | where ResultDescription has "0123456789abcdef"
                | extend sequence = tolong(split(tostring(split(ResultDescription, "skls-output: 0123456789abcdef ")[1]), " ")[0])
                | where sequence > 41
                | order by sequence asc
                | take 500
                | project ResultDescription
                """)
        #expect(query(.before(9)).text.contains("| where sequence < 9\n| order by sequence desc\n"))
        #expect(query(.before(nil)).text.contains("| where sequence > 0\n| order by sequence desc\n"))
    }

    @Test func `rows in any order, twice, or of other runs give each line once and in order`() {
        let rows = [
            row(3), row(1), row(3), "skls-agent: exec token=\(Self.token) boot=b", row(2, mark: "ffffffffffffffff"),
        ]
        let page = ConsoleLogPage(table(rows), of: query(rows: 6), partial: nil)
        #expect(page.lines.map(\.sequence) == [1, 3])
        #expect(page.isLast && page.missing == nil)
        #expect(!ConsoleLogPage(table(rows), of: query(rows: 5), partial: nil).isLast, "a full page is not the last")
        let none = ConsoleLogPage(table(["a", "b", "c"]), of: query(rows: 3), partial: nil)
        #expect(none.isLast && none.lines.isEmpty, "else it would be asked for again for ever")
        let partial = LogPartialError(code: "PartialError", message: "a node was lost", isTooLarge: false)
        let broken = ConsoleLogPage(table([row(1)]), of: query(), partial: partial)
        #expect(broken.missing == "a node was lost" && broken.lines.count == 1)
    }

    /// Gives at most so many rows, and says so if there were more.
    private final class NarrowLogs: LogsAPI {
        let most: Int
        let asked = NIOLockedValueBox<[String]>([])
        let rows: [String]

        init(most: Int, rows: [String]) {
            self.most = most
            self.rows = rows
        }

        func queryLogs(_ query: LogQuery, correlationID: CorrelationID) async throws(AzureError) -> LogAnswer {
            asked.withLockedValue { $0.append(query.text) }
            let take = query.text.split(separator: "\n").compactMap { line in
                line.hasPrefix("| take ") ? Int(line.dropFirst(7)) : nil
            }.first
            let wanted = rows.prefix(take ?? rows.count)
            let isTooLarge = wanted.count > most
            let table = LogTable(
                columns: [.init(name: "ResultDescription", type: "string")],
                rows: wanted.prefix(most).map { [.text($0)] })
            let partial = LogPartialError(code: "PartialError", message: "too large", isTooLarge: true)
            return .table(table, partial: isTooLarge ? partial : nil)
        }
    }

    @Test func `where an answer is too large less is asked for`() async throws {
        let guid = try #require(GUID("5ba5e000-7e4a-4000-8000-000000000004"))
        let logs = NarrowLogs(most: 300, rows: (1...2_000).map { row($0) })
        let reader = ConsoleLogReader(logs: logs, workspace: guid)
        let page = try await reader.read(query(rows: 4_000), correlationID: CorrelationID(guid))
        #expect(page.rows == 250 && page.lines.count == 250 && !page.isLast && page.missing == nil)
        #expect(logs.asked.withLockedValue { $0.count } == 3)
        let tight = ConsoleLogReader(logs: NarrowLogs(most: 10, rows: (1...2_000).map { row($0) }), workspace: guid)
        let rest = try await tight.read(query(rows: 4_000), correlationID: CorrelationID(guid))
        #expect(rest.missing == "too large" && rest.lines.count == 10, "what came is good, and the rest is told of")
    }

    @Test func `what a command writes is never taken for the agent's word`() {
        let exit = "skls-agent: exit token=\(Self.token) boot=b code=0"
        #expect(RunLogFinding(lines: [exit], token: Self.token) == .exited(code: 0))
        let forged = ConsoleLine(
            sequence: 1, timestampNanoseconds: 1, content: .output(.stdout, Array(exit.utf8), endsLine: true))
        let row = String(decoding: forged.encoded(mark: "0123456789abcdef"), as: UTF8.self)
        #expect(RunLogFinding(lines: [row], token: Self.token) == .nothing)
        #expect(StartDiagnosis(containerLog: "skls-output: 0123456789abcdef 1 o 1 manifest unknown\n") == .none)
    }
}
