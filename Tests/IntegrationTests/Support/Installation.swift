import AsyncHTTPClient
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Testing

/// A simulator and a daemon as processes of their own in a temporary folder, the docker CLI pointed at them, and independent looks at what happened.
final class Installation: Sendable {
    let folder: String
    private let simulator: ChildProcess
    /// The variables by which the simulator is used.
    let azure: [String: String]
    private let simulatorFolder: String
    private let daemon = NIOLockedValueBox<ChildProcess?>(nil)
    /// Called for each line that the daemon logs.
    private let lineHandler = NIOLockedValueBox<(@Sendable (String) -> Void)?>(nil)

    static let binaries = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        .path

    /// Starts the simulator, with further options, and the daemon.
    static func start(simulator options: [String] = []) async throws -> Installation {
        let installation = try await Installation(simulator: options)
        try await installation.startDaemon()
        // The CLI pulls a reference that the daemon does not know; later commands should not have to.
        _ = try await installation.docker("pull", "-q", "alpine")
        return installation
    }

    /// The simulator alone.
    init(simulator options: [String] = []) async throws {
        folder = NSTemporaryDirectory() + "/skls-test-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let simulatorFolder = folder + "/azure"
        self.simulatorFolder = simulatorFolder
        let (ready, continuation) = AsyncStream.makeStream(of: Void.self)
        let exports = folder + "/exports"
        try Data().write(to: URL(fileURLWithPath: exports))
        // The simulator says on standard output how it is reached; a shell keeps that in a file.
        simulator = try ChildProcess(
            "/bin/sh",
            [
                "-c", "out=$1; shift; exec \"$0\" simulator \"$@\" >\"$out\"", Installation.binaries + "/skls",
                exports, "--simulator-directory", simulatorFolder,
            ] + options
        ) { line in
            if line.contains("listening") { continuation.yield() }
        }
        for await _ in ready { break }
        // The log line comes from the server, the exports directly after it.
        var text = ""
        while !text.contains("SKLS_REGISTRY") {
            text = try String(contentsOfFile: exports, encoding: .utf8)
            await Task.yield()
        }
        azure = Dictionary(
            text.split(separator: "\n").compactMap { line -> (String, String)? in
                guard line.hasPrefix("export ") else { return nil }
                let parts = line.dropFirst(7).split(separator: "=", maxSplits: 1)
                return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
            }
        ) { _, last in last }
    }

    func stop() async {
        let running = daemon.withLockedValue { $0 }
        running?.send(SIGTERM)
        _ = await running?.wait()
        simulator.send(SIGTERM)
        _ = await simulator.wait()
        // What is left in the temporary folder harms nobody.
        try? FileManager.default.removeItem(atPath: folder)
    }

    // MARK: the daemon

    var host: String { "unix://\(folder)/skls.sock" }

    /// Returns when the daemon listens. `variables` come beside those by which it finds Azure.
    func startDaemon(_ options: String..., variables: [String: String] = [:]) async throws {
        try await startDaemon(
            program: "skls", ["serve", "--state", folder + "/state", "--host", host, "--log-level", "debug"] + options,
            environment: azure.merging(variables) { _, own in own })
    }

    /// Another program in the daemon's place, which logs in the same way. Returns when it listens, or has ended.
    func startDaemon(program: String, _ arguments: [String], environment: [String: String]) async throws {
        let (ready, continuation) = AsyncStream.makeStream(of: Void.self)
        let handler = lineHandler
        let process = try ChildProcess(
            Installation.binaries + "/" + program, arguments, environment: environment
        ) { line in
            if line.contains("listening") || line.hasPrefix("Error: ") { continuation.yield() }
            handler.withLockedValue { $0 }?(line)
        }
        daemon.withLockedValue { $0 = process }
        for await _ in ready { break }
    }

    /// As an operator does, and what it ended with.
    func endDaemon() async -> ChildProcess.Result? {
        let running = daemon.withLockedValue { running in
            defer { running = nil }
            return running
        }
        running?.send(SIGTERM)
        return await running?.wait()
    }

    /// As an operator does; returns when it has ended.
    func stopDaemon() async {
        daemon.withLockedValue { $0 }?.send(SIGTERM)
        await waitForDaemon()
    }

