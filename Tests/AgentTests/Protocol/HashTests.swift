import AgentProtocol
import Crypto
import Testing

@Suite struct HashTests {
    /// FIPS 180-4 examples, as published in NIST's "Examples with Intermediate Values".
    @Test(
        "SHA-256 gives the published digests",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrs"
                    + "mnopqrstnopqrstu", "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
            ),
        ]) func publishedDigests(message: String, digest: String)
    {
        #expect(Hex.encode(AgentProtocol.SHA256.digest(Array(message.utf8))) == digest)
    }

    @Test("a million letters a give the published digest") func longMessage() {
        #expect(
            Hex.encode(AgentProtocol.SHA256.digest([UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)))
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    /// RFC 4231, section 4; the fifth is truncated there and left out.
    @Test(
        "HMAC-SHA256 gives the codes of RFC 4231",
        arguments: [
            (
                [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
            ),
            (
                Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
            ),
            (
                [UInt8](repeating: 0xaa, count: 20), [UInt8](repeating: 0xdd, count: 50),
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
            ),
            (
                (1...25).map { UInt8($0) }, [UInt8](repeating: 0xcd, count: 50),
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
            ),
            (
                [UInt8](repeating: 0xaa, count: 131),
                Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
            ),
            (
                [UInt8](repeating: 0xaa, count: 131),
                Array(
                    ("This is a test using a larger than block-size key and a larger than block-size data. The key "
                        + "needs to be hashed before being used by the HMAC algorithm.").utf8),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
            ),
        ]) func publishedCodes(key: [UInt8], message: [UInt8], code: String)
    {
        #expect(Hex.encode(HMACSHA256.code(key: key, message: message)) == code)
    }

    @Test("every length around block borders, in any pieces, agrees with swift-crypto", arguments: 0..<200)
    func agreesWithCrypto(length: Int) {
        let message = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ length) }
        let expected = Array(Crypto.SHA256.hash(data: message))
        #expect(AgentProtocol.SHA256.digest(message) == expected)
        for cut in [1, 55, 63, 64, 65, 100] where cut < length {
            var hash = AgentProtocol.SHA256()
            hash.update(Array(message[..<cut]))
            hash.update(Array(message[cut...]))
            #expect(hash.finalize() == expected)
        }
        // As processors have it that lack the instructions.
        var portable = AgentProtocol.SHA256(usesInstructions: false)
        portable.update(message)
        #expect(portable.finalize() == expected)
        let key = (0..<(length % 140)).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let code = HMAC<Crypto.SHA256>.authenticationCode(for: message, using: SymmetricKey(data: key))
        #expect(HMACSHA256.code(key: key, message: message) == Array(code))
    }
}
