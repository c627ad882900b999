import Crypto
import FoundationEssentials

/// Follows the rows of a query without losing any and without giving one twice, although they arrive late, in another
/// order than they happened, and some of them twice.
///
/// An event machine: ``query(_:)`` says what to ask, ``received(_:isTooLarge:)`` takes the answer and gives the new rows.
/// Its encoded form is all that a restart needs; saved behind each answer, together with what became of the rows, it
/// makes the delivery exact.
///
/// It goes by `ingestion_time()`, never by `TimeGenerated`. A row can be seen later than its `ingestion_time()` says; the
/// cursor therefore asks again for everything of the last ``overlap``. A row that becomes visible within the overlap is
/// not lost. Rows whose key columns are equal are one row: give the writer a number to put into each.
package struct LogCursor: Sendable, Hashable {
    /// What is followed: rows of a table.
    package struct Source: Sendable, Hashable {
        /// A table, or tables: `AppTraces`, `union isfuzzy=true A, B`.
        package var table: String
        /// A KQL expression that is true for the rows that are wanted; all of them if it is empty.
        package var filter: String
        /// What is wanted of each row, as `project` takes it: `TimeGenerated`, `token = tostring(Properties.token)`. All
        /// columns if it is empty.
        package var columns: [String]
        /// Names of the columns that tell rows apart; all of them if it is empty.
        package var keyColumns: [String]

        package init(table: String, filter: String = "", columns: [String] = [], keyColumns: [String] = []) {
            self.table = table
            self.filter = filter
            self.columns = columns
            self.keyColumns = keyColumns
        }
    }

    /// What an answer brought.
    package struct Step: Sendable, Hashable {
        /// The rows that were not seen before, oldest ingestion first, without the cursor's own columns.
        package var table: LogTable
        /// Whether there is more to ask for at once; else the next look may wait.
        package var hasMore: Bool
    }

    /// Why an answer cannot be used. The cursor has not moved.
    package enum Fault: Error, Sendable, Hashable {
        /// The cursor's columns or a key column are missing, or hold something else than a time.
        case missingColumn(String)
        /// A single row is more than the service gives.
        case rowTooLarge
        /// Rows of one ingestion are more than the service gives at once, so that no question gets past them.
        case instantTooLarge
    }

    /// How long after its `ingestion_time()` a row may become visible. Default: 5 minutes (guess: Azure gives no bound).
    package private(set) var overlap: Duration
    /// How much longer keys are remembered, for rows that come a second time. Default: 20 minutes, twice the longest
    /// delay that Azure names for resource logs (Azure docs, data-ingestion-time, read 2026-02).
    package private(set) var memory: Duration
    /// The most keys that are remembered. Beyond it the oldest are forgotten: rows may then come twice, never be lost.
    package private(set) var mostKeys: Int
    /// How many rows are asked for at once, as it was set and as it is now.
    package private(set) var pageRows: Int
    private var currentRows: Int
    /// The fewest rows that were too many for one answer since the position moved; nil if none were.
    private var tooManyRows: Int?

    /// Every row ingested before this has been given.
    package private(set) var watermark: LogTime
    /// Where the next page of the scan under way begins.
    private var position: LogTime
    /// Up to where the pages so far are known to be whole; nil until one was not.
    private var settled: LogTime?
    private var keys = RecentKeys()

    /// - Parameter start: rows ingested before it are not looked at.
    package init(
        start: LogTime, overlap: Duration = .seconds(300), memory: Duration = .seconds(1_200), mostKeys: Int = 50_000,
        pageRows: Int = 5_000
    ) {
        self.overlap = overlap
        self.memory = memory
        self.mostKeys = max(1, mostKeys)
        self.pageRows = max(1, pageRows)
        currentRows = self.pageRows
        watermark = start
        position = start
    }

    /// Log Analytics gives no more rows in one answer (Azure docs, service-limits, read 2026-02).
    private static let mostRows = 500_000
    private static let ingestedColumn = "skls_ingested"
    private static let nowColumn = "skls_now"

    /// What to ask next.
    package func query(_ source: Source) -> String {
        var lines = [
            source.table, "extend \(Self.ingestedColumn) = ingestion_time(), \(Self.nowColumn) = now()",
            "where \(Self.ingestedColumn) >= \(KQLLiteral.datetime(position))",
        ]
        if !source.filter.isEmpty { lines.append("where \(source.filter)") }
        if !source.columns.isEmpty {
            lines.append("project " + ([Self.ingestedColumn, Self.nowColumn] + source.columns).joined(separator: ", "))
        }
        lines += ["order by \(Self.ingestedColumn) asc", "take \(currentRows)"]
        return lines.joined(separator: "\n| ")
    }

    /// Takes the answer to ``query(_:)``.
    /// - Parameter isTooLarge: the service left rows out because the answer became too large.
    package mutating func received(
        _ table: LogTable, keyColumns: [String] = [], isTooLarge: Bool = false
    ) throws(Fault) -> Step {
        let page = try Page(table, keyColumns: keyColumns)
        if isTooLarge, currentRows == 1 { throw .rowTooLarge }
        let isFull = table.rows.count >= currentRows
        // A full page of one instant: only a longer one gets past it.
        let isStuck = !isTooLarge && isFull && page.rows.last?.ingested == position
        let longer = min(Self.mostRows, currentRows * 2)
        if isStuck, longer == currentRows || tooManyRows.map({ longer >= $0 }) ?? false { throw .instantTooLarge }
        var given = LogTable(columns: page.columns, rows: [])
        for row in page.rows where keys.insert(row.key, at: row.ingested) { given.rows.append(row.values) }

        if isTooLarge {
            // The same rows again, fewer at once: which ones were left out is not known.
            tooManyRows = currentRows
            currentRows = max(1, min(currentRows, table.rows.count) / 2)
            return Step(table: given, hasMore: true)
        }
        if let last = page.rows.last, let now = page.now {
            // What is younger than this may yet become visible.
            let whole = now.advanced(by: .zero - overlap)
            if settled == nil, !isFull || whole < last.ingested { settled = whole }
            if isStuck {
                currentRows = longer
            } else if isFull {
                position = last.ingested
                tooManyRows = nil
            }
        }
        if isFull { forget(before: min(position, settled ?? position)) } else { endScan() }
        return Step(table: given, hasMore: isFull)
    }

    /// There was no table to ask yet.
    package mutating func receivedNothing() { endScan() }

    private mutating func endScan() {
        if let settled, settled > watermark { watermark = settled }
        settled = nil
        tooManyRows = nil
        position = watermark
        currentRows = pageRows
        forget(before: watermark)
    }

    /// Rows ingested before the time are not asked for again, but may come a second time.
    private mutating func forget(before time: LogTime) {
        keys.forget(before: time.advanced(by: .zero - memory), keeping: mostKeys)
    }
}

