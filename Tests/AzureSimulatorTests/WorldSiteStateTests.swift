import Testing

@testable import AzureSimulator

/// Start, stop, restart, and what makes a container start again.
@Suite struct WorldSiteStateTests {
    private let host = "a1.azurewebsites.net"

    @Test func `a stopped site says so, and a started one runs a new container`() throws {
        var script = WorldScript()
        let served = script.serve()
        let first = try #require(served)
        #expect(script.site("POST", "/stop").status == 200)
        #expect(script.last.contains(.stop(first, grace: .seconds(5))))
        #expect(script.properties().string("state") == "Stopped")
        #expect(script.status(of: host) == 403)

        // A changed site that is stopped stays stopped, and the exit of its container restarts nothing.
        _ = script.put("a1", body: WorldScript.body(settings: ["A": "2"]))
        #expect(script.started == nil)
        #expect(script.tell(.containerExited(first)) == [])

        #expect(script.site("POST", "/start").status == 200)
        let second = try #require(script.started)
        #expect(second.environment.contains(AppSetting(name: "A", value: "2")))
        #expect(script.properties().string("state") == "Running")
        #expect(script.site("POST", "/start").status == 200)
        #expect(script.started == nil)
        #expect(script.arm("POST", WorldScript.site("nobody", suffix: "/stop")).status == 404)
        #expect(script.site("GET", "/stop").status == 405)
    }

    @Test func `who waits for a start that is called off gets the page of a stopped site`() throws {
        var script = WorldScript()
        _ = script.put("a1")
        let (held, _) = script.visit(host)
        script.site("POST", "/stop")
        #expect(script.last.contains { if case .reply(held, let page) = $0 { page.status == 403 } else { false } })
    }

    @Test func `a restart has a gap, and a soft one has none`() throws {
        var script = WorldScript()
        let served = script.serve()
        let first = try #require(served)
        script.site("POST", "/restart")
        #expect(script.last.contains(.stop(first, grace: .seconds(5))))
        let second = try #require(script.started).instance
        let (held, answer) = script.visit(host)
        #expect(answer == nil)
        #expect(script.tell(.containerReady(second)) == [.forward(held, second)])

        _ = script.arm("POST", WorldScript.site("a1", suffix: "/restart"), query: "softRestart=true")
        #expect(!script.last.contains(.stop(second, grace: .seconds(5))))
        #expect(script.status(of: host) == 200)
    }

    @Test func `a request that waits for a start waits over a restart`() throws {
        var script = WorldScript()
        _ = script.put("a1")
        let (held, _) = script.visit(host)
        script.site("POST", "/restart")
        let next = try #require(script.started).instance
        #expect(script.tell(.containerReady(next)) == [.forward(held, next)])
    }

    @Test(arguments: [
        ("/config/appsettings", #"{"properties":{"A":"2"}}"#),
        ("/config/web", #"{"properties":{"linuxFxVersion":"DOCKER|busybox"}}"#),
    ])
    func `settings and image start a container, once`(path: String, body: String) {
        var script = WorldScript()
        _ = script.serve()
        #expect(script.site("PUT", path, body: body).status == 200)
        #expect(script.started != nil)
        #expect(script.site("PUT", path, body: body).status == 200)
        #expect(script.started == nil)
    }

    @Test func `logs, policies and slot names start nothing`() {
        var script = WorldScript()
        _ = script.serve()
        for path in ["/config/logs", "/config/slotConfigNames", "/basicPublishingCredentialsPolicies/scm"] {
            #expect(script.site("PUT", path, body: #"{"properties":{"allow":false}}"#).status == 200)
            #expect(script.started == nil)
        }
    }

    @Test(arguments: ["Y1", "FC1"])
    func `Consumption takes a container and never starts it`(sku: String) {
        var script = WorldScript { $0.web.plans = [.init(name: "dynamic", sku: sku)] }
        let put = script.put("a1", body: WorldScript.body(plan: "dynamic"))
        #expect(put.status == 200)
        #expect(script.started == nil)
        #expect(script.properties().string("state") == "Running")
        #expect(script.properties()["siteConfig"]?.string("linuxFxVersion") == "DOCKER|alpine")
        #expect(script.status(of: host) == 503)
        script.site("POST", "/restart")
        #expect(script.started == nil)
    }
}
