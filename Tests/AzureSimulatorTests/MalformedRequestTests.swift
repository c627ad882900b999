import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Testing

@testable import AzureSimulator

/// What no well-behaved client sends: it is refused, and whoever comes next is served.
@Suite(.timeLimit(.minutes(1))) struct MalformedRequestTests {
    /// Sends bytes as they are, and returns what comes until the server closes.
    private static func exchange(_ text: String, port: Int, hangsUp: Bool = false) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(
            host: "127.0.0.1", port: port
        ) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: text))
            var answer = ""
            if hangsUp { return answer }
            for try await part in inbound { answer += String(buffer: part) }
            return answer
        }
    }

    private static func arm(_ method: String, _ path: String, _ simulator: RunningSimulator, headers: String = "")
        -> String
    {
        "\(method) /subscriptions/\(simulator.configuration.subscriptionID)\(path) HTTP/1.1\r\n"
            + "Host: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer \(simulator.token)\r\n\(headers)\r\n"
    }

    @Test func `requests that are none are refused one after the other`() async throws {
        try await RunningSimulator.run { simulator in
            func status(_ text: String) async throws -> String {
                let answer = try await Self.exchange(text, port: simulator.address.port)
                return String(answer.prefix { $0 != "\r\n" }.split(separator: " ").dropFirst().first ?? "closed")
            }
            let group = "/resourceGroups/skls"
            let version = "?api-version=2023-12-01"
            let site = "\(group)/providers/Microsoft.Web/sites/a1"
            let none = "Content-Length: 0\r\n"
            #expect(try await status(Self.arm("POST", "\(site)/stop\(version)", simulator)) == "411")
            #expect(try await status(Self.arm("PUT", "\(site)\(version)", simulator)) == "411")
            #expect(try await status(Self.arm("POST", "\(site)/stop\(version)", simulator, headers: none)) == "404")
            for path in [
                "/resourceGroups/%zz\(version)", "\(group)/providers/Microsoft.Web/sites/%C3%28\(version)",
                "\(group)/providers/Microsoft.OperationalInsights/workspaces/%00?api-version=2023-09-01",
                "/%\(version)",
            ] {
                #expect(try await status(Self.arm("PUT", path, simulator, headers: none)) == "400", "\(path)")
            }
            #expect(try await status(Self.arm("GET", "\(site)\(version)&%zz=%&=&&x", simulator)) == "404")
            let long = String(repeating: "q", count: 60_000)
            #expect(try await status(Self.arm("GET", "\(site)\(version)&x=\(long)", simulator)) == "414")
            let longest = String(repeating: long, count: 20)
            let refused = try await status(Self.arm("GET", "\(site)\(version)&x=\(longest)", simulator))
            #expect(["400", "414", "431", "closed"].contains(refused))
            for path in ["", "/resourceGroups", group, site, "\(site)/config/web", "/resources", "/nothing/here"] {
                let answer = try await status(Self.arm("HEAD", "\(path)\(version)", simulator))
                #expect(["200", "204", "404", "405"].contains(answer), "\(path): \(answer)")
            }
            #expect(
                try await status("GET / HTTP/1.1\r\nHost: nobody.example.com\r\nConnection: close\r\n\r\n") == "404")
            #expect(try await status("GET / HTTP/1.1\r\nHost: :::\r\nConnection: close\r\n\r\n") == "401")
            #expect(try await status("\u{16}\u{3}\u{1} nonsense\r\n\r\n") != "200")
            #expect(try await simulator.arm(.GET, "sites").status == 200)
        }
    }

    @Test func `a body of 4 MiB is read, and one byte more is refused`() async throws {
        try await RunningSimulator.run { simulator in
            let longest = String(repeating: " ", count: 4 << 20)
            let read = try await simulator.arm(.PUT, "sites/a1", body: longest)
            let refused = try await simulator.arm(.PUT, "sites/a1", body: longest + " ")
            #expect(read.status == 400 && refused.status == 413)
        }
    }

    @Test func `a client that hangs up in the handshake harms nobody`() async throws {
        try await RunningSimulator.run { simulator in
            let port = try #require(Int(simulator.address.secureURL.split(separator: ":").last ?? ""))
            // The beginning of a record that holds a client's hello, nothing at all, and what is no TLS.
            for bytes in ["\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}", "", "GET / HTTP/1.1\r\n\r\n"] {
                _ = try await Self.exchange(bytes, port: port, hangsUp: true)
            }
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .file(simulator.address.authorityFile)
            let client = HTTPClient(configuration: .init(tlsConfiguration: tls))
            let url = "\(simulator.address.secureURL)/metadata/endpoints?api-version=2022-09-01"
            do {
                let reply = try await client.execute(HTTPClientRequest(url: url), timeout: .seconds(30))
                #expect(reply.status == .ok)
            } catch { Issue.record(error) }
            try await client.shutdown()
        }
    }
}
