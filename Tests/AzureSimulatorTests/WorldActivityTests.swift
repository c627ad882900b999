import Testing

@testable import AzureSimulator

/// The activity log: who changed what.
@Suite struct WorldActivityTests {
    private func ask(_ script: inout WorldScript, _ filter: String, select: String = "") -> Reply {
        script.send(
            ControlRequest(
                method: "GET",
                path: "/subscriptions/sub/providers/microsoft.insights/eventtypes/management/values",
                query: "api-version=2015-04-01&$filter=\(URLText.encode(filter))"
                    + (select.isEmpty ? "" : "&$select=\(select)"),
                authorization: "Bearer \(script.token)"))
    }

    private func operations(_ reply: Reply) -> [String] {
        (json(reply)["value"]?.array ?? []).compactMap { $0["operationName"]?["value"]?.string }
    }

    @Test func `writes are in it with their caller, newest first, and reads are not`() throws {
        var script = WorldScript()
        _ = script.put("a1")
        script.advance(.seconds(10))
        script.site("PUT", "/config/appsettings", body: #"{"properties":{"B":"2"}}"#)
        script.advance(.seconds(10))
        script.site("POST", "/stop")
        script.site("GET", "")
        let all = ask(&script, "eventTimestamp ge '2026-09-21T00:00:00Z' and resourceGroupName eq 'SKLS'")
        #expect(
            operations(all) == [
                "Microsoft.Web/sites/stop/action", "Microsoft.Web/sites/config/write", "Microsoft.Web/sites/write",
            ])
        let newest = try #require(json(all)["value"]?.array?.first)
        #expect(newest.string("caller") == script.world.application.objectID)
        #expect(newest.string("resourceId").hasSuffix("/sites/a1"))
        let site = "eventTimestamp ge '2026-09-21T14:13:25Z' and resourceUri eq \(WorldScript.site("a1"))"
        #expect(operations(ask(&script, site)) == ["Microsoft.Web/sites/stop/action"])
        let bounded =
            "eventTimestamp ge '2026-09-21T14:13:25Z' and eventTimestamp le '2026-09-21T14:13:35.5Z' "
            + "and resourceProvider eq 'Microsoft.Web'"
        #expect(operations(ask(&script, bounded)) == ["Microsoft.Web/sites/config/write"])
    }

    @Test func `only what is selected is answered`() throws {
        var script = WorldScript()
        _ = script.put("a1")
        let reply = ask(&script, "eventTimestamp ge '2026-09-21T00:00:00Z'", select: "caller,eventTimestamp")
        let event = try #require(json(reply)["value"]?.array?.first)
        #expect(Set(event.members?.map(\.name) ?? []) == ["caller", "eventTimestamp"])
    }

    @Test(arguments: ["", "caller eq 'x'", "resourceGroupName eq 'skls'", "eventTimestamp gt '2026-09-21T00:00:00Z'"])
    func `a filter without a start or of another form is refused`(filter: String) {
        var script = WorldScript()
        #expect(ask(&script, filter).status == 400)
    }

    @Test func `events show up minutes later where time goes as in Azure`() {
        var script = WorldScript { $0.latencyScale = 1 }
        _ = script.put("a1")
        #expect(operations(ask(&script, "eventTimestamp ge '2026-09-21T00:00:00Z'")).isEmpty)
        script.advance(.seconds(240))
        #expect(operations(ask(&script, "eventTimestamp ge '2026-09-21T00:00:00Z'")).count == 1)
    }
}