    /// kill -9.
    func killDaemon() {
        daemon.withLockedValue { $0 }?.send(SIGKILL)
    }

    func waitForDaemon() async {
        let running = daemon.withLockedValue { running in
            defer { running = nil }
            return running
        }
        _ = await running?.wait()
    }

    func onDaemonLogLine(_ handler: (@Sendable (String) -> Void)?) {
        lineHandler.withLockedValue { $0 = handler }
    }

    var daemonLog: String { daemon.withLockedValue { $0 }?.errorText ?? "" }

    // MARK: clients

    func docker(_ arguments: String..., input: String? = nil) async throws -> ChildProcess.Result {
        try await docker(arguments, input: input)
    }

    static func dockerPath() throws -> String {
        let own = FileManager.default.currentDirectoryPath + "/.build/tools/docker"
        let path = ["/usr/local/bin/docker", "/usr/bin/docker", own].first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
        return try #require(path, "no docker CLI: run scripts/install-tools")
    }

    func docker(_ arguments: [String], input: String? = nil) async throws -> ChildProcess.Result {
        await (try beginDocker(arguments, input: input)).wait()
    }

    /// A docker command that goes on meanwhile.
    func beginDocker(_ arguments: [String], input: String? = nil) throws -> ChildProcess {
        try ChildProcess(
            Installation.dockerPath(), arguments,
            environment: ["DOCKER_HOST": host, "DOCKER_CONFIG": folder + "/docker"], input: input.map { Data($0.utf8) })
    }

    func skls(_ arguments: String..., input: String? = nil) async throws -> ChildProcess.Result {
        let process = try ChildProcess(
            Installation.binaries + "/skls", arguments, environment: ["SKLS_HOST": host],
            input: input.map { Data($0.utf8) })
        return await process.wait()
    }

