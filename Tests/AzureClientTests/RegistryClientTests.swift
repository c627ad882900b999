import NIOHTTP1
import Testing

@testable import AzureClient

@Suite struct RegistryClientTests {
    static let digest = "sha256:" + String(repeating: "0a", count: 32)

    func resolve(
        _ transport: ScriptedTransport, _ repository: String = "library/alpine", _ reference: String = "3"
    ) async throws(AzureError) -> ImageDigest? {
        try await RegistryClient(endpoint: ServiceURL("https://registry.example:5000"), sending: transport)
            .resolve(repository: repository, reference: reference, correlationID: Sample.correlation)
    }

    @Test func `a tag is resolved by one HEAD`() async throws {
        let transport = ScriptedTransport { _, _ in .json(200, "", headers: ["docker-content-digest": Self.digest]) }
        #expect(try await resolve(transport)?.rawValue == Self.digest)
        #expect(transport.requests.map(\.url) == ["https://registry.example:5000/v2/library/alpine/manifests/3"])
        #expect(transport.requests.map(\.method) == [.HEAD])
        #expect(transport.requests.first?.headers.first(name: "accept")?.contains("image.index.v1+json") == true)
        #expect(transport.bearers == [nil])
    }

    @Test func `only the registry's own word makes an image absent`() async throws {
        func resolve(_ status: Int, _ body: String) async throws -> ImageDigest? {
            try await self.resolve(
                ScriptedTransport { request, _ in .json(status, request.method == .HEAD ? "" : body) })
        }
        #expect(try await resolve(404, #"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"m"}]}"#) == nil)
        #expect(try await resolve(404, #"{"errors":[{"code":"NAME_UNKNOWN","message":"m"}]}"#) == nil)
        for (status, body) in [
            (404, "<html>"), (404, ""), (401, #"{"errors":[{"code":"UNAUTHORIZED"}]}"#), (200, "{}"),
        ] {
            await #expect(throws: AzureError.self) { try await resolve(status, body) }
        }
    }

    @Test func `a digest has to be answered by itself`() async throws {
        let transport = ScriptedTransport { _, _ in .json(200, "", headers: ["docker-content-digest": Self.digest]) }
        #expect(try await resolve(transport, "a/b", Self.digest)?.rawValue == Self.digest)
        #expect(transport.requests.first?.url == "https://registry.example:5000/v2/a/b/manifests/\(Self.digest)")
        let other = "sha256:" + String(repeating: "0b", count: 32)
        let error = try await failure { () throws(AzureError) in try await resolve(transport, "a/b", other) }
        #expect(error.code == .malformedReply)
    }

    @Test(arguments: ["", "/a", "a/", "a//b", "../a", "a/.."]) func `a name cannot leave its place`(_ name: String)
        async throws
    {
        let transport = ScriptedTransport { _, _ in .json(200, "") }
        let error = try await failure { () throws(AzureError) in try await resolve(transport, name) }
        #expect(error.code == .invalid && transport.requests.isEmpty)
    }

    @Test func `a digest is hex of its algorithm's length`() {
        #expect(ImageDigest(rawValue: Self.digest) != nil)
        for text in [
            "", "sha256:", "sha256:" + String(repeating: "0A", count: 32), "md5:" + String(repeating: "0", count: 32),
        ] {
            #expect(ImageDigest(rawValue: text) == nil)
        }
    }
}
