import Foundation
import Glibc
import NIOCore
import Testing

@testable import APIServer

/// Certificates that `make certs` would make, of two authorities that do not know each other.
private struct Certificates: Sendable {
    static let openSSL = ["/usr/bin/openssl", "/usr/local/bin/openssl"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    let directory: String

    init(in parent: String, _ name: String) async throws {
        directory = parent + "/" + name
        let script = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../scripts/certs").standardized
        let result = try await run(script.path, [directory])
        guard result.exitCode == 0 else { throw AccessError(description: result.errors) }
    }

    var server: TCPListener.TLSFiles {
        TCPListener.TLSFiles(
            certificate: directory + "/server-cert.pem", key: directory + "/server-key.pem",
            clientAuthority: directory + "/ca.pem")
    }
}

@Suite(
    "TLS with certificates of clients", .enabled(if: Certificates.openSSL != nil && DockerCLI.path != nil),
    .timeLimit(.minutes(1)))
struct TLSTests {
    private func with(_ body: @Sendable (TestServer, Certificates, Certificates) async throws -> Void) async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let own = try await Certificates(in: directory.path, "own")
        let other = try await Certificates(in: directory.path, "other")
        try await TestServer.with(tcp: { _ in [TCPListener(host: "127.0.0.1", port: 0, tls: own.server)] }) { server in
            try await body(server, own, other)
        }
    }

    private func docker(
        _ server: TestServer, _ certificates: String, _ arguments: String..., input: String = ""
    ) async throws -> CommandResult {
        try await run(
            DockerCLI.path ?? "docker", ["--tlsverify"] + arguments,
            environment: [
                "DOCKER_HOST": "tcp://localhost:\(server.ports[0])", "DOCKER_CERT_PATH": certificates,
                "DOCKER_CONFIG": server.directory, "DOCKER_CLI_HINTS": "false",
            ], input: input)
    }

    @Test("the docker CLI runs a container with input and output over it")
    func runs() async throws {
        try await with { server, own, _ in
            let piped = try await docker(server, own.directory, "run", "-i", "--rm", "alpine", "cat", input: "a\nb\n")
            #expect(piped.output == "a\nb\n" && piped.exitCode == 0, "\(piped.errors)")
            let plain = try await docker(server, own.directory, "run", "--rm", "alpine", "play", "out:x", "exit:7")
            #expect(plain.output == "x" && plain.exitCode == 7, "\(plain.errors)")
        }
    }

    @Test("clients without a certificate, or with one of another authority, and old protocols get no answer")
    func refusals() async throws {
        try await with { server, own, other in
            let mixed = own.directory + "-mixed"
            try FileManager.default.createDirectory(atPath: mixed, withIntermediateDirectories: true)
            for (name, source) in [("ca.pem", own), ("cert.pem", other), ("key.pem", other)] {
                try FileManager.default.copyItem(atPath: source.directory + "/" + name, toPath: mixed + "/" + name)
            }
            let stranger = try await docker(server, mixed, "version")
            #expect(stranger.exitCode != 0 && !stranger.output.contains("Server:"))
            for (arguments, isLetIn) in [
                ([String](), false), (["-cert", "cert.pem", "-key", "key.pem"], true),
                (["-cert", "cert.pem", "-key", "key.pem", "-tls1_1", "-cipher", "ALL@SECLEVEL=0"], false),
                (["-cert", "cert.pem", "-key", "key.pem", "-tls1_2"], true),
            ] {
                let files = arguments.map { $0.hasSuffix(".pem") ? own.directory + "/" + $0 : $0 }
                // Written by a shell: openssl may be gone before it reads its input.
                let request = #"printf 'GET /_ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'"#
                let client = [Certificates.openSSL ?? "openssl", "s_client", "-quiet", "-connect"]
                let words = client + ["127.0.0.1:\(server.ports[0])"] + files
                let result = try await run("/bin/sh", ["-c", request + " | " + words.joined(separator: " ")])
                #expect(result.output.contains("HTTP/1.1 200") == isLetIn, "\(arguments) \(result.errors)")
            }
            try await RawClient.with(port: server.ports[0]) { session in
                try await session.send("GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
                // The listener may cut the line in the middle of what it was told.
                let answer = try? await session.readToEnd()
                #expect(answer.map { String(buffer: $0) }?.contains("HTTP/1.1 200") != true)
            }
        }
    }

    @Test("files are read again for new connections, and bad ones change nothing")
    func reload() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let own = try await Certificates(in: directory.path, "own")
        let files = try AccessFiles(TCPListener(host: "127.0.0.1", port: 0, tls: own.server))
        let first = try #require(files.tls)
        try files.reload()
        let second = try #require(files.tls)
        #expect(first !== second)
        #expect(chmod(own.server.key, 0o644) == 0)
        let error = #expect(throws: AccessError.self) { try files.reload() }
        #expect(error?.description.contains("every user can read it") == true)
        #expect(files.tls === second)
        #expect(chmod(own.server.key, 0o600) == 0)
        try FileManager.default.removeItem(atPath: own.server.certificate)
        #expect(throws: AccessError.self) { try files.reload() }
        #expect(files.tls === second)
    }
}
