import Testing

@testable import AzureSimulator

/// Writes that take their time, and what else can be seen of time.
@Suite struct WorldWriteModeTests {
    private func script(_ mode: WebSettings.WriteMode, faults: [FaultPlan.Rule] = []) -> WorldScript {
        WorldScript {
            $0.web.writes = mode
            $0.latencyScale = 1
            $0.faults = FaultPlan(faults)
        }
    }

    @Test func `a slow PUT blocks and is stale, and the site is busy meanwhile`() throws {
        var script = script(.slow)
        _ = script.put("a1")
        let (put, time) = try #require(script.delayed)
        #expect(time - script.now == .seconds(25))
        #expect(put.status == 200)
        #expect(json(put)["properties"]?["siteConfig"]?.string("linuxFxVersion") == "")
        #expect(script.properties()["siteConfig"]?.string("linuxFxVersion") == "DOCKER|alpine")

        var statuses: Set<Int> = []
        for _ in 0..<32 {
            let busy = script.site("PUT", "/config/appsettings", body: #"{"properties":{}}"#)
            statuses.insert(busy.status)
            let entity = json(busy)["Details"]?.array?.last?["ErrorEntity"]
            #expect(entity?.string("ExtendedCode") == "59203")
            #expect(entity?["Parameters"]?.array?.first?.string?.hasSuffix("EntityType: 3") == true)
            #expect(entity?["Parameters"]?.array?.first?.string?.contains("CreatedTime: 9/21/2026 2:13:20 PM") == true)
        }
        #expect(statuses == [409, 429])
        #expect([409, 429].contains(script.arm("DELETE", WorldScript.site("a1")).status))
        #expect([409, 429].contains(script.site("POST", "/stop").status))
        // Other sites of the plan are not.
        _ = script.put("a2")
        #expect(script.delayed?.reply.status == 200)
        script.advance(.seconds(25))
        #expect(script.site("PUT", "/config/appsettings", body: #"{"properties":{}}"#).status == 200)
    }

    @Test func `a plan that is being made keeps its webspace busy, and one that changes its sites`() {
        var script = script(.slow)
        let body = #"{"location":"eastus","sku":{"name":"B1"},"properties":{"reserved":true}}"#
        func code(_ reply: Reply) -> String? {
            json(reply)["Details"]?.array?.last?["ErrorEntity"]?.string("ExtendedCode")
        }
        _ = script.arm("PUT", WorldScript.plan("p1"), body: body)
        #expect(script.delayed?.reply.status == 200)
        #expect(code(script.arm("PUT", WorldScript.plan("p2"), body: body)) == "59202")
        #expect(code(script.arm("PUT", WorldScript.plan("p1"), body: body)) == "59205")
        #expect(code(script.put("a1", body: WorldScript.body(plan: "p1"))) == "59205")
        let elsewhere = WorldScript.plan("p3").replacing("/skls/", with: "/other/")
        _ = script.arm("PUT", elsewhere, body: body)
        #expect(script.delayed?.reply.status == 200)
    }

    @Test(arguments: [WebSettings.WriteMode.accepted, .acceptedVisible])
    func `an accepted PUT has an operation at the subscription's scope`(mode: WebSettings.WriteMode) throws {
        var script = script(mode)
        let put = script.put("a1")
        #expect(put.status == 202)
        #expect(json(put).string("name") == "a1")
        let link = try #require(put.header("azure-asyncoperation"))
        #expect(
            link.hasPrefix(
                "https://management.azure.com/subscriptions/sub/providers/Microsoft.Web/sites/a1/operationResults/"))
        #expect(link.hasSuffix("?api-version=2023-12-01"))
        #expect(script.arm("GET", WorldScript.site("a1")).status == (mode == .accepted ? 404 : 200))
        #expect(script.names("\(WorldScript.web)/sites") == (mode == .accepted ? [] : ["a1"]))
        var operation = json(script.follow(link))
        #expect(operation.string("status") == "InProgress")
        #expect(operation["endTime"] == nil)
        if mode == .acceptedVisible {
            #expect(script.properties()["inProgressOperationId"]?.string == operation.string("name"))
        }
        script.advance(.seconds(40))
        operation = json(script.follow(link))
        #expect(operation.string("status") == "Succeeded")
        #expect(operation["endTime"]?.string != nil)
        #expect(script.arm("GET", WorldScript.site("a1")).status == 200)
        #expect(script.properties()["inProgressOperationId"] == .null)
    }

    @Test func `a failing operation says so and makes nothing`() throws {
        var script = script(.acceptedVisible, faults: [.init(.failedOperation, .first(1))])
        let link = try #require(script.put("a1").header("azure-asyncoperation"))
        script.advance(.seconds(40))
        let operation = json(script.follow(link))
        #expect(operation.string("status") == "Failed")
        #expect(operation["error"]?.string("code") == "InternalServerError")
        #expect(script.arm("GET", WorldScript.site("a1")).status == 404)
        #expect(script.started == nil)
        #expect(script.put("a1").status == 202)
    }

    @Test func `a lost operation is not found although its work is done`() throws {
        var script = script(.accepted, faults: [.init(.lostOperation, .first(1))])
        let link = try #require(script.put("a1").header("azure-asyncoperation"))
        #expect(script.follow(link).status == 404)
        script.advance(.seconds(40))
        #expect(script.follow(link).status == 404)
        #expect(script.arm("GET", WorldScript.site("a1")).status == 200)
    }

    @Test func `faults show a site as it was, or not yet`() {
        var script = WorldScript {
            $0.faults = FaultPlan([.init(.staleRead, .first(1)), .init(.lateVisibility, .first(1))])
        }
        #expect(script.put("a1").status == 200)
        #expect(script.arm("GET", WorldScript.site("a1")).status == 404)
        script.advance(.seconds(1))
        #expect(script.arm("GET", WorldScript.site("a1")).status == 200)

        _ = script.put("a1", body: WorldScript.body(tags: ["t": "2"]))
        #expect(json(script.arm("GET", WorldScript.site("a1")))["tags"] == ["t": "1"])
        #expect(json(script.arm("GET", WorldScript.site("a1")))["tags"] == ["t": "2"])
    }

    @Test func `a World that is put back from its snapshot shows the same sites and plans`() throws {
        var script = WorldScript()
        _ = script.put("a1")
        _ = script.arm(
            "PUT", WorldScript.plan("p2"), body: #"{"location":"eastus","sku":{"name":"B1"},"tags":{"x":"y"}}"#)
        _ = script.put("a2", body: WorldScript.body(plan: "p2"))
        script.site("POST", "/stop", of: "a2")
        script.site("PUT", "/config/connectionstrings", body: #"{"properties":{"c":{"value":"v","type":"Custom"}}}"#)
        _ = script.put("a3")
        _ = script.arm("DELETE", WorldScript.site("a3"))
        let snapshot = try script.world.snapshot()

        var copy = WorldScript()
        let effects = try copy.world.restore(snapshot, at: copy.now)
        let launches = effects.filter { if case .start = $0 { true } else { false } }
        #expect(launches.count == 1)
        for path in [
            WorldScript.site("a1"), WorldScript.site("a2"), WorldScript.plan("p2"),
            "\(WorldScript.subscriptionWeb)/deletedSites",
        ] {
            #expect(json(copy.arm("GET", path)) == json(script.arm("GET", path)))
        }
        #expect(
            json(copy.site("POST", "/config/connectionstrings/list"))["properties"]?["c"]?.string("value") == "v")
    }
}
