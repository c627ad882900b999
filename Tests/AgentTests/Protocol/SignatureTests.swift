import AgentProtocol
import Testing

@Suite struct SignatureTests {
    private let secret = AgentSecret.random()
    private let boot = BootID.random()
    private let nonce = RequestSignature.freshNonce()

    private func sign(_ path: String = "/skls/v1/hello", body: [UInt8] = [1, 2]) -> RequestSignature {
        body.withUnsafeBytes {
            RequestSignature(secret: secret, method: "POST", path: path, boot: boot, nonce: nonce, body: $0)
        }
    }

    private func verify(
        _ claimed: String, secret: AgentSecret? = nil, method: String = "POST", path: String = "/skls/v1/hello",
        boot: String? = nil, nonce: String? = nil, body: [UInt8] = [1, 2]
    ) -> RequestSignature? {
        body.withUnsafeBytes {
            RequestSignature(
                verifying: claimed, secret: secret ?? self.secret, method: method, path: path,
                boot: boot ?? self.boot.hex, nonce: nonce ?? self.nonce, body: $0)
        }
    }

    @Test("a signature holds for its request alone") func request() {
        let claimed = sign().hex
        #expect(verify(claimed)?.hex == claimed)
        #expect(verify(claimed, secret: .random()) == nil)
        #expect(verify(claimed, method: "GET") == nil)
        #expect(verify(claimed, path: "/skls/v1/hello?a=1") == nil)
        #expect(verify(claimed, boot: "") == nil)
        #expect(verify(claimed, nonce: RequestSignature.freshNonce()) == nil)
        #expect(verify(claimed, nonce: "short") == nil)
        #expect(verify(claimed, body: [1, 3]) == nil)
        #expect(verify("") == nil)
        #expect(verify(claimed.uppercased()) == nil)
        #expect(verify(String(claimed.dropLast(2))) == nil)
    }

    @Test("a signature is the HMAC that the protocol's page describes") func definition() throws {
        let known = try #require(AgentSecret(bytes: [UInt8](repeating: 7, count: 32)))
        let boot = try #require(BootID(String(repeating: "ab", count: 16)))
        let nonce = String(repeating: "01", count: 16)
        let signature = [UInt8]("body".utf8).withUnsafeBytes {
            RequestSignature(secret: known, method: "GET", path: "/skls/v1/x?y=1", boot: boot, nonce: nonce, body: $0)
        }
        let fields = [
            "request", "GET", "/skls/v1/x?y=1", boot.hex, nonce, Hex.encode(SHA256.digest(Array("body".utf8))),
        ]
        let code = HMACSHA256.code(
            key: [UInt8](repeating: 7, count: 32), message: Array(fields.joined(separator: "\n").utf8))
        #expect(signature.hex == Hex.encode(code))
    }

    @Test("a proof holds for its reply to its request alone, in whatever order the headers come") func reply() {
        let signature = sign()
        let headers = [(name: "skls-b", value: "2"), (name: "skls-a", value: "1")]
        let body: [UInt8] = [9]
        let proof = body.withUnsafeBytes {
            ReplyProof.make(
                secret: secret, signature: signature, status: 200, boot: boot, headers: headers, body: $0)
        }
        func verify(
            _ signature: RequestSignature, status: Int = 200, boot: BootID? = nil,
            headers: [(name: String, value: String)], body: [UInt8] = [9]
        ) -> Bool {
            body.withUnsafeBytes {
                ReplyProof.verify(
                    proof, secret: secret, signature: signature, status: status, boot: boot ?? self.boot,
                    headers: headers, body: $0)
            }
        }
        #expect(verify(signature, headers: headers))
        #expect(verify(signature, headers: headers.reversed()))
        #expect(!verify(sign("/other"), headers: headers))
        #expect(!verify(signature, status: 201, headers: headers))
        #expect(!verify(signature, boot: .random(), headers: headers))
        #expect(!verify(signature, headers: Array(headers.dropLast())))
        #expect(!verify(signature, headers: headers + [(name: "skls-c", value: "")]))
        #expect(!verify(signature, headers: headers, body: []))
    }
}
