import NIOCore
import Testing

@testable import AzureClient

@Suite struct WorkloadIdentityTests {
    let scope = TokenScope(rawValue: "https://management.example/.default")
    let answer = #"{"expires_in":"3599","access_token":"abc"}"#
    let refusal = #"{"error":"invalid_client","error_description":"AADSTS700024: expired","error_codes":[700024]}"#

    func credential(_ transport: ScriptedTransport, _ file: String) -> WorkloadIdentityCredential {
        WorkloadIdentityCredential(
            authority: ServiceURL(httpsHost: "login.example"), tenant: "contoso", clientID: "client", tokenFile: file,
            transport: transport)
    }

    /// The assertions that were sent.
    func assertions(_ transport: ScriptedTransport) -> [String] {
        transport.requests.compactMap { request in
            let body = request.body.map { String(buffer: $0) } ?? ""
            return body.split(separator: "&").first { $0.hasPrefix("client_assertion=") }.map {
                String($0.dropFirst(17))
            }
        }
    }

    func ask(_ credential: WorkloadIdentityCredential) async throws(AzureError) -> CredentialAnswer {
        try await credential.answer(scope, claims: nil, correlationID: Sample.correlation)
    }

    @Test func `the file's token is sent, and read again when it is five minutes old`() async throws {
        let transport = ScriptedTransport { _, _ in .json(200, answer) }
        try await TestFolder.run { folder in
            let file = try folder.file("token", "first\n")
            let credential = credential(transport, file)
            _ = try await ask(credential)
            _ = try folder.file("token", "second")
            transport.advance(by: .seconds(299))
            _ = try await ask(credential)
            transport.advance(by: .seconds(1))
            _ = try await ask(credential)
            #expect(assertions(transport) == ["first", "first", "second"])
            let body = transport.requests[0].body.map { String(buffer: $0) } ?? ""
            #expect(
                body.hasPrefix(
                    "grant_type=client_credentials&client_id=client&client_assertion_type="
                        + "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=first&scope="
                ))
        }
    }

    @Test func `a refused token is read again and, if it is another one, tried once more`() async throws {
        let transport = ScriptedTransport { request, _ in
            let body = request.body.map { String(buffer: $0) } ?? ""
            return body.contains("client_assertion=stale") ? .json(401, refusal) : .json(200, answer)
        }
        try await TestFolder.run { folder in
            let file = try folder.file("token", "good")
            let credential = credential(transport, file)
            _ = try await ask(credential)
            _ = try folder.file("token", "stale")
            transport.advance(by: .seconds(300))
            // Read just now and refused: the same file is not tried twice.
            let error = try await failure { () throws(AzureError) in try await ask(credential) }
            #expect(error.code == .unauthorized && error.innerCode == "AADSTS700024")
            _ = try folder.file("token", "renewed")
            guard case .token(let token) = try await ask(credential) else { throw Sample.Missing() }
            #expect(token.secret.reveal() == "abc")
            #expect(assertions(transport) == ["good", "stale", "stale", "renewed"])
        }
    }

    @Test func `a file that is not there or empty is an error that names it`() async throws {
        let transport = ScriptedTransport { _, _ in .json(200, answer) }
        try await TestFolder.run { folder in
            for file in [folder.path + "/none", try folder.file("empty", " \n")] {
                let credential = credential(transport, file)
                let error = try await failure { () throws(AzureError) in try await ask(credential) }
                #expect(error.code == .invalid && error.resource == file)
            }
            #expect(transport.requests.isEmpty)
        }
    }
}
