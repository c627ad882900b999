import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import Testing

@testable import AzureSimulator

/// TLS, names of Azure, faults and state on the wire.
@Suite(.timeLimit(.minutes(1))) struct SecureWireTests {
    /// A client that trusts the simulator, and takes Azure's names for loopback.
    private static func withClient<Result: Sendable>(
        of simulator: RunningSimulator, names: [String] = [], body: (HTTPClient) async throws -> Result
    ) async throws -> Result {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .file(simulator.address.authorityFile)
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        configuration.dnsOverride = Dictionary(uniqueKeysWithValues: names.map { ($0, "127.0.0.1") })
        let client = HTTPClient(configuration: configuration)
        do {
            let result = try await body(client)
            try await client.shutdown()
            return result
        } catch {
            try await client.shutdown()
            throw error
        }
    }

    private func get(_ url: String, _ client: HTTPClient) async throws -> RunningSimulator.Response {
        let response = try await client.execute(HTTPClientRequest(url: url), timeout: .seconds(30))
        let body = try await response.body.collect(upTo: 1 << 20)
        return .init(
            status: Int(response.status.code), headers: response.headers, body: Array(body.readableBytesView))
    }

    private static func port(_ url: String) -> String { String(url.split(separator: ":").last ?? "") }

    @Test func `who trusts the authority is served over TLS, and links stay there`() async throws {
        try await RunningSimulator.run { simulator in
            try await Self.withClient(of: simulator) { client in
                let base = simulator.address.secureURL
                let reply = try await get("\(base)/metadata/endpoints?api-version=2022-09-01", client)
                #expect(reply.status == 200)
                #expect(reply.json.string("resourceManager") == base + "/")
                let local = base.replacing("127.0.0.1", with: "localhost")
                #expect(try await get("\(local)/v2/", client).status == 200)
            }
            // The default client trusts the system's authorities only.
            await #expect(throws: (any Error).self) { try await get(simulator.address.secureURL, simulator.client) }
        }
    }

    @Test func `names of Azure that lead to the simulator are served under their own names`() async throws {
        try await RunningSimulator.run { simulator in
            _ = try await simulator.put("a1", image: "nosuch")
            let port = Self.port(simulator.address.secureURL)
            let hosts = [
                "management.azure.com", "login.microsoftonline.com", "a1.azurewebsites.net", "a1.scm.azurewebsites.net",
            ]
            try await Self.withClient(of: simulator, names: hosts) { client in
                let tenant = simulator.configuration.tenantID
                let cloud = try await get(
                    "https://management.azure.com:\(port)/metadata/endpoints?api-version=2022-09-01", client)
                #expect(cloud.json.string("resourceManager") == "https://management.azure.com:\(port)/")
                let login = try await get(
                    "https://login.microsoftonline.com:\(port)/\(tenant)/v2.0/.well-known/openid-configuration", client)
                #expect(login.status == 200)
                #expect(try await get("https://a1.azurewebsites.net:\(port)/", client).status == 503)
                // Served under a certificate that covers it, whatever answers there.
                _ = try await get("https://a1.scm.azurewebsites.net:\(port)/", client)
            }
            let planes = try simulator.journal("requests").suffix(4).map { $0.string("plane") }
            #expect(Array(planes.prefix(3)) == ["arm", "login", "site"])
        }
    }

    @Test func `a reset after the write leaves the site, no answer, and a line that says why`() async throws {
        try await RunningSimulator.run {
            $0.faults = FaultPlan([.init(.resetAfter, .first(1))])
        } body: { simulator in
            await #expect(throws: (any Error).self) { try await simulator.put("a1", image: "nosuch") }
            #expect(try await simulator.arm(.GET, "sites/a1").status == 200)
            let line = try #require(try simulator.journal("requests").first { $0.string("method") == "PUT" })
            #expect(line["status"] == 0)
            #expect(line["faults"] == ["reset-after"])
            #expect(!line.string("path").contains("api-version"))
            #expect(line.string("apiVersion") == "2023-12-01")
        }
    }

    @Test func `throttled requests are logged with how long to wait`() async throws {
        try await RunningSimulator.run {
            $0.faults = FaultPlan([.init(.throttled, .first(1))])
        } body: { simulator in
            let reply = try await simulator.arm(.GET, "sites/a1")
            #expect(reply.status == 429)
            #expect(reply.headers.first(name: "retry-after") == "600")
            let line = try #require(try simulator.journal("requests").last)
            #expect(line.string("retryAfter") == "600")
        }
    }

    @Test func `a simulator that keeps its state goes on where it ended`() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "skls-state-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }  // a temporary folder that stays harms nobody
        let secret = SimulatorSecret.random()
        func run<Result: Sendable>(
            _ body: @Sendable (RunningSimulator) async throws -> Result
        ) async throws -> Result {
            try await RunningSimulator.run {
                $0.directory = folder
                $0.keepsState = true
                $0.clientSecret = secret
            } body: {
                try await body($0)
            }
        }
        let first = try await run { simulator in
            _ = try await simulator.put("a1", image: "nosuch", settings: ["A": "1"])
            return try String(contentsOfFile: simulator.address.authorityFile, encoding: .utf8)
        }
        try await run { simulator in
            #expect(try await simulator.arm(.GET, "sites/a1").status == 200)
            let settings = try await simulator.arm(.POST, "sites/a1/config/appsettings/list")
            #expect(settings.json["properties"]?.string("A") == "1")
            #expect(try String(contentsOfFile: simulator.address.authorityFile, encoding: .utf8) == first)
        }
        for name in ["state.json", "token.key", "ca.key"] {
            let mode = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")[.posixPermissions] as? Int
            #expect(mode == 0o600, "\(name)")
        }
    }

    @Test func `a write that blocks is carried out at once and answered when the simulator ends, at the latest`()
        async throws
    {
        try await RunningSimulator.run {
            // A PUT of some 25 s takes days.
            $0.latencyScale = 10_000
            $0.web.writes = .slow
        } body: { simulator in
            async let put = simulator.put("a1", image: "nosuch")
            try await simulator.until { try await simulator.arm(.GET, "sites/a1").status == 200 }
            #expect(try simulator.journal("requests").allSatisfy { $0.string("method") != "PUT" })
            await simulator.stop()
            #expect(try await put.status == 200)
        }
    }

    @Test(arguments: ["", "{\"format\":1,\"web\":{\"sites\":[{\"na", "{\"format\":1,\"web\":{}}", "{\"format\":9}"])
    func `state that is damaged is refused by the name of its file, and stays as it is`(text: String) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "skls-state-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }  // a temporary folder that stays harms nobody
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let file = "\(folder)/state.json"
        try text.write(toFile: file, atomically: false, encoding: .utf8)
        let error = await #expect(throws: SimulatorError.self) {
            try await RunningSimulator.run {
                $0.directory = folder
                $0.keepsState = true
            } body: { _ in
            }
        }
        #expect(error?.code == .state && error?.message.contains(file) == true)
        #expect(try String(contentsOfFile: file, encoding: .utf8) == text)
    }

    @Test func `a write of the state that was cut off leaves the old state`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "skls-state-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }  // a temporary folder that stays harms nobody
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let file = "\(folder)/state.json"
        try PrivateFile.replace(file, with: Array("old".utf8))
        // What a process leaves that is killed between the first byte and the renaming.
        try "ne".write(toFile: "\(file).new", atomically: false, encoding: .utf8)
        let old = try PrivateFile.read(file)
        #expect(old == Array("old".utf8))
        try PrivateFile.replace(file, with: Array("new".utf8))
        let new = try PrivateFile.read(file)
        #expect(new == Array("new".utf8))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["state.json"])
    }

    @Test func `state cannot be kept in a directory that is not named`() {
        var configuration = SimulatorConfiguration(agentExecutable: "/bin/sh")
        configuration.keepsState = true
        #expect(throws: SimulatorError.self) {
            try AzureSimulator(configuration: configuration, logger: .init(label: "test"))
        }
    }
}
