import Testing

@testable import AzureSimulator

@Suite(.timeLimit(.minutes(1))) struct KQLTests {
    static let now = Instant(nanoseconds: 1_790_000_000_000_000_000)  // 2026-09-21T14:13:20Z

    /// Four lines of two apps: `n` counts them, and each is a minute older than the one before.
    static let lines = KQL.Table(
        columns: [
            .init("TimeGenerated", .datetime), .init("n", .long), .init("app", .string), .init("text", .string),
            .init("tags", .dynamic), .init("took", .timespan), .init("ratio", .real),
        ],
        rows: [
            row(1, "web", "GET /Index.html ok", #"{"owner":"ann","sizes":[1,2,3],"in":{"n":7}}"#, 1_500, 0.5),
            row(2, "web", "error: disk-full", #"{"owner":"BOB"}"#, 20, 2),
            row(3, "Job", "Error again", "{}", 3_000, .nan),
            row(4, "job", "", "null", 5, -1),
        ])

    static func row(_ n: Int64, _ app: String, _ text: String, _ tags: String, _ took: Int64, _ ratio: Double)
        -> KQL.Row
    {
        let tags = json(Reply(status: 0, body: Array(tags.utf8)))
        let time = now + .seconds(-60 * n)
        return KQL.Row(
            [
                .datetime(time), .long(n), .string(app), .string(text), KQL.Value(tags), .timespan(took * 1_000_000),
                ratio.isNaN ? .null : .real(ratio),
            ], ingested: time + .seconds(5))
    }

    static func run(_ text: String, limits: KQL.Limits = .init()) throws(KQL.Failure) -> KQL.Result {
        try KQL.run(text, at: now, limits: limits) { name in
            switch name {
            case "T": lines
            case "Other":
                KQL.Table(
                    columns: [.init("n", .string), .init("extra", .bool)], rows: [.init([.string("x"), .bool(true)])])
            default: nil
            }
        }
    }

    /// A result on one line: cells by commas, rows by semicolons.
    static func text(_ table: KQL.Table) -> String {
        table.rows.map { $0.values.map(\.text).joined(separator: ",") }.joined(separator: ";")
    }

    @Test(arguments: [
        // Comparison
        (#"app == "web""#, "1,2"), (#"app == 'WEB'"#, ""), (#"app =~ "JOB""#, "3,4"), (#"app !~ "JOB""#, "1,2"),
        (#"app != "web""#, "3,4"), ("n > 1 and n <= 3", "2,3"), ("n == 1 or n == 4", "1,4"), ("not(n == 1)", "2,3,4"),
        ("n <> 2", "1,3,4"), ("ratio > 0", "1,2"), ("ratio != 2.0", "1,3,4"), ("isnull(ratio)", "3"), ("n == 2.0", "2"),
        // Text
        (#"text contains "ERROR""#, "2,3"), (#"text contains_cs "Error""#, "3"), (#"text !contains "error""#, "1,4"),
        (#"text startswith "get""#, "1"), (#"text endswith "FULL""#, "2"), (#"text has "disk""#, "2"),
        (#"text has "dis""#, ""), (#"text hasprefix "dis""#, "2"), (#"text has "index.html""#, "1"),
        (#"text has "Index""#, "1"), (#"text !has "error""#, "1,4"), (#"text has_any ("ok", "again")"#, "1,3"),
        ("isempty(text)", "4"), ("isnotempty(text) and app in (\"Job\", 'x')", "3"), (#"app in~ ("JOB")"#, "3,4"),
        (#"app !in ("web", "Job")"#, "4"), ("n in (1, 3)", "1,3"), (#"n !in (dynamic([1,2]))"#, "3,4"),
        // Dynamic
        (#"tags.owner == "ann""#, "1"), (#"tags['owner'] =~ "bob""#, "2"), (#"tags["owner"] != "ann""#, "2,3,4"),
        ("tags.sizes[1] == 2", "1"), ("tags.sizes[-1] == 3", "1"), ("tags.in.n > 6", "1"),
        ("isnull(tags.owner)", "3,4"),
        (#"tostring(tags.owner) == """#, "3,4"), (#"isnotempty(tags["owner"])"#, "1,2"),
        // Time
        ("TimeGenerated > ago(150s)", "1,2"), ("TimeGenerated >= ago(2m)", "1,2"),
        ("TimeGenerated between (ago(3m) .. ago(2m))", "2,3"), ("TimeGenerated !between (ago(3m) .. now())", "4"),
        ("TimeGenerated < datetime(2026-09-21T14:10:20Z)", "4"), ("TimeGenerated > datetime(2026-09-21)", "1,2,3,4"),
        ("TimeGenerated > datetime(2026-09-21 16:11:30+02:00)", "1"), ("ingestion_time() > ago(1m)", "1"),
        ("took > 1s", "1,3"), ("took == 1500ms", "1"), ("took < time(00:00:00.01)", "4"), ("took * 2 > 5s", "3"),
        ("now() - TimeGenerated > 2m", "3,4"), ("bin(TimeGenerated, 1h) == datetime(2026-09-21 14:00)", "1,2,3,4"),
        // Arithmetic and functions
        ("n % 2 == 1", "1,3"), ("(n + 1) * 2 - 3 == -(-5)", "3"), ("n / 2 == 1", "2,3"), ("toint('3') == n", "3"),
        ("iff(n > 2, 'a', 'b') == 'b'", "1,2"), ("case(n == 1, 'x', n == 2, 'y', 'z') == 'y'", "2"),
        ("strcat(app, '-', n) == 'web-2'", "2"), ("tolower(app) == 'job'", "3,4"), ("strlen(app) == 3", "1,2,3,4"),
        ("substring(text, 0, 3) == 'GET'", "1"), ("coalesce(ratio, 9.0) == 9", "3"),
        ("array_length(tags.sizes) == 3", "1"),
        ("parse_json('{\"a\":[5]}').a[0] == 5 and n == 1", "1"), ("true and n == 1 // a remark\n", "1"),
    ])
    func `where keeps the rows for which an expression is true`(condition: String, expected: String) throws {
        let result = try Self.run("T | where \(condition) | project n")
        #expect(result.table.values("n").map(\.text).joined(separator: ",") == expected)
    }

    @Test(arguments: [
        ("T | take 2 | project n, app", "1,web;2,web"), ("T | limit 1 | project n", "1"),
        ("T | top 2 by n | project n", "4;3"), ("T | top 1 by n asc | project n", "1"),
        ("T | sort by app asc, n desc | project n", "3;4;2;1"), ("T | order by n | project n", "4;3;2;1"),
        ("T | sort by ratio asc | project n", "3;4;1;2"), ("T | sort by ratio | project n", "2;1;4;3"),
        ("T | sort by ratio asc nulls last | project n", "4;1;2;3"),
        ("T | summarize count() by app", "web,2;Job,1;job,1"), ("T | summarize c=count(), max(n), min(n)", "4,4,1"),
        ("T | where n > 9 | summarize count(), max(n)", "0,"), ("T | where n > 9 | summarize count() by app", ""),
        ("T | summarize dcount(tolower(app)), countif(n > 1), sum(n), avg(n)", "2,3,10,2.5"),
        ("T | summarize arg_max(n, text) by app = tolower(app)", "web,2,error: disk-full;job,4,"),
        ("T | summarize count() by bin(TimeGenerated, 2m) | count", "3"), ("T | summarize x = sum(n) * 2 + 1", "21"),
        ("T | summarize make_set(tolower(app)), make_list(n)", #"["web","job"],[1,2,3,4]"#),
        ("T | distinct app", "web;Job;job"), ("T | distinct * | count", "4"), ("T | count", "4"),
        ("T | extend n = n * 10, m = n | project n, m | take 1", "10,1"),
        ("T | where n == 1 | project-rename id = n | project id", "1"),
        ("union T, T | count", "8"), ("T | union Other | count", "5"), ("union isfuzzy=true T, Missing | count", "4"),
        ("union withsource=src T, (T | where n == 1) | summarize count() by src", "T,4;union_arg1,1"),
        ("let lowest = 3; let part = T | where n >= lowest; part | project n", "3;4"),
        ("set notruncation; let d = ago(90s); T | where TimeGenerated > d | project n;", "1"),
        ("(T | where n == 2) | project n", "2"),
        ("print 1, x = 'a', dynamic([1,{\"b\":2}]), 1.5h", #"1,a,[1,{"b":2}],01:30:00"#),
        (#"print @"C:\a""b", 'it\'s', "tab\tA", "a" "b""#, "C:\\a\"b,it's,tab\tA,ab"),
        ("print datetime(2024-02-29T12:00:00.1234567Z), datetime(null)", "2024-02-29T12:00:00.1234567Z,"),
        ("print 1d - 1s, -90m, tostring(2d)", "23:59:59,-01:30:00,2.00:00:00"),
        ("print 7 / 2, 7 / 2.0, 1 / 0", "3,3.5,"),
        ("T | where n == 1 | project tags.owner, tags['in'].n", "ann,7"),
    ])
    func `operators give the rows that Kusto gives`(query: String, expected: String) throws {
        #expect(Self.text(try Self.run(query).table) == expected)
    }

    @Test(arguments: [
        ("T", "TimeGenerated:datetime n:long app:string text:string tags:dynamic took:timespan ratio:real"),
        ("T | count", "Count:long"),
        ("T | summarize count(), sum(n), countif(n > 1)", "count_:long sum_n:long countif_:long"),
        (
            "T | summarize dcount(app) by bin(TimeGenerated, 1h), app",
            "TimeGenerated:datetime app:string dcount_app:long"
        ),
        (
            "T | project tags.owner, tostring(tags['in'].n), n + 1, bin(took, 1s)",
            "tags_owner:dynamic tags_in_n:string Column3:long took:timespan"
        ),
        (
            "T | project-away t*, app | extend d = now() - ago(1h)",
            "TimeGenerated:datetime n:long ratio:real d:timespan"
        ),
        ("T | project-keep a*, n", "n:long app:string"),
        ("union T, Other | project-keep n*, extra", "n_long:long n_string:string extra:bool"),
        (
            "T | summarize arg_max(TimeGenerated, *) by app | project-away t*",
            "app:string TimeGenerated:datetime n:long ratio:real"
        ),
    ])
    func `columns have Kusto's names and types`(query: String, expected: String) throws {
        let columns = try Self.run(query).table.columns
        #expect(columns.map { "\($0.name):\($0.type.rawValue)" }.joined(separator: " ") == expected)
    }

    @Test(arguments: [
        ("T | where |", "SYN0002", 1, 10, "|"), ("T |\n  wher n == 1", "SYN0002", 2, 2, "wher"),
        ("", "SYN0002", 1, 0, "<EOF>"),
        ("T | take", "SYN0002", 1, 8, "<EOF>"), (#"T | where app == "open"#, "SYN0002", 1, 17, "\""),
        ("T | where n == 1)", "SYN0002", 1, 16, ")"),
        ("T | where n = 1", "SYN0002", 1, 12, "="), (#"print "\q""#, "SYN0002", 1, 6, "\""),
        ("print 5parsecs", "SYN0002", 1, 6, "5"),
        ("print datetime(yesterday)", "SYN0002", 1, 6, "datetime(yesterday)"),
    ])
    func `what is no query is refused with the place`(
        query: String, code: String, line: Int, position: Int, token: String
    ) {
        #expect(
            throws: KQL.Failure(
                kind: .syntax, code: code,
                message: "Query could not be parsed at '\(token)' on line [\(line),\(position)]",
                place: .init(line: line, position: position, token: token))
        ) { try Self.run(query) }
    }

    @Test(arguments: [
        (
            "Missing_CL | take 1", "SEM0100",
            "'take' operator: Failed to resolve table or column expression named 'Missing_CL'"
        ),
        (
            "T | where nosuch == 1", "SEM0100",
            "'where' operator: Failed to resolve column or scalar expression named 'nosuch'"
        ),
        ("T | where N == 1", "SEM0100", "'where' operator: Failed to resolve column or scalar expression named 'N'"),
        ("T | where frobnicate(n)", "SEM0260", "Unknown function: 'frobnicate'."),
    ])
    func `names that do not exist are semantic errors`(query: String, code: String, message: String) {
        #expect(throws: KQL.Failure.semantic(code, message)) { try Self.run(query) }
    }

    @Test(arguments: [
        #"T | where n == "1""#, "T | where n contains 'x'", "T | where app + 1 == 2", "T | where n", "T | take n",
        "T | project ago(n)", "T | project n.x", "T | where tolower()", "T | where TimeGenerated > 5",
        "T | summarize sum(app)",
    ])
    func `types that do not fit are semantic errors before any row is read`(query: String) throws {
        do throws(KQL.Failure) {
            _ = try Self.run(query)
            Issue.record("no error")
        } catch { #expect(error.kind == .semantic) }
    }

    @Test func `rows beyond the bound are left out and that is said`() throws {
        let result = try Self.run("T | project n", limits: .init(resultRows: 3))
        #expect(result.isTruncated && result.table.rows.count == 3)
        #expect(try !Self.run("T", limits: .init(resultRows: 4)).isTruncated)
        #expect(try Self.run("T | render timechart with (title='a')").visualization == "timechart")
    }

    @Test func `a query cannot choose what it costs`() {
        let doubling = (1...40).map { "let t\($0) = union t\($0 - 1), t\($0 - 1);" }.joined()
        let hostile = [
            "let t0 = T;\(doubling) t40 | count", String(repeating: "(", count: 100_000),
            "print " + String(repeating: "1+", count: 100_000) + "1",
            "print " + String(repeating: "not(", count: 10_000),
            String(repeating: " ", count: 300_000), "print -" + String(repeating: "-", count: 100_000) + "1",
            "T | project x" + String(repeating: "[0]", count: 50_000),
        ]
        for query in hostile.dropLast(2) {
            #expect(throws: KQL.Failure.self) { try Self.run(query, limits: .init(workRows: 100_000)) }
        }
        #expect(throws: Never.self) { try Self.run(hostile[5]) }
        #expect(throws: KQL.Failure.self) { try Self.run(hostile[6]) }
    }

    @Test func `a query of random tokens fails or runs, but never traps`() {
        let words = [
            "T", "|", "where", "project", "n", "(", ")", "==", "\"a\"", "1", "5m", "and", "summarize", "count()", "by",
            ",",
            "let", "x", "=", ";", "union", "tags", ".", "[", "]", "'k'", "-", "/", "%", "0", "ago", "sort", "take",
            "9223372036854775807",
            "datetime(2026-01-01)", "in", "between", "..", "*", "bin", "extend", "distinct", "dynamic([1])", "top",
            "timespan(1d)",
        ]
        var random = SeededGenerator(seed: 5)
        var ran = 0
        for _ in 0..<20_000 {
            let count = Int.random(in: 1...14, using: &random)
            var query = Bool.random(using: &random) ? "T | " : ""
            for _ in 0..<count { query += (words.randomElement(using: &random) ?? "") + " " }
            do throws(KQL.Failure) { _ = try Self.run(query, limits: .init(workRows: 10_000)); ran += 1 } catch {}
        }
        #expect(ran > 20)
    }

    @Test func `the tables of a query are known before it runs`() throws {
        #expect(try KQL.tableNames(in: "let a = A | take 1; union a, B, (C | union D)") == ["A", "B", "C", "D"])
    }

    @Test(arguments: [
        ("PT1H", 3_600.0), ("P1D", 86_400), ("PT3600.0S", 3_600), ("P1DT1M", 86_460), ("P", nil), ("1h", nil),
        ("P1M", nil),
    ])
    func `periods are read`(text: String, seconds: Double?) {
        #expect(KQL.period(text) == seconds.map { Int64($0 * 1e9) })
    }
}
