import Testing

@testable import AzureSimulator

/// What outlives the simulator.
@Suite struct WorldStateTests {
    @Test func `sites, plans and identifiers are there after a restart, and containers start again`() throws {
        var script = WorldScript(seed: 7)
        _ = script.put("a1", body: WorldScript.body(settings: ["KEY": "é\n\"1\""], tags: ["t": "x"]))
        let plan = "/subscriptions/sub/resourceGroups/skls/providers/Microsoft.Web/serverfarms/plan"
        _ = script.put("b1", group: "other", body: WorldScript.body(plan: plan))
        let before = script.arm("GET", WorldScript.site("a1"))
        let snapshot = try script.world.snapshot()

        var settings = script.world.settings
        settings.seed = 8
        script.world = World(settings: settings)
        let effects = try script.world.restore(snapshot, at: script.now)
        #expect(effects.filter { if case .start = $0 { true } else { false } }.count == 2)
        #expect(script.arm("GET", WorldScript.site("a1")).body == before.body)
        #expect(script.arm("GET", WorldScript.site("b1", group: "other")).status == 200)
        let list = json(script.arm("GET", "/subscriptions/sub/providers/Microsoft.Web/sites"))
        #expect(list["value"]?.array?.map { $0.string("name") } == ["a1", "b1"])
        let settingsList = json(script.arm("POST", WorldScript.site("a1", suffix: "/config/appsettings/list")))
        #expect(settingsList["properties"]?.string("KEY") == "é\n\"1\"")
        #expect(script.arm("DELETE", WorldScript.site("a1"), query: "deleteEmptyServerFarm=false").status == 200)
    }

    @Test func `no identifier is drawn twice over a restart`() throws {
        var script = WorldScript(seed: 7)
        let first = script.arm("GET", WorldScript.site("a1")).header("x-ms-request-id")
        let snapshot = try script.world.snapshot()
        let next = script.arm("GET", WorldScript.site("a1")).header("x-ms-request-id")
        script.world = World(settings: script.world.settings)
        _ = try script.world.restore(snapshot, at: script.now)
        #expect(script.arm("GET", WorldScript.site("a1")).header("x-ms-request-id") == next)
        #expect(first != next)
    }

    @Test func `a snapshot is the same for the same state`() throws {
        var script = WorldScript()
        _ = script.put("a1")
        let snapshot = try script.world.snapshot()
        #expect(try script.world.snapshot() == snapshot)
        script.world = World(settings: script.world.settings)
        _ = try script.world.restore(snapshot, at: script.now)
        // Starting the container drew its id; all else is as it was.
        let again = json(Reply(status: 0, body: try script.world.snapshot()))
        #expect(again["web"] == json(Reply(status: 0, body: snapshot))["web"])
    }

    @Test(arguments: ["", "[]", "{}", "{\"format\":2}", "{\"format\":1,\"web\":{\"sites\":3}}", "{\"format\":1"])
    func `what is no snapshot is refused`(text: String) {
        var world = WorldScript().world
        #expect(throws: SimulatorError.self) { try world.restore(Array(text.utf8), at: WorldScript.start) }
    }

    @Test func `only requests that may write ask for a write of the state`() {
        func event(_ method: String) -> Event {
            .request(RequestID(number: 1), ControlRequest(method: method, path: "/"))
        }
        #expect(event("PUT").changesDurableState)
        #expect(event("POST").changesDurableState)
        #expect(!event("GET").changesDurableState)
    }
}
