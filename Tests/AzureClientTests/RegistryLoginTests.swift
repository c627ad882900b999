import NIOHTTP1
import Testing

@testable import AzureClient

@Suite struct RegistryLoginTests {
    private func accepts(_ transport: ScriptedTransport) async throws(AzureError) -> Bool {
        try await RegistryClient(endpoint: ServiceURL("https://registry.example"), sending: transport)
            .accepts(user: "us er", password: Secret("p&ss"), correlationID: Sample.correlation)
    }

    private func challenge(_ text: String) -> AzureReply { .json(401, "{}", headers: ["www-authenticate": text]) }

    @Test func `a registry that takes a password is asked once`() async throws {
        let transport = ScriptedTransport { _, _ in .json(200, "{}") }
        #expect(try await accepts(transport))
        #expect(transport.requests.map(\.url) == ["https://registry.example/v2/"])
        #expect(transport.requests.first?.headers.first(name: "authorization") == "Basic dXMgZXI6cCZzcw==")
        #expect(transport.bearers == [nil])
    }

    @Test func `a registry with a token service sends there`() async throws {
        for (status, isAccepted) in [(200, true), (401, false), (403, false), (400, false)] {
            let transport = ScriptedTransport { request, _ in
                request.url.hasPrefix("https://auth.example/")
                    ? .json(status, "{}")
                    : challenge(#"Bearer realm="https://auth.example/token",service="registry.example""#)
            }
            #expect(try await accepts(transport) == isAccepted)
            #expect(
                transport.requests.last?.url
                    == "https://auth.example/token?account=us%20er&service=registry.example")
        }
    }

    @Test func `a password that is wrong is no error`() async throws {
        #expect(try await !accepts(ScriptedTransport { _, _ in challenge(#"Basic realm="r""#) }))
        #expect(try await !accepts(ScriptedTransport { _, _ in .json(403, "{}") }))
    }

    @Test(arguments: ["http://auth.example/token", "ftp://x", "https://u@auth.example/", "", "https://a#b"])
    func `credentials go to no other place in plain text`(_ realm: String) async throws {
        let transport = ScriptedTransport { _, _ in challenge("Bearer realm=\"\(realm)\",service=\"s\"") }
        let error = try await failure { () throws(AzureError) in try await accepts(transport) }
        #expect(error.code == .malformedReply && transport.requests.count == 1)
        #expect(!"\(error)".contains("p&ss"))
    }

    @Test func `a registry that is down is an error`() async throws {
        let error = try await failure { () throws(AzureError) in
            try await accepts(ScriptedTransport { _, _ in .json(503, "{}") })
        }
        #expect(error.status == 503)
    }
}
