import NIOCore
import NIOHTTP1
import Testing

@testable import AzureClient

@Suite struct CloudTests {
    let asked = ServiceURL(httpsHost: "management.private.example")

    static let object = """
        {"portal":"https://portal.private.example","name":"Private","resourceManager":"https://management.private.example/",
         "authentication":{"loginEndpoint":"https://login.private.example/","tenant":"common","identityProvider":"AAD",
          "audiences":["https://management.core.private.example/","https://management.private.example/"]},
         "suffixes":{"storage":"core.private.example","acrLoginServer":".azurecr.private.example"},
         "logAnalyticsResourceId":"https://api.logs.private.example","later":[1,{"unknown":null}]}
        """

    func decoded(_ text: String, at address: ServiceURL? = nil) throws(CloudMetadata.Fault) -> AzureEnvironment {
        try CloudMetadata.environment(Array(text.utf8), askedAt: address ?? asked)
    }

    @Test(arguments: [
        (AzureEnvironment.publicCloud, "https://management.azure.com/.default", "https://api.loganalytics.io/.default"),
        (.usGovernment, "https://management.usgovcloudapi.net/.default", "https://api.loganalytics.us/.default"),
        (.china, "https://management.chinacloudapi.cn/.default", "https://api.loganalytics.azure.cn/.default"),
    ]) func `tokens for a published cloud are for its own services`(
        _ cloud: AzureEnvironment, _ scope: String, _ logs: String
    ) throws {
        #expect(cloud.scope.rawValue == scope)
        #expect(cloud.logAnalyticsScope.rawValue == logs)
        #expect(try CloudChoice(cloud.name.uppercased()) == .published(cloud))
        #expect(try ServiceURL("\(cloud.authority)") == cloud.authority)
    }

    @Test func `what an operator overrides replaces the cloud's own`() throws {
        let moved = try AzureEnvironment(
            .china, resourceManager: "http://127.0.0.1:1", audience: AzureEnvironment.china.audience)
        #expect(moved.resourceManager.description == "http://127.0.0.1:1")
        #expect(moved.scope == AzureEnvironment.china.scope && moved.authority == AzureEnvironment.china.authority)
        #expect(moved.logAnalyticsScope == AzureEnvironment.china.logAnalyticsScope)
        let logs = try AzureEnvironment(logAnalytics: "https://logs.example")
        #expect(logs.logAnalyticsScope.rawValue == "https://logs.example/.default")
        #expect(throws: AzureError.self) { try AzureEnvironment(logAnalytics: "http://logs.example") }
        #expect(throws: AzureError.self) { try AzureEnvironment(authority: "http://login.example") }
    }

    @Test func `a cloud is named or addressed`() throws {
        for text in ["https://management.private.example", "https://management.private.example/metadata/endpoints"] {
            #expect(try CloudChoice(text) == .discovered(at: asked))
        }
        for text in [
            "", "azure", "germany", "management.private.example", "http://management.private.example", "ftp://a",
        ] {
            #expect(throws: AzureError.self) { try CloudChoice(text) }
        }
    }

    @Test func `the description of one cloud is read`() throws {
        let cloud = try decoded("\u{FEFF}" + Self.object)
        #expect(cloud.name == "Private")
        #expect(cloud.resourceManager == asked)
        #expect(cloud.authority.description == "https://login.private.example")
        #expect(cloud.audience == "https://management.private.example/")
        #expect(cloud.scope.rawValue == "https://management.private.example/.default")
        #expect(cloud.logAnalyticsScope.rawValue == "https://api.logs.private.example/.default")
        #expect(cloud.storageSuffix == "core.private.example" && cloud.registrySuffix == "azurecr.private.example")
    }

    @Test func `of several clouds the asked one is taken`() throws {
        let other = Self.object.replacing("private.example", with: "other.example")
        #expect(try decoded("[\(other),\(Self.object)]") == decoded(Self.object))
        #expect(try decoded("[\(Self.object)]") == decoded(Self.object))
        let fault = #expect(throws: CloudMetadata.Fault.self) { try decoded("[\(other),\(other)]") }
        #expect(fault?.message.contains("none of the 2") == true)
    }

