import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Testing

@testable import AzureClient

@Suite(.timeLimit(.minutes(1))) struct SitesTests {
    static let base =
        "https://management.example/subscriptions/\(Sample.subscription)/resourceGroups/containers/providers/Microsoft.Web/sites"

    @Test func `a site is put as Azure wants a Function App with a container`() async throws {
        let transport = ScriptedTransport { _, _ in .json(200, Sample.site("skls-sample")) }
        let client = try Sample.client(transport)
        let settings = [
            SiteRequest.Setting(name: "TOKEN", value: Secret("canary")),
            SiteRequest.Setting(name: "functions_extension_version", value: Secret("~5")),
        ]
        let outcome = try await client.putSite(
            Sample.name(), Sample.siteRequest(settings: settings), correlationID: Sample.correlation)
        guard case .finished(let site) = outcome else { throw Sample.Missing() }
        #expect(site.isNamed(try Sample.name("SKLS-Sample")))
        let request = try #require(transport.requests.first)
        #expect(request.method == .PUT && request.isWrite)
        #expect(request.url == Self.base + "/skls-sample?api-version=2025-03-01")
        #expect(request.secrets == [Secret("canary"), Secret("~5")])
        let golden = """
            {"kind":"functionapp,linux,container","location":"westeurope","properties":{"httpsOnly":true,\
            "publicNetworkAccess":"Enabled","reserved":true,"serverFarmId":"\(try Sample.planID())","siteConfig":\
            {"appSettings":[{"name":"TOKEN","value":"canary"},{"name":"functions_extension_version","value":"~5"}],\
            "functionAppScaleLimit":1,\
            "linuxFxVersion":"DOCKER|alpine:3","publicNetworkAccess":"Enabled","webSocketsEnabled":true}},\
            "tags":{"managed-by":"skls"}}
            """
        #expect(request.body.map { String(buffer: $0) } == golden)
    }

    @Test func `an accepted put hands out the operation to follow`() async throws {
        let transport = ScriptedTransport { _, _ in
            .json(
                202, "{}",
                headers: [
                    "azure-asyncoperation": "https://management.example/op?t=1",
                    "location": "https://management.example/l", "retry-after": "15",
                ])
        }
        let outcome = try await Sample.client(transport).putSite(
            Sample.name(), Sample.siteRequest(), correlationID: Sample.correlation)
        guard case .accepted(let operation, let wait) = outcome else { throw Sample.Missing() }
        #expect(operation.nextLink.text == "https://management.example/op?t=1" && wait == .seconds(15))
    }

    @Test func `a site whose operation is named in a successful answer is followed, too`() async throws {
        let site = Sample.site("skls-sample").replacing(#""enabled":true"#, with: #""inProgressOperationId":"x""#)
        let outcome = try await Sample.client(ScriptedTransport { _, _ in .json(200, site) }).putSite(
            Sample.name(), Sample.siteRequest(), correlationID: Sample.correlation)
        guard case .accepted(let operation, _) = outcome else { throw Sample.Missing() }
        #expect(operation.nextLink.text == Self.base + "/skls-sample?api-version=2025-03-01")
    }

    @Test func `an unreadable answer to a put leaves its effect in doubt`() async throws {
        let client = try Sample.client(ScriptedTransport { _, _ in .json(200, #"{"name":"x"}"#) })
        let error = try await put(client)
        #expect(error.code == .malformedReply && error.effectIsUnknown)
        #expect(error.message == "unreadable answer: no id at the top")
    }

    @Test func `a site is read with all that Azure says of it`() async throws {
        let transport = ScriptedTransport { _, _ in .json(200, Self.recorded) }
        let site = try #require(
            try await Sample.client(transport).getSite(Sample.name(), correlationID: Sample.correlation))
        #expect(site.name == "skls-sample" && site.location == "West Europe" && site.kind == "functionapp,linux")
        #expect(site.tags == ["managed-by": "skls", "hidden-link: x": "y"])
        #expect(site.state == "Running" && site.enabled == true)
        #expect(site.defaultHostName == "skls-sample-a1b2.westeurope-01.azurewebsites.net")
        #expect(site.lastModifiedTime == "2026-01-11T19:23:26.67")
        #expect(site.linuxFxVersion == "DOCKER|alpine:3")
        #expect(site.serverFarmID == (try Sample.planID()))
        #expect(site.properties["containerSize"]?.integer == 1536)
        #expect(site.properties["suspendedTill"] == .null)
        #expect(site.properties["ratio"] == .number(0.5))
        #expect(site.properties["siteConfig"]?["ipSecurityRestrictions"]?.array?.first?["action"]?.string == "Allow")
    }

    /// The fields and casing of a published reply of Microsoft.Web 2025-03-01; names are invented.
    static let recorded = """
        \u{FEFF}{"id":"/subscriptions/\(Sample.subscription)/resourceGroups/containers/providers/Microsoft.Web/sites/skls-sample",
        "name":"skls-sample","type":"Microsoft.Web/sites","kind":"functionapp,linux","location":"West Europe",
        "tags":{"managed-by":"skls","hidden-link: x":"y","gone":null},
        "properties":{"name":"skls-sample","state":"Running","hostNames":["skls-sample.azurewebsites.net"],
        "usageState":"Normal","enabled":true,"availabilityState":"Normal","containerSize":1536,"ratio":0.5,
        "serverFarmId":"/SUBSCRIPTIONS/\(Sample.subscription)/resourcegroups/containers/providers/microsoft.web/serverfarms/plan",
        "reserved":true,"lastModifiedTimeUtc":"2026-01-11T19:23:26.67","suspendedTill":null,
        "siteConfig":{"numberOfWorkers":1,"linuxFxVersion":"DOCKER|alpine:3","alwaysOn":false,"appSettings":null,
        "ipSecurityRestrictions":[{"ipAddress":"Any","action":"Allow","priority":2147483647}]},
        "defaultHostName":"skls-sample-a1b2.westeurope-01.azurewebsites.net","inProgressOperationId":null}}
        """

    @Test func `only Azure's own word makes a site absent`() async throws {
        func get(_ status: Int, _ body: String) async throws -> Site? {
            try await Sample.client(ScriptedTransport { _, _ in .json(status, body) })
                .getSite(Sample.name(), correlationID: Sample.correlation)
        }
        #expect(try await get(404, AzureErrorTests.arm("ResourceNotFound")) == nil)
        for body in [
            AzureErrorTests.arm("ResourceGroupNotFound"), AzureErrorTests.arm("SubscriptionNotFound"), "", "<html>",
            "{}",
        ] {
            await #expect(throws: AzureError.self) { try await get(404, body) }
        }
        for status in [204, 500] { await #expect(throws: AzureError.self) { try await get(status, "") } }
    }

    @Test func `a deletion leaves plan and metrics alone and knows an absent site`() async throws {
        func delete(_ status: Int, _ body: String = "") async throws -> DeleteOutcome {
            let transport = ScriptedTransport { _, _ in .json(status, body) }
            let outcome = try await Sample.client(transport).deleteSite(
                Sample.name(), correlationID: Sample.correlation)
            #expect(
                transport.requests.first?.url
                    == Self.base + "/skls-sample?deleteEmptyServerFarm=false&deleteMetrics=false&api-version=2025-03-01"
            )
            return outcome
        }
        #expect(try await delete(200) == .deleted)
        #expect(try await delete(204) == .absent)
        #expect(try await delete(404, AzureErrorTests.arm("ResourceNotFound")) == .absent)
        await #expect(throws: AzureError.self) { try await delete(404, AzureErrorTests.arm("ResourceGroupNotFound")) }
    }

    @Test func `a list follows its pages, empty ones too`() async throws {
        let pages = [
            Self.base + "?api-version=2025-03-01":
                #"{"value":[\#(Sample.site("a1"))],"nextLink":"https://management.example/p?$skiptoken=2"}"#,
            "https://management.example/p?$skiptoken=2":
                #"{"value":[],"nextLink":"https://MANAGEMENT.example:443/p?$skiptoken=3"}"#,
            "https://MANAGEMENT.example:443/p?$skiptoken=3":
                #"{"value":[\#(Sample.site("a2")),\#(Sample.site("a3"))],"nextLink":null}"#,
        ]
        let transport = ScriptedTransport { request, _ in .json(200, pages[request.url] ?? "") }
        let sites = try await Sample.client(transport).listSites(correlationID: Sample.correlation)
        #expect(sites.map(\.name) == ["a1", "a2", "a3"])
        #expect(transport.requests.count == 3)
    }

    @Test(arguments: [
        #"{"value":[],"nextLink":"https://evil.example/p"}"#,
        #"{"value":[],"nextLink":"https://management.example/same"}"#,
        #"{"nextLink":null}"#, #"{"value":null}"#, #"{"value":[{"id":"x","name":"y"}]}"#, #"{"value":[{}]}"#, "[]", "",
    ]) func `a list that cannot be read whole is an error, never a part`(_ page: String) async throws {
        let transport = ScriptedTransport { _, _ in .json(200, page) }
        let client = try Sample.client(transport)
        let error = try await failure { () throws(AzureError) in
            try await client.listSites(correlationID: Sample.correlation)
        }
        #expect(error.code == .malformedReply)
        #expect(transport.requests.allSatisfy { $0.url.hasPrefix("https://management.example/") })
        #expect(transport.requests.count <= 2)
    }

    @Test func `a list that fails on a later page is an error`() async throws {
        let transport = ScriptedTransport { request, _ in
            request.url.hasSuffix("/p")
                ? .json(500, "")
                : .json(200, #"{"value":[\#(Sample.site("a1"))],"nextLink":"https://management.example/p"}"#)
        }
        let client = try Sample.client(transport)
        let error = try await failure { () throws(AzureError) in
            try await client.listSites(correlationID: Sample.correlation)
        }
        #expect(error.code == .serverFault)
    }

    @Test func `a refused token is renewed once and the call repeated once`() async throws {
        let transport = ScriptedTransport { _, bearer in
            bearer?.secret.reveal() == "token-1" ? .json(401, "") : .json(200, Sample.site("skls-sample"))
        }
        let client = try Sample.client(transport)
        #expect(try await client.getSite(Sample.name(), correlationID: Sample.correlation) != nil)
        #expect(transport.bearers == ["token-1", "token-2"])
        #expect(try await client.getSite(Sample.name(), correlationID: Sample.correlation) != nil)
        #expect(transport.bearers == ["token-1", "token-2", "token-2"])
    }

    @Test func `a second refusal is final and not in doubt`() async throws {
        let transport = ScriptedTransport { _, _ in .json(401, AzureErrorTests.arm("X", "bad token-1 token-2")) }
        let error = try await put(Sample.client(transport))
        #expect(error.code == .unauthorized && !error.effectIsUnknown)
        #expect(error.message == "bad token-1 <redacted>")
        #expect(transport.requests.count == 2)
    }

    @Test func `no call is repeated for any other failure`() async throws {
        for status in [403, 409, 429, 500, 503] {
            let transport = ScriptedTransport { _, _ in .json(status, "") }
            _ = try await put(Sample.client(transport))
            #expect(transport.requests.count == 1)
        }
    }

    @Test func `what a put refers to and is not there is not the site itself`() async throws {
        let body = #"{"Code":"NotFound","Message":"Cannot find ServerFarm with name x."}"#
        let error = try await put(Sample.client(ScriptedTransport { _, _ in .json(404, body) }))
        #expect(error.code == .scopeNotFound && !error.effectIsUnknown)
    }

    @Test func `a container's log is text whatever its bytes`() async throws {
        let transport = ScriptedTransport { _, _ in
            AzureReply(status: 200, body: ByteBuffer(bytes: [0x68, 0x69, 0xFF, 0x0A]), requestID: .testing)
        }
        let log = try await Sample.client(transport).containerLogs(Sample.name(), correlationID: Sample.correlation)
        #expect(log == "hi\u{FFFD}\n")
        let request = try #require(transport.requests.first)
        #expect(request.method == .POST && !request.isWrite)
        #expect(request.url == Self.base + "/skls-sample/containerlogs?api-version=2025-03-01")
    }

    @Test func `a plan says what it can run`() async throws {
        let body = """
            {"id":"\(try Sample.planID())","name":"plan","kind":"elastic","location":"West Europe",
             "sku":{"name":"EP1","tier":"ElasticPremium","capacity":1},
             "properties":{"reserved":true,"numberOfSites":3,"provisioningState":"Succeeded","new":1}}
            """
        let plan = try await Sample.client(ScriptedTransport { _, _ in .json(200, body) })
            .getPlan(Sample.planID(), correlationID: Sample.correlation)
        #expect(plan?.skuName == "EP1" && plan?.reserved == true && plan?.numberOfSites == 3)
        #expect(plan?.properties["new"] == .integer(1))
        let absent = try await Sample.client(
            ScriptedTransport { _, _ in .json(404, AzureErrorTests.arm("ResourceNotFound")) }
        ).getPlan(Sample.planID(), correlationID: Sample.correlation)
        #expect(absent == nil)
    }

    func put(_ client: AzureClient) async throws -> AzureError {
        let (name, request) = (try Sample.name(), try Sample.siteRequest())
        return try await failure { () throws(AzureError) in
            try await client.putSite(name, request, correlationID: Sample.correlation)
        }
    }
}