extension LogCursor: Codable {}

// MARK: - Rows of an answer

extension LogCursor {
    /// An answer with its rows in the order of ingestion, and each row's key.
    private struct Page {
        struct Row {
            var key: RowKey
            var ingested: LogTime
            var values: [LogValue]
        }

        var columns: [LogTable.Column]
        var rows: [Row] = []
        /// The service's own time when it answered; nil without rows.
        var now: LogTime?

        init(_ table: LogTable, keyColumns: [String]) throws(Fault) {
            guard let ingested = table.index(of: ingestedColumn) else { throw .missingColumn(ingestedColumn) }
            guard let now = table.index(of: nowColumn) else { throw .missingColumn(nowColumn) }
            var keyPlaces: [Int] = []
            for name in keyColumns {
                guard let place = table.index(of: name) else { throw .missingColumn(name) }
                keyPlaces.append(place)
            }
            let kept = table.columns.indices.filter { $0 != ingested && $0 != now }
            columns = kept.map { table.columns[$0] }
            for values in table.rows {
                guard let time = values[ingested].datetime else { throw .missingColumn(ingestedColumn) }
                guard let asked = values[now].datetime else { throw .missingColumn(nowColumn) }
                self.now = self.now.map { min($0, asked) } ?? asked
                let keyValues = (keyPlaces.isEmpty ? kept : keyPlaces).map { values[$0] }
                rows.append(Row(key: RowKey(keyValues), ingested: time, values: kept.map { values[$0] }))
            }
            // As asked for; an answer in another order must not move the position too far.
            rows.sort { $0.ingested < $1.ingested }
        }
    }
}
