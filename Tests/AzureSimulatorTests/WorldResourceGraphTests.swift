import Testing

@testable import AzureSimulator

@Suite struct WorldResourceGraphTests {
    private func populated(_ change: (inout WorldSettings) -> Void = { _ in }) -> WorldScript {
        var script = WorldScript(change)
        for name in ["Site-c", "site-a", "site-b"] {
            _ = script.put(name, body: WorldScript.body(tags: ["managed-by": name == "site-b" ? "Other" : "skls"]))
        }
        script.createAccount("account1")
        return script
    }

    private func names(_ reply: Reply) -> [String] { (json(reply)["data"]?.array ?? []).map { $0.string("name") } }

    @Test func `a sweep finds the sites that carry a tag`() throws {
        var script = populated()
        let reply = script.graph(
            """
            Resources | where type =~ 'Microsoft.Web/Sites' and tags['managed-by'] =~ 'SKLS'
            | project id, name, type, location, kind, tags, properties, resourceGroup, subscriptionId, tenantId
            | order by name asc
            """)
        #expect(reply.status == 200)
        #expect(names(reply) == ["Site-c", "site-a"])
        let body = json(reply)
        #expect(body["totalRecords"] == 2 && body["count"] == 2 && body["facets"] == [])
        #expect(body["resultTruncated"] == "false" && body["$skipToken"] == nil)
        let row = try #require(body["data"]?.array?.first)
        #expect(row.string("id") == WorldScript.site("Site-c") && row.string("type") == "microsoft.web/sites")
        #expect(row.string("location") == "eastus" && row.string("resourceGroup") == "skls")
        #expect(row["tags"] == ["managed-by": "skls"] && row["properties"]?.string("state") == "Running")
        #expect(row["properties"]?["siteConfig"]?["appSettings"] == .null)
        #expect(row.string("subscriptionId") == "sub" && row.string("tenantId") == "tenant")
    }

    @Test(arguments: [
        ("where type == 'microsoft.web/sites' | count", "[{\"Count\":3}]"),
        (
            "resources | where type has 'web' | summarize n=count() by type | order by type asc",
            "[{\"type\":\"microsoft.web/serverfarms\",\"n\":1},{\"type\":\"microsoft.web/sites\",\"n\":3}]"
        ),
        (
            "Resources | where isnotempty(tags['managed-by']) | extend by=tostring(tags['managed-by']) | distinct by",
            "[{\"by\":\"skls\"},{\"by\":\"Other\"}]"
        ),
        (
            "Resources | where name in~ ('SITE-A','account1') and not(type !~ 'microsoft.storage/storageaccounts') "
                + "| project who=name, state=properties.provisioningState",
            "[{\"who\":\"account1\",\"state\":\"Succeeded\"}]"
        ),
        (
            "ResourceContainers | where type =~ 'microsoft.resources/subscriptions/resourcegroups' | project name",
            "[{\"name\":\"other\"},{\"name\":\"skls\"}]"
        ),
        ("Resources | where name startswith 'site-' | project name | take 1", "[{\"name\":\"site-a\"}]"),
    ])
    func `queries of other kinds`(query: String, expected: String) {
        var script = populated()
        let reply = script.graph(query)
        #expect(reply.status == 200)
        let data = json(reply)["data"].map { String(decoding: $0.encoded, as: UTF8.self) }
        #expect(data == expected)
    }

