import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Testing

@testable import AzureClient

@Suite(.timeLimit(.minutes(1))) struct ManagedIdentityTests {
    let scope = TokenScope(rawValue: "https://management.azure.com/.default")
    static let id = "00000000-1111-4222-8333-444444444444"
    static let resource =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"

    func appService(
        _ transport: ScriptedTransport, _ identity: ManagedIdentityID? = nil
    ) -> AppServiceCredential {
        AppServiceCredential(
            endpoint: "http://localhost:42356/msi/token", header: Secret("canary-header"), identity: identity,
            transport: transport)
    }

    func metadata(
        _ transport: ScriptedTransport, host: String? = nil, _ identity: ManagedIdentityID? = nil,
        isProbed: Bool = false, waits: NIOLockedValueBox<[Duration]> = NIOLockedValueBox([])
    ) -> InstanceMetadataCredential {
        InstanceMetadataCredential(host: host, identity: identity, isProbed: isProbed, transport: transport) { wait in
            waits.withLockedValue { $0.append(wait) }
        }
    }

    func token(_ credential: any CredentialCandidate) async throws -> AccessToken {
        guard
            case .token(let token) = try await credential.answer(
                scope, claims: nil, correlationID: Sample.correlation)
        else { throw Sample.Missing() }
        return token
    }

    func reason(_ credential: any CredentialCandidate) async throws -> String {
        guard
            case .unavailable(let reason) = try await credential.answer(
                scope, claims: nil, correlationID: Sample.correlation)
        else { throw Sample.Missing() }
        return reason
    }

    @Test func `a site's identity is asked with the header that proves the site`() async throws {
        let transport = ScriptedTransport { _, _ in
            .json(200, #"{"access_token":"abc","expires_on":"1000003600","resource":"r","token_type":"Bearer"}"#)
        }
        let token = try await token(appService(transport))
        #expect(token.secret.reveal() == "abc" && token.expiresAt == transport.clock.now() + .seconds(3600))
        let request = try #require(transport.requests.first)
        #expect(request.method == .GET && request.body == nil && transport.bearers == [nil])
        #expect(
            request.url
                == "http://localhost:42356/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fmanagement.azure.com"
        )
        #expect(request.headers["x-identity-header"] == ["canary-header"])
    }

    @Test(arguments: [
        (id, "client_id", "client_id"), (resource, "mi_res_id", "msi_res_id"),
        ("object:\(id)", "principal_id", "object_id"),
    ]) func `an identity of one's own is named as each endpoint wants it`(
        _ text: String, _ site: String, _ machine: String
    ) async throws {
        let identity = try #require(ManagedIdentityID(text))
        let transport = ScriptedTransport { _, _ in .json(200, #"{"access_token":"abc","expires_in":"86399"}"#) }
        _ = try await token(appService(transport, identity))
        _ = try await token(metadata(transport, identity))
        let value = PercentEncoding.encoded(text.replacing("object:", with: ""))
        #expect(transport.requests[0].url.hasSuffix("&\(site)=\(value)"))
        #expect(transport.requests[1].url.hasSuffix("&\(machine)=\(value)"))
        for text in ["", "x", "object:x", "/x//y", "object:\(Self.resource)"] {
            #expect(ManagedIdentityID(text) == nil)
        }
    }

    @Test func `a machine's identity is asked of its metadata service`() async throws {
        let transport = ScriptedTransport { _, _ in
            .json(200, #"{"access_token":"abc","expires_in":"86399","expires_on":"1","client_id":"c"}"#)
        }
        let token = try await token(metadata(transport))
        #expect(token.expiresAt == transport.clock.now() + .seconds(86_399))
        #expect(token.refreshAt == transport.clock.now() + .seconds(43_199))
        let request = try #require(transport.requests.first)
        #expect(
            request.url
                == "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"
                + "&resource=https%3A%2F%2Fmanagement.azure.com")
        #expect(request.headers["metadata"] == ["true"])
        _ = try await self.token(metadata(transport, host: "http://127.0.0.1:9/"))
        #expect(transport.requests[1].url.hasPrefix("http://127.0.0.1:9/metadata/identity/oauth2/token?"))
    }

    @Test(arguments: [
        (#""expires_in":3600"#, 3600), (#""expires_in":"3600""#, 3600), (#""expires_on":1000003600"#, 3600),
        (#""expires_on":"1000003600""#, 3600), (#""expires_on":"9/9/2001 2:46:40 AM +00:00""#, 3600),
        (#""expires_on":"09/09/2001 13:46:40 PM +00:00""#, 43_200),
        (#""expires_on":"09/09/2001 01:46:40 PM +00:00""#, 43_200),
        (#""expires_on":"09/09/2001 12:46:40 AM +00:00""#, 0), (#""expires_on":"2001-09-09T02:46:40Z""#, 3600),
        (#""expires_on":"2001-09-09T02:46:40.1234567+00:00""#, 3600), (#""expires_in":99999999999"#, 86_400),
        (#""expires_on":"9223372036854775807""#, 86_400), (#""expires_on":-9223372036854775808"#, 86_400),
        (#""expires_on":5"#, 0),
    ]) func `every form of a token's end is understood`(_ field: String, _ seconds: Int) async throws {
        let transport = ScriptedTransport { _, _ in .json(200, #"{"access_token":"abc",\#(field)}"#) }
        let token = try await token(appService(transport))
        #expect(token.expiresAt - transport.clock.now() == .seconds(seconds))
    }

    @Test(arguments: [
        "", "{}", #"{"access_token":"","expires_in":"1"}"#, #"{"access_token":"a b","expires_in":1}"#,
        "{\"access_token\":\"a\\r\\nx: y\",\"expires_in\":1}", #"{"access_token":"a","expires_on":"soon"}"#,
        #"{"access_token":"a","expires_on":"13/32/2001 99:99:99 +00:00"}"#, #"{"access_token":"a","expires_on":{}}"#,
        #"{"access_token":"a","expires_in":"-5"}"#, #"{"access_token":"a","expires_on":"9/9/2001 2:46:40 AM +02:00"}"#,
        #"{"access_token":["a"],"expires_in":1}"#, #"{"access_token":"a","expires_in":1,"refresh_in":"x"}"#,
    ]) func `an answer without a usable token is malformed`(_ body: String) async throws {
        let transport = ScriptedTransport { _, _ in .json(200, body) }
        let credential = appService(transport)
        let (scope, correlation) = (scope, Sample.correlation)
        let error = try await failure { () throws(AzureError) in
            try await credential.answer(scope, claims: nil, correlationID: correlation)
        }
        #expect(error.code == .malformedReply)
    }

    @Test func `a site's endpoint that refuses ends the search, without showing the header`() async throws {
        let transport = ScriptedTransport { _, _ in .json(403, #"{"message":"bad canary-header"}"#) }
        let credential = appService(transport)
        let (scope, correlation) = (scope, Sample.correlation)
        let error = try await failure { () throws(AzureError) in
            try await credential.answer(scope, claims: nil, correlationID: correlation)
        }
        #expect(error.code == .forbidden && !"\(error)".contains("canary"))
    }

    @Test func `where no metadata service answers the look is short and sends no header`() async throws {
        let transport = ScriptedTransport { _, _ throws(AzureError) in
            throw AzureError(code: .timedOut, operation: .fetchToken, resource: "r", message: "no answer in time")
        }
        let reason = try await reason(metadata(transport, isProbed: true))
        #expect(reason.contains("no virtual machine of Azure"))
        let probe = try #require(transport.requests.first)
        #expect(transport.requests.count == 1 && probe.timeout == .seconds(1) && probe.headers.isEmpty)
        #expect(probe.url == "http://169.254.169.254/metadata/identity/oauth2/token")
    }

    @Test func `a metadata service that answered once is not looked for again`() async throws {
        let transport = ScriptedTransport { request, _ in
            request.headers.contains(name: "metadata")
                ? .json(200, #"{"access_token":"abc","expires_in":"60"}"#) : .json(400, #"{"error":"invalid_request"}"#)
        }
        let credential = metadata(transport, isProbed: true)
        _ = try await token(credential)
        _ = try await token(credential)
        #expect(transport.requests.map { $0.headers.contains(name: "metadata") } == [false, true, true])
    }

    @Test func `what answers in place of the metadata service is passed over`() async throws {
        let transport = ScriptedTransport { _, _ in .json(403, "connecting to 169.254.169.254:80: unreachable") }
        #expect(try await reason(metadata(transport, isProbed: true)).contains("in place of"))
        #expect(try await reason(metadata(transport)).contains("in place of"))
    }

    @Test func `a machine without an identity is passed over`() async throws {
        let transport = ScriptedTransport { _, _ in
            .json(400, #"{"error":"invalid_request","error_description":"Identity not found"}"#)
        }
        #expect(try await reason(metadata(transport)).contains("Identity not found"))
        #expect(transport.requests.count == 1)
    }

    @Test(arguments: [
        (404, nil, [Duration.seconds(1), .seconds(1)]), (500, nil, [.seconds(1), .seconds(1)]),
        (599, nil, [.seconds(1), .seconds(1)]), (429, "7", [.seconds(7), .seconds(7)]), (429, "61", []),
        (410, nil, [.seconds(5), .seconds(10), .seconds(20), .seconds(40)]), (401, nil, []), (403, nil, []),
    ]) func `passing failures of the metadata service are waited out`(
        _ status: Int, _ retryAfter: String?, _ expected: [Duration]
    ) async throws {
        let headers = HTTPHeaders(retryAfter.map { [("retry-after", $0)] } ?? [])
        let transport = ScriptedTransport { _, _ in .json(status, "{}", headers: headers) }
        let waits = NIOLockedValueBox<[Duration]>([])
        let credential = metadata(transport, waits: waits)
        do {
            let answer = try await credential.answer(scope, claims: nil, correlationID: Sample.correlation)
            guard case .unavailable = answer else { throw Sample.Missing() }
            #expect(status == 403)
        } catch let error as AzureError {
            #expect(error.status == status)
        }
        #expect(waits.withLockedValue(\.self) == expected)
        #expect(transport.requests.count == expected.count + 1)
    }

    @Test func `a failure that passes leaves a token`() async throws {
        let tries = NIOLockedValueBox(0)
        let transport = ScriptedTransport { _, _ in
            let number = tries.withLockedValue { tries in
                tries += 1
                return tries
            }
            return number < 3 ? .json(503, "") : .json(200, #"{"access_token":"abc","expires_in":"60"}"#)
        }
        #expect(try await token(metadata(transport)).secret.reveal() == "abc")
    }

    @Test func `the wire carries exactly what the endpoints want`() async throws {
        let texts = NIOLockedValueBox<[String]>([])
        try await ScriptedServer.run({ text in
            texts.withLockedValue { $0.append(text) }
            return .http("200 OK", #"{"access_token":"abc","expires_in":"60"}"#)
        }) { server in
            try await Sample.withTransport { transport in
                let environment = [
                    "IDENTITY_ENDPOINT": server.url + "/msi/token", "IDENTITY_HEADER": "proof",
                    "AZURE_TOKEN_CREDENTIALS": "managedidentitycredential", "AZURE_CLIENT_ID": Self.id,
                ]
                var faults: [String] = []
                let settings = CredentialSettings(environment: environment, faults: &faults)
                let credential = settings.credential(environment: .publicCloud, transport: transport)
                let token = try await credential.token(scope, correlationID: Sample.correlation)
                #expect(faults.isEmpty && token.secret.reveal() == "abc")
                #expect(credential.report.used == .managedIdentity)
                let text = try #require(texts.withLockedValue { $0.first })
                #expect(
                    text.hasPrefix(
                        "GET /msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fmanagement.azure.com"
                            + "&client_id=\(Self.id) HTTP/1.1\r\n"))
                #expect(text.lowercased().contains("\r\nx-identity-header: proof\r\n"))
                #expect(!text.lowercased().contains("authorization"))
            }
        }
    }
}
