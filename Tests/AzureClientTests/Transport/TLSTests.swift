import NIOConcurrencyHelpers
import NIOSSL
import Testing

@testable import AzureClient

/// The real transport through a proxy and to servers of a private authority.
@Suite(.timeLimit(.minutes(1))) struct TLSTests {
    func settings(_ environment: [String: String]) -> HTTPSettings {
        var faults: [String] = []
        let settings = HTTPSettings(environment: environment, faults: &faults)
        #expect(faults.isEmpty)
        return settings
    }

    func get(_ url: String, _ settings: HTTPSettings) async throws -> Result<AzureReply, AzureError> {
        var request = Sample.request(isWrite: true)
        request.url = url
        return try await Sample.withTransport(settings: settings) { [request] transport in
            do throws(AzureError) {
                return .success(try await transport.send(request, bearer: nil))
            } catch {
                return .failure(error)
            }
        }
    }

    @Test func `a proxy is asked for a tunnel, and TLS goes through it to the server`() async throws {
        let authority = try TestCertificates.authority(serverName: "management.example")
        let seen = NIOLockedValueBox<[String]>([])
        try await TestFolder.run { folder in
            let file = try folder.file("ca.pem", authority.pem)
            try await ScriptedServer.run(
                { text in
                    seen.withLockedValue { $0.append(text) }
                    return .http("200 OK", "{}")
                }, tls: NIOSSLContext(configuration: authority.server)
            ) { server in
                try await ConnectProxy.run(to: server.port) { proxy in
                    let reply = try await get(
                        "https://management.example/path",
                        settings([
                            "https_proxy": "http://user:pass@127.0.0.1:\(proxy.port)", "SKLS_CA_FILE": file,
                        ])
                    ).get()
                    #expect(reply.status == 200)
                    let heads = proxy.heads.withLockedValue(\.self)
                    #expect(heads.count == 1 && heads[0].hasPrefix("CONNECT management.example:443 HTTP/1.1\r\n"))
                    #expect(heads[0].lowercased().contains("proxy-authorization: basic dxnlcjpwyxnz"))
                    let request = try #require(seen.withLockedValue { $0.first })
                    #expect(request.hasPrefix("GET /path HTTP/1.1\r\n") || request.hasPrefix("PUT /path HTTP/1.1\r\n"))
                    #expect(!request.lowercased().contains("proxy-authorization"))
                }
            }
        }
    }

    @Test func `what is for the platform around the machine is never asked of a proxy`() async throws {
        try await ScriptedServer.run({ _ in .http("200 OK", "{}") }) { server in
            try await ConnectProxy.run(to: server.port) { proxy in
                let settings = settings(["http_proxy": "127.0.0.1:\(proxy.port)"])
                for (bypasses, tunnels) in [(true, 0), (false, 1)] {
                    var request = Sample.request()
                    request.url = "http://no-such-host.invalid/metadata"
                    request.bypassesProxy = bypasses
                    try await Sample.withTransport(settings: settings) { [request] transport in
                        do throws(AzureError) {
                            #expect(try await transport.send(request, bearer: nil).status == 200 && !bypasses)
                        } catch {
                            #expect(bypasses && error.message.contains("no-such-host.invalid"), "\(error)")
                        }
                    }
                    #expect(proxy.heads.withLockedValue { $0.count } == tunnels)
                }
            }
        }
    }

    @Test func `a server of an unknown authority gets nothing`() async throws {
        let authority = try TestCertificates.authority(serverName: "localhost")
        try await ScriptedServer.run(
            { _ in .http("200 OK", "{}") }, tls: NIOSSLContext(configuration: authority.server)
        ) { server in
            let result = try await get("https://localhost:\(server.port)/", HTTPSettings())
            guard case .failure(let error) = result else { throw Sample.Missing() }
            #expect(error.code == .connection && !error.effectIsUnknown, "\(error)")
            #expect(error.message.contains("SKLS_CA_FILE"))
        }
    }

    @Test func `a certificate of another name is refused`() async throws {
        let authority = try TestCertificates.authority(serverName: "other.example")
        try await TestFolder.run { folder in
            let file = try folder.file("ca.pem", authority.pem)
            try await ScriptedServer.run(
                { _ in .http("200 OK", "{}") }, tls: NIOSSLContext(configuration: authority.server)
            ) { server in
                let result = try await get(
                    "https://localhost:\(server.port)/", settings(["SSL_CERT_FILE": file]))
                guard case .failure(let error) = result else { throw Sample.Missing() }
                #expect(error.code == .connection && !error.effectIsUnknown, "\(error)")
            }
        }
    }

    @Test func `TLS below 1.2 is refused`() async throws {
        let authority = try TestCertificates.authority(serverName: "localhost")
        var old = authority.server
        old.minimumTLSVersion = .tlsv1
        old.maximumTLSVersion = .tlsv11
        try await TestFolder.run { folder in
            let file = try folder.file("ca.pem", authority.pem)
            try await ScriptedServer.run(
                { _ in .http("200 OK", "{}") }, tls: NIOSSLContext(configuration: old)
            ) { server in
                let result = try await get("https://localhost:\(server.port)/", settings(["SKLS_CA_FILE": file]))
                guard case .failure(let error) = result else { throw Sample.Missing() }
                #expect(error.code == .connection && !error.effectIsUnknown, "\(error)")
            }
        }
    }

    @Test func `a file without certificates is a fault`() async throws {
        try await TestFolder.run { folder in
            var faults: [String] = []
            let environment = ["SKLS_CA_FILE": "\(folder.path)/none:\(try folder.file("empty", ""))"]
            _ = HTTPSettings(environment: environment, faults: &faults)
            #expect(faults.count == 2 && faults.allSatisfy { $0.hasPrefix("SKLS_CA_FILE: ") }, "\(faults)")
        }
    }
}
