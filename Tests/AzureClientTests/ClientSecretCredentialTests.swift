import NIOCore
import NIOHTTP1
import Testing

@testable import AzureClient

@Suite struct ClientSecretCredentialTests {
    func credential(_ transport: ScriptedTransport, secret: String = "s3cret/+&") throws -> ClientSecretCredential {
        ClientSecretCredential(
            authority: try ServiceURL("https://login.example"), tenant: "contoso tenant", clientID: "client",
            secret: Secret(secret), transport: transport)
    }

    let scope = TokenScope(rawValue: "https://management.example/.default")

    @Test func `the secret is sent in the form and nowhere else`() async throws {
        let transport = ScriptedTransport { _, _ in
            .json(200, #"{"token_type":"Bearer","expires_in":3599,"refresh_in":"1800","access_token":"abc"}"#)
        }
        let token = try await credential(transport).token(scope, correlationID: Sample.correlation)
        let start = transport.clock.now()
        #expect(token.secret.reveal() == "abc")
        #expect(token.expiresAt == start + .seconds(3599))
        #expect(token.refreshAt == start + .seconds(1800))
        let request = try #require(transport.requests.first)
        #expect(request.url == "https://login.example/contoso%20tenant/oauth2/v2.0/token")
        #expect(
            request.body.map { String(buffer: $0) }
                == "grant_type=client_credentials&client_id=client&client_secret=s3cret%2F%2B%26"
                + "&scope=https%3A%2F%2Fmanagement.example%2F.default"
                + "&claims=%7B%22access_token%22%3A%7B%22xms_cc%22%3A%7B%22values%22%3A%5B%22cp1%22%5D%7D%7D%7D")
        #expect(!request.url.contains("s3cret") && !"\(request.headers)".contains("s3cret"))
        #expect(transport.bearers == [nil])
    }

    @Test func `a refused secret is named as Entra names it`() async throws {
        let transport = ScriptedTransport { _, _ in
            .json(
                401,
                #"{"error":"invalid_client","error_description":"AADSTS7000215: not s3cret/+&, not s3cret%2F%2B%26","error_codes":[7000215],"correlation_id":"c-9"}"#
            )
        }
        let credential = try credential(transport)
        let error = try await failure { () throws(AzureError) in
            try await credential.token(scope, correlationID: Sample.correlation)
        }
        #expect(error.code == .unauthorized)
        #expect(error.innerCode == "AADSTS7000215")
        #expect(error.correlationID == "c-9")
        #expect(error.message == "AADSTS7000215: not <redacted>, not <redacted>")
    }

    @Test(arguments: [
        "", "{}", #"{"access_token":"a"}"#, #"{"access_token":"a","expires_in":-1}"#,
        #"{"access_token":"a","expires_in":"soon"}"#, "<html>",
    ])
    func `an answer without a token is malformed`(_ body: String) async throws {
        let transport = ScriptedTransport { _, _ in .json(200, body) }
        let credential = try credential(transport)
        let error = try await failure { () throws(AzureError) in
            try await credential.token(scope, correlationID: Sample.correlation)
        }
        #expect(error.code == .malformedReply)
        #expect(!error.effectIsUnknown)
    }
}
