import FoundationEssentials
import Testing

@testable import AzureClient
@testable import AzureSimulator

@Suite(.timeLimit(.minutes(3)), .serialized) struct LogCursorTests {
    static let start = LogTime(unixSeconds: 1_790_000_000)

    // MARK: Examples

    @Test func `a query asks for what was ingested since the watermark`() {
        let cursor = LogCursor(start: Self.start, pageRows: 10)
        let source = LogCursor.Source(table: "T", filter: "a == 1 or b", columns: ["Message"], keyColumns: ["Message"])
        #expect(
            cursor.query(source) == """
                T
                | extend skls_ingested = ingestion_time(), skls_now = now()
                | where skls_ingested >= datetime(2026-09-21T14:13:20.0000000Z)
                | where a == 1 or b
                | project skls_ingested, skls_now, Message
                | order by skls_ingested asc
                | take 10
                """)
    }

    static func answer(_ rows: [(ingested: Int, text: String)], now: Int) -> LogTable {
        LogTable(
            columns: [
                .init(name: "skls_ingested", type: "datetime"), .init(name: "Message", type: "string"),
                .init(name: "skls_now", type: "datetime"),
            ],
            rows: rows.map {
                [
                    .datetime(start.advanced(by: .seconds($0.ingested))), .text($0.text),
                    .datetime(start.advanced(by: .seconds(now))),
                ]
            })
    }

    @Test func `a row is given once, also when it comes a second time later`() throws {
        var cursor = LogCursor(start: Self.start, overlap: .seconds(60), memory: .seconds(600))
        let first = try cursor.received(Self.answer([(1, "a"), (2, "b")], now: 100))
        #expect(
            first.table.rows == [[.text("a")], [.text("b")]] && first.table.columns.map(\.name) == ["Message"]
                && !first.hasMore)
        #expect(cursor.watermark == Self.start.advanced(by: .seconds(40)))
        let second = try cursor.received(Self.answer([(50, "a"), (51, "c")], now: 130))
        #expect(second.table.rows == [[.text("c")]])
    }

    @Test func `rows that differ in key columns alone are told apart, and others are not`() throws {
        var cursor = LogCursor(start: Self.start)
        #expect(
            try cursor.received(Self.answer([(1, "a"), (2, "a")], now: 9), keyColumns: ["Message"]).table.rows.count
                == 1)
        #expect(throws: LogCursor.Fault.missingColumn("Id")) {
            try cursor.received(Self.answer([], now: 9), keyColumns: ["Id"])
        }
        var broken = Self.answer([(1, "b")], now: 9)
        broken.columns[0].name = "x"
        #expect(throws: LogCursor.Fault.missingColumn("skls_ingested")) { try cursor.received(broken) }
    }

    @Test func `the encoded form is bounded, and what is forgotten comes again rather than being lost`() throws {
        var cursor = LogCursor(start: Self.start, overlap: .seconds(60), mostKeys: 100)
        _ = try cursor.received(Self.answer((0..<1_000).map { (10, "r\($0)") }, now: 20))
        let data = try JSONEncoder().encode(cursor)
        #expect(data.count < 100 * 33 + 600)
        var restored = try JSONDecoder().decode(LogCursor.self, from: data)
        #expect(restored == cursor)
        #expect(try restored.received(Self.answer((0..<1_000).map { (10, "r\($0)") }, now: 21)).table.rows.count == 900)
    }

    @Test func `an answer that is too large is asked for again in smaller pages`() throws {
        var cursor = LogCursor(start: Self.start, pageRows: 100)
        let step = try cursor.received(Self.answer([(1, "a"), (2, "b")], now: 9), isTooLarge: true)
        #expect(step.hasMore && step.table.rows.count == 2)
        #expect(cursor.query(.init(table: "T")).hasSuffix("take 1"))
        #expect(throws: LogCursor.Fault.rowTooLarge) {
            try cursor.received(Self.answer([(1, "a")], now: 9), isTooLarge: true)
        }
    }

    @Test func `an instant with more rows than an answer holds is an error and no question for ever`() throws {
        var cursor = LogCursor(start: Self.start, pageRows: 100)
        for _ in 0..<50 {
            let asked = try #require(cursor.query(.init(table: "T")).split(separator: " ").last.flatMap { Int($0) })
            let rows = (0..<min(asked, 300)).map { (ingested: 1, text: "r\($0)") }
            let before = cursor
            do throws(LogCursor.Fault) {
                _ = try cursor.received(Self.answer(rows, now: 9), isTooLarge: asked > 300)
            } catch {
                #expect(error == .instantTooLarge && cursor == before)
                return
            }
        }
        Issue.record("the pages do not end")
    }

    // MARK: Times

    @Test(arguments: [
        ("2026-01-02T03:04:05.1234567Z", "2026-01-02T03:04:05.1234567Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.0000000Z"),
        ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5000000Z"),
        ("2026-01-02T03:04:05.123456789Z", "2026-01-02T03:04:05.1234567Z"),
        ("2026-01-02", nil), ("2026-01-02T03:04Z", nil), ("2026-13-02T03:04:05Z", nil), ("2026-01-02T03:04:05.Z", nil),
        ("", nil),
        ("2026-01-02T03:04:05+01:00", nil),
    ])
    func `times are read and written to 100 ns`(text: String, expected: String?) {
        #expect(LogTime(text)?.description == expected)
    }

    @Test func `any time survives writing, and the simulator reads the same`() throws {
        var random = SeededGenerator(seed: 3)
        for _ in 0..<2_000 {
            let time = LogTime(
                ticks: Int64.random(in: -80_000_000_000_000_000...80_000_000_000_000_000, using: &random))
            #expect(LogTime(time.description) == time)
            #expect(KQL.instant(time.description)?.nanoseconds == time.ticks * 100)
        }
    }

    // MARK: The property

    /// A row of the model: when it is ingested and when it can be seen, in milliseconds.
    struct Row {
        var text: String
        var ingested: Int64
        var visible: Int64
    }

    /// Rows that are late, out of order and sometimes there twice, and a cursor that looks at odd times, restarts, and
    /// gets small pages: each row comes exactly once. In every tenth world the text of the queries is run by the
    /// simulator's Kusto, which costs more than all the rest.
    @Test func `every row is given exactly once`() async throws {
        for seed in 0..<500 {
            try Self.follow(seed: UInt64(seed))
            // Other tests want the processor too.
            await Task.yield()
        }
    }

    /// The property is no empty one: with half the overlap that the world needs rows are lost, and without memory some
    /// come twice.
    @Test func `less overlap loses rows, and less memory gives some twice`() async throws {
        var lost = 0
        var twice = 0
        for seed in 0..<150 {
            let (rows, given) = try Self.followed(seed: UInt64(seed), overlapPercent: 10)
            if Set(given).count < Set(rows).count { lost += 1 }
            let (_, again) = try Self.followed(seed: UInt64(seed), memoryPercent: 0)
            if Set(again).count < again.count { twice += 1 }
            await Task.yield()
        }
        #expect(lost > 5 && twice > 5)
    }

    static func follow(seed: UInt64) throws {
        let (rows, given) = try followed(seed: seed)
        #expect(given.sorted() == Set(rows).sorted(), "seed \(seed)")
    }

    /// The texts of all rows, and of those that the cursor gave.
    static func followed(
        seed: UInt64, overlapPercent: Int64 = 100, memoryPercent: Int64 = 100
    ) throws -> (rows: [String], given: [String]) {
        var random = SeededGenerator(seed: seed)
        func number(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &random) }
        let lag = number(0...5_000)
        let delay = number(0...20_000)
        let isBursty = number(0...3) == 0
        var rows: [Row] = []
        for index in 0..<number(0...60) {
            let arrival = isBursty ? number(0...3) * 10_000 : number(0...60_000)
            for _ in 0..<(number(0...9) == 0 ? 2 : 1) {
                // Bursts share one instant, more rows than a page has.
                let ingested = arrival + (isBursty ? 0 : number(0...delay))
                rows.append(Row(text: "row \(index)", ingested: ingested, visible: ingested + number(0...lag)))
            }
        }
        var cursor = LogCursor(
            start: start, overlap: .milliseconds(lag * overlapPercent / 100),
            memory: .milliseconds((delay + lag + 1) * memoryPercent / 100),
            pageRows: Int(number(1...12)))
        let source = LogCursor.Source(table: "T", filter: "isnotempty(Message)", columns: ["Message"])
        var given: [String] = []
        var now: Int64 = 0
        var looks = 0
        while now < 120_000 {
            now += number(0...9) == 0 ? number(0...40_000) : number(1...6_000)
            var hasMore = true
            while hasMore {
                looks += 1
                guard looks < 3_000 else {
                    Issue.record("seed \(seed): the pages do not end")
                    return (rows.map(\.text), given)
                }
                let query = cursor.query(source)
                let table =
                    seed.isMultiple(of: 10)
                    ? try answer(query, rows: rows, now: now) : try quickAnswer(query, rows: rows, now: now)
                let step = try cursor.received(table, keyColumns: source.keyColumns)
                given += step.table.rows.compactMap { $0.first?.text }
                hasMore = step.hasMore
                // Time goes by between pages too, and the process may restart at any of them.
                if number(0...3) == 0 { now += number(0...3_000) }
                if number(0...5) == 0 {
                    cursor = try JSONDecoder().decode(LogCursor.self, from: try JSONEncoder().encode(cursor))
                }
            }
        }
        return (rows.map(\.text), given)
    }

    /// What the query means, without reading more of it than the time and the number of rows.
    static func quickAnswer(_ query: String, rows: [Row], now: Int64) throws -> LogTable {
        let words = query.split { $0 == "(" || $0 == ")" || $0 == " " || $0 == "\n" }
        guard let place = words.firstIndex(of: "datetime"), let from = LogTime(String(words[place + 1])),
            let count = words.last.flatMap({ Int($0) })
        else { throw Sample.Missing() }
        let found = rows.filter { $0.visible <= now && start.advanced(by: .milliseconds($0.ingested)) >= from }
            .sorted { $0.ingested < $1.ingested }.prefix(count)
        return LogTable(
            columns: [
                .init(name: "skls_ingested", type: "datetime"), .init(name: "skls_now", type: "datetime"),
                .init(name: "Message", type: "string"),
            ],
            rows: found.map {
                [
                    .datetime(start.advanced(by: .milliseconds($0.ingested))),
                    .datetime(start.advanced(by: .milliseconds(now))), .text($0.text),
                ]
            })
    }

    static func answer(_ query: String, rows: [Row], now: Int64) throws -> LogTable {
        func instant(_ milliseconds: Int64) -> Instant {
            Instant(nanoseconds: start.ticks * 100 + milliseconds * 1_000_000)
        }
        let result = try KQL.run(query, at: instant(now)) { _ in
            KQL.Table(
                columns: [.init("Message", .string)],
                rows: rows.filter { $0.visible <= now }.map {
                    KQL.Row([.string($0.text)], ingested: instant($0.ingested))
                })
        }
        return LogTable(
            columns: result.table.columns.map { .init(name: $0.name, type: $0.type.rawValue) },
            rows: result.table.rows.map { row in
                row.values.map { value in
                    switch value {
                    case .datetime(let instant): .datetime(LogTime(ticks: instant.nanoseconds / 100))
                    case .string(let text): .text(text)
                    default: .null
                    }
                }
            })
    }
}
