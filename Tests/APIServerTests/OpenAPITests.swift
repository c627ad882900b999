import Foundation
import Testing
import Yams

@testable import APIServer

/// docs/openapi.yaml against the routes and what they answer.
@Suite(.timeLimit(.minutes(2)))
struct OpenAPITests {
    private struct Operation: Hashable {
        let method: String
        let path: String
        /// Documented statuses.
        let statuses: Set<Int>
        let isRecords: Bool

        var id: String { method + " " + path }
    }

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func document() throws -> Node {
        let text = try String(
            contentsOf: Self.root.appendingPathComponent("docs/openapi.yaml"), encoding: .utf8)
        return try #require(try Yams.compose(yaml: text))
    }

    private func operations() throws -> [Operation] {
        var operations: [Operation] = []
        for (path, item) in try #require(try document()["paths"]?.mapping) {
            for (method, operation) in try #require(item.mapping) where method.string != "parameters" {
                let statuses = try #require(operation["responses"]?.mapping).keys.compactMap {
                    $0.string.flatMap { Int($0) }
                }
                operations.append(
                    Operation(
                        method: (method.string ?? "").uppercased(), path: path.string ?? "", statuses: Set(statuses),
                        isRecords: operation["tags"]?[0]?.string == "records"))
            }
        }
        return operations
    }

    @Test func `the document has the internal API's routes, all of them and no others`() throws {
        let documented = Set(try operations().filter { !$0.isRecords }.map(\.id))
        let served = Set(
            InternalRoute.all.map { "\($0.method) /internal/v1" + $0.path.replacing("{name+}", with: "{name}") })
        #expect(documented.subtracting(served).isEmpty && served.subtracting(documented).isEmpty)
        #expect(documented.count == InternalRoute.all.count)
    }

    @Test func `what a part of the capabilities can take away is documented as such`() throws {
        for operation in try operations() where !operation.isRecords {
            let path = operation.path.dropFirst("/internal/v1".count)
            let route = InternalRoute.all.first {
                $0.method == operation.method && $0.path.replacing("{name+}", with: "{name}") == path
            }
            let refuses = route?.requires != nil || route?.operation == .missing
            #expect(!refuses || operation.statuses.contains(501), "\(operation.id)")
        }
    }

    @Test func `each operation has an id of its own`() throws {
        var ids: [String] = []
        for (_, item) in try #require(try document()["paths"]?.mapping) {
            for (method, operation) in try #require(item.mapping) where method.string != "parameters" {
                ids.append(try #require(operation["operationId"]?.string))
            }
        }
        #expect(Set(ids).count == ids.count)
    }

    @Test func `each operation is served, and answers with a status that is documented`() async throws {
        let operations = try operations()
        try await TestServer.with { server in
            for operation in operations {
                var path = operation.path.replacing(/\{\w+\}/, with: "nothing")
                // Goes on for ever otherwise.
                if path == "/internal/v1/events" { path += "?since=0&until=1" }
                for body in [nil, "{}"] as [String?] where body == nil || ["POST", "PUT"].contains(operation.method) {
                    let reply = try await server.request(operation.method, path, body: body)
                    #expect(
                        operation.statuses.contains(reply.status), "\(operation.id) with \(body ?? "nothing"): \(reply)"
                    )
                    // There are no figures without a controller.
                    #expect(operation.path == "/metrics" || !reply.body.contains("page not found"), "\(operation.id)")
                }
            }
        }
    }

    @Test func `what the document does not have is not served`() async throws {
        let known = Set(try operations().map(\.id))
        try await TestServer.with { server in
            for path in ["/apis/skls.dev/v1/functionapps", "/apis/skls.dev/v1/leaks", "/internal/v1/containers"] {
                for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] where !known.contains(method + " " + path) {
                    let reply = try await server.request(method, path, body: "{}")
                    #expect([404, 405].contains(reply.status), "\(method) \(path): \(reply)")
                }
            }
        }
    }
}
