import Testing

@testable import AzureSimulator

@Suite(.timeLimit(.minutes(1))) struct WorldLogsTests {
    static let workspace =
        "/subscriptions/sub/resourceGroups/skls/providers/Microsoft.OperationalInsights/workspaces/skls-logs"

    // MARK: Resources

    @Test func `a workspace is made, read, listed, has keys and comes back after a deletion without force`() {
        var script = WorldScript()
        let path = "/subscriptions/sub/resourceGroups/other/providers/Microsoft.OperationalInsights/workspaces/w1"
        let body = #"{"location":"eastus","properties":{"sku":{"name":"PerGB2018"},"retentionInDays":40}}"#
        let put = script.logsARM("PUT", path, body: body)
        #expect(put.status == 201)
        let id = json(put)["properties"]?.string("customerId") ?? ""
        #expect(id.count == 36 && json(put)["properties"]?["retentionInDays"] == 40)
        #expect(json(put)["properties"]?.string("provisioningState") == "Succeeded")
        #expect(script.logsARM("PUT", path, body: body).status == 200)
        #expect(json(script.logsARM("GET", path)).string("type") == "Microsoft.OperationalInsights/workspaces")
        #expect(json(script.logsARM("POST", path + "/sharedKeys")).string("primarySharedKey").count == 88)
        let all = "/subscriptions/sub/providers/Microsoft.OperationalInsights/workspaces"
        #expect(json(script.logsARM("GET", all))["value"]?.array?.count == 2)
        #expect(script.logsARM("DELETE", path).status == 200 && script.logsARM("DELETE", path).status == 204)
        #expect(script.logsARM("GET", path).errorCode == "ResourceNotFound")
        #expect(json(script.logsARM("PUT", path, body: body))["properties"]?.string("customerId") == id)
        _ = script.logsARM("DELETE", path, query: "force=true")
        #expect(json(script.logsARM("PUT", path, body: body))["properties"]?.string("customerId") != id)
        #expect(script.logsARM("PUT", path, body: "{}").errorCode == "LocationRequired")
    }

    @Test func `a component's connection string leads to the simulator`() {
        var script = WorldScript()
        let component = json(script.component())["properties"] ?? [:]
        let key = component.string("InstrumentationKey")
        #expect(
            component.string("ConnectionString").hasPrefix(
                "InstrumentationKey=\(key);IngestionEndpoint=http://127.0.0.1:1/;"))
        #expect(component.string("AppId").count == 36 && component.string("WorkspaceResourceId") == Self.workspace)
        #expect(script.component(workspace: Self.workspace + "x").status == 400)
        let list = "/subscriptions/sub/resourceGroups/skls/providers/Microsoft.Insights/components"
        #expect(json(script.insightsARM("GET", list, version: "2020-02-02"))["value"]?.array?.count == 1)
    }

    // MARK: Queries

    @Test func `telemetry becomes rows of the tables of Application Insights`() {
        var script = WorldScript()
        let key = script.componentKey()
        let items = [
            script.item(key, "MessageData", #"{"message":"hello","severityLevel":"Warning","properties":{"run":"1"}}"#),
            script.item(
                key, "RequestData",
                #"{"id":"r","name":"GET /","duration":"00:00:01.5","success":false,"responseCode":"500"}"#),
            script.item(key, "ExceptionData", #"{"exceptions":[{"typeName":"E","message":"m"}],"severityLevel":3}"#),
            script.item(key, "EventData", #"{"name":"started"}"#), script.item(key, "MetricData", "{}"),
        ]
        let reply = script.track(items.joined(separator: "\n"))
        #expect(reply.status == 200)
        #expect(json(reply)["itemsReceived"] == 5 && json(reply)["itemsAccepted"] == 5 && json(reply)["errors"] == [])
        #expect(
            script.rows(
                "AppTraces | project Message, SeverityLevel, AppRoleName, Properties, Properties.run, ItemCount")
                == #"[["hello",2,"web","{\"run\":\"1\"}","1",1]]"#)
        #expect(
            script.rows("AppRequests | project Name, Success, ResultCode, DurationMs")
                == #"[["GET /",false,"500",1500.0]]"#)
        #expect(script.rows("AppExceptions | project ExceptionType, OuterMessage, SeverityLevel") == #"[["E","m",3]]"#)
        #expect(
            script.rows("union AppEvents, AppTraces | summarize count() by Type | order by Type asc")
                == #"[["AppEvents",1],["AppTraces",1]]"#)
        #expect(
            script.rows("AppTraces | project TimeGenerated, TenantId")
                == #"[["2026-09-21T14:13:20.5Z","5ba5e000-7e4a-4000-8000-000000000004"]]"#)
    }

    @Test func `an array is taken too, and what is wrong is told item by item`() {
        var script = WorldScript()
        let key = script.componentKey()
        let good = script.item(key, "EventData", #"{"name":"a"}"#)
        let partly = script.track(
            "[\(good),{\"iKey\":\"\(key)\"},\(script.item("nosuch", "EventData", "{}"))]", path: "/v2/track")
        #expect(partly.status == 206 && json(partly)["itemsAccepted"] == 1)
        #expect(json(partly)["errors"]?.array?.map { $0["index"] } == [1, 2])
        #expect(script.track(script.item("nosuch", "EventData", "{}")).status == 400)
        #expect(script.track("no json").status == 400)
    }

    @Test func `an empty workspace answers 204, a missing table 400 with both inner errors`() {
        var script = WorldScript()
        #expect(script.query("AppTraces | take 1").status == 204)
        #expect(script.query("print 1").status == 200)
        _ = script.track(script.item(script.componentKey(), "EventData", #"{"name":"a"}"#))
        #expect(script.rows("AppTraces | count") == "[[0]]")
        let missing = script.query("My_CL | take 1")
        #expect(missing.status == 400 && missing.errorCode == "BadArgumentError")
        let inner = json(missing)["error"]?["innererror"]
        #expect(inner?.string("code") == "SemanticError" && inner?["innererror"]?.string("code") == "SEM0100")
        let broken = json(script.query("AppTraces | where |"))["error"]?["innererror"]
        #expect(broken?.string("code") == "SyntaxError" && broken?["innererror"]?["pos"] == 18)
    }

    @Test func `statistics and render come when they are preferred, and a POST without a media type gets nothing`() {
        var script = WorldScript()
        #expect(json(script.query("print 1"))["statistics"] == nil)
        let reply = json(
            script.query(
                "print 1 | render piechart", headers: ["Prefer": "wait=10,include-statistics=true, include-render=true"]
            ))
        #expect(
            reply["statistics"]?["query"]?["executionTime"] != nil && reply["render"] == ["visualization": "piechart"])
        let bare = script.query("print 1", contentType: nil)
        #expect(bare.status == 200 && bare.body.isEmpty)
        let get = script.logs("GET", "/v1/workspaces/\(script.workspaceID)/query", query: "query=print%20x%3D1")
        #expect(json(get)["tables"]?.array?.first?["rows"] == [[1]])
        #expect(json(get)["tables"]?.array?.first?["columns"] == [["name": "x", "type": "long"]])
    }

    @Test func `more rows than the bound are a partial answer`() {
        var script = WorldScript { $0.logs.resultRows = 2 }
        script.fill(3)
        let reply = script.query("AppEvents")
        #expect(reply.status == 200 && json(reply)["tables"]?.array?.first?["rows"]?.array?.count == 2)
        #expect(json(reply)["error"]?.string("code") == "PartialError")
        #expect(json(reply)["error"]?["details"]?.array?.first?["innererror"]?.string("code") == "-2133196797")
        #expect(json(script.query("AppEvents | take 2"))["error"] == nil)
    }

    @Test func `time ranges of address and body count together`() {
        var script = WorldScript()
        script.fill(3, secondsApart: 3_600)  // at 0, 1 and 2 hours before the present
        script.advance(.seconds(1))
        func count(_ body: String?, _ query: String? = nil) -> String {
            script.rows(
                "AppEvents", timespan: body, query: query.map { "timespan=\($0)" } ?? "", cells: { "\($0.count)" })
        }
        #expect(count(nil) == "3" && count("PT90M") == "2" && count("PT5400.0S") == "2" && count("P1D", "PT30M") == "1")
        #expect(count("2026-09-21T12:00:00Z/2026-09-21T13:14:00Z") == "2" && count("2026-09-21T12:00:00Z/PT1H") == "1")
        #expect(script.query("AppEvents", timespan: "yesterday").status == 400)
    }

    @Test func `rows are found by resource, by other workspaces and through Resource Manager`() {
        var script = WorldScript()
        script.fill(2)
        let component = "/subscriptions/sub/resourceGroups/skls/providers/microsoft.insights/components/ai"
        func status(_ path: String) -> (Int, Int?) {
            let reply = script.logs("POST", path, body: #"{"query":"AppEvents"}"#)
            return (reply.status, json(reply)["tables"]?.array?.first?["rows"]?.array?.count)
        }
        #expect(status("/v1\(component)/query") == (200, 2) && status("/v1/\(component)/query") == (200, 2))
        #expect(
            status("/v1\(component)2/query") == (200, 0)
                && status("/v1/subscriptions/sub/resourceGroups/SKLS/query") == (200, 2))
        #expect(status("/v1\(Self.workspace)/query") == (200, 2) && status("/v1/workspaces/nosuch/query") == (404, nil))
        let arm = script.logsARM(
            "POST", Self.workspace + "/api/query", body: #"{"query":"AppEvents | count"}"#,
            version: "2017-01-01-preview")
        #expect(json(arm)["tables"]?.array?.first?["rows"] == [[2]])
        let made = script.logsARM("PUT", Self.workspace + "2", body: #"{"location":"eastus"}"#)
        let second = json(made)["properties"]?.string("customerId") ?? ""
        let both = script.logs(
            "POST", "/v1/workspaces/\(second)/query", body: #"{"query":"AppEvents | count","workspaces":["skls-logs"]}"#
        )
        #expect(json(both)["tables"]?.array?.first?["rows"] == [[2]])
    }

    @Test func `a batch is answered query by query`() {
        var script = WorldScript()
        let requests = ["print 1", "nonsense |", "print 2"].enumerated().map {
            #"{"id":"\#($0.offset)","workspace":"\#(script.workspaceID)","path":"/query","method":"POST","body":{"query":"\#($0.element)"}}"#
        }
        let reply = script.logs("POST", "/v1/$batch", body: "{\"requests\":[\(requests.joined(separator: ","))]}")
        let responses = json(reply)["responses"]?.array ?? []
        #expect(
            responses.map { $0["status"] } == [200, 400, 200] && responses.map { $0.string("id") } == ["0", "1", "2"])
        #expect(responses.last?["body"]?["tables"]?.array?.first?["rows"] == [[2]])
    }

    @Test func `without a token 401, with a bad one or one of another audience 403`() {
        var script = WorldScript()
        let path = "/v1/workspaces/\(script.workspaceID)/query"
        func code(_ authorization: String?) -> (Int, String) {
            let reply = script.send(
                ControlRequest(
                    method: "POST", path: path, authorization: authorization, headers: WorldScript.jsonType,
                    body: Array(#"{"query":"print 1"}"#.utf8)))
            return (reply.status, reply.errorCode)
        }
        #expect(code(nil) == (401, "AuthenticationFailed") && code("Bearer x") == (403, "InvalidAuthenticationToken"))
        func token(_ audience: String) -> String {
            json(script.login(scope: "\(audience)/.default")).string("access_token")
        }
        let graph = token("https://graph.microsoft.com")
        #expect(code("Bearer \(graph)") == (403, "InvalidAuthenticationTokenAudience"))
        let logs = token("https://api.loganalytics.io")
        #expect(code("Bearer \(logs)") == (200, ""))
        script.advance(.seconds(4_000))
        #expect(code("Bearer \(logs)") == (403, "InvalidAuthenticationToken"))
    }

    @Test func `the 201st query within 30 seconds is refused until the first is old enough`() {
        var script = WorldScript()
        for _ in 0..<200 { #expect(script.query("print 1").status == 200) }
        let refused = script.query("print 1")
        #expect(refused.status == 429 && refused.header("Retry-After") == "31")
        script.advance(.seconds(31))
        #expect(script.query("print 1").status == 200)
    }

    @Test func `the sixth query at once waits for one of the five, and one that waits too long is refused`() {
        var script = WorldScript {
            $0.latencyScale = 1
            $0.logs.queryTime = .seconds(100)
        }
        func due() -> Duration? {
            _ = script.query("print 1", headers: ["Prefer": "wait=600"])
            for case .replyLater(_, let reply, let time) in script.last where reply.status == 200 {
                return time - script.now
            }
            return nil
        }
        let token = script.token
        #expect(!token.isEmpty)
        #expect((0..<5).map { _ in due() } == Array(repeating: .seconds(100), count: 5))
        #expect((0..<5).map { _ in due() } == Array(repeating: .seconds(200), count: 5))
        #expect(due() == nil)
    }

    // MARK: Delay, disorder, duplicates

    @Test func `rows come late, in another order and some twice, the same on every run`() {
        func arrivals() -> [String] {
            var script = WorldScript {
                $0.latencyScale = 1
                $0.logs.duplicatesPerMille = 200
                $0.logs.queryTime = .zero
            }
            script.fill(50)
            #expect(script.query("AppEvents").status == 200 && script.rows("AppEvents | count") == "[[0]]")
            var seen: [String] = []
            for _ in 0..<70 {
                script.advance(.seconds(10))
                seen.append(script.rows("AppEvents | project Name | order by Name asc", cells: { "\($0)" }))
            }
            let late = script.rows(
                "AppEvents | where ingestion_time() - TimeGenerated < 3s or ingestion_time() - TimeGenerated > 605s | count"
            )
            #expect(late == "[[0]]")
            #expect(script.rows("AppEvents | summarize dcount(Name)") == "[[50]]")
            let total = script.rows("AppEvents | count")
            #expect(total != "[[50]]")
            // Not in the order in which they happened.
            #expect(
                script.rows("AppEvents | order by ingestion_time() asc | project Name")
                    != script.rows("AppEvents | order by Name asc | project Name"))
            return seen + [total]
        }
        let first = arrivals()
        #expect(Set(first).count > 20 && arrivals() == first)
    }

    @Test func `a table keeps so many rows and drops the oldest`() {
        var script = WorldScript { $0.logs.rowsPerTable = 100 }
        script.fill(150)
        #expect(
            script.world.logs.stores.values.first?.tables["AppEvents"].map { $0.rows.count <= 110 && $0.dropped >= 40 }
                == true)
        #expect(script.rows("AppEvents | summarize max(Name)") == #"[["e150"]]"#)
    }

    // MARK: Lines of containers

    @Test func `lines of a container and of the platform are rows where a diagnostic setting says so`() {
        var script = WorldScript()
        _ = script.put("a1")
        guard let launch = script.started else {
            Issue.record("nothing started")
            return
        }
        _ = script.tell(.containerWrote(launch.instance, Array("before\n".utf8)))
        let setting = WorldScript.site("a1", suffix: "/providers/Microsoft.Insights/diagnosticSettings/d1")
        let body =
            #"{"properties":{"workspaceId":"\#(Self.workspace)","logs":[{"category":"AppServiceConsoleLogs","enabled":true},{"category":"AppServicePlatformLogs","enabled":true},{"category":"AppServiceHTTPLogs","enabled":false}]}}"#
        let put = script.insightsARM("PUT", setting, body: body)
        #expect(put.status == 200 && json(put).string("id").hasSuffix("/microsoft.insights/diagnosticSettings/d1"))
        #expect(json(script.insightsARM("GET", setting))["properties"]?.string("workspaceId") == Self.workspace)
        _ = script.tell(.containerWrote(launch.instance, Array("one\ntw".utf8)))
        _ = script.tell(.containerWrote(launch.instance, Array("o\n".utf8)))
        _ = script.tell(.containerReady(launch.instance))
        #expect(
            script.rows("AppServiceConsoleLogs | project ResultDescription, _ResourceId")
                == "[[\"one\",\"\(WorldScript.site("a1").lowercased())\"],[\"two\",\"\(WorldScript.site("a1").lowercased())\"]]"
        )
        #expect(
            script.rows("AppServicePlatformLogs | where Message contains 'initialized successfully' | count") == "[[1]]"
        )
        let list = WorldScript.site("a1", suffix: "/providers/microsoft.insights/diagnosticSettings")
        #expect(json(script.insightsARM("GET", list))["value"]?.array?.count == 1)
        #expect(script.insightsARM("DELETE", setting).status == 200)
        _ = script.tell(.containerWrote(launch.instance, Array("after\n".utf8)))
        #expect(script.rows("AppServiceConsoleLogs | count") == "[[2]]")
        #expect(script.insightsARM("PUT", setting, body: #"{"properties":{"workspaceId":"x"}}"#).status == 400)
        #expect(
            script.insightsARM(
                "GET", WorldScript.site("a2", suffix: "/providers/Microsoft.Insights/diagnosticSettings/d1")
            ).status == 404)
    }
}

// MARK: - Requests

extension WorldScript {
    static let jsonType = [Reply.Header(name: "content-type", value: "application/json")]

    var workspaceID: String { LogSettings().workspaceID }

    mutating func logsARM(
        _ method: String, _ path: String, query: String = "", body: String = "", version: String = "2023-09-01"
    ) -> Reply {
        insightsARM(method, path, query: query, body: body, version: version)
    }

    mutating func insightsARM(
        _ method: String, _ path: String, query: String = "", body: String = "", version: String = "2021-05-01-preview"
    ) -> Reply {
        send(
            ControlRequest(
                method: method, path: path, query: "api-version=\(version)&\(query)", baseURL: "http://127.0.0.1:1",
                authorization: "Bearer \(token)", headers: Self.jsonType, body: Array(body.utf8)))
    }

    mutating func component(workspace: String = WorldLogsTests.workspace) -> Reply {
        insightsARM(
            "PUT", "/subscriptions/sub/resourceGroups/skls/providers/Microsoft.Insights/components/ai",
            body:
                #"{"location":"eastus","kind":"web","properties":{"Application_Type":"web","WorkspaceResourceId":"\#(workspace)"}}"#,
            version: "2020-02-02")
    }

    mutating func componentKey() -> String { json(component())["properties"]?.string("InstrumentationKey") ?? "" }

    /// An item of telemetry, half a second after the present.
    func item(_ key: String, _ type: String, _ data: String, at time: Instant? = nil) -> String {
        #"{"time":"\#((time ?? now + .milliseconds(500)).iso8601)","iKey":"\#(key)","name":"x","tags":{"ai.cloud.role":"web"},"data":{"baseType":"\#(type)","baseData":\#(data)}}"#
    }

    mutating func track(_ body: String, path: String = "/v2.1/track") -> Reply {
        send(ControlRequest(method: "POST", path: path, headers: Self.jsonType, body: Array(body.utf8)))
    }

    /// Events called `e001`, `e002`, …, each so much older than the one before.
    mutating func fill(_ count: Int, secondsApart: Int = 0) {
        let key = componentKey()
        let items = (1...count).map { number in
            item(
                key, "EventData", #"{"name":"e\#(String(1_000 + number).dropFirst())"}"#,
                at: now + .seconds(-secondsApart * (number - 1)))
        }
        _ = track(items.joined(separator: "\n"))
    }

    mutating func logs(
        _ method: String, _ path: String, query: String = "", body: String = "", headers: [String: String] = [:],
        contentType: String? = "application/json"
    ) -> Reply {
        var all = headers.map { Reply.Header(name: $0.key, value: $0.value) }
        if let contentType { all.append(.init(name: "Content-Type", value: contentType)) }
        let request = ControlRequest(
            method: method, path: path, query: query, authorization: "Bearer \(token)", headers: all,
            body: Array(body.utf8))
        let (id, effects) = step { .request($0, request) }
        for effect in effects {
            switch effect {
            case .reply(id, let reply), .replyLater(id, let reply, _): return reply
            default: continue
            }
        }
        return Reply(status: 0)
    }

    mutating func query(
        _ text: String, timespan: String? = nil, query: String = "", headers: [String: String] = [:],
        contentType: String? = "application/json"
    ) -> Reply {
        var body: JSON = ["query": .string(text)]
        if let timespan { body.add("timespan", .string(timespan)) }
        return logs(
            "POST", "/v1/workspaces/\(workspaceID)/query", query: query,
            body: String(decoding: body.encoded, as: UTF8.self), headers: headers, contentType: contentType)
    }

    /// The rows of an answer as JSON text.
    mutating func rows(
        _ text: String, timespan: String? = nil, query: String = "",
        cells: ([JSON]) -> String = { String(decoding: JSON.array($0).encoded, as: UTF8.self) }
    ) -> String {
        cells(json(self.query(text, timespan: timespan, query: query))["tables"]?.array?.first?["rows"]?.array ?? [])
    }
}
