import AgentLink
import AgentProtocol
import Crypto
import Foundation
import NIOConcurrencyHelpers
import NIOSSL
import SwiftASN1
import Testing
import X509

@testable import AgentRuntime

/// Agents that call the daemon for their session.
@Suite(.serialized, .timeLimit(.minutes(2))) struct CallbackTests {
    private static let site = String(repeating: "5e", count: 32)

    private func variables(_ url: String, authority: String? = nil) -> [String: String] {
        var variables = [
            "SOCKERLESS_CALLBACK_URL": url, "SKLS_AGENT_SITE": Self.site,
            "SKLS_AGENT_RELAY": "unix:/.skls/run/relay.sock",
        ]
        variables["SKLS_CALLBACK_CA"] = authority
        return variables
    }

    private func echo(_ probe: SessionProbe) async throws {
        let channel = probe.open(.exec(ExecRequest(arguments: ["cat"], opensStdin: true)))
        try await probe.wait(channel) { $0.facts }
        for round in 1...3 {
            try await probe.write(channel, "round \(round)\n")
            try await probe.disconnect()
            try await probe.awaitConnection()
        }
        probe.endInput(channel)
        let outcome = try await probe.finish(channel)
        #expect(outcome.text == "round 1\nround 2\nround 3\n")
        #expect(outcome.result == SessionResult(exitCode: 0))
    }

    @Test("an agent calls by way of the relay, and again whenever the connection breaks") func plain() async throws {
        try await AgentContainer.run(variables: variables("ws://daemon.test:8443/some/where/")) { agent in
            let probe = SessionProbe(socketPath: agent.socketPath, secret: agent.endpoint.secret, boot: agent.boot)
            let stub = CallbackStub(probe: probe)
            try await stub.listen(at: agent.relayPath)
            try await echo(probe)
            let calls = stub.calls.withLockedValue { $0 }
            #expect(Set(calls.targets) == ["daemon.test:8443"])
            #expect(Set(calls.paths) == ["/some/where/skls/v1/session"])
            #expect(Set(calls.sites) == [Self.site])
            #expect(calls.paths.count >= 4)
            try await stub.close()
        }
    }

    @Test(
        "an agent calls over TLS, and believes the authority that it was given",
        arguments: [
            ("daemon.test", [UInt8]()), ("10.0.0.5", [10, 0, 0, 5]), ("[::1]", [UInt8](repeating: 0, count: 15) + [1]),
        ])
    func secure(host: String, address: [UInt8]) async throws {
        let authority = try Authority(
            address.isEmpty ? .dnsName(host) : .ipAddress(ASN1OctetString(contentBytes: address[...])))
        let settings = variables("https://\(host)", authority: authority.pem)
        try await AgentContainer.run(variables: settings) { agent in
            let probe = SessionProbe(socketPath: agent.socketPath, secret: agent.endpoint.secret, boot: agent.boot)
            let stub = CallbackStub(probe: probe, security: try NIOSSLContext(configuration: authority.server))
            try await stub.listen(at: agent.relayPath)
            try await echo(probe)
            #expect(Set(stub.calls.withLockedValue { $0.targets }) == ["\(host):443"])
            try await stub.close()
        }
    }

    @Test("an agent believes no other authority, no other name, and nobody without the secret")
    func strangers() async throws {
        let authority = try Authority(.dnsName("daemon.test"))
        let foreign = try Authority(.dnsName("daemon.test"))
        let cases: [(String, String, Bool)] = [
            ("https://daemon.test", foreign.pem, true), ("https://10.0.0.5", foreign.pem, true),
            ("https://other.test", authority.pem, true), ("https://10.0.0.6", authority.pem, true),
            ("http://daemon.test", authority.pem, false),
        ]
        for (url, pem, isSecure) in cases {
            try await AgentContainer.run(variables: variables(url, authority: pem)) { agent in
                // Whoever is not believed has the wrong secret where nothing else is wrong.
                let secret = isSecure ? agent.endpoint.secret : .random()
                let probe = SessionProbe(socketPath: agent.socketPath, secret: secret, boot: agent.boot)
                let stub = CallbackStub(
                    probe: probe, security: isSecure ? try NIOSSLContext(configuration: authority.server) : nil)
                try await stub.listen(at: agent.relayPath)
                let complaint =
                    if url.contains("other") {
                        "other.test"
                    } else if url.contains("10.0.0.6") {
                        "not for this address"
                    } else {
                        isSecure ? "CERTIFICATE_VERIFY_FAILED" : "does not hold the site's secret"
                    }
                while !(try agent.log().contains(complaint)) { await Task.yield() }
                #expect(try agent.log().contains("skls-agent: callback "))
                #expect(!probe.isEstablished)
                // The agent itself is none the worse for it.
                #expect(try await agent.script("echo fine").stdout == "fine\n")
                try await stub.close()
            }
        }
    }

    @Test(
        "settings of a callback that make no sense are told",
        arguments: [
            ("ftp://host", nil), ("ws://", nil), ("ws://host:0", nil), ("ws://host:x/", nil), ("host", nil),
            ("ws://host/?query", nil), ("ws://ho st", nil), ("ws://host", "tcp:1"),
        ] as [(String, String?)]) func refused(url: String, relay: String?)
    {
        var settings = ["SOCKERLESS_CALLBACK_URL": url, "SKLS_AGENT_SITE": Self.site]
        settings["SKLS_AGENT_RELAY"] = relay
        #expect(throws: AgentConfiguration.Failure.self) { try CallbackConfiguration { settings[$0] } }
    }

    @Test("a URL is taken apart, and without a site it is not ours") func parsed() throws {
        func parse(_ url: String, site: String? = Self.site) throws -> CallbackConfiguration? {
            try CallbackConfiguration { ["SOCKERLESS_CALLBACK_URL": url, "SKLS_AGENT_SITE": site][$0] ?? nil }
        }
        let plain = try #require(try parse("http://host.test"))
        #expect(!plain.isSecure && plain.port == 80 && plain.path == "/skls/v1/session" && plain.relay == nil)
        let secure = try #require(try parse("WSS://[::1]:99/a/b/"))
        #expect(secure.isSecure && secure.host == "::1" && secure.port == 99 && secure.path == "/a/b/skls/v1/session")
        #expect(secure.authorityText == "[::1]:99")
        #expect(try parse("https://host.test")?.authorityText == "host.test:443")
        #expect(secure.address == [UInt8](repeating: 0, count: 15) + [1] && plain.address == nil)
        #expect(try parse("https://10.0.0.5")?.address == [10, 0, 0, 5])
        #expect(try parse("https://host.test", site: nil) == nil)
        #expect(try parse("") == nil)
        #expect(throws: AgentConfiguration.Failure.self) { try parse("ws://host", site: "5e") }
    }
}

