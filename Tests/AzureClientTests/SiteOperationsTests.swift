import Foundation
import NIOCore
import NIOHTTP1
import Testing

@testable import AzureClient

/// Each operation on sites and plans: its verb, address, query and body as Azure wants them, and what its answer becomes.
@Suite(.timeLimit(.minutes(1))) struct SiteOperationsTests {
    static let web =
        "https://management.example/subscriptions/\(Sample.subscription)/resourceGroups/containers/providers/Microsoft.Web"
    static let version = "api-version=2025-03-01"

    /// The one request that a call sends, answered with that body.
    private func sent<Value>(
        answer status: Int = 200, _ body: String = "{}",
        _ call: (AzureClient, SiteName) async throws(AzureError) -> Value
    ) async throws -> (request: AzureRequest, value: Value) {
        let transport = ScriptedTransport { _, _ in .json(status, body) }
        let value = try await call(try Sample.client(transport), try Sample.name())
        #expect(transport.requests.count == 1)
        return (try #require(transport.requests.first), value)
    }

    private func body(_ request: AzureRequest) -> String {
        request.body.map { String(buffer: $0) } ?? ""
    }

    @Test func `a patch sends what is set and nothing else`() async throws {
        let patch = SitePatch(tags: ["a": "b"], image: "busybox:1", functionAppScaleLimit: 1)
        let (request, outcome) = try await sent(Sample.site("skls-sample")) { client, name throws(AzureError) in
            try await client.patchSite(name, patch, correlationID: Sample.correlation)
        }
        #expect(request.method == .PATCH && request.isWrite)
        #expect(request.url == Self.web + "/sites/skls-sample?" + Self.version)
        #expect(
            body(request) == """
                {"properties":{"siteConfig":{"functionAppScaleLimit":1,"linuxFxVersion":"DOCKER|busybox:1"}},\
                "tags":{"a":"b"}}
                """)
        guard case .finished = outcome else { throw Sample.Missing() }
        let (tagsOnly, _) = try await sent(Sample.site("x")) { client, name throws(AzureError) in
            try await client.patchSite(name, SitePatch(tags: [:]), correlationID: Sample.correlation)
        }
        #expect(body(tagsOnly) == #"{"tags":{}}"#)
        let (accepted, later) = try await sent(answer: 202) { client, name throws(AzureError) in
            try await client.patchSite(name, SitePatch(httpsOnly: true), correlationID: Sample.correlation)
        }
        #expect(body(accepted) == #"{"properties":{"httpsOnly":true}}"#)
        guard case .accepted = later else { throw Sample.Missing() }
    }

    @Test(arguments: [
        ("start", "/start?"), ("stop", "/stop?"), ("restart", "/restart?softRestart=false&synchronous=false&"),
    ])
    func `the switch is set by an action without a body`(_ action: String, path: String) async throws {
        let (request, _) = try await sent("") { client, name throws(AzureError) in
            switch action {
            case "start": try await client.startSite(name, correlationID: Sample.correlation)
            case "stop": try await client.stopSite(name, correlationID: Sample.correlation)
            default: try await client.restartSite(name, correlationID: Sample.correlation)
            }
        }
        #expect(request.method == .POST && request.isWrite && request.body == nil)
        #expect(request.url == Self.web + "/sites/skls-sample" + path + Self.version)
    }

    @Test func `app settings are read by an action and keep their values secret`() async throws {
        let answer = #"{"id":"x","name":"appsettings","properties":{"A":"canary","B":null,"c.d":"1"}}"#
        let (request, settings) = try await sent(answer) { client, name throws(AzureError) in
            try await client.listAppSettings(name, correlationID: Sample.correlation)
        }
        #expect(request.method == .POST && !request.isWrite && request.body == nil)
        #expect(request.url == Self.web + "/sites/skls-sample/config/appsettings/list?" + Self.version)
        #expect(settings == ["A": Secret("canary"), "B": Secret(""), "c.d": Secret("1")])
        #expect(!"\(settings)".contains("canary"))
    }

    @Test func `app settings are written as a whole set`() async throws {
        let (request, settings) = try await sent(#"{"properties":{"A":"canary"}}"#) { client, name throws(AzureError) in
            try await client.setAppSettings(name, ["A": Secret("canary")], correlationID: Sample.correlation)
        }
        #expect(request.method == .PUT && request.isWrite && request.secrets == [Secret("canary")])
        #expect(request.url == Self.web + "/sites/skls-sample/config/appsettings?" + Self.version)
        #expect(body(request) == #"{"properties":{"A":"canary"}}"#)
        #expect(settings == ["A": Secret("canary")])
    }

    @Test func `mounts keep what this client does not know`() async throws {
        let answer = """
            {"properties":{"data":{"type":"AzureFiles","accountName":"a","shareName":"s","mountPath":"/m",
            "accessKey":"canary","protocol":"Smb","state":"Ok"}}}
            """
        let (request, mounts) = try await sent(answer) { client, name throws(AzureError) in
            try await client.listMounts(name, correlationID: Sample.correlation)
        }
        #expect(request.method == .POST && !request.isWrite)
        #expect(request.url == Self.web + "/sites/skls-sample/config/azurestorageaccounts/list?" + Self.version)
        let mount = try #require(mounts["data"])
        #expect(mount.state == "Ok" && mount.accessKey == Secret("canary") && mount.mountPath == "/m")
        let (put, none) = try await sent(#"{"properties":null}"#) { client, name throws(AzureError) in
            try await client.setMounts(name, mounts, correlationID: Sample.correlation)
        }
        #expect(put.method == .PUT && put.isWrite && put.secrets == [Secret("canary")] && none.isEmpty)
        #expect(put.url == Self.web + "/sites/skls-sample/config/azurestorageaccounts?" + Self.version)
        #expect(
            body(put) == """
                {"properties":{"data":{"accessKey":"canary","accountName":"a","mountPath":"/m","protocol":"Smb",\
                "shareName":"s","type":"AzureFiles"}}}
                """)
    }

    @Test func `the configuration is read with all its fields`() async throws {
        let answer = #"{"properties":{"linuxFxVersion":"DOCKER|x","new":{"a":[1]}}}"#
        let (request, config) = try await sent(answer) { client, name throws(AzureError) in
            try await client.webConfig(name, correlationID: Sample.correlation)
        }
        #expect(request.method == .GET && request.url == Self.web + "/sites/skls-sample/config/web?" + Self.version)
        #expect(config["new"]?["a"] == .array([.integer(1)]))
    }

    @Test func `a name is checked in the whole subscription`() async throws {
        let answer = #"{"nameAvailable":false,"reason":"SomethingNew","message":"no"}"#
        let (request, availability) = try await sent(answer) { client, name throws(AzureError) in
            try await client.checkName(name, correlationID: Sample.correlation)
        }
        #expect(request.method == .POST && !request.isWrite)
        #expect(
            request.url == "https://management.example/subscriptions/\(Sample.subscription)/providers/Microsoft.Web/"
                + "checknameavailability?" + Self.version)
        #expect(body(request) == #"{"name":"skls-sample","type":"Microsoft.Web/sites"}"#)
        #expect(!availability.isAvailable && availability.reason == "SomethingNew")
        let (_, free) = try await sent(#"{"nameAvailable":true,"reason":"","message":""}"#) {
            client, name throws(AzureError) in
            try await client.checkName(name, correlationID: Sample.correlation)
        }
        #expect(free.isAvailable && free.reason == nil)
    }

    @Test func `lists of sites by subscription and by plan, and of plans, follow every page`() async throws {
        let plan = try Sample.planID()
        let planBody = #"{"id":"\#(plan)","name":"plan","location":"West Europe","sku":{"name":"X9","tier":"New"}}"#
        for (path, element) in [
            ("/subscriptions/\(Sample.subscription)/providers/Microsoft.Web/sites", Sample.site("a")),
            ("\(plan)/sites", Sample.site("a")),
            (
                "/subscriptions/\(Sample.subscription)/resourceGroups/containers/providers/Microsoft.Web/serverfarms",
                planBody
            ),
        ] {
            let transport = ScriptedTransport { request, _ in
                request.url.hasSuffix("/2")
                    ? .json(200, #"{"value":[\#(element)],"nextLink":null}"#)
                    : .json(200, #"{"value":[\#(element)],"nextLink":"https://management.example/2"}"#)
            }
            let client = try Sample.client(transport)
            let count =
                if path.hasSuffix("serverfarms") {
                    try await client.listPlans(correlationID: Sample.correlation).map(\.skuTier).count
                } else if path.hasPrefix(plan.description) {
                    try await client.listSites(onPlan: plan, correlationID: Sample.correlation).count
                } else {
                    try await client.listSubscriptionSites(correlationID: Sample.correlation).count
                }
            #expect(count == 2)
            #expect(transport.requests.first?.url == "https://management.example" + path + "?" + Self.version)
        }
    }

    @Test func `details are the site, its settings, its configuration and its mounts, or nothing`() async throws {
        let transport = ScriptedTransport { request, _ in
            switch request.url.split(separator: "?").first?.split(separator: "/").suffix(2).joined(separator: "/") {
            case "appsettings/list": .json(200, #"{"properties":{"A":"1"}}"#)
            case "config/web": .json(200, #"{"properties":{"alwaysOn":true}}"#)
            case "azurestorageaccounts/list": .json(200, #"{"properties":{}}"#)
            default: .json(200, Sample.site("skls-sample"))
            }
        }
        let details = try #require(
            try await Sample.client(transport).siteDetails(Sample.name(), correlationID: Sample.correlation))
        #expect(details.appSettings == ["A": Secret("1")] && details.config["alwaysOn"] == .bool(true))
        #expect(details.mounts.isEmpty && details.site.state == "Running" && transport.requests.count == 4)
        _ = try await Sample.client(transport).siteDetails(
            Sample.name(), includingMounts: false, correlationID: Sample.correlation)
        #expect(transport.requests.count == 7)
        let gone = ScriptedTransport { request, _ in
            request.method == .GET
                ? .json(200, Sample.site("skls-sample")) : .json(404, AzureErrorTests.arm("ResourceNotFound"))
        }
        #expect(
            try await Sample.client(gone).siteDetails(Sample.name(), correlationID: Sample.correlation) == nil)
    }

    @Test func `the activity of the group is asked for in one page of a window of time`() async throws {
        let transport = ScriptedTransport { _, _ in
            .json(
                200,
                #"{"value":[{"caller":"admin@contoso.com","eventTimestamp":"2015-01-21T22:14:26.9792776Z","#
                    + #""operationName":{"value":"Microsoft.Web/sites/write","localizedValue":"x"},"#
                    + #""resourceId":"/subscriptions/s/x"},{"caller":null}],"nextLink":"https://elsewhere"}"#)
        }
        let events = try await Sample.client(transport).activity(
            from: "2015-01-21T20:00:00Z", to: "2015-01-23T20:00:00Z", correlationID: Sample.correlation)
        #expect(
            events == [
                ActivityEvent(
                    caller: "admin@contoso.com", time: "2015-01-21T22:14:26.9792776Z",
                    operation: "Microsoft.Web/sites/write", resourceID: "/subscriptions/s/x")
            ])
        let url = try #require(transport.requests.first?.url.removingPercentEncoding)
        #expect(url.contains("/providers/Microsoft.Insights/eventtypes/management/values?"))
        #expect(url.contains("eventTimestamp ge '2015-01-21T20:00:00Z' and eventTimestamp le '2015-01-23T20:00:00Z'"))
        #expect(url.contains("and resourceGroupName eq '") && transport.requests.count == 1)
    }

    @Test func `identities are read in every combination and unknown words are no error`() async throws {
        let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
        func identities(_ json: String) async throws -> ManagedIdentities {
            let site = Sample.site("skls-sample").replacing(#""tags""#, with: #""identity":\#(json),"tags""#)
            let (_, value) = try await sent(site) { client, name throws(AzureError) in
                try await client.getSite(name, correlationID: Sample.correlation)
            }
            return try #require(value).identities
        }
        let both = try await identities(
            #"{"type":"SystemAssigned, UserAssigned","userAssignedIdentities":{"\#(id)":{"clientId":"c"}}}"#)
        #expect(both == ManagedIdentities(hasSystemAssigned: true, userAssigned: [try #require(ResourceID(id)): "c"]))
        #expect(try await identities(#"{"type":"None"}"#).isEmpty)
        #expect(
            try await identities(#"{"type":"Later","userAssignedIdentities":{"\#(id)":null}}"#).userAssigned.count == 1)
        #expect(try await identities("null").isEmpty)
        #expect(both.type == "SystemAssigned, UserAssigned")
    }
}