    @Test func `pages follow each other by a token, but only with an id`() {
        var script = populated()
        let query = "Resources | project id, name | order by name asc"
        var found: [String] = []
        var options = #"{"$top":2}"#
        for _ in 0..<3 {
            let body = json(script.graph(query, options: options))
            found += (body["data"]?.array ?? []).map { $0.string("name") }
            #expect(body["totalRecords"] == 6 && body["resultTruncated"] == "false")
            guard let token = body["$skipToken"]?.string else { break }
            options = #"{"$top":2,"$skipToken":"\#(token)"}"#
        }
        #expect(found == ["Site-c", "account1", "plan", "site-a", "site-b", "skls-logs"])
        let without = json(script.graph("Resources | project name", options: #"{"$top":2}"#))
        #expect(without["resultTruncated"] == "true" && without["$skipToken"] == nil && without["count"] == 2)
        #expect(names(script.graph(query, options: #"{"$skip":5}"#)) == ["skls-logs"])
        #expect(script.graph(query, options: #"{"$skipToken":"?"}"#).errorCode == "InvalidSkipToken")
        for options in [#"{"$top":0}"#, #"{"$top":1001}"#, #"{"$top":"2"}"#, #"{"resultFormat":"x"}"#, "[]"] {
            #expect(script.graph(query, options: options).status == 400)
        }
    }

    @Test func `a table has columns with types`() {
        var script = populated()
        let reply = script.graph(
            "Resources | where name =~ 'site-a' | project name, tags, one=1", options: #"{"resultFormat":"table"}"#)
        #expect(
            json(reply)["data"] == [
                "columns": [
                    ["name": "name", "type": "string"], ["name": "tags", "type": "object"],
                    ["name": "one", "type": "integer"],
                ], "rows": [["site-a", ["managed-by": "skls"], 1]],
            ])
    }

    @Test func `a query that cannot be read says where`() {
        var script = populated()
        let reply = script.graph("Resources | where name == ")
        #expect(reply.status == 400 && reply.errorCode == "BadRequest")
        let details = json(reply)["error"]?["details"]?.array ?? []
        #expect(details.first?.string("code") == "InvalidQuery")
        #expect(details.last?.string("code") == "ParserFailure" && details.last?["line"] == 1)
        #expect(script.graph("Resources | where nosuch == 1").errorCode == "BadRequest")
        #expect(script.graph("Nothing | count").status == 400)
        #expect(script.graph(" ").status == 400)
        let foreign = script.send(
            ControlRequest(
                method: "POST", path: "/providers/Microsoft.ResourceGraph/resources", query: "api-version=2024-04-01",
                authorization: "Bearer \(script.token)",
                body: Array(#"{"subscriptions":["else"],"query":"Resources"}"#.utf8)))
        #expect(
            json(foreign)["error"]?["details"]?.array?.first?.string("code") == "NoValidSubscriptionsInQueryRequest")
    }

    @Test func `fifteen queries in five seconds, and the rest is refused until they are over`() {
        var script = WorldScript()
        var reply = script.graph("Resources")
        #expect(reply.header("x-ms-user-quota-remaining") == "14")
        #expect(reply.header("x-ms-user-quota-resets-after") == "00:00:05")
        script.advance(.milliseconds(2_500))
        for _ in 0..<14 { reply = script.graph("Resources") }
        #expect(reply.status == 200 && reply.header("x-ms-user-quota-remaining") == "0")
        #expect(reply.header("x-ms-user-quota-resets-after") == "00:00:03")
        reply = script.graph("Resources")
        #expect(reply.status == 429 && reply.errorCode == "RateLimiting")
        script.advance(.milliseconds(2_500))
        reply = script.graph("Resources")
        #expect(reply.status == 200 && reply.header("x-ms-user-quota-remaining") == "14")
    }

    @Test func `changes show after a while, also deletions and tags`() {
        var script = WorldScript { $0.latencyScale = 1 }
        let query = "Resources | where type =~ 'microsoft.web/sites' | project name, tag=tags.t"
        let web = "Resources | where type !has 'workspaces' | project name"
        #expect(names(script.graph(web)) == ["plan"])
        _ = script.put("site-a", body: WorldScript.body(tags: ["t": "1"]))
        script.advance(.seconds(29))
        #expect(names(script.graph(query)).isEmpty)
        script.advance(.seconds(1))
        #expect(names(script.graph(query)) == ["site-a"])
        _ = script.call(
            "PATCH", WorldScript.site("site-a", suffix: "/providers/Microsoft.Resources/tags/default"),
            body: #"{"operation":"Merge","properties":{"tags":{"t":"2"}}}"#)
        #expect(json(script.graph(query))["data"]?.array?.first?.string("tag") == "1")
        script.advance(.seconds(30))
        #expect(json(script.graph(query))["data"]?.array?.first?.string("tag") == "2")
        _ = script.call("DELETE", WorldScript.site("site-a"), query: "deleteEmptyServerFarm=true")
        #expect(names(script.graph(query)) == ["site-a"])
        script.advance(.seconds(30))
        #expect(names(script.graph(web)).isEmpty)
        script.createAccount("account1")
        script.advance(.seconds(30))
        #expect(names(script.graph(web)).isEmpty)
        script.advance(.seconds(30))
        #expect(names(script.graph(web)) == ["account1"])
    }

    @Test func `Resource Graph hears when a site can be seen and when its name is free`() {
        var script = WorldScript {
            $0.latencyScale = 1
            $0.web.writes = .accepted
            $0.web.deleteLag = .seconds(300)
        }
        func sites() -> [String] {
            names(script.graph("Resources | where type =~ 'microsoft.web/sites' | project name"))
        }
        _ = script.put("a1")
        script.advance(WebSettings.operation)
        #expect(sites().isEmpty)
        script.advance(.seconds(30))
        #expect(sites() == ["a1"])
        _ = script.arm("DELETE", WorldScript.site("a1"), query: "deleteEmptyServerFarm=false")
        script.advance(.seconds(299))
        #expect(sites() == ["a1"])
        script.advance(.seconds(1))
        #expect(sites() == ["a1"])
        script.advance(.seconds(30))
        #expect(sites().isEmpty)
    }

    @Test func `changes that nobody asks for do not pile up`() {
        var script = WorldScript { $0.latencyScale = 1 }
        for _ in 0..<50 {
            _ = script.put("a1", body: WorldScript.body(plan: "plan"))
            script.advance(.seconds(10))
        }
        #expect(script.world.graphMirror.pending.count <= 12)
    }
}
