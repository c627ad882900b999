import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import ServiceLifecycle

@testable import AzureSimulator

/// A simulator on a random port, and a client of it.
struct RunningSimulator: Sendable {
    let configuration: SimulatorConfiguration
    let address: SimulatorAddress
    let client: HTTPClient
    /// Begins the graceful end; `run` waits for it.
    let stop: @Sendable () async -> Void
    let token: String

    /// What stands for the agent in a container.
    enum Agent {
        /// The real one, built beside the tests.
        case real
        /// A shell script; it runs in the container, by the busybox there.
        case script(String)
    }

    struct Response: Sendable {
        var status: Int
        var headers: HTTPHeaders
        var body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }
        var json: JSON { AzureSimulatorTests.json(Reply(status: status, body: body)) }
    }

    /// Runs `body` with a simulator, and ends the simulator gracefully behind it.
    static func run<Result: Sendable>(
        agent: Agent = .script("trap 'exit 0' TERM; sleep 1000 & wait"),
        _ change: (inout SimulatorConfiguration) -> Void = { _ in },
        body: @Sendable (RunningSimulator) async throws -> Result
    ) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "skls-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }  // a temporary folder that stays harms nobody
        var configuration = SimulatorConfiguration(agentExecutable: try Self.executable(agent, in: folder.path))
        configuration.directory = folder.appending(path: "simulator").path
        change(&configuration)
        try shareTokenKey(with: configuration)

        let (ready, signal) = AsyncStream<SimulatorAddress>.makeStream()
        let simulator = try AzureSimulator(configuration: configuration, logger: Logger(label: "simulator")) {
            signal.yield($0)
            signal.finish()
        }
        let group = ServiceGroup(
            configuration: .init(services: [.init(service: simulator)], logger: Logger(label: "test")))
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                defer { signal.finish() }
                try await group.run()
            }
            guard let address = await ready.first(where: { _ in true }) else {
                try await tasks.next()
                throw SimulatorError(code: .configuration, message: "the simulator ended before it was ready")
            }
            let client = HTTPClient()
            do {
                let running = try await RunningSimulator(
                    configuration: configuration, address: address, client: client,
                    stop: { await group.triggerGracefulShutdown() })
                let result = try await body(running)
                try await client.shutdown()
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
                return result
            } catch {
                try await client.shutdown()
                await group.triggerGracefulShutdown()
                throw error
            }
        }
    }

    /// All simulators of the tests have one key for tokens: making one takes longer than most tests.
    private static func shareTokenKey(with configuration: SimulatorConfiguration) throws {
        guard let directory = configuration.directory else { return }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try PrivateFile.replace("\(directory)/token.key", with: Array(WorldScript.tokenKey.pem.utf8))
    }

    /// The real agent lies beside the test bundle's executable, or is missing.
    static var realAgent: String? {
        let folder = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        let candidates =
            [folder, URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()]
            + (Bundle.allBundles.map { $0.bundleURL.deletingLastPathComponent() })
            + CommandLine.arguments.filter { $0.hasSuffix(".xctest") }.map {
                URL(filePath: $0).deletingLastPathComponent()
            }
        return candidates.map { $0.appending(path: "skls-agent").path }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }

    private static func executable(_ agent: Agent, in folder: String) throws -> String {
        switch agent {
        case .real: return realAgent ?? ""
        case .script(let text):
            let path = "\(folder)/agent"
            try "#!/bin/sh\n\(text)\n".write(toFile: path, atomically: false, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
            return path
        }
    }

    private init(
        configuration: SimulatorConfiguration, address: SimulatorAddress, client: HTTPClient,
        stop: @escaping @Sendable () async -> Void
    ) async throws {
        self.stop = stop
        self.configuration = configuration
        self.address = address
        self.client = client
        var request = HTTPClientRequest(url: "\(address.url)/\(configuration.tenantID)/oauth2/v2.0/token")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        request.body = .bytes(
            ByteBuffer(
                string: "grant_type=client_credentials&client_id=\(configuration.clientID)"
                    + "&client_secret=\(configuration.clientSecret.revealed)"
                    + "&scope=https%3A%2F%2Fmanagement.azure.com%2F.default"))
        token = try await Self.send(request, client).json.string("access_token")
    }

    // MARK: Calls

    private static func send(_ request: HTTPClientRequest, _ client: HTTPClient) async throws -> Response {
        let response = try await client.execute(request, timeout: .seconds(30))
        let body = try await response.body.collect(upTo: 256 << 20)
        return Response(
            status: Int(response.status.code), headers: response.headers, body: Array(body.readableBytesView))
    }

    func send(_ request: HTTPClientRequest) async throws -> Response { try await Self.send(request, client) }

    /// A call of Resource Manager, below the resource group.
    func arm(_ method: HTTPMethod, _ path: String, body: String? = nil) async throws -> Response {
        let group = "/subscriptions/\(configuration.subscriptionID)/resourceGroups/\(configuration.resourceGroup)"
        let mark = path.contains("?") ? "&" : "?"
        var request = HTTPClientRequest(
            url: "\(address.url)\(group)/providers/Microsoft.Web/\(path)\(mark)api-version=2023-12-01")
        request.method = method
        request.headers.add(name: "Authorization", value: "Bearer \(token)")
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: body))
        }
        return try await send(request)
    }

    /// A call below the storage account of the configuration.
    func storage(_ method: HTTPMethod, _ path: String, body: String? = nil) async throws -> Response {
        let group = "/subscriptions/\(configuration.subscriptionID)/resourceGroups/\(configuration.resourceGroup)"
        let account = "\(group)/providers/Microsoft.Storage/storageAccounts/\(configuration.storageAccount ?? "")"
        var request = HTTPClientRequest(url: "\(address.url)\(account)/\(path)?api-version=2023-01-01")
        request.method = method
        request.headers.add(name: "Authorization", value: "Bearer \(token)")
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: body))
        }
        return try await send(request)
    }

    func put(_ name: String, image: String = "alpine", settings: [String: String] = [:]) async throws -> Response {
        try await arm(
            .PUT, "sites/\(name)",
            body: WorldScript.body(image: image, settings: settings, plan: configuration.planName))
    }

    func delete(_ name: String) async throws -> Response {
        try await arm(.DELETE, "sites/\(name)?deleteEmptyServerFarm=false")
    }

    func log(_ name: String) async throws -> String { try await arm(.POST, "sites/\(name)/containerlogs").text }

    /// A request for a site through the front end.
    func visit(_ name: String, path: String = "/", method: HTTPMethod = .GET) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: address.url + path)
        request.method = method
        request.headers.add(name: "Host", value: "\(name).azurewebsites.net")
        return request
    }

    // MARK: Files

    /// Lines of a journal.
    func journal(_ name: String) throws -> [JSON] {
        let text = try String(contentsOfFile: "\(address.directory)/\(name).jsonl", encoding: .utf8)
        return text.split(separator: "\n").map { json(Reply(status: 0, body: Array($0.utf8))) }
    }

    func entries(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(address.directory)/\(folder)")
    }

    /// Looks until something is so; the test's time limit bounds it.
    func until(_ isSo: () async throws -> Bool) async throws {
        while try await !isSo() { try await Task.sleep(for: .milliseconds(2)) }
    }
}