    /// A request to the daemon's socket as no well-behaved client sends it.
    func request(_ method: String, _ path: String, body: String? = nil, type: String = "application/json") async throws
        -> (
            status: Int, type: String?, body: String
        )
    {
        let socket = (folder + "/skls.sock").addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        var request = HTTPClientRequest(url: "http+unix://\(socket)\(path)")
        request.method = .init(rawValue: method)
        if let body {
            request.body = .bytes(ByteBuffer(string: body))
            request.headers.add(name: "content-type", value: type)
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        let text = String(buffer: try await response.body.collect(upTo: 1 << 20))
        return (Int(response.status.code), response.headers.first(name: "content-type"), text)
    }

    // MARK: independent looks

    /// A request to Resource Manager below the resource group, as anybody with the rights could send it.
    func arm(
        _ method: HTTPMethod, _ path: String, body: String? = nil
    ) async throws -> (status: HTTPResponseStatus, body: Data) {
        try await arm(method, url: try armBase + "/resourceGroups/\(azure["SKLS_RESOURCE_GROUP"] ?? "")/\(path)", body)
    }

    private var armBase: String {
        get throws {
            "\(try #require(azure["SKLS_AZURE_ENDPOINT"]))/subscriptions/\(azure["AZURE_SUBSCRIPTION_ID"] ?? "")"
        }
    }

    private func arm(
        _ method: HTTPMethod, url: String, _ body: String? = nil
    ) async throws -> (status: HTTPResponseStatus, body: Data) {
        var request = HTTPClientRequest(url: url)
        request.method = method
        request.headers.add(name: "authorization", value: "Bearer " + (try await armToken()))
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: body))
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        return (response.status, Data(try await response.body.collect(upTo: 16 << 20).readableBytesView))
    }

    private func armToken() async throws -> String {
        let base = try #require(azure["SKLS_AZURE_ENDPOINT"])
        var request = HTTPClientRequest(url: "\(base)/\(azure["AZURE_TENANT_ID"] ?? "")/oauth2/v2.0/token")
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/x-www-form-urlencoded")
        let form =
            "grant_type=client_credentials&client_id=\(azure["AZURE_CLIENT_ID"] ?? "")"
            + "&client_secret=\(azure["AZURE_CLIENT_SECRET"] ?? "")&scope=https%3A%2F%2Fmanagement.azure.com%2F.default"
        request.body = .bytes(ByteBuffer(string: form))
        struct Token: Decodable {
            let text: String
            private enum CodingKeys: String, CodingKey { case text = "access_token" }
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        let body = Data(try await response.body.collect(upTo: 1 << 20).readableBytesView)
        return try JSONDecoder().decode(Token.self, from: body).text
    }

    /// Names and tags of all sites, asked from Azure itself.
    func sites() async throws -> [(name: String, tags: [String: String])] {
        struct Page: Decodable {
            struct Site: Decodable {
                let name: String
                let tags: [String: String]?
            }
            let value: [Site]
            let nextLink: String?
        }
        let group = "/resourceGroups/\(azure["SKLS_RESOURCE_GROUP"] ?? "")"
        var next: String? = try armBase + group + "/providers/Microsoft.Web/sites?api-version=2025-03-01"
        var sites: [(String, [String: String])] = []
        while let url = next {
            let (status, body) = try await arm(.GET, url: url)
            guard status == .ok else {
                throw RefusedRequest(description: "\(url): \(status) \(String(decoding: body, as: UTF8.self))")
            }
            let page = try JSONDecoder().decode(Page.self, from: body)
            sites += page.value.map { ($0.name, $0.tags ?? [:]) }
            next = page.nextLink
        }
        return sites
    }

    /// What the site's container, its agent included, wrote to its log, as Kudu shows it.
    func containerLog(ofSite name: String) async throws -> String {
        struct Site: Decodable {
            struct Properties: Decodable { let defaultHostName: String }
            let properties: Properties
        }
        let (_, body) = try await arm(.GET, "providers/Microsoft.Web/sites/\(name)?api-version=2025-03-01")
        let host = try JSONDecoder().decode(Site.self, from: body).properties.defaultHostName
            .replacing(".", with: ".scm.", maxReplacements: 1)
        func get(_ path: String) async throws -> String {
            var request = HTTPClientRequest(url: (azure["SKLS_SITE_ADDRESS"] ?? "") + path)
            request.headers.add(name: "host", value: host)
            request.headers.add(name: "authorization", value: "Bearer " + (try await armToken()))
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
            let text = String(buffer: try await response.body.collect(upTo: 1 << 20))
            guard response.status == .ok else {
                throw RefusedRequest(description: "\(path): \(response.status) \(text)")
            }
            return text
        }
        struct File: Decodable { let name: String }
        let files = try JSONDecoder().decode([File].self, from: Data(try await get("/api/vfs/LogFiles/").utf8))
        let file = try #require(files.first { $0.name.hasSuffix("_default_docker.log") })
        return try await get("/api/vfs/LogFiles/\(file.name)")
    }

    struct Execution: Decodable {
        let site: String
        let token: String
    }

    /// The simulator's journal of commands that were executed.
    func executions() throws -> [Execution] {
        try lines("executions.jsonl")
    }

    struct LoggedRequest: Decodable {
        let plane: String
        let method: String
        let path: String
        let status: Int
    }

    func requests() throws -> [LoggedRequest] {
        try lines("requests.jsonl")
    }

    private func lines<T: Decodable>(_ file: String) throws -> [T] {
        let path = simulatorFolder + "/" + file
        guard FileManager.default.fileExists(atPath: path) else { return [] }
        return try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map {
            try JSONDecoder().decode(T.self, from: Data($0.utf8))
        }
    }

    /// kill -9 of the agents of all sites.
    func killAgents() throws {
        let folder = simulatorFolder + "/sites"
        for file in try FileManager.default.contentsOfDirectory(atPath: folder) where file.hasSuffix(".pid") {
            // The file can go between the listing and the reading: then there is no agent either.
            guard let text = try? String(contentsOfFile: folder + "/" + file, encoding: .utf8),
                let pid = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines))
            else { continue }
            kill(pid, SIGKILL)
        }
    }

    /// Everything that was written down anywhere about the runs: logs, journals, and what Azure shows.
    func everythingWrittenDown() async throws -> String {
        var text = daemonLog + simulator.errorText
        for file in ["executions.jsonl", "requests.jsonl"] {
            // A file that is not there holds nothing.
            text += (try? String(contentsOfFile: simulatorFolder + "/" + file, encoding: .utf8)) ?? ""
        }
        for site in try await sites() { text += "\(site)" }
        return text
    }
}

/// An answer of Azure that a test's own request should not get, but may where faults are planted.
struct RefusedRequest: Error, CustomStringConvertible {
    let description: String
}
