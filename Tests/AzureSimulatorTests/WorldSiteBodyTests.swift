import Testing

@testable import AzureSimulator

/// What sites look like, and what becomes of what a client sends.
@Suite struct WorldSiteBodyTests {
    private let other = "/subscriptions/sub/resourceGroups/skls/providers/Microsoft.Web/serverfarms/plan"

    @Test func `a patch merges properties, and replaces tags as a whole only where it has some`() {
        var script = WorldScript()
        _ = script.put("a1", body: WorldScript.body(settings: ["A": "1"], tags: ["t": "1", "u": "2"]))
        let patched = script.site(
            "PATCH", "",
            body: #"{"properties":{"httpsOnly":false,"siteConfig":{"http20Enabled":true,"alwaysOn":null}}}"#)
        #expect(patched.status == 200)
        var site = json(script.arm("GET", WorldScript.site("a1")))
        #expect(site["tags"] == ["t": "1", "u": "2"])
        #expect(site["properties"]?["httpsOnly"] == false)
        #expect(site["properties"]?["siteConfig"]?["http20Enabled"] == true)
        #expect(site["properties"]?["siteConfig"]?.string("linuxFxVersion") == "DOCKER|alpine")
        _ = script.site("PATCH", "", body: #"{"tags":{"v":"3"}}"#)
        site = json(script.arm("GET", WorldScript.site("a1")))
        #expect(site["tags"] == ["v": "3"])
        #expect(script.site("PATCH", "", of: "nobody", body: "{}").status == 404)
    }

    @Test func `the kind is recomputed`() {
        var script = WorldScript()
        _ = script.put("a1")
        func kind() -> String { json(script.arm("GET", WorldScript.site("a1"))).string("kind") }
        #expect(kind() == "functionapp,linux,container")
        script.site("PATCH", "/config/web", body: #"{"properties":{"linuxFxVersion":" "}}"#)
        #expect(kind() == "functionapp,linux")
    }

    @Test(arguments: [
        ("EP1", "elastic", "ElasticPremium", "ElasticPremium"), ("B1", "linux", "Basic", "Basic"),
        ("s1", "linux", "Standard", "Standard"), ("P0v3", "linux", "PremiumV3", "PremiumV3"),
        ("Y1", "functionapp", "Dynamic", "Dynamic"), ("FC1", "functionapp,linux", "FlexConsumption", "FlexConsumption"),
    ])
    func `plans and their sites show the tier of the SKU`(sku: String, kind: String, tier: String, siteSKU: String) {
        var script = WorldScript()
        let put = script.arm(
            "PUT", WorldScript.plan("p2"),
            body: #"{"location":"eastus","kind":"linux","sku":{"name":"\#(sku)"},"properties":{"reserved":true}}"#)
        #expect(put.status == 200)
        let plan = json(script.arm("GET", WorldScript.plan("p2")))
        #expect(plan.string("kind") == kind)
        #expect(plan["sku"]?.string("tier") == tier)
        #expect(plan["properties"]?.string("provisioningState") == "Succeeded")
        _ = script.put("a1", body: WorldScript.body(plan: "p2"))
        #expect(script.properties().string("sku") == siteSKU)
        let sites = json(script.arm("GET", WorldScript.plan("p2", "/sites")))
        #expect(sites["value"]?.array?.map { $0.string("name") } == ["a1"])
        #expect(json(script.arm("GET", WorldScript.plan("p2")))["properties"]?["numberOfSites"] == 1)
    }

    @Test func `a plan with sites cannot be deleted, an empty one can, and one that is not there is 204`() {
        var script = WorldScript()
        _ = script.put("a1")
        let refused = script.arm("DELETE", WorldScript.plan("plan"))
        #expect((refused.status, refused.errorCode) == (409, "Conflict"))
        _ = script.arm("DELETE", WorldScript.site("a1"), query: "deleteEmptyServerFarm=false")
        #expect(script.arm("DELETE", WorldScript.plan("plan")).status == 200)
        #expect(script.arm("DELETE", WorldScript.plan("plan")).status == 204)
        #expect(script.arm("GET", WorldScript.plan("plan")).errorCode == "ResourceNotFound")
        #expect(
            script.arm(
                "PUT", WorldScript.plan("bad"), body: #"{"location":"eastus","sku":{"name":"Huge"}}"#
            ).status == 400)
        #expect(script.arm("PATCH", WorldScript.plan("none"), body: "{}").status == 404)
    }

    @Test func `plans are listed by group and subscription`() {
        var script = WorldScript { $0.web.plans = [.init(name: "far", sku: "B1", group: "other")] }
        func names(_ path: String) -> [String] {
            json(script.arm("GET", path))["value"]?.array?.map { $0.string("name") } ?? []
        }
        #expect(names("\(WorldScript.web)/serverfarms") == ["plan"])
        #expect(names("\(WorldScript.subscriptionWeb)/serverfarms") == ["far", "plan"])
    }

    @Test func `identities get their principals, and one that is not there is refused`() throws {
        var script = WorldScript()
        let made = json(script.call("PUT", WorldScript.identity("mine"), body: #"{"location":"eastus"}"#))
        func put(_ identity: String) -> Reply {
            var body = json(Reply(status: 0, body: Array(WorldScript.body().utf8)))
            body.add("identity", json(Reply(status: 0, body: Array(identity.utf8))))
            return script.put("a1", body: String(decoding: body.encoded, as: UTF8.self))
        }
        let mine = WorldScript.identity("mine")
        #expect(
            put(#"{"type":"UserAssigned","userAssignedIdentities":{"\#(WorldScript.identity("x"))":{}}}"#).status == 400
        )
        #expect(script.arm("GET", WorldScript.site("a1")).status == 404)
        #expect(put(#"{"type":"SystemAssigned,UserAssigned","userAssignedIdentities":{"\#(mine)":{}}}"#).status == 200)
        var identity = json(script.arm("GET", WorldScript.site("a1")))["identity"]
        #expect(identity?.string("type") == "SystemAssigned, UserAssigned")
        #expect(identity?.string("tenantId") == "tenant")
        #expect(
            identity?["userAssignedIdentities"]?[mine]?.string("clientId") == made["properties"]?.string("clientId"))
        let principal = identity?.string("principalId")
        #expect(principal?.count == 36)
        // An update without the block keeps it, and the principal stays the same.
        _ = script.put("a1")
        identity = json(script.arm("GET", WorldScript.site("a1")))["identity"]
        #expect(identity?.string("principalId") == principal)
        _ = script.site(
            "PATCH", "", body: #"{"identity":{"type":"SystemAssigned","userAssignedIdentities":{"\#(mine)":null}}}"#)
        identity = json(script.arm("GET", WorldScript.site("a1")))["identity"]
        #expect(identity?.string("type") == "SystemAssigned")
        _ = script.site("PATCH", "", body: #"{"identity":{"type":"None"}}"#)
        #expect(json(script.arm("GET", WorldScript.site("a1")))["identity"] == nil)
    }

    @Test func `the platform names the content share on Elastic Premium, and brings it back`() throws {
        var script = WorldScript { $0.web.plans = [.init(name: "dedicated", sku: "B1")] }
        let connection = ["WEBSITE_CONTENTAZUREFILECONNECTIONSTRING": "c"]
        _ = script.put("A1", body: WorldScript.body(settings: connection))
        func share(_ name: String) -> String? {
            json(script.site("POST", "/config/appsettings/list", of: name))["properties"]?["WEBSITE_CONTENTSHARE"]?
                .string
        }
        let name = try #require(share("a1"))
        #expect(name.hasPrefix("a1") && name.count == 6)
        script.site(
            "PUT", "/config/appsettings", body: #"{"properties":{"WEBSITE_CONTENTAZUREFILECONNECTIONSTRING":"c"}}"#)
        #expect(share("a1") == name)
        _ = script.put("a2", body: WorldScript.body(settings: connection, plan: "dedicated"))
        #expect(share("a2") == nil)
        _ = script.put("a3")
        #expect(share("a3") == nil)
    }

    @Test func `hidden tags come from a link, not from the setting alone`() {
        let body = WorldScript.body(
            settings: ["APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=k1;IngestionEndpoint=https://x/"])
        var plain = WorldScript()
        _ = plain.put("a1", body: body)
        #expect(json(plain.arm("GET", WorldScript.site("a1")))["tags"] == ["t": "1"])

        var linked = WorldScript { $0.web.linksApplicationInsights = true }
        _ = linked.put("a1", body: body)
        let tags = json(linked.arm("GET", WorldScript.site("a1")))["tags"]
        #expect(tags?.string("hidden-link: /app-insights-instrumentation-key") == "k1")
        #expect(tags?.string("hidden-link: /app-insights-conn-string").hasPrefix("InstrumentationKey=k1;") == true)
        // An update that does not carry them over loses them.
        _ = linked.put("a1", body: body)
        #expect(json(linked.arm("GET", WorldScript.site("a1")))["tags"] == ["t": "1"])
    }
}
