import NIOCore
import NIOHTTP1
import Testing

@testable import AzureClient

@Suite(.timeLimit(.minutes(1))) struct ResourceGroupsTests {
    static let subscription = "https://management.example/subscriptions/\(Sample.subscription)"
    static let group = "\(subscription)/resourceGroups/containers"

    static let document = """
        {"id":"/subscriptions/\(Sample.subscription)/resourceGroups/containers","name":"containers",
         "type":"Microsoft.Resources/resourceGroups","location":"westeurope","tags":{"a":"1","gone":null},
         "properties":{"provisioningState":"Succeeded"},"managedBy":"x"}
        """

    /// A client that gets one answer, and what it asked.
    static func asking<Value>(
        _ status: Int, _ body: String, headers: HTTPHeaders = [:],
        _ call: (AzureClient) async throws(AzureError) -> Value
    ) async throws -> (value: Value, request: AzureRequest) {
        let transport = ScriptedTransport { _, _ in .json(status, body, headers: headers) }
        let value = try await call(try Sample.client(transport))
        guard let request = transport.requests.first, transport.requests.count == 1 else { throw Sample.Missing() }
        return (value, request)
    }

    @Test func `a group is read and put by exact requests`() async throws {
        let (read, get) = try await Self.asking(200, Self.document) { client throws(AzureError) in
            try await client.resourceGroup(correlationID: Sample.correlation)
        }
        #expect(get.method == .GET && get.url == Self.group + "?api-version=2021-04-01" && !get.isWrite)
        #expect(read?.name == "containers" && read?.location == "westeurope" && read?.tags == ["a": "1"])
        #expect(read?.isDeleting == false)
        let name = try #require(ResourceGroupName(rawValue: "my(group)"))
        let (_, put) = try await Self.asking(201, Self.document) { client throws(AzureError) in
            try await client.putResourceGroup(
                name, location: "westeurope", tags: ["a": "1"], correlationID: Sample.correlation)
        }
        #expect(put.method == .PUT && put.isWrite)
        #expect(put.url == Self.subscription + "/resourceGroups/my%28group%29?api-version=2021-04-01")
        #expect(put.body.map { String(buffer: $0) } == #"{"location":"westeurope","tags":{"a":"1"}}"#)
        #expect(put.headers.first(name: "content-type") == "application/json")
        #expect(ResourceGroupName(rawValue: "dot.") == nil && ResourceGroupName(rawValue: "a/b") == nil)
    }

    @Test func `only Azure's own word makes a group absent`() async throws {
        let (absent, _) = try await Self.asking(404, AzureErrorTests.arm("ResourceGroupNotFound")) {
            client throws(AzureError) in try await client.resourceGroup(correlationID: Sample.correlation)
        }
        #expect(absent == nil)
        for body in [AzureErrorTests.arm("SubscriptionNotFound"), "", "<html>"] {
            let client = try Sample.client(ScriptedTransport { _, _ in .json(404, body) })
            await #expect(throws: AzureError.self) {
                try await client.resourceGroup(correlationID: Sample.correlation)
            }
        }
    }

    @Test func `selections are written so that no text can leave its literal`() {
        #expect(ResourceSelection.all.filter == nil)
        #expect(ResourceSelection.type("Microsoft.Web/sites").filter == "resourceType eq 'Microsoft.Web/sites'")
        #expect(
            ResourceSelection.tag(name: "o'k", value: "' or name eq 'x").filter
                == "tagName eq 'o''k' and tagValue eq ''' or name eq ''x'")
    }

    @Test func `resources are listed over pages, and a tag within a group is refused before it is sent`() async throws {
        let transport = ScriptedTransport { request, _ in
            let isFirst = !request.url.contains("skiptoken")
            let name = isFirst ? "one" : "two"
            let next = isFirst ? #","nextLink":"\#(request.url)&%24skiptoken=x""# : ""
            return .json(
                200,
                #"{"value":[{"id":"/subscriptions/s/resourceGroups/g/providers/A.B/c/\#(name)","name":"\#(name)","#
                    + #""type":"A.B/c","location":"x","sku":{"name":"S"},"new":1}]\#(next)}"#)
        }
        let client = try Sample.client(transport)
        let listed = try await client.listResources(.type("A.B/c"), correlationID: Sample.correlation)
        #expect(listed.map(\.name) == ["one", "two"] && listed.allSatisfy { $0.tags == nil })
        #expect(
            transport.requests.first?.url
                == Self.subscription
                + "/resources?%24filter=resourceType%20eq%20%27A.B%2Fc%27&api-version=2021-04-01")
        let error = try await failure { () throws(AzureError) in
            try await client.listResources(
                .tag(name: "a", value: "b"), inGroup: true, correlationID: Sample.correlation)
        }
        #expect(error.code == .invalid && transport.requests.count == 2)
    }

    @Test func `tags are merged by a patch that names nothing else`() async throws {
        let id = try #require(ResourceID("/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/a"))
        let (tags, patch) = try await Self.asking(
            200, #"{"id":"x","properties":{"tags":{"old":"1","new":"2","none":null}}}"#
        ) { client throws(AzureError) in
            try await client.mergeTags(["new": "2"], on: id, correlationID: Sample.correlation)
        }
        #expect(tags == ["old": "1", "new": "2"])
        #expect(patch.method == .PATCH && patch.isWrite)
        #expect(
            patch.url
                == "https://management.example/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/a"
                + "/providers/Microsoft.Resources/tags/default?api-version=2021-04-01")
        #expect(
            patch.body.map { String(buffer: $0) } == #"{"operation":"Merge","properties":{"tags":{"new":"2"}}}"#)
    }

    @Test func `a subscription and a provider's registration are read, unknown states too`() async throws {
        let (subscription, get) = try await Self.asking(
            200, #"{"subscriptionId":"s","tenantId":"t","displayName":"d","state":"Novel"}"#
        ) { client throws(AzureError) in try await client.subscription(correlationID: Sample.correlation) }
        #expect(subscription?.state == "Novel" && get.url == Self.subscription + "?api-version=2022-12-01")
        let (absent, _) = try await Self.asking(404, AzureErrorTests.arm("SubscriptionNotFound")) {
            client throws(AzureError) in try await client.subscription(correlationID: Sample.correlation)
        }
        #expect(absent == nil)
        let (provider, _) = try await Self.asking(
            200, #"{"namespace":"Microsoft.Web","registrationState":"Registering"}"#
        ) { client throws(AzureError) in try await client.provider("Microsoft.Web", correlationID: Sample.correlation) }
        #expect(provider.state == "Registering" && !provider.isRegistered)
        let (_, post) = try await Self.asking(
            200, #"{"namespace":"Microsoft.Web","registrationState":"Registered"}"#
        ) { client throws(AzureError) in
            try await client.registerProvider("Microsoft.Web", correlationID: Sample.correlation)
        }
        #expect(post.method == .POST && post.isWrite)
        #expect(post.url == Self.subscription + "/providers/Microsoft.Web/register?api-version=2021-04-01")
    }
}
