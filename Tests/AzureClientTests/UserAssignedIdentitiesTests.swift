import NIOCore
import NIOHTTP1
import Testing

@testable import AzureClient

@Suite(.timeLimit(.minutes(1))) struct UserAssignedIdentitiesTests {
    private static let base =
        ResourceGroupsTests.group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities"

    /// As recorded, with `resourcegroups` in the id; names are invented.
    private static let document = """
        {"id":"/subscriptions/\(Sample.subscription)/resourcegroups/containers/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one",
        "name":"one","type":"Microsoft.ManagedIdentity/userAssignedIdentities","location":"westeurope","tags":{},
        "properties":{"tenantId":"t","principalId":"p","clientId":"c","isolationScope":"None"}}
        """

    private func name() throws -> IdentityName { try #require(IdentityName(rawValue: "one")) }

    @Test func `an identity is put and read with its ids`() async throws {
        let name = try name()
        let (identity, put) = try await ResourceGroupsTests.asking(201, Self.document) { client throws(AzureError) in
            try await client.putUserAssignedIdentity(
                name, location: "westeurope", tags: ["a": "1"], correlationID: Sample.correlation)
        }
        #expect(identity.clientID == "c" && identity.principalID == "p" && identity.tenantID == "t")
        #expect(identity.properties["isolationScope"]?.string == "None")
        #expect(put.method == .PUT && put.url == Self.base + "/one?api-version=2023-01-31" && put.isWrite)
        #expect(put.body.map { String(buffer: $0) } == #"{"location":"westeurope","tags":{"a":"1"}}"#)
        let (absent, _) = try await ResourceGroupsTests.asking(404, AzureErrorTests.arm("ResourceNotFound")) {
            client throws(AzureError) in
            try await client.userAssignedIdentity(name, correlationID: Sample.correlation)
        }
        #expect(absent == nil)
    }

    @Test func `an identity without its ids is unreadable`() async throws {
        let name = try name()
        let client = try Sample.client(
            ScriptedTransport { _, _ in
                .json(200, Self.document.replacing("principalId", with: "principalID"))
            })
        let error = try await failure { () throws(AzureError) in
            try await client.userAssignedIdentity(name, correlationID: Sample.correlation)
        }
        #expect(error.code == .malformedReply)
    }

    @Test func `a federated credential is put below its identity`() async throws {
        let name = try name()
        let credential = FederatedCredential(issuer: "https://issuer.example", subject: "repo:a/b")
        let (_, put) = try await ResourceGroupsTests.asking(201, "{}") { client throws(AzureError) in
            try await client.putFederatedCredential(name, of: name, credential, correlationID: Sample.correlation)
        }
        #expect(put.url == Self.base + "/one/federatedIdentityCredentials/one?api-version=2023-01-31")
        #expect(
            put.body.map { String(buffer: $0) }
                == #"{"properties":{"audiences":["api://AzureADTokenExchange"],"issuer":"https://issuer.example","#
                + #""subject":"repo:a/b"}}"#)
    }
}
