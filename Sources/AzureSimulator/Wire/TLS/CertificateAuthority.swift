import Crypto
import FoundationEssentials
import NIOSSL
import SwiftASN1
import X509

/// The simulator's own certificate authority (P-256). A client that trusts its certificate trusts the simulator's names,
/// those of Azure among them, so its key stays with its owner.
struct CertificateAuthority: Sendable {
    private let certificate: Certificate
    private let key: P256.Signing.PrivateKey

    /// A fresh authority, valid for ten years.
    /// - Throws: `state` for a certificate that cannot be made, which is an error of ours.
    init(now: Date) throws(SimulatorError) {
        key = P256.Signing.PrivateKey()
        do {
            let publicKey = Certificate.PublicKey(key.publicKey)
            let name = try DistinguishedName { CommonName("skls simulated Azure") }
            certificate = try Certificate(
                version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
                notValidBefore: now - 86_400, notValidAfter: now + 3_650 * 86_400, issuer: name, subject: name,
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: publicKey)
                }, issuerPrivateKey: Certificate.PrivateKey(key))
        } catch {
            throw SimulatorError(code: .state, message: "cannot make a certificate authority: \(error)")
        }
    }

    /// The authority of an earlier start.
    /// - Throws: `state` for texts that are not a certificate and its key in PEM.
    init(certificatePEM: String, keyPEM: String) throws(SimulatorError) {
        do {
            certificate = try Certificate(pemEncoded: certificatePEM)
            key = try P256.Signing.PrivateKey(pemRepresentation: keyPEM)
            guard certificate.publicKey == Certificate.PublicKey(key.publicKey) else {
                throw SimulatorError(code: .state, message: "the key is not the certificate's")
            }
        } catch {
            throw SimulatorError(code: .state, message: "the certificate authority cannot be read: \(error)")
        }
    }

    var certificatePEM: String {
        get throws(SimulatorError) { try Self.pem(of: certificate) }
    }

    /// A secret.
    var keyPEM: String { key.pemRepresentation }

    /// What a server needs to speak TLS under these names, with a certificate that is made for it: valid for a year, as
    /// long as clients accept one for.
    func serverContext(names: [String], addresses: [[UInt8]], now: Date) throws(SimulatorError) -> NIOSSLContext {
        let serverKey = P256.Signing.PrivateKey()
        do {
            let publicKey = Certificate.PublicKey(serverKey.publicKey)
            let leaf = try Certificate(
                version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
                notValidBefore: now - 86_400, notValidAfter: now + 365 * 86_400, issuer: certificate.subject,
                subject: DistinguishedName { CommonName("localhost") }, signatureAlgorithm: .ecdsaWithSHA256,
                extensions: Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage([.serverAuth])
                    SubjectAlternativeNames(
                        names.map { .dnsName($0) }
                            + addresses.map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) })
                    SubjectKeyIdentifier(hash: publicKey)
                    AuthorityKeyIdentifier(
                        keyIdentifier: SubjectKeyIdentifier(hash: certificate.publicKey).keyIdentifier)
                }, issuerPrivateKey: Certificate.PrivateKey(key))
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: [
                    .certificate(try NIOSSLCertificate(bytes: Array(Self.pem(of: leaf).utf8), format: .pem))
                ],
                privateKey: .privateKey(
                    try NIOSSLPrivateKey(bytes: Array(serverKey.pemRepresentation.utf8), format: .pem)))
            configuration.applicationProtocols = ["http/1.1"]
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw SimulatorError(code: .state, message: "cannot make the server's certificate: \(error)")
        }
    }

    private static func pem(of certificate: Certificate) throws(SimulatorError) -> String {
        do { return try certificate.serializeAsPEM().pemString + "\n" } catch {
            throw SimulatorError(code: .state, message: "cannot write a certificate: \(error)")
        }
    }
}

/// Names under which the simulator is found: loopback, and those of Azure for clients that resolve them to it.
enum ServerNames {
    /// - Parameters:
    ///   - domain: of the sites.
    ///   - location: part of the sites' generated names, such as `eastus`.
    static func names(domain: String, location: String) -> [String] {
        let sites = [domain, "\(location)-01.\(domain)", "azurecontainerapps.io", "\(location).azurecontainerapps.io"]
        return ["localhost"] + sites.flatMap { ["*.\($0)", "*.scm.\($0)"] } + Plane.names.map(\.host)
            + Plane.suffixes.map { "*\($0.suffix)" } + ["graph.microsoft.com"]
    }

    /// 127.0.0.1, ::1 and the address of instance metadata.
    static let addresses: [[UInt8]] = [
        [127, 0, 0, 1], Array(repeating: 0, count: 15) + [1], [169, 254, 169, 254],
    ]
}
