package import AgentProtocol
package import AzureClient
package import DesiredState

/// Reads what a run wrote from the log workspace: the agent copies it, line by line, to its container's console, and a diagnostic setting of the site
/// sends that to the table `AppServiceConsoleLogs` (docs/agent-protocol.md).
package struct ConsoleLogReader: Sendable {
    private let logs: any LogsAPI
    private let workspace: GUID

    /// Rows of one answer: with the longest lines 16 MB, where the service gives 100 MB (Azure docs, service-limits, read 2026-02).
    package static let pageRows = 4_000
    /// Rows that fit into any answer: fewer are not asked for.
    private static let fewestRows = 64
    /// A client waits for the answer meanwhile.
    private static let serverTimeout: Duration = .seconds(30)

    package init(logs: any LogsAPI, workspace: GUID) {
        self.logs = logs
        self.workspace = workspace
    }

    /// Asks, and asks for less where that is more than one answer may hold. Lines come in the order of their numbers, each once, whatever the order
    /// and number of the rows.
    package func read(
        _ asked: ConsoleLogQuery, correlationID: CorrelationID
    ) async throws(AzureError) -> ConsoleLogPage {
        var query = asked
        while true {
            let answer = try await logs.queryLogs(
                LogQuery(.workspace(workspace), query.text, serverTimeout: Self.serverTimeout),
                correlationID: correlationID)
            guard case .table(let table, let partial) = answer else {
                return ConsoleLogPage(lines: [], rows: query.rows, isLast: true)
            }
            guard let partial, partial.isTooLarge, query.rows > Self.fewestRows else {
                return ConsoleLogPage(table, of: query, partial: partial)
            }
            query.rows /= 4
        }
    }
}

/// Which of a run's lines are wanted: a page of them, the first ones behind a number or the last ones before it. Pure.
package struct ConsoleLogQuery: Hashable, Sendable {
    package enum Side: Hashable, Sendable {
        /// The first ones with a higher number; 0 = from the beginning.
        case after(UInt64)
        /// The last ones with a lower number; `nil` = from the end.
        case before(UInt64?)
    }

    /// Of the attempt.
    package var token: String
    /// By when the platform has taken the lines; generous, since clocks differ.
    package var from: Instant
    package var to: Instant
    package var side: Side
    package var rows: Int

    package init(
        token: String, from: Instant, to: Instant, side: Side = .after(0), rows: Int = ConsoleLogReader.pageRows
    ) {
        self.token = token
        self.from = from
        self.to = to
        self.side = side
        self.rows = rows
    }

    /// The number stands behind a line's mark, and rows are ordered by it: times of one instant say nothing about order. `has` goes by the index of
    /// words (Azure docs, "String operators", read 2026-02).
    package var text: String {
        let (condition, order) =
            switch side {
            case .after(let number): ("sequence > \(number)", "asc")
            case .before(let number?): ("sequence < \(number)", "desc")
            case .before(nil): ("sequence > 0", "desc")
            }
        let mark = ConsoleLine.mark(of: token)
        let start = KQLLiteral.string("\(ConsoleLine.prefix) \(mark) ")
        return """
            AppServiceConsoleLogs
            | where TimeGenerated >= \(KQLLiteral.datetime(LogTime(from)))
            | where TimeGenerated <= \(KQLLiteral.datetime(LogTime(to)))
            | where ResultDescription has \(KQLLiteral.string(mark))
            | extend sequence = tolong(split(tostring(split(ResultDescription, \(start))[1]), " ")[0])
            | where \(condition)
            | order by sequence \(order)
            | take \(rows)
            | project ResultDescription
            """
    }
}

/// What an answer holds of a run.
package struct ConsoleLogPage: Hashable, Sendable {
    /// By their numbers, each once.
    package var lines: [ConsoleLine]
    /// How many rows were asked for in the end.
    package var rows: Int
    /// There are no more in that direction.
    package var isLast: Bool
    /// Why rows are missing from the answer, in Azure's words.
    package var missing: String?

    package init(lines: [ConsoleLine], rows: Int, isLast: Bool, missing: String? = nil) {
        self.lines = lines
        self.rows = rows
        self.isLast = isLast
        self.missing = missing
    }

    init(_ table: LogTable, of query: ConsoleLogQuery, partial: LogPartialError?) {
        let mark = ConsoleLine.mark(of: query.token)
        var byNumber: [UInt64: ConsoleLine] = [:]
        for value in table.values("ResultDescription") ?? [] {
            guard let text = value.text, let line = ConsoleLine(parsing: text, mark: mark) else { continue }
            byNumber[line.sequence] = line
        }
        let lines = byNumber.values.sorted { $0.sequence < $1.sequence }
        // A full page without a line would be asked for again for ever.
        self.init(
            lines: lines, rows: query.rows,
            isLast: table.rows.count < query.rows || lines.isEmpty || partial != nil, missing: partial?.message)
    }
}

extension LogTime {
    fileprivate init(_ instant: Instant) { self.init(ticks: instant.nanoseconds / 100) }
}
