import Crypto
import CryptoExtras
import Foundation
import NIOSSL
import SwiftASN1
import X509

/// Keys and certificates that tests make for themselves; making an RSA key takes long, so that one is shared.
enum TestCertificates {
    /// What an application of Entra is given: an RSA key and its certificate.
    struct Application: Sendable {
        let key: _RSA.Signing.PrivateKey
        let certificatePEM: String
        let certificateDER: [UInt8]
    }

    static let application = Result { try makeApplication() }

    private static func makeApplication() throws -> Application {
        let key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let certificate = try signed(
            name: "application", key: .init(key.publicKey), issuer: "application", by: .init(key), extensions: .init())
        return Application(
            key: key, certificatePEM: try certificate.serializeAsPEM().pemString,
            certificateDER: try certificate.serializeAsPEM().derBytes)
    }

    /// A private authority and a server of its own.
    struct Authority: Sendable {
        let pem: String
        let server: TLSConfiguration
    }

    static func authority(serverName: String) throws -> Authority {
        let authorityKey = P256.Signing.PrivateKey()
        let serverKey = P256.Signing.PrivateKey()
        let authority = try signed(
            name: "authority", key: .init(authorityKey.publicKey), issuer: "authority", by: .init(authorityKey),
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
            })
        let server = try signed(
            name: "server", key: .init(serverKey.publicKey), issuer: "authority", by: .init(authorityKey),
            extensions: Certificate.Extensions { SubjectAlternativeNames([.dnsName(serverName)]) })
        let configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: [
                .certificate(try NIOSSLCertificate(bytes: try server.serializeAsPEM().derBytes, format: .der))
            ],
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(serverKey.pemRepresentation.utf8), format: .pem)))
        return Authority(pem: try authority.serializeAsPEM().pemString, server: configuration)
    }

    private static func signed(
        name: String, key: Certificate.PublicKey, issuer: String, by issuerKey: Certificate.PrivateKey,
        extensions: Certificate.Extensions
    ) throws -> Certificate {
        // Valid whenever the tests run, and within what a certificate can say.
        try Certificate(
            version: .v3, serialNumber: .init(), publicKey: key,
            notValidBefore: Date(timeIntervalSince1970: 1_500_000_000),
            notValidAfter: Date(timeIntervalSince1970: 4_000_000_000),
            issuer: try DistinguishedName { CommonName(issuer) }, subject: try DistinguishedName { CommonName(name) },
            signatureAlgorithm: issuerKey.description.contains("RSA") ? .sha256WithRSAEncryption : .ecdsaWithSHA256,
            extensions: extensions, issuerPrivateKey: issuerKey)
    }
}