/// A private authority, and a server's certificate of it.
private struct Authority {
    let pem: String
    let server: TLSConfiguration

    /// - Parameter subject: the server's name or address.
    init(_ subject: GeneralName) throws {
        let authorityKey = P256.Signing.PrivateKey()
        let serverKey = P256.Signing.PrivateKey()
        let name = try DistinguishedName { CommonName("authority") }
        let authority = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(authorityKey.publicKey),
            notValidBefore: Date(timeIntervalSince1970: 0), notValidAfter: Date(timeIntervalSince1970: 2_500_000_000),
            issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
            }, issuerPrivateKey: .init(authorityKey))
        let certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(serverKey.publicKey),
            notValidBefore: Date(timeIntervalSince1970: 0), notValidAfter: Date(timeIntervalSince1970: 2_500_000_000),
            issuer: name, subject: try DistinguishedName { CommonName("server") }, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: Certificate.Extensions { SubjectAlternativeNames([subject]) },
            issuerPrivateKey: .init(authorityKey))
        pem = try authority.serializeAsPEM().pemString
        server = TLSConfiguration.makeServerConfiguration(
            certificateChain: [
                .certificate(try NIOSSLCertificate(bytes: try certificate.serializeAsPEM().derBytes, format: .der))
            ],
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(serverKey.pemRepresentation.utf8), format: .pem)))
    }
}
