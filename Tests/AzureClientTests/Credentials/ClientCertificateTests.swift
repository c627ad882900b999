import Crypto
import CryptoExtras
import Foundation
import NIOCore
import Testing

@testable import AzureClient

@Suite struct ClientCertificateTests {
    let scope = TokenScope(rawValue: "https://management.example/.default")

    func pem() throws -> String {
        let application = try TestCertificates.application.get()
        return application.certificatePEM + "\n" + application.key.pemRepresentation + "\n"
    }

    /// The form that was sent with one proof.
    func sent(_ pem: String, _ algorithm: ClientCertificate.Algorithm) async throws -> [String: String] {
        let transport = ScriptedTransport { _, _ in .json(200, #"{"expires_in":3599,"access_token":"abc"}"#) }
        return try await TestFolder.run { folder in
            let credential = ClientCertificateCredential(
                authority: ServiceURL(httpsHost: "login.example"), tenant: "contoso", clientID: "client",
                certificatePath: try folder.file("identity.pem", pem), algorithm: algorithm, transport: transport,
                makeID: { .testing })
            let token = try await credential.token(scope, correlationID: Sample.correlation)
            #expect(token.secret.reveal() == "abc")
            let body = String(buffer: try #require(transport.requests.first?.body))
            let pairs = body.split(separator: "&").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
            return Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0[1].removingPercentEncoding ?? "") })
        }
    }

    @Test(arguments: [ClientCertificate.Algorithm.ps256, .rs256])
    func `the proof is signed by the key and names its certificate`(_ algorithm: ClientCertificate.Algorithm)
        async throws
    {
        let application = try TestCertificates.application.get()
        let form = try await sent(try pem(), algorithm)
        #expect(form["grant_type"] == "client_credentials" && form["client_id"] == "client")
        #expect(form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        #expect(form["client_secret"] == nil && form["scope"] == scope.rawValue)
        let parts = try #require(form["client_assertion"]).split(separator: ".").map(String.init)
        try #require(parts.count == 3)
        let header = try JSONDecoder().decode(JSONValue.self, from: Data(try #require(Base64.decoded(parts[0]))))
        let thumbprint = Base64.urlEncoded(SHA256.hash(data: application.certificateDER))
        #expect(
            header
                == .object([
                    "alg": .string(algorithm.rawValue), "typ": .string("JWT"), "x5t#S256": .string(thumbprint),
                ]))
        let claims = try JSONDecoder().decode(JSONValue.self, from: Data(try #require(Base64.decoded(parts[1]))))
        #expect(
            claims
                == .object([
                    "aud": .string("https://login.example/contoso/oauth2/v2.0/token"), "iss": .string("client"),
                    "sub": .string("client"), "jti": .string(GUID.testing.description), "iat": .integer(1_000_000_000),
                    "nbf": .integer(1_000_000_000), "exp": .integer(1_000_000_600),
                ]))
        let signature = _RSA.Signing.RSASignature(rawRepresentation: Data(try #require(Base64.decoded(parts[2]))))
        #expect(
            application.key.publicKey.isValidSignature(
                signature, for: SHA256.hash(data: Data("\(parts[0]).\(parts[1])".utf8)),
                padding: algorithm == .ps256 ? .PSS : .insecurePKCS1v1_5))
    }

    @Test func `keys of either form are taken, in any order and among other text`() async throws {
        let application = try TestCertificates.application.get()
        for key in [application.key.pemRepresentation, application.key.pkcs8PEMRepresentation] {
            let text =
                "Bag Attributes\r\n" + key.replacing("\n", with: "\r\n") + "\nsubject=x\n" + application.certificatePEM
            #expect(try await sent(text, .ps256)["client_assertion"] != nil)
        }
    }

    @Test func `what cannot be used is refused with what to do`() throws {
        let application = try TestCertificates.application.get()
        let key = application.key.pemRepresentation
        let certificate = application.certificatePEM
        let other = try TestCertificates.authority(serverName: "x").pem
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIB\n-----END RSA PRIVATE KEY-----\n"
        let cases = [
            (certificate + "\n" + encrypted, "encrypted"), (certificate + "\n" + old, "encrypted"),
            ("0\u{82}\u{1}\u{2}binary", "PKCS #12"), ("", "PKCS #12"), (certificate, "no RSA key"),
            (key, "no certificate of its key"), (key + "\n" + other, "no certificate of its key"),
            (certificate + "\n" + key + "\n" + key, "more than one key"),
            (certificate + "\n" + P256.Signing.PrivateKey().pemRepresentation, "not an RSA key"),
            (key + "\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "cannot be read"),
            (key.replacing("-----END", with: "-----end"), "PKCS #12"),
        ]
        for (text, expected) in cases {
            let error = #expect(throws: AzureError.self) { try ClientCertificate(pem: text, path: "/x.pem") }
            #expect(
                error?.code == .invalid && error?.message.contains(expected) == true, "\(String(describing: error))")
            #expect(error?.description.contains("MII") == false)
        }
    }

    @Test func `a missing, large or binary file is refused`() async throws {
        try await TestFolder.run { folder in
            let large = try folder.file("large", String(repeating: "x", count: SecretFile.mostBytes + 1))
            try #require(
                FileManager.default.createFile(atPath: folder.path + "/binary", contents: Data([0xFF, 0xFE, 0x00])))
            for path in [folder.path + "/none", large, folder.path, folder.path + "/binary"] {
                let error = #expect(throws: AzureError.self) { try SecretFile.read(path, for: "certificate") }
                #expect(error?.code == .invalid && error?.resource == path)
            }
        }
    }
}
