import FoundationEssentials

/// What the simulator proves itself with: the authority of its TLS certificates, and the key of its tokens. A directory
/// that is configured keeps both, so that what a client was told once stays true.
struct SimulatorKeys: Sendable {
    let authority: CertificateAuthority
    let tokenKey: TokenKey

    /// Reads both from the directory, or makes what is missing and writes it there.
    /// - Throws: `state` for files that cannot be used, `fileSystem`.
    @concurrent static func load(from directory: SimulatorDirectory) async throws(SimulatorError) -> SimulatorKeys {
        let authority = try Self.authority(in: directory)
        if let bytes = try PrivateFile.read(directory.tokenKey) {
            return SimulatorKeys(
                authority: authority, tokenKey: try TokenKey(pem: String(decoding: bytes, as: UTF8.self)))
        }
        let tokenKey = try TokenKey.generate()
        try PrivateFile.replace(directory.tokenKey, with: Array(tokenKey.pem.utf8))
        return SimulatorKeys(authority: authority, tokenKey: tokenKey)
    }

    private static func authority(in directory: SimulatorDirectory) throws(SimulatorError) -> CertificateAuthority {
        if let key = try PrivateFile.read(directory.authorityKey),
            let certificate = try PrivateFile.read(directory.authorityCertificate)
        {
            return try CertificateAuthority(
                certificatePEM: String(decoding: certificate, as: UTF8.self),
                keyPEM: String(decoding: key, as: UTF8.self))
        }
        let authority = try CertificateAuthority(now: Date())
        try PrivateFile.replace(directory.authorityKey, with: Array(authority.keyPEM.utf8))
        // The certificate last: where it is, its key is too. Anybody may read it.
        try PrivateFile.replace(
            directory.authorityCertificate, with: Array(try authority.certificatePEM.utf8), mode: 0o644)
        return authority
    }
}
