/// The signature of one request, made by the daemon and checked by the agent.
package struct RequestSignature: Sendable {
    /// 64 hex digits, the value of `skls-signature`.
    package let hex: String

    /// Signs a request.
    ///
    /// - Parameters:
    ///   - path: path with query, exactly as in the request line.
    ///   - boot: the boot id that the caller has seen; nil for hello.
    ///   - nonce: see ``freshNonce()``.
    package init(
        secret: AgentSecret, method: String, path: String, boot: BootID?, nonce: String, body: UnsafeRawBufferPointer
    ) {
        hex = Hex.encode(
            Self.code(secret, method: method, path: path, boot: boot?.hex ?? "", nonce: nonce, body: body))
    }

    /// The signature of a request that arrived. Nil when it is not what the secret's holder would have sent; the
    /// comparison takes the same time for every wrong signature.
    package init?(
        verifying claimed: String, secret: AgentSecret, method: String, path: String, boot: String, nonce: String,
        body: UnsafeRawBufferPointer
    ) {
        guard let claimedCode = Hex.decode(claimed), Hex.decode(nonce)?.count == 16, boot.isEmpty || BootID(boot) != nil
        else { return nil }
        let code = Self.code(secret, method: method, path: path, boot: boot, nonce: nonce, body: body)
        guard equalInConstantTime(claimedCode, code) else { return nil }
        hex = claimed
    }

    /// 32 random hex digits: no two requests are signed alike, so no recorded reply fits a later request.
    package static func freshNonce() -> String { Hex.encode(randomBytes(16)) }

    private static func code(
        _ secret: AgentSecret, method: String, path: String, boot: String, nonce: String, body: UnsafeRawBufferPointer
    ) -> [UInt8] {
        secret.code(["request", method, path, boot, nonce, Hex.encode(SHA256.digest(body))])
    }
}
