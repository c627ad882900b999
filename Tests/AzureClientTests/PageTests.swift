import NIOConcurrencyHelpers
import NIOHTTP1
import Testing

@testable import AzureClient

@Suite(.timeLimit(.minutes(1))) struct PageTests {
    struct Item: Decodable, Sendable, Equatable { let name: String }

    /// A client whose server gives these pages in turn.
    func client(_ bodies: [String]) throws -> (AzureClient, ScriptedTransport) {
        let left = NIOLockedValueBox(bodies)
        let transport = ScriptedTransport { (_, _) throws(AzureError) in
            .json(200, left.withLockedValue { $0.count > 1 ? $0.removeFirst() : $0[0] })
        }
        return (try Sample.client(transport, waits: NIOLockedValueBox([])), transport)
    }

    @Test func `pages are followed until none is named, empty ones too`() async throws {
        let (client, transport) = try client([
            #"{"value":[{"name":"a"}],"nextLink":"https://management.example/x?$skiptoken=%2B1"}"#,
            #"{"value":[],"nextLink":"https://management.example/x?$skiptoken=2"}"#,
            #"{"value":[{"name":"b"}],"nextLink":null}"#,
        ])
        #expect(try await client.all(Item.self, Sample.request()) == [Item(name: "a"), Item(name: "b")])
        #expect(transport.requests.map(\.url)[1] == "https://management.example/x?$skiptoken=%2B1")
        #expect(transport.requests.count == 3)
    }

    @Test func `a stream asks for a page only when it is wanted`() async throws {
        let (client, transport) = try client([
            #"{"value":[{"name":"a"}],"nextLink":"https://management.example/2"}"#,
            #"{"value":[{"name":"b"}],"nextLink":""}"#,
        ])
        var pages = client.pages(of: Item.self, Sample.request()).makeAsyncIterator()
        #expect(try await pages.next() == [Item(name: "a")])
        #expect(transport.requests.count == 1)
        #expect(try await pages.next() == [Item(name: "b")])
        #expect(try await pages.next() == nil)
        #expect(try await pages.next() == nil)
        #expect(transport.requests.count == 2)
    }

    @Test(arguments: [
        #"{"value":[],"nextLink":"https://evil.example/2"}"#, #"{"value":[],"nextLink":"http://management.example/2"}"#,
        #"{"value":[],"nextLink":"/2"}"#, #"{"value":[],"nextLink":"https://management.example/"}"#, #"{}"#,
        #"{"value":null}"#, #"{"value":[{}]}"#, #"[]"#, "<html>", #"{"value":[{"name":"a"}"#,
    ]) func `a list that cannot be read whole is an error`(_ body: String) async throws {
        let (client, transport) = try client([body])
        let error = try await failure { () throws(AzureError) in try await client.all(Item.self, Sample.request()) }
        #expect(error.code == .malformedReply && transport.requests.count == 1)
        #expect(!error.effectIsUnknown)
    }

    @Test func `pages that go round in a circle end`() async throws {
        let turns = NIOLockedValueBox(0)
        let transport = ScriptedTransport { (_, _) throws(AzureError) in
            let turn = turns.withLockedValue { turns in
                turns += 1
                return turns
            }
            return .json(200, #"{"value":[],"nextLink":"https://management.example/\#(turn % 3)"}"#)
        }
        let client = try Sample.client(transport, waits: NIOLockedValueBox([]))
        let error = try await failure { () throws(AzureError) in try await client.all(Item.self, Sample.request()) }
        #expect(error.code == .malformedReply && transport.requests.count == 4)
    }

    @Test func `a failed page is read again only with a policy, and the rest is kept`() async throws {
        for policy in [nil, RetryPolicy.standard] {
            let turns = NIOLockedValueBox(0)
            let transport = ScriptedTransport { (_, _) throws(AzureError) in
                switch turns.withLockedValue({ turns in
                    turns += 1
                    return turns
                }) {
                case 1: .json(200, #"{"value":[{"name":"a"}],"nextLink":"https://management.example/2"}"#)
                case 2: .json(503, "")
                default: .json(200, #"{"value":[{"name":"b"}]}"#)
                }
            }
            let client = try Sample.client(transport, waits: NIOLockedValueBox([]))
            do throws(AzureError) {
                let items = try await client.all(Item.self, Sample.request(), policy: policy)
                #expect(policy != nil && items.map(\.name) == ["a", "b"])
            } catch {
                #expect(policy == nil && error.code == .serverFault)
            }
        }
    }

    @Test func `a precondition travels in its header and a failed one is a conflict`() async throws {
        let transport = ScriptedTransport { (_, _) throws(AzureError) in
            .json(412, AzureErrorTests.arm("PreconditionFailed"))
        }
        let client = try Sample.client(transport, waits: NIOLockedValueBox([]))
        var request = Sample.request(isWrite: true)
        request.require(.unchanged(etag: "\"1\""))
        request.require(.absent)
        let error = try await failure { [request] () throws(AzureError) in try await client.call(request) }
        #expect(error.code == .conflict && !error.effectIsUnknown)
        let sent = try #require(transport.requests.first)
        #expect(sent.headers.first(name: "if-match") == "\"1\"" && sent.headers.first(name: "if-none-match") == "*")
    }
}
