import Crypto
import CryptoExtras
import FoundationEssentials

/// The RSA key with which the simulated Entra ID signs its tokens (RS256, as Azure does), and its public half as the
/// key set shows it.
struct TokenKey: Sendable {
    private let key: _RSA.Signing.PrivateKey
    /// Modulus and exponent in base 64 for URLs (RFC 7518 §6.3).
    let modulus: String
    let exponent: String
    /// Names the key in tokens and in the key set.
    let id: String

    /// A fresh key of 2048 bits. It costs some 50 to 300 ms of one processor.
    static func generate() throws(SimulatorError) -> TokenKey {
        do { return try TokenKey(_RSA.Signing.PrivateKey(keySize: .bits2048)) } catch {
            throw SimulatorError(code: .state, message: "cannot make a key for tokens: \(error)")
        }
    }

    /// - Throws: `state` for text that is no RSA key in PEM of 2048 bits or more.
    init(pem: String) throws(SimulatorError) {
        do { try self.init(_RSA.Signing.PrivateKey(pemRepresentation: pem)) } catch {
            throw SimulatorError(code: .state, message: "the key for tokens cannot be read: \(error)")
        }
    }

    private init(_ key: _RSA.Signing.PrivateKey) throws {
        let primitives = try key.publicKey.getKeyPrimitives()
        self.key = key
        modulus = Base64URL.encode(Array(primitives.modulus))
        exponent = Base64URL.encode(Array(primitives.publicExponent))
        id = Base64URL.encode(Array(SHA256.hash(data: primitives.modulus)).prefix(20).map(\.self))
    }

    /// The private key in PEM (PKCS #8). A secret.
    var pem: String { key.pkcs8PEMRepresentation }

    /// A JSON Web Token with these claims.
    func token(_ claims: JSON) -> String {
        let header: JSON = ["typ": "JWT", "alg": "RS256", "x5t": .string(id), "kid": .string(id)]
        let signed = Base64URL.encode(header.encoded) + "." + Base64URL.encode(claims.encoded)
        do {
            let signature = try key.signature(for: Array(signed.utf8), padding: .insecurePKCS1v1_5)
            return signed + "." + Base64URL.encode(Array(signature.rawRepresentation))
        } catch {
            preconditionFailure("a private key of RSA can sign: \(error)")
        }
    }

    /// Whether this key signed the first two parts of a token.
    func isValid(signature: [UInt8], of signed: String) -> Bool {
        key.publicKey.isValidSignature(
            .init(rawRepresentation: signature), for: Array(signed.utf8), padding: .insecurePKCS1v1_5)
    }
}

/// A JSON Web Token taken apart, and not checked in any way.
struct JSONWebToken: Sendable {
    let header: JSON
    let claims: JSON
    let signature: [UInt8]
    /// What the signature is over.
    let signed: String

    /// Nil for text that has not the form of a token.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Self.json(parts[0]), let claims = Self.json(parts[1]),
            let signature = Base64URL.decode(parts[2])
        else { return nil }
        self.header = header
        self.claims = claims
        self.signature = signature
        signed = "\(parts[0]).\(parts[1])"
    }

    /// A claim that is a point of time: seconds, with a fraction in assertions of msal for Python (seen with 1.3x).
    func time(_ name: String) -> Instant? {
        guard case .number(let text) = claims[name], let seconds = Double(text), abs(seconds) < 9e9 else { return nil }
        return Instant(nanoseconds: Int64(seconds * 1e9))
    }

    private static func json(_ text: some StringProtocol) -> JSON? {
        guard let bytes = Base64URL.decode(text) else { return nil }
        do throws(JSON.SyntaxError) { return try JSON(parsing: bytes) } catch { return nil }
    }
}