    @Test func `what a description leaves out is filled in`() throws {
        let cloud = try decoded(#"{"authentication":{"loginEndpoint":"https://login.example"}}"#)
        #expect(cloud.resourceManager == asked && cloud.name == "management.private.example")
        #expect(cloud.audience == "https://management.private.example")
        #expect(cloud.storageSuffix == "core.windows.net")
    }

    @Test(arguments: [
        "", "[]", "{}", "null", "42", "<html>", #"{"authentication":[]}"#, #"{"authentication":{"loginEndpoint":""}}"#,
        #"{"authentication":{"loginEndpoint":7}}"#, #"{"authentication":{"loginEndpoint":"login.example"}}"#,
        #"{"authentication":{"loginEndpoint":"http://login.example"}}"#,
        #"{"authentication":{"loginEndpoint":"http://127.0.0.1:1"}}"#,
        #"{"authentication":{"loginEndpoint":"https://user:pass@login.example"}}"#,
        #"{"authentication":{"loginEndpoint":"https://login.example?x=y"}}"#,
        #"{"authentication":{"loginEndpoint":"https://adfs.example/adfs","identityProvider":"ADFS"}}"#,
        #"{"authentication":{"loginEndpoint":"https://a.example"},"resourceManager":"http://localhost:2"}"#,
        #"{"authentication":{"loginEndpoint":"https://a.example"},"logAnalyticsResourceId":"file:///etc/passwd"}"#,
        #"{"authentication":{"loginEndpoint":"https://a.example"},"suffixes":{"storage":"a/../b"}}"#,
        #"{"authentication":{"loginEndpoint":"https://a.example"},"suffixes":{"storage":"evil.example@x"}}"#,
        #"{"authentication":{"loginEndpoint":"https://a.example"},"suffixes":{"acrLoginServer":"a..b"}}"#,
        String(repeating: "[", count: 2_000), "[" + String(repeating: "{},", count: 100) + "{}]",
    ]) func `a description that leads astray is refused`(_ text: String) {
        #expect(throws: CloudMetadata.Fault.self) { try decoded(text) }
    }

    @Test func `every cut of a description is refused or read, and never more`() throws {
        let whole = Array(Self.object.utf8)
        for length in stride(from: 0, to: whole.count, by: 7) {
            #expect(throws: CloudMetadata.Fault.self) {
                try CloudMetadata.environment(Array(whole[..<length]), askedAt: asked)
            }
        }
    }

    @Test func `a cloud on this machine may name plain addresses on this machine only`() throws {
        let local = try ServiceURL("http://127.0.0.1:9")
        let text = #"{"authentication":{"loginEndpoint":"http://127.0.0.1:9"},"resourceManager":"http://127.0.0.1:9/"}"#
        #expect(try decoded(text, at: local).authority == local)
        let far = #"{"authentication":{"loginEndpoint":"http://login.example"}}"#
        #expect(throws: CloudMetadata.Fault.self) { try decoded(far, at: local) }
    }

    @Test func `a cloud is asked without a credential`() async throws {
        let transport = ScriptedTransport { _, _ in .json(200, Self.object) }
        let cloud = try await CloudDiscovery.environment(
            at: asked, sending: transport, correlationID: Sample.correlation)
        #expect(cloud.name == "Private")
        #expect(
            transport.requests.map(\.url)
                == ["https://management.private.example/metadata/endpoints?api-version=2022-09-01"])
        #expect(transport.bearers == [nil])
    }

    @Test func `a cloud that does not describe itself is an error`() async throws {
        for reply in [AzureReply.json(200, "{}"), .json(404, #"{"error":{"code":"NotFound","message":"m"}}"#)] {
            let transport = ScriptedTransport { _, _ in reply }
            let asked = asked
            let error = try await failure { () throws(AzureError) in
                try await CloudDiscovery.environment(at: asked, sending: transport, correlationID: Sample.correlation)
            }
            #expect(error.operation == .discoverCloud)
        }
    }

    @Test func `a server's clock is compared by the date of any reply`() async throws {
        let transport = ScriptedTransport { _, _ in
            .json(401, "", headers: ["date": "Sun, 09 Sep 2001 01:51:40 GMT"])
        }
        let asked = asked
        #expect(try await ServerClock.secondsAhead(asked, sending: transport, correlationID: Sample.correlation) == 300)
        let silent = ScriptedTransport { _, _ in .json(200, "{}") }
        #expect(try await ServerClock.secondsAhead(asked, sending: silent, correlationID: Sample.correlation) == nil)
    }
}
