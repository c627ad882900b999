import AsyncHTTPClient
import Foundation
import Glibc
import NIOCore
import NIOHTTP1
import Testing

/// `sockerless-backend-azf` as a process, set up with the variables that the example of its specification exports, against a simulator.
struct BackendInstallation: Sendable {
    let installation: Installation
    /// The variables that the program is started with.
    let variables: [String: String]

    static let storageAccount = "sockerlessstorage"
    static let workspaceName = "skls-logs"

    /// `changes` are laid upon the example's exports; an empty value unsets one. The program is not started yet.
    static func prepare(
        _ changes: [String: String] = [:], simulator options: [String] = []
    ) async throws -> BackendInstallation {
        let installation = try await Installation(simulator: options)
        let azure = installation.azure
        func value(_ name: String) throws -> String { try #require(azure[name]) }
        let account = try await installation.arm(
            .PUT, "providers/Microsoft.Storage/storageAccounts/\(storageAccount)?api-version=2023-01-01",
            body: #"{"location":"\#(value("SKLS_LOCATION"))","sku":{"name":"Standard_LRS"},"kind":"StorageV2"}"#)
        #expect((200...202).contains(account.status.code), "\(String(decoding: account.body, as: UTF8.self))")
        let group =
            "/subscriptions/\(try value("AZURE_SUBSCRIPTION_ID"))/resourceGroups/\(try value("SKLS_RESOURCE_GROUP"))"
        // As `terraform output` gives them: the workspace by its resource id.
        let exports = [
            "SOCKERLESS_AZF_SUBSCRIPTION_ID": try value("AZURE_SUBSCRIPTION_ID"),
            "SOCKERLESS_AZF_RESOURCE_GROUP": try value("SKLS_RESOURCE_GROUP"),
            "SOCKERLESS_AZF_LOCATION": try value("SKLS_LOCATION"),
            "SOCKERLESS_AZF_STORAGE_ACCOUNT": storageAccount,
            "SOCKERLESS_AZF_LOG_ANALYTICS_WORKSPACE":
                "\(group)/providers/Microsoft.OperationalInsights/workspaces/\(workspaceName)",
            "SOCKERLESS_AZF_REGISTRY": try value("SKLS_REGISTRY"),
            "SOCKERLESS_ENDPOINT_URL": try value("SKLS_AZURE_ENDPOINT"),
            "AZURE_TENANT_ID": try value("AZURE_TENANT_ID"), "AZURE_CLIENT_ID": try value("AZURE_CLIENT_ID"),
            "AZURE_CLIENT_SECRET": try value("AZURE_CLIENT_SECRET"), "SKLS_REQUEST_RATES": "unlimited",
            "SKLS_LOG_SETTLE_SECONDS": "0", "SKLS_LOG_FORMAT": "json",
        ]
        return BackendInstallation(
            installation: installation, variables: exports.merging(changes) { _, new in new })
    }

    /// Prepares, starts, and stops in the end.
    static func with(
        _ changes: [String: String] = [:], simulator options: [String] = [],
        _ body: (BackendInstallation) async throws -> Void
    ) async throws {
        let here = try await prepare(changes, simulator: options)
        do {
            try await here.start()
            try await body(here)
        } catch {
            await here.installation.stop()
            throw error
        }
        await here.installation.stop()
    }

    var socket: String { installation.folder + "/azf.sock" }

    func start(_ options: String...) async throws {
        try await installation.startDaemon(
            program: "sockerless-backend-azf", ["-addr", "unix://" + socket] + options,
            environment: variables.merging(["SKLS_STATE": installation.folder + "/state"]) { _, new in new })
    }

    struct Answer: Sendable {
        let status: Int
        let type: String?
        let body: String

        /// The body as JSON.
        func json() throws -> Any { try JSONSerialization.jsonObject(with: Data(body.utf8)) }
        func object() throws -> [String: Any] { try #require(try json() as? [String: Any], "\(body)") }
    }

    /// A request to the internal API.
    @discardableResult
    func ask(_ method: HTTPMethod, _ path: String, _ body: String? = nil) async throws -> Answer {
        try await send(method, "/internal/v1" + path, body)
    }

    /// A request to any of the program's APIs.
    func send(_ method: HTTPMethod, _ path: String, _ body: String? = nil) async throws -> Answer {
        let socket = socket.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        var request = HTTPClientRequest(url: "http+unix://\(socket)\(path)")
        request.method = method
        if let body {
            request.body = .bytes(ByteBuffer(string: body))
            request.headers.add(name: "content-type", value: "application/json")
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        let text = String(buffer: try await response.body.collect(upTo: 4 << 20))
        return Answer(
            status: Int(response.status.code), type: response.headers.first(name: "content-type"), body: text)
    }

    /// A port of this machine that nobody used a moment ago.
    static func freePort() -> Int {
        let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        #expect(isBound)
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// Makes a container of alpine; its id.
    func create(_ words: [String], name: String? = nil) async throws -> String {
        let command = String(decoding: try JSONSerialization.data(withJSONObject: words), as: UTF8.self)
        let answer = try await ask(
            .POST, "/containers" + (name.map { "?name=\($0)" } ?? ""), #"{"Image":"alpine","Cmd":\#(command)}"#)
        #expect(answer.status == 201, "\(answer)")
        return try #require(try answer.object()["Id"] as? String)
    }

    /// Creates, starts and waits; the exit code.
    func run(_ words: [String], name: String? = nil) async throws -> (id: String, exitCode: Int?) {
        let id = try await create(words, name: name)
        let start = try await ask(.POST, "/containers/\(id)/start")
        #expect(start.status == 204, "\(start)")
        let wait = try await ask(.POST, "/containers/\(id)/wait")
        #expect(wait.status == 200, "\(wait)")
        return (id, try wait.object()["StatusCode"] as? Int)
    }

    /// The lines that the program has logged with this message, as JSON.
    func logged(_ message: String) -> [[String: Any]] {
        installation.daemonLog.split(separator: "\n").compactMap { line in
            // Lines that are no JSON are none of the log's.
            guard let value = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
                value["message"] as? String == message
            else { return nil }
            return value["metadata"] as? [String: Any] ?? [:]
        }
    }
}
