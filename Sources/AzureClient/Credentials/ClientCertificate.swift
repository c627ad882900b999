import Crypto
import CryptoExtras
import FoundationEssentials
import NIOSSL

/// A certificate and its RSA key, by which an application proves itself to Microsoft Entra. Never printed.
struct ClientCertificate: Sendable {
    /// How the proof is signed. Entra takes both; PS256 is what it recommends (Microsoft identity platform docs,
    /// "Certificate credentials", read 2026-11).
    enum Algorithm: String, Sendable {
        case ps256 = "PS256"
        case rs256 = "RS256"
    }

    /// How long a proof is good for, in seconds; Entra's docs recommend 5 to 10 minutes.
    static let lifetimeSeconds: Int64 = 600

    private let key: _RSA.Signing.PrivateKey
    /// SHA-256 over the certificate's DER form.
    private let thumbprint: [UInt8]

    /// - Parameters:
    ///   - pem: the certificate and the key, in any order; further certificates are the chain, which is not needed.
    ///   - path: names the file in errors.
    /// - Throws: `invalid` for anything but PEM with an unencrypted RSA key of at least 2,048 bits that belongs to one
    ///   of the certificates.
    init(pem: String, path: String) throws(AzureError) {
        let blocks = try Self.blocks(pem, path)
        if blocks.contains(where: { $0.label == "ENCRYPTED PRIVATE KEY" || $0.text.contains("Proc-Type: 4,ENCRYPTED") })
        {
            throw SecretFile.fault(path, "the key is encrypted, which is not supported: write it without a password")
        }
        let keys = blocks.filter { ["PRIVATE KEY", "RSA PRIVATE KEY"].contains($0.label) }
        guard let text = keys.first?.text, keys.count == 1 else {
            throw SecretFile.fault(
                path, keys.isEmpty ? "the file holds no RSA key" : "the file holds more than one key")
        }
        do {
            key = try _RSA.Signing.PrivateKey(pemRepresentation: text)
        } catch {
            throw SecretFile.fault(path, "the key is not an RSA key of at least 2048 bits")
        }
        let publicKey = Array(key.publicKey.derRepresentation)
        for block in blocks where block.label == "CERTIFICATE" {
            do {
                let certificate = try NIOSSLCertificate(bytes: Array(block.text.utf8), format: .pem)
                guard try certificate.extractPublicKey().toSPKIBytes() == publicKey else { continue }
                thumbprint = Array(SHA256.hash(data: try certificate.toDERBytes()))
                return
            } catch {
                throw SecretFile.fault(path, "a certificate in the file cannot be read")
            }
        }
        throw SecretFile.fault(path, "the file holds no certificate of its key")
    }

    /// A proof for one token request: a JSON Web Token signed with the key (RFC 7523, section 3).
    /// - Parameters:
    ///   - audience: the URL of the token endpoint.
    ///   - unixSeconds: the wall clock; Entra tolerates five minutes of difference.
    ///   - id: never used before.
    func assertion(
        clientID: String, audience: String, unixSeconds: Int64, id: GUID, algorithm: Algorithm
    ) throws(AzureError) -> Secret {
        let header: JSONValue = .object([
            "alg": .string(algorithm.rawValue), "typ": .string("JWT"),
            "x5t#S256": .string(Base64.urlEncoded(thumbprint)),
        ])
        let claims: JSONValue = .object([
            "aud": .string(audience), "iss": .string(clientID), "sub": .string(clientID),
            "jti": .string(id.description), "iat": .integer(unixSeconds), "nbf": .integer(unixSeconds),
            "exp": .integer(unixSeconds + Self.lifetimeSeconds),
        ])
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let signed =
                try Base64.urlEncoded(encoder.encode(header)) + "." + Base64.urlEncoded(encoder.encode(claims))
            let signature = try key.signature(
                for: SHA256.hash(data: Array(signed.utf8)), padding: algorithm == .ps256 ? .PSS : .insecurePKCS1v1_5)
            return Secret(signed + "." + Base64.urlEncoded(signature.rawRepresentation))
        } catch {
            throw AzureError(
                code: .invalid, operation: .fetchToken, resource: audience, message: "the proof cannot be signed")
        }
    }

    /// The blocks of a PEM file (RFC 7468), each with the lines that delimit it.
    private static func blocks(_ pem: String, _ path: String) throws(AzureError) -> [(label: String, text: String)] {
        var blocks: [(label: String, text: String)] = []
        var open: (label: String, lines: [Substring])?
        for line in pem.split(whereSeparator: \.isNewline) {
            if let label = delimited(line, "-----BEGIN ") {
                open = (label, [line])
            } else if let label = delimited(line, "-----END "), let block = open, block.label == label {
                blocks.append((label, (block.lines + [line, ""]).joined(separator: "\n")))
                open = nil
            } else {
                open?.lines.append(line)
            }
        }
        guard !blocks.isEmpty else {
            throw SecretFile.fault(
                path, "not a PEM file; a PKCS #12 file (.pfx) is not supported: openssl pkcs12 -nodes converts it")
        }
        return blocks
    }

    private static func delimited(_ line: Substring, _ start: String) -> String? {
        let line = line.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed()
        let text = String(line)
        guard text.hasPrefix(start), text.hasSuffix("-----"), text.utf8.count > start.utf8.count + 5 else { return nil }
        return String(text.dropFirst(start.count).dropLast(5))
    }
}

extension ClientCertificate: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String { "certificate \(Secret.redacted)" }
    var debugDescription: String { description }
    var customMirror: Mirror { Mirror(self, children: []) }
}
