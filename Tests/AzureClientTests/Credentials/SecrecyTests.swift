import CryptoExtras
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import AzureClient

/// No way of printing a value shows a secret in it.
@Suite struct SecrecyTests {
    func printed(_ value: Any) -> String {
        var text = "\(value) \(String(describing: value)) \(String(reflecting: value))"
        dump(value, to: &text)
        let mirror = Mirror(reflecting: value)
        for child in mirror.children {
            text += " \(child.label ?? ""): \(child.value) \(String(reflecting: child.value))"
        }
        let log = RecordingLog()
        let logger = Logger(label: "test", factory: { _ in log })
        logger.critical("value \(value)", metadata: ["value": "\(value)"])
        return text + log.lines.withLockedValue(\.self).joined()
    }

    @Test func `credentials and settings do not print their secrets`() async throws {
        let application = try TestCertificates.application.get()
        let transport = ScriptedTransport { _, _ in .json(200, #"{"access_token":"canary-token","expires_in":"60"}"#) }
        let authority = ServiceURL(httpsHost: "login.example")
        let secret = Secret("canary-secret")
        try await TestFolder.run { folder in
            let file = try folder.file("token", "canary-assertion")
            let workload = WorkloadIdentityCredential(
                authority: authority, tenant: "t", clientID: "c", tokenFile: file, transport: transport)
            let scope = TokenScope(rawValue: "s/.default")
            // Afterwards it holds the file's token.
            guard
                case .token(let token) = try await workload.answer(
                    scope, claims: nil, correlationID: Sample.correlation)
            else { throw Sample.Missing() }
            let pem = application.certificatePEM + "\n" + application.key.pemRepresentation
            let certificate = try ClientCertificate(pem: pem, path: "p")
            var faults: [String] = []
            let environment = [
                "AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": ManagedIdentityTests.id,
                "AZURE_CLIENT_SECRET": "canary-secret",
                "AZURE_CLIENT_CERTIFICATE_PASSWORD": "canary-password", "IDENTITY_ENDPOINT": "http://localhost:1",
                "IDENTITY_HEADER": "canary-header", "HTTPS_PROXY": "http://user:canary-proxy@p:1",
            ]
            let settings = CredentialSettings(environment: environment, faults: &faults)
            let http = HTTPSettings(environment: environment, faults: &faults)
            let cache = TokenCache(
                credential: settings.credential(authority: authority, sending: transport), now: transport.clock.now)
            _ = try await cache.token(scope, correlationID: Sample.correlation)
            let values: [Any] = [
                secret, token, CredentialAnswer.token(token), workload, certificate, settings, http, http.proxies,
                cache,
                http.proxies.servers, settings.credential(authority: authority, sending: transport),
                ClientSecretCredential(
                    authority: authority, tenant: "t", clientID: "c", secret: secret, transport: transport),
                AppServiceCredential(
                    endpoint: "e", header: Secret("canary-header"), identity: nil, transport: transport),
                TokenEndpoint.Proof.secret(secret),
                TokenEndpoint.Proof.assertion(
                    try certificate.assertion(
                        clientID: "c", audience: "a", unixSeconds: 0, id: .testing, algorithm: .ps256)),
                CLIToken(secret: Secret("canary-cli"), end: 0),
            ]
            let key = application.key.pemRepresentation.split(separator: "\n")[1]
            for value in values {
                let text = printed(value)
                #expect(!text.contains("canary") && !text.contains(key) && !text.contains("eyJ"), "\(type(of: value))")
            }
            #expect(faults.isEmpty)
            // The test itself sees what is printed.
            #expect(printed(["canary"]).contains("canary"))
        }
    }
}
