import AgentProtocol
import Glibc
import NIOConcurrencyHelpers
import NIOSSL

/// What a TCP listener reads from files: its TLS identity and its tokens. Read again on SIGHUP; what cannot be read then leaves the old ones in force.
final class AccessFiles: Sendable {
    private struct State {
        var tls: NIOSSLContext?
        var tokens: AccessTokens?
    }

    private let listener: TCPListener
    private let state: NIOLockedValueBox<State>

    /// Throws `AccessError`.
    init(_ listener: TCPListener) throws(AccessError) {
        self.listener = listener
        state = NIOLockedValueBox(try AccessFiles.read(listener))
    }

    var tls: NIOSSLContext? { state.withLockedValue { $0.tls } }
    var tokens: AccessTokens? { state.withLockedValue { $0.tokens } }

    /// For connections and requests that come from now on. Throws `AccessError`, and changes nothing then.
    func reload() throws(AccessError) {
        let fresh = try AccessFiles.read(listener)
        state.withLockedValue { $0 = fresh }
    }

    private static func read(_ listener: TCPListener) throws(AccessError) -> State {
        State(
            tls: try listener.tls.map { files throws(AccessError) in try context(files) },
            tokens: try listener.tokenFile.map { path throws(AccessError) in try AccessTokens(path: path) })
    }

    private static func context(_ files: TCPListener.TLSFiles) throws(AccessError) -> NIOSSLContext {
        try checkSecret(files.key)
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(files.certificate).map {
                NIOSSLCertificateSource.certificate($0)
            }
            let key = try NIOSSLPrivateKey(file: files.key, format: .pem)
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain, privateKey: .privateKey(key))
            configuration.minimumTLSVersion = .tlsv12
            // Docker's clients speak nothing else, and HTTP/2 would be another parser to trust.
            configuration.applicationProtocols = ["http/1.1"]
            if let authority = files.clientAuthority {
                let roots = try NIOSSLCertificate.fromPEMFile(authority)
                guard !roots.isEmpty else { throw AccessError(description: "\(authority) holds no certificate") }
                configuration.trustRoots = .certificates(roots)
                // The whole chain; clients have no host name to be checked.
                configuration.certificateVerification = .noHostnameVerification
            }
            return try NIOSSLContext(configuration: configuration)
        } catch let error as AccessError {
            throw error
        } catch {
            throw AccessError(
                description: "the TLS files \(files.certificate) and \(files.key) cannot be used: \(error)")
        }
    }

    /// A secret that every user of the machine can read is none.
    fileprivate static func checkSecret(_ path: String) throws(AccessError) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw AccessError(description: "\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & 0o007 == 0 else {
            throw AccessError(description: "\(path) is a secret, and every user can read it: chmod 600 \(path)")
        }
    }
}

/// Bearer tokens, as their digests. Prints nothing of them.
struct AccessTokens: Sendable, CustomStringConvertible, CustomReflectable {
    private let digests: [[UInt8]]

    /// Bound of the file: some hundred tokens.
    private static let maximumBytes = 64 << 10
    /// A token of fewer characters could be guessed.
    static let minimumLength = 32

    /// A token on each line; lines that are empty or begin with `#` are none. Throws when there is no token, or one is too short.
    init(path: String) throws(AccessError) {
        try AccessFiles.checkSecret(path)
        guard let file = fopen(path, "re") else {
            throw AccessError(description: "\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: AccessTokens.maximumBytes + 1)
        let count = bytes.withUnsafeMutableBytes { fread($0.baseAddress, 1, $0.count, file) }
        guard count <= AccessTokens.maximumBytes else {
            throw AccessError(description: "\(path) is longer than \(AccessTokens.maximumBytes) bytes")
        }
        try self.init(text: String(decoding: bytes.prefix(count), as: UTF8.self), path: path)
    }

    init(text: String, path: String) throws(AccessError) {
        var digests: [[UInt8]] = []
        for line in text.split(whereSeparator: \.isNewline) {
            let token = String(line).trimmed
            if token.isEmpty || token.hasPrefix("#") { continue }
            guard token.utf8.count >= AccessTokens.minimumLength else {
                throw AccessError(
                    description:
                        "\(path) has a token of fewer than \(AccessTokens.minimumLength) characters: make one with openssl rand -hex 32"
                )
            }
            digests.append(SHA256.digest(Array(token.utf8)))
        }
        guard !digests.isEmpty else { throw AccessError(description: "\(path) holds no token") }
        self.digests = digests
    }

    /// Takes the same time whatever is wrong with the token.
    func accept(_ token: some StringProtocol) -> Bool {
        let digest = SHA256.digest(Array(token.utf8))
        var isKnown = false
        for known in digests {
            var difference: UInt8 = 0
            for (left, right) in zip(known, digest) { difference |= left ^ right }
            if difference == 0 { isKnown = true }
        }
        return isKnown
    }

    var description: String { "(redacted)" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
