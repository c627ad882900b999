/// The proof that a reply is from the agent, to this very request, and unchanged.
package enum ReplyProof {
    /// The value of `skls-proof`, made by the agent.
    ///
    /// - Parameter headers: every `skls-*` header of the reply but `skls-boot` and `skls-proof`, names in lower
    ///   case, in any order.
    package static func make(
        secret: AgentSecret, signature: RequestSignature, status: Int, boot: BootID,
        headers: [(name: String, value: String)], body: UnsafeRawBufferPointer
    ) -> String {
        Hex.encode(code(secret, signature: signature, status: status, boot: boot, headers: headers, body: body))
    }

    /// Whether the claimed proof is right. Headers as for ``make(secret:signature:status:boot:headers:body:)``.
    package static func verify(
        _ claimed: String, secret: AgentSecret, signature: RequestSignature, status: Int, boot: BootID,
        headers: [(name: String, value: String)], body: UnsafeRawBufferPointer
    ) -> Bool {
        guard let claimedCode = Hex.decode(claimed) else { return false }
        let code = code(secret, signature: signature, status: status, boot: boot, headers: headers, body: body)
        return equalInConstantTime(claimedCode, code)
    }

    private static func code(
        _ secret: AgentSecret, signature: RequestSignature, status: Int, boot: BootID,
        headers: [(name: String, value: String)], body: UnsafeRawBufferPointer
    ) -> [UInt8] {
        let lines = headers.map { "\($0.name)=\($0.value)" }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return secret.code(
            [
                "reply", signature.hex, String(status), boot.hex, lines.joined(separator: "\n"),
                Hex.encode(SHA256.digest(body)),
            ])
    }
}
