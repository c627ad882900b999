import AzureSimulator
import NIOCore
import NIOHTTP1
import Testing

@testable import AzureClient

@Suite(.timeLimit(.minutes(1))) struct LogAnalyticsTests {
    static func workspace() throws -> GUID { try #require(GUID("5ba5e000-7e4a-4000-8000-000000000004")) }

    static func ask(_ text: String = "AppTraces", _ transport: ScriptedTransport) async throws -> LogAnswer {
        let client = try Sample.client(transport)
        return try await client.queryLogs(
            LogQuery(.workspace(try workspace()), text, timespan: .last(.seconds(3_600))),
            correlationID: Sample.correlation)
    }

    static func refused(_ transport: ScriptedTransport) async throws -> AzureError {
        let (client, id) = (try Sample.client(transport), try workspace())
        return try await failure { () throws(AzureError) in
            try await client.queryLogs(LogQuery(.workspace(id), "AppTraces"), correlationID: Sample.correlation)
        }
    }

    @Test func `a query goes to the workspace with a token for Log Analytics`() async throws {
        let transport = ScriptedTransport { _, _ in
            .json(200, #"{"tables":[{"name":"PrimaryResult","columns":[],"rows":[]}]}"#)
        }
        _ = try await Self.ask("T | where a == \"x\"", transport)
        let request = try #require(transport.requests.first)
        #expect(request.url == "https://api.loganalytics.io/v1/workspaces/5ba5e000-7e4a-4000-8000-000000000004/query")
        #expect(request.tokenScope?.rawValue == "https://api.loganalytics.io/.default")
        #expect(request.headers.first(name: "content-type") == "application/json")
        #expect(request.headers.first(name: "prefer") == "wait=180" && !request.isWrite)
        #expect(request.body.map { String(buffer: $0) } == #"{"query":"T | where a == \"x\"","timespan":"PT3600S"}"#)
    }

    @Test func `values have the types of their columns`() async throws {
        let columns = [
            "bool", "datetime", "dynamic", "int", "long", "real", "string", "guid", "timespan", "decimal", "future",
        ]
        let row = #"[1,"2026-01-02T03:04:05.1234567Z","{\"a\":[1]}",1,9007199254740993,2,"s","g","00:00:01","1.5","f"]"#
        let nulls = Array(repeating: "null", count: columns.count).joined(separator: ",")
        let named = columns.map { #"{"name":"c_\#($0)","type":"\#($0)"}"# }.joined(separator: ",")
        let transport = ScriptedTransport { _, _ in
            .json(200, #"{"tables":[{"name":"PrimaryResult","columns":[\#(named)],"rows":[\#(row),[\#(nulls)]]}]}"#)
        }
        guard case .table(let table, partial: nil) = try await Self.ask("T", transport) else { throw Sample.Missing() }
        let time = try #require(LogTime("2026-01-02T03:04:05.1234567Z"))
        #expect(
            table.rows.first == [
                .bool(true), .datetime(time), .dynamic(.object(["a": .array([.integer(1)])])), .long(1),
                .long(9_007_199_254_740_993), .real(2), .text("s"), .text("g"), .text("00:00:01"), .text("1.5"),
                .text("f"),
            ])
        #expect(table.rows.last?.allSatisfy(\.isNull) == true)
        #expect(table.values("c_long") == [.long(9_007_199_254_740_993), .null] && table.values("nosuch") == nil)
    }

    @Test func `a partial answer is rows and an error, and tells whether less would be whole`() async throws {
        func answer(_ code: String) async throws -> LogAnswer {
            try await Self.ask(
                "T",
                ScriptedTransport { _, _ in
                    .json(
                        200,
                        """
                        {"tables":[{"name":"PrimaryResult","columns":[{"name":"n","type":"long"}],"rows":[[1]]}],
                         "error":{"code":"PartialError","message":"There were some errors when processing your query.","details":[
                         {"code":"EngineError","message":"Something went wrong","innererror":{"code":"\(code)","message":"E_X"}}]}}
                        """)
                })
        }
        guard case .table(let table, let partial?) = try await answer("-2133196797") else { throw Sample.Missing() }
        #expect(table.rows == [[.long(1)]])
        #expect(partial == LogPartialError(code: "PartialError", message: "E_X", isTooLarge: true))
        guard case .table(_, let other?) = try await answer("-1") else { throw Sample.Missing() }
        #expect(!other.isTooLarge)
    }

    static func refusal(_ inner: String, _ code: String, _ message: String) -> String {
        #"{"error":{"message":"The request had some invalid properties","code":"BadArgumentError","correlationId":"c","innererror":{"code":"\#(inner)","message":"A semantic error occurred.","innererror":{"code":"\#(code)","message":"\#(message)"}}}}"#
    }

    @Test func `an empty workspace and a table before its first row hold no rows yet`() async throws {
        #expect(try await Self.ask("T", ScriptedTransport { _, _ in .json(204, "") }) == .noRowsYet)
        let missing = Self.refusal(
            "SemanticError", "SEM0100", "'take' operator: Failed to resolve table or column expression named 'My_CL'")
        #expect(try await Self.ask("T", ScriptedTransport { _, _ in .json(400, missing) }) == .noRowsYet)
    }

    @Test(arguments: [
        ("SemanticError", "SEM0100", "'where' operator: Failed to resolve column or scalar expression named 'x'"),
        ("SyntaxError", "SYN0002", "Query could not be parsed at '|' on line [1,5]"),
    ])
    func `another refusal is invalid, and says where`(inner: String, code: String, message: String) async throws {
        let error = try await Self.refused(ScriptedTransport { _, _ in .json(400, Self.refusal(inner, code, message)) })
        #expect(error.code == .invalid && error.innerCode == code && error.detail == message)
        #expect(error.description.contains(message))
    }

    @Test func `throttling, refused tokens and odd answers are errors of their kinds`() async throws {
        func code(_ status: Int, _ body: String, headers: [String: String] = [:]) async throws -> AzureError {
            try await Self.refused(
                ScriptedTransport { _, _ in .json(status, body, headers: .init(headers.map { ($0, $1) })) })
        }
        let throttled = try await code(
            429, #"{"error":{"code":"ThrottledError","message":"m"}}"#, headers: ["Retry-After": "7"])
        #expect(throttled.code == .throttled && throttled.retryAfter == .seconds(7))
        #expect(try await code(403, #"{"error":{"code":"InsufficientAccessError","message":"m"}}"#).code == .forbidden)
        #expect(try await code(504, "").code == .timedOut)
        #expect(try await code(200, "").code == .malformedReply)
        #expect(try await code(200, #"{"tables":[]}"#).code == .malformedReply)
        #expect(try await code(200, #"{"tables":[{"name":"t","columns":[],"rows":[[1]]}]}"#).code == .malformedReply)
    }

    @Test func `a resource is asked by its id`() async throws {
        let transport = ScriptedTransport { _, _ in .json(204, "") }
        let id = try Sample.planID()
        _ = try await Sample.client(transport).queryLogs(
            LogQuery(.resource(id), "T"), correlationID: Sample.correlation)
        #expect(transport.requests.first?.url == "https://api.loganalytics.io/v1\(id)/query")
    }

    // MARK: Against the simulator

    @Test func `telemetry that was sent is read back over HTTP`() async throws {
        try await withSimulator { simulated in
            let client = try simulated.client()
            let query = LogQuery(
                .workspace(try Self.workspace()), "AppTraces | project Message, SeverityLevel, Properties")
            #expect(try await client.queryLogs(query, correlationID: Sample.correlation) == .noRowsYet)
            try await simulated.track("tokens \"quoted\"", token: "t1")
            guard
                case .table(let table, partial: nil) = try await client.queryLogs(
                    query, correlationID: Sample.correlation)
            else { throw Sample.Missing() }
            #expect(
                table.rows == [[.text("tokens \"quoted\""), .long(1), .dynamic(.object(["token": .string("t1")]))]])
            let missing = LogQuery(.workspace(try Self.workspace()), "My_CL | take 1")
            #expect(try await client.queryLogs(missing, correlationID: Sample.correlation) == .noRowsYet)
            let broken = LogQuery(.workspace(try Self.workspace()), "AppTraces | where nosuch")
            let error = try await failure { () throws(AzureError) in
                try await client.queryLogs(broken, correlationID: Sample.correlation)
            }
            #expect(error.code == .invalid && error.detail?.contains("'nosuch'") == true)
        }
    }

    @Test func `a cursor follows lines over HTTP, page by page`() async throws {
        try await withSimulator { simulated in
            let client = try simulated.client()
            for number in 1...7 { try await simulated.track("line \(number)", token: "it's \"me\"") }
            try await simulated.track("of another", token: "t2")
            var cursor = LogCursor(start: LogTime(unixSeconds: 0), pageRows: 3)
            let source = LogCursor.Source(
                table: "AppTraces", filter: "Properties.token == \(KQLLiteral.string("it's \"me\""))",
                columns: ["TimeGenerated", "Message"], keyColumns: ["Message"])
            var messages: [String] = []
            func drain() async throws {
                while true {
                    let step = try await client.advance(
                        &cursor, over: source, of: .workspace(try Self.workspace()), correlationID: Sample.correlation)
                    messages += step.table.values("Message")?.compactMap(\.text) ?? []
                    if !step.hasMore { return }
                }
            }
            try await drain()
            #expect(messages == (1...7).map { "line \($0)" })
            try await simulated.track("line 8", token: "it's \"me\"")
            try await drain()
            #expect(messages.count == 8 && messages.last == "line 8")
        }
    }
}

extension SimulatedAzure {
    /// Sends a line to Application Insights as an agent would; the component is made at need.
    func track(_ message: String, token: String) async throws {
        let admin = try client()
        let id = "\(scope.group)/providers/Microsoft.Insights/components/ai"
        var put = AzureRequest(
            operation: .configure, resource: id, method: .PUT, url: "\(url)\(id)?api-version=2020-02-02",
            headers: ["content-type": "application/json"], correlationID: Sample.correlation, timeout: .seconds(10))
        put.body = ByteBuffer(string: #"{"location":"eastus","properties":{}}"#)
        let component = try admin.decoded(JSONValue.self, from: try await admin.call(put), to: put)
        let key = component["properties"]?["InstrumentationKey"]?.string ?? ""
        var post = put
        post.method = .POST
        post.url = "\(url)/v2.1/track"
        let item = JSONValue.object([
            "name": .string("m"), "time": .string("2026-01-01T00:00:00Z"), "iKey": .string(key),
            "data": .object([
                "baseType": .string("MessageData"),
                "baseData": .object([
                    "message": .string(message), "severityLevel": .integer(1),
                    "properties": .object(["token": .string(token)]),
                ]),
            ]),
        ])
        post.body = try AzureClient.encoded(item, for: post)
        let reply = try await admin.call(post)
        #expect(reply.status == 200)
    }
}
