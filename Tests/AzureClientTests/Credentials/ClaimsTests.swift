import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Testing

@testable import AzureClient

@Suite struct AuthenticationChallengeTests {
    @Test(arguments: [
        ("Bearer", [AuthenticationChallenge(scheme: "bearer")]),
        (#"Basic realm="x""#, [.init(scheme: "basic", parameters: ["realm": "x"])]),
        ("Negotiate YWJj==", [.init(scheme: "negotiate")]), ("Bearer a=", [.init(scheme: "bearer")]),
        ("NTLM abc", [.init(scheme: "ntlm")]),
        (
            #"Bearer authorization_uri="https://login.example/t", error=invalid_token, Error_Description="a, \"b\" \\ c""#,
            [
                .init(
                    scheme: "bearer",
                    parameters: [
                        "authorization_uri": "https://login.example/t", "error": "invalid_token",
                        "error_description": #"a, "b" \ c"#,
                    ])
            ]
        ),
        (
            #" , Bearer a=1 , b = "2",, Basic realm="r", PoP x="y" "#,
            [
                .init(scheme: "bearer", parameters: ["a": "1", "b": "2"]),
                .init(scheme: "basic", parameters: ["realm": "r"]), .init(scheme: "pop", parameters: ["x": "y"]),
            ]
        ),
        (#"Bearer realm="", error="e""#, [.init(scheme: "bearer", parameters: ["realm": "", "error": "e"])]),
        ("Negotiate, Bearer a=b", [.init(scheme: "negotiate"), .init(scheme: "bearer", parameters: ["a": "b"])]),
    ]) func `a header of the form is read`(_ header: String, _ expected: [AuthenticationChallenge]) {
        #expect(AuthenticationChallenge.parse(header) == expected)
    }

    @Test(arguments: [
        "", ",", "=", #""x""#, "Bearer =", #"Bearer a="x"#, #"Bearer a="x\"#, #"Bearer a="x" b="y""#,
        "Bearer a=1, a=2", "Bearer a=1, A=2", "Bearer a=1;b=2", "Bearer a b", "Bearer abc== x", "Bearer a=b c=d",
        "Bearer\u{0}", "Bearer a=\"\u{1}\"", "Bearer a=\"\r\nb\"", "a=1", "Bearer abc, d=e", "Bearer ä=1", "Bearer a=ä",
        "Bearer(x)", String(repeating: "Bearer, ", count: 10_000),
    ]) func `a header that can be read in two ways is not read`(_ header: String) {
        #expect(AuthenticationChallenge.parse(header) == nil)
    }

    @Test func `random headers end the parser, and what it reads is bounded by what it was given`() {
        var generator = SplitMix(seed: 7)
        let pieces = ["Bearer", " ", ",", "=", "\"", "\\", "a", "claims", "error", "\t", "==", "/", "\u{7F}", "é", "x"]
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...12, using: &generator)
            let header = (0..<count).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            let read = AuthenticationChallenge.parse(header) ?? []
            let size = read.reduce(0) { sum, challenge in
                sum + challenge.scheme.utf8.count
                    + challenge.parameters.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
            }
            #expect(size <= header.utf8.count)
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct ClaimsTests {
    static let demand = #"{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}"#

    func reply(_ headers: [String]) -> AzureReply {
        AzureReply(
            status: 401, headers: HTTPHeaders(headers.map { ("WWW-Authenticate", $0) }), requestID: .testing)
    }

    static func challenge(_ claims: String) -> String {
        #"Bearer realm="", authorization_uri="https://login.example/common", error="insufficient_claims", claims="\#(claims)""#
    }

    @Test func `a challenge is found among others, in either alphabet of base 64`() throws {
        let standard = Base64.encoded(Array(Self.demand.utf8))
        let expected = try #require(ClaimsChallenge(json: Array(Self.demand.utf8)))
        #expect(reply([Self.challenge(standard)]).claimsChallenge == expected)
        #expect(reply([Self.challenge(Base64.urlEncoded(Self.demand.utf8))]).claimsChallenge == expected)
        #expect(reply(["Negotiate", Self.challenge(standard)]).claimsChallenge == expected)
        #expect(reply([#"PoP x="y", "# + Self.challenge(standard)]).claimsChallenge == expected)
    }

    @Test(arguments: [
        "", "Bearer", #"Bearer error="insufficient_claims""#, #"Bearer error="invalid_token", claims="e30""#,
        #"Basic error="insufficient_claims", claims="e30""#, challenge("e30 x"), challenge("!!!"), challenge("WzFd"),
        challenge("bnVsbA"), challenge("a"), challenge("e30==="), challenge("/w=="), challenge(#"\"e30"#),
        challenge(String(repeating: "e30", count: 5_000)), challenge("e30") + #", claims="e30""#,
    ]) func `what is no challenge demands nothing`(_ header: String) {
        #expect(reply([header]).claimsChallenge == nil)
    }

    @Test func `the capability to answer is added to what is demanded`() throws {
        #expect(ClaimsChallenge.requestField(answering: nil) == #"{"access_token":{"xms_cc":{"values":["cp1"]}}}"#)
        let challenge = try #require(ClaimsChallenge(json: Array(Self.demand.utf8)))
        #expect(
            ClaimsChallenge.requestField(answering: challenge)
                == #"{"access_token":{"nbf":{"essential":true,"value":"1604106651"},"xms_cc":{"values":["cp1"]}}}"#)
    }

    @Test func `a refusal that demands claims is answered with a token that carries them`() async throws {
        let transport = ScriptedTransport { _, bearer in
            guard bearer?.secret.reveal() == "token-1" else { return .json(200, Sample.site("skls-sample")) }
            return .json(
                401, #"{"error":{"code":"InvalidAuthenticationToken","message":"m"}}"#,
                headers: ["www-authenticate": Self.challenge(Base64.encoded(Array(Self.demand.utf8)))])
        }
        let credential = CountingCredential(now: transport.clock.now)
        let client = try Sample.client(transport, credential: credential)
        _ = try await client.getSite(try Sample.name(), correlationID: Sample.correlation)
        #expect(transport.bearers == ["token-1", "token-2"])
        #expect(credential.claims == [nil, ClaimsChallenge(json: Array(Self.demand.utf8))])
        // The demand was met: the next token is fetched without.
        transport.advance(by: .seconds(3600))
        _ = try await client.getSite(try Sample.name(), correlationID: Sample.correlation)
        #expect(credential.claims.last == .some(nil) && credential.calls == 3)
    }

    @Test func `an error of a refusal carries what is demanded and does not print it`() throws {
        let error = AzureError(
            reply([Self.challenge(Base64.encoded(Array(Self.demand.utf8)))]), to: Sample.request(),
            clock: ScriptedTransport { _, _ in .json(500, "") }.clock)
        #expect(error.claims == ClaimsChallenge(json: Array(Self.demand.utf8)))
        #expect(!error.description.contains("1604106651"))
    }

    @Test func `a token that was under way when claims were demanded is not handed out`() async throws {
        let time = ScriptedTransport { _, _ in .json(500, "") }
        let credential = CountingCredential(refreshIn: .seconds(60), now: time.clock.now)
        let cache = TokenCache(credential: credential, now: time.clock.now)
        let scope = TokenScope(rawValue: "s/.default")
        let first = try await cache.token(scope, correlationID: Sample.correlation)
        time.advance(by: .seconds(60))
        // Starts a renewal in the background, without claims.
        _ = try await cache.token(scope, correlationID: Sample.correlation)
        let challenge = try #require(ClaimsChallenge(json: Array(Self.demand.utf8)))
        let next = try await cache.replacement(
            for: first, scope, claims: challenge, correlationID: Sample.correlation)
        #expect(next.secret.reveal() == "token-\(credential.calls)")
        #expect(credential.claims.last == .some(challenge))
    }
}
