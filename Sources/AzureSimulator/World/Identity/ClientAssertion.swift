import Crypto
import CryptoExtras
import FoundationEssentials
import SwiftASN1
import X509

/// A certificate that the application registration knows, for clients that prove themselves with its key.
struct RegisteredCertificate: Sendable {
    /// SHA-1 and SHA-256 of the certificate, as `x5t` and `x5t#S256` in an assertion's header.
    let thumbprints: Set<String>
    private let key: _RSA.Signing.PublicKey

    /// - Throws: `configuration` for text that is no certificate in PEM with an RSA key.
    init(pem: String) throws(SimulatorError) {
        do {
            let certificate = try Certificate(pemEncoded: pem)
            let der = try certificate.serializeAsPEM().derBytes
            thumbprints = [
                Base64URL.encode(Array(Insecure.SHA1.hash(data: der))), Base64URL.encode(Array(SHA256.hash(data: der))),
            ]
            key = try _RSA.Signing.PublicKey(pemRepresentation: certificate.publicKey.serializeAsPEM().pemString)
        } catch {
            throw SimulatorError(code: .configuration, message: "a client's certificate cannot be used: \(error)")
        }
    }

    /// Whether the certificate's key signed a token, with the algorithm that the token names.
    func isValid(_ token: JSONWebToken) -> Bool {
        let signature = _RSA.Signing.RSASignature(rawRepresentation: token.signature)
        let signed = Array(token.signed.utf8)
        switch token.header["alg"]?.string {
        case "RS256": return key.isValidSignature(signature, for: signed, padding: .insecurePKCS1v1_5)
        case "PS256": return key.isValidSignature(signature, for: signed, padding: .PSS)
        default: return false
        }
    }
}

/// A federated credential of the application registration, or of a managed identity (Microsoft Entra docs, workload-identity-federation, read
/// 2026-02): whose tokens stand for a secret. The simulator cannot ask the issuer for its keys, so it takes a token by
/// its claims alone.
package struct TrustedIssuer: Equatable, Sendable {
    package var issuer: String
    package var subject: String
    package var audience: String

    package init(issuer: String, subject: String, audience: String = "api://AzureADTokenExchange") {
        self.issuer = issuer
        self.subject = subject
        self.audience = audience
    }
}

extension World {
    /// Why a client's proof is refused: OAuth's code, Entra's number and its text.
    struct ProofFault: Error {
        var status = 401
        var error = "invalid_client"
        var code: Int
        var text: String
    }

    /// Checks a `client_assertion`: one that the client signed with a registered certificate, or a token of a federated
    /// issuer. Codes as in Microsoft Entra's list (read 2026-02); the texts are shortened.
    func fault(
        inAssertion text: String, of registration: Registration, request: ControlRequest, at now: Instant
    ) -> ProofFault? {
        guard let token = JSONWebToken(text) else {
            return ProofFault(code: 50027, text: "JWT token is invalid or malformed.")
        }
        guard let end = token.time("exp"), end > now, token.time("nbf").map({ $0 <= now + .seconds(300) }) ?? true
        else {
            return ProofFault(
                code: 700024, text: "Client assertion is not within its valid time range. Current time: \(now.iso8601)."
            )
        }
        let client = registration.principal.clientID
        if registration.hasSecrets, token.claims["iss"]?.string?.lowercased() == client.lowercased() {
            return fault(inCertificateAssertion: token, client: client, request: request)
        }
        return fault(inFederatedToken: token, credentials: registration.federation)
    }

    private func fault(
        inCertificateAssertion token: JSONWebToken, client: String, request: ControlRequest
    ) -> ProofFault? {
        let thumbprint = token.header["x5t#S256"]?.string ?? token.header["x5t"]?.string ?? ""
        // msal for Python 1.39 pads it, which RFC 7515 does not.
        let bare = String(thumbprint.prefix { $0 != "=" })
        guard let certificate = settings.certificates.first(where: { $0.thumbprints.contains(bare) }) else {
            return ProofFault(
                code: 700027,
                text: "The certificate with identifier used to sign the client assertion is not registered on "
                    + "application. [Reason - The key was not found., Thumbprint of key used by client: "
                    + "'\(thumbprint)'.]")
        }
        guard certificate.isValid(token) else {
            return ProofFault(code: 700027, text: "Client assertion failed signature validation.")
        }
        // The token endpoint that was asked, or the real one of the tenant, in either version.
        let audience = Self.normalAudience(token.claims["aud"]?.string ?? "")
        let hosts = [request.baseURL, "https://login.microsoftonline.com"]
        let paths = ["", "/v2.0", "/oauth2/token", "/oauth2/v2.0/token"]
        let accepted = hosts.flatMap { host in paths.map { "\(host)/\(settings.tenantID)\($0)".lowercased() } }
        guard accepted.contains(audience), token.claims["sub"]?.string?.lowercased() == client.lowercased() else {
            return ProofFault(
                code: 700023,
                text: "Client assertion audience claim does not match Realm issuer. Review the documentation.")
        }
        return nil
    }

    private func fault(inFederatedToken token: JSONWebToken, credentials: [TrustedIssuer]) -> ProofFault? {
        let issuer = token.claims["iss"]?.string ?? ""
        let subject = token.claims["sub"]?.string ?? ""
        let audiences = token.claims["aud"]?.array?.compactMap(\.string) ?? [token.claims["aud"]?.string ?? ""]
        func fault(_ code: Int, _ what: String, _ value: String) -> ProofFault {
            ProofFault(
                status: 401, code: code,
                text: "No matching federated identity record found for presented assertion \(what) '\(value)'.")
        }
        guard credentials.contains(where: { $0.issuer == issuer }) else {
            return fault(700211, "issuer", issuer)
        }
        guard credentials.contains(where: { $0.issuer == issuer && $0.subject == subject }) else {
            return fault(700213, "subject", subject)
        }
        guard
            credentials.contains(where: {
                $0.issuer == issuer && $0.subject == subject && audiences.contains($0.audience)
            })
        else { return fault(700212, "audience", audiences.joined(separator: " ")) }
        return nil
    }
}
