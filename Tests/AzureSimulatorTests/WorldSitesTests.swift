import Testing

@testable import AzureSimulator

@Suite struct WorldSitesTests {
    @Test func `a created site is there, and the answer to its PUT is stale`() throws {
        var script = WorldScript()
        let put = script.put("Skls-One")
        #expect(put.status == 200)
        #expect(json(put)["properties"]?["siteConfig"]?.string("linuxFxVersion") == "")

        let get = script.arm("GET", "/SUBSCRIPTIONS/SUB/resourcegroups/SKLS/providers/microsoft.web/SITES/skls-one")
        let site = json(get)
        #expect(get.status == 200)
        #expect(site.string("name") == "Skls-One")
        #expect(site.string("id") == WorldScript.site("Skls-One"))
        #expect(site.string("location") == "East US")
        let properties = try #require(site["properties"])
        #expect(properties.string("defaultHostName") == "skls-one.azurewebsites.net")
        #expect(properties.string("state") == "Running")
        #expect(properties["provisioningState"] == nil)
        #expect(properties["siteConfig"]?.string("linuxFxVersion") == "DOCKER|alpine")
        #expect(properties["siteConfig"]?["appSettings"] == .null)
        #expect(properties.string("lastModifiedTimeUtc") == "2026-09-21T14:13:20")
        #expect(
            properties.string("serverFarmId")
                == "/subscriptions/sub/resourceGroups/skls/providers/Microsoft.Web/serverfarms/plan")
    }

    @Test func `every reply carries the ids of the call, and the client's own when it asks`() {
        var script = WorldScript()
        var request = ControlRequest(
            method: "GET", path: WorldScript.site("a1"), query: "api-version=2023-12-01",
            authorization: "Bearer \(script.token)", clientRequestID: "mine", correlationRequestID: "group")
        var reply = script.send(request)
        #expect(reply.header("x-ms-request-id")?.count == 36)
        #expect(reply.header("x-ms-correlation-request-id") == "group")
        #expect(reply.header("x-ms-routing-request-id")?.hasPrefix("EASTUS:20260921T141320Z:") == true)
        #expect(reply.header("x-ms-client-request-id") == nil)
        request.wantsClientRequestID = true
        reply = script.send(request)
        #expect(reply.header("x-ms-client-request-id") == "mine")
    }

    @Test func `remaining calls are those of a token bucket`() {
        var script = WorldScript { $0.quota.siteWrites = nil }
        func left(_ reply: Reply) -> String? { reply.header("x-ms-ratelimit-remaining-subscription-writes") }
        #expect(left(script.put("a1")) == "199")
        #expect(left(script.put("a2")) == "198")
        script.advance(.milliseconds(100))
        #expect(left(script.put("a3")) == "198")
        script.advance(.seconds(3600 / 2))
        #expect(left(script.put("a4")) == "199")
        #expect(
            script.arm("GET", WorldScript.site("a1")).header("x-ms-ratelimit-remaining-subscription-reads") == "249")
        for _ in 0..<300 { _ = script.put("a1") }
        #expect(left(script.put("a1")) == "0")
    }

    @Test func `what is missing is named from the outside in`() {
        var script = WorldScript()
        let path = WorldScript.site("a1")
        #expect(
            script.send(ControlRequest(method: "GET", path: path, authorization: "Bearer \(script.token)")).errorCode
                == "MissingApiVersionParameter")
        let unknownVersion = ControlRequest(
            method: "GET", path: path, query: "api-version=2001-01-01", authorization: "Bearer \(script.token)")
        #expect(script.send(unknownVersion).errorCode == "NoRegisteredProviderFound")
        let otherSubscription = path.replacing("/sub/", with: "/nosub/").replacing("/skls/", with: "/nogroup/")
        #expect(script.arm("GET", otherSubscription).errorCode == "SubscriptionNotFound")
        #expect(script.arm("GET", WorldScript.site("a1", group: "nogroup")).errorCode == "ResourceGroupNotFound")
        let reply = script.arm("GET", path)
        #expect((reply.status, reply.errorCode) == (404, "ResourceNotFound"))
        #expect(
            json(reply)["error"]?.string("message")
                == "The Resource 'Microsoft.Web/sites/a1' under resource group 'skls' was not found. "
                + "For more details please go to https://aka.ms/ARMResourceNotFoundFix")
        #expect(script.arm("DELETE", path).status == 204)
        #expect(script.arm("DELETE", WorldScript.site("a1", group: "nogroup")).status == 404)
    }

    @Test func `a name is taken for every group`() {
        var script = WorldScript()
        _ = script.put("a1")
        let reply = script.put("A1", group: "other", body: WorldScript.body(plan: plan))
        #expect(reply.status == 409)
        #expect(json(reply).string("Code") == "Conflict")
        #expect(json(reply).string("Message") == "Website with given name A1 already exists.")
        #expect(json(reply)["Details"]?.array?.last?["ErrorEntity"]?.string("ExtendedCode") == "54001")
        #expect(script.arm("DELETE", WorldScript.site("a1", group: "other")).status == 204)
        #expect(script.arm("GET", WorldScript.site("a1")).status == 200)
    }

    private let plan = "/subscriptions/sub/resourceGroups/skls/providers/Microsoft.Web/serverfarms/plan"

    @Test(arguments: [
        ("{", "InvalidRequestContent"), ("[]", "InvalidRequestContent"), ("{}", "LocationRequired"),
        (WorldScript.body(location: "mars"), "LocationNotAvailableForResourceType"),
        (WorldScript.body(plan: "noplan"), "NotFound"), (WorldScript.body(plan: ""), "BadRequest"),
        (WorldScript.body(image: "al pine"), "BadRequest"), (WorldScript.body(settings: ["A=B": "1"]), "BadRequest"),
        (WorldScript.body(settings: ["A": "1\u{0}--bind"]), "BadRequest"),
        (WorldScript.body(tags: ["t": String(repeating: "x", count: 257)]), "InvalidTagValueLength"),
    ])
    func `a bad body is refused and makes no site`(body: String, code: String) {
        var script = WorldScript()
        let reply = script.put("a1", body: body)
        #expect(reply.status == 400 || reply.status == 404)
        #expect(reply.errorCode == code)
        #expect(script.started == nil)
        #expect(script.arm("GET", WorldScript.site("a1")).status == 404)
    }

    @Test(arguments: ["a", "-ab", "ab-", "a_b", String(repeating: "a", count: 61)])
    func `a bad name is refused`(name: String) {
        var script = WorldScript()
        #expect(script.put(name).errorCode == "BadRequest")
    }

    @Test func `an update replaces tags and settings and keeps what it leaves out`() {
        var script = WorldScript()
        _ = script.put("a1", body: WorldScript.body(settings: ["A": "1", "B": "2"], tags: ["t": "1", "u": "2"]))
        _ = script.put(
            "a1",
            body: """
                {"location": "East US", "tags": {"v": "3"},
                 "properties": {"siteConfig": {"functionAppScaleLimit": 1, "appSettings": [{"name": "C", "value": "3"}]}}}
                """)
        let site = json(script.arm("GET", WorldScript.site("a1")))
        #expect(site["tags"] == ["v": "3"])
        #expect(site["properties"]?["siteConfig"]?["functionAppScaleLimit"] == 1)
        #expect(site["properties"]?["siteConfig"]?.string("linuxFxVersion") == "DOCKER|alpine")
        #expect(site["properties"]?["httpsOnly"] == true)
        let settings = json(script.arm("POST", WorldScript.site("a1", suffix: "/config/appsettings/list")))
        #expect(settings["properties"] == ["C": "3"])
        #expect(script.arm("GET", WorldScript.site("a1", suffix: "/config/appsettings")).status == 405)
    }

    @Test func `lists come in pages that survive changes between them`() throws {
        var script = WorldScript(pageSize: 3)
        for number in 1...8 { _ = script.put("site-\(number)") }
        _ = script.put("elsewhere", group: "other", body: WorldScript.body(plan: plan))
        let list = "/subscriptions/sub/resourceGroups/skls/providers/Microsoft.Web/sites"

        var names: [String] = []
        var page = json(script.arm("GET", list))
        names += page["value"]?.array?.map { $0.string("name") } ?? []
        #expect(names == ["site-1", "site-2", "site-3"])
        // The site that the token names goes away, and one before it comes.
        _ = script.arm("DELETE", WorldScript.site("site-3"))
        _ = script.put("site-0")
        while let link = page["nextLink"]?.string {
            #expect(link.hasPrefix("https://management.azure.com\(list)?api-version=2023-12-01&"))
            let token = try #require(link.split(separator: "&").last)
            page = json(script.arm("GET", list, query: String(token)))
            names += page["value"]?.array?.map { $0.string("name") } ?? []
        }
        #expect(names == (1...8).map { "site-\($0)" })

        let all = json(script.arm("GET", "/subscriptions/sub/providers/Microsoft.Web/sites"))
        #expect(all["value"]?.array?.first?.string("name") == "elsewhere")
        #expect(script.arm("GET", list, query: "$skiptoken=!").errorCode == "InvalidSkipToken")
    }

    @Test func `the last site takes its plan with it unless told not to`() {
        var script = WorldScript()
        let plan = plan
        #expect(json(script.arm("GET", plan))["sku"]?.string("name") == "EP1")
        _ = script.put("a1")
        _ = script.arm("DELETE", WorldScript.site("a1"), query: "deleteEmptyServerFarm=false")
        #expect(script.arm("GET", plan).status == 200)
        _ = script.put("a1")
        #expect(script.arm("DELETE", WorldScript.site("a1")).status == 200)
        #expect(script.arm("GET", plan).status == 404)
    }

    @Test func `the same script gives the same replies`() {
        func run() -> [Reply] {
            var script = WorldScript(seed: 42)
            return [script.put("a1"), script.arm("GET", WorldScript.site("a1")), script.put("a1", group: "other")]
        }
        #expect(run() == run())
    }
}
