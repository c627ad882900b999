import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Testing

@testable import AzureClient

@Suite(.timeLimit(.minutes(1))) struct ResourceGraphTests {
    /// Pages in order, and the last one for ever.
    private static func pages(_ pages: [String]) -> ScriptedTransport {
        let left = NIOLockedValueBox(pages)
        return ScriptedTransport { _, _ in
            .json(200, left.withLockedValue { $0.count > 1 ? $0.removeFirst() : $0[0] })
        }
    }

    private static func page(_ names: [String], token: String? = nil, truncated: Bool = false) -> String {
        let rows = names.map { #"{"id":"\#($0)","n":1}"# }.joined(separator: ",")
        let token = token.map { #","$skipToken":"\#($0)""# } ?? ""
        return #"{"totalRecords":9,"count":\#(names.count),"data":[\#(rows)],"facets":[],"#
            + #""resultTruncated":"\#(truncated)"\#(token)}"#
    }

    private static func sent(_ transport: ScriptedTransport) -> [String] {
        transport.requests.compactMap { $0.body.map { String(buffer: $0) } }
    }

    @Test func `pages follow each other by the token, and the answer is whole`() async throws {
        let transport = Self.pages([Self.page(["a", "b"], token: "t+1"), Self.page([], token: "t2"), Self.page(["c"])])
        let client = try Sample.client(transport)
        let answer = try await client.graph(client.graphQuery("Resources"), correlationID: Sample.correlation)
        #expect(answer.rows.map { $0["id"]?.string } == ["a", "b", "c"] && answer.isComplete)
        let post = try #require(transport.requests.first)
        #expect(
            post.url
                == "https://management.example/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01")
        #expect(post.method == .POST && !post.isWrite && post.isRepeatable)
        #expect(
            Self.sent(transport) == [
                #"{"options":{"$top":1000,"resultFormat":"objectArray"},"query":"Resources","subscriptions":["\#(Sample.subscription)"]}"#,
                #"{"options":{"$skipToken":"t+1","$top":1000,"resultFormat":"objectArray"},"query":"Resources","subscriptions":["\#(Sample.subscription)"]}"#,
                #"{"options":{"$skipToken":"t2","$top":1000,"resultFormat":"objectArray"},"query":"Resources","subscriptions":["\#(Sample.subscription)"]}"#,
            ])
    }

    @Test func `what is left out is said`() async throws {
        let cut = try Sample.client(Self.pages([Self.page(["a"], truncated: true)]))
        #expect(try await !cut.graph(cut.graphQuery("Resources"), correlationID: Sample.correlation).isComplete)

        let transport = Self.pages([Self.page(["a", "b"], token: "1"), Self.page(["c", "d"], token: "2")])
        let client = try Sample.client(transport)
        var query = client.graphQuery("Resources")
        query.mostRows = 3
        let answer = try await client.graph(query, correlationID: Sample.correlation)
        #expect(answer.rows.count == 3 && !answer.isComplete && transport.requests.count == 2)

        let exact = try Sample.client(Self.pages([Self.page(["a"], token: "1"), Self.page(["b", "c"])]))
        #expect(try await exact.graph(query, correlationID: Sample.correlation).isComplete)
    }

    @Test func `pages that do not end are an error, and so is an answer without rows`() async throws {
        for body in [Self.page(["a"], token: "same"), "{}", #"{"data":{"columns":[],"rows":[]}}"#] {
            let client = try Sample.client(Self.pages([body]), waits: NIOLockedValueBox([]))
            let error = try await failure { () throws(AzureError) in
                try await client.graph(client.graphQuery("Resources"), correlationID: Sample.correlation)
            }
            #expect(error.code == .malformedReply && !error.effectIsUnknown)
        }
    }

    @Test func `a query that Azure cannot read is not asked again`() async throws {
        let transport = ScriptedTransport { _, _ in
            .json(
                400,
                #"{"error":{"code":"BadRequest","message":"m","details":[{"code":"InvalidQuery","message":"q"}]}}"#)
        }
        let client = try Sample.client(transport, waits: NIOLockedValueBox([]))
        let error = try await failure { () throws(AzureError) in
            try await client.graph(client.graphQuery("Resources |"), correlationID: Sample.correlation)
        }
        #expect(error.code == .invalid && error.innerCode == "InvalidQuery" && transport.requests.count == 1)
    }

    @Test func `a sweep's query quotes tag and value`() {
        let query = GraphQuery.sites(tag: "managed\"by", value: "x\" or true | ", subscriptions: ["s"])
        #expect(
            query.text == """
                Resources | where type =~ "microsoft.web/sites" and tags["managed\\"by"] =~ "x\\" or true | " \
                | project id, name, location, kind, tags, properties | order by id asc
                """)
    }
}
