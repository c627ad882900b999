import AsyncHTTPClient
package import DesiredState
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// The records API of a daemon, over its unix socket.
package struct RecordsClient: Sendable {
    package let socketPath: String

    /// One for the process, whose end is its shutdown. A socket that nobody listens on is told at once instead of being tried again for the whole
    /// time-out.
    private static let client = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    /// Bound of a reply that is read whole: a list of 10,000 records takes some 40 MiB.
    static let maximumReplyBytes = 256 << 20
    /// Requests that are answered from the store; a daemon that takes longer does not work.
    static let requestTimeout = TimeAmount.seconds(30)
    private static let path = "/apis/skls.dev/v1/functionapps"

    package init(socketPath: String) {
        self.socketPath = socketPath
    }

    /// All records that are selected, read page by page. Begins anew when the list expires on the way.
    package func list(_ selection: Selection = .all) async throws(RecordsClientError) -> RecordsSnapshot {
        for _ in 0..<RecordsClient.listAttempts {
            do throws(RecordsClientError) {
                return try await pages(selection)
            } catch {
                guard error.code == .expired else { throw error }
            }
        }
        throw RecordsClientError(.expired, "the list expires faster than it can be read; try again")
    }

    private func pages(_ selection: Selection) async throws(RecordsClientError) -> RecordsSnapshot {
        var records: [FunctionApp] = []
        var next = ""
        while true {
            let query =
                selection.query + ["limit=\(RecordsClient.pageSize)"] + (next.isEmpty ? [] : ["continue=\(next)"])
            let reply = try await reply(.GET, RecordsClient.path + "?" + query.joined(separator: "&"))
            let list = try decode(ListBody.self, from: reply.body)
            records += list.items
            next = list.metadata.continue ?? ""
            if next.isEmpty { return RecordsSnapshot(revision: list.metadata.resourceVersion, records: records) }
        }
    }

    /// Some 2 MiB of JSON.
    private static let pageSize = 500
    /// A list expires only when a thousand records are forgotten while it is read.
    private static let listAttempts = 4

    package func get(_ name: String) async throws(RecordsClientError) -> FunctionApp {
        try decode(FunctionApp.self, from: try await reply(.GET, try path(of: name)).body)
    }

    /// Creates or changes the record, or leaves it when it is as the manifest says. With an inventory the record stands in it from then on.
    package func apply(
        _ manifest: Manifest, inventory: String? = nil
    ) async throws(RecordsClientError) -> (ApplyOutcome, FunctionApp) {
        let query = inventory.map { "?inventory=" + RecordsClient.escaped($0) } ?? ""
        return try outcome(try await put(manifest, query: query))
    }

    func put(_ manifest: Manifest, query: String = "") async throws(RecordsClientError) -> Reply {
        let body: Data
        do {
            body = try JSONEncoder().encode(ManifestBody(manifest))
        } catch {
            throw RecordsClientError(.invalid, "the manifest cannot be written as JSON: \(error)")
        }
        return try await reply(
            .PUT, try path(of: manifest.name.text) + query, body: ByteBuffer(data: body), type: "application/json")
    }

    func outcome(_ reply: Reply) throws(RecordsClientError) -> (ApplyOutcome, FunctionApp) {
        guard let outcome = reply.headers.first(name: "skls-result").flatMap(ApplyOutcome.init) else {
            throw RecordsClientError(.badReply, "the daemon did not say what it did")
        }
        return (outcome, try decode(FunctionApp.self, from: reply.body))
    }

    /// Returns when the deletion is durable; the record goes later, which `watch` tells. Fails with `conflict` when the record is not the one with
    /// this uid, or stands in another inventory than this one.
    package func delete(
        _ name: String, uid: UID? = nil, inventory: String? = nil
    ) async throws(RecordsClientError) -> FunctionApp {
        let query = [uid.map { "uid=\($0)" }, inventory.map { "inventory=" + RecordsClient.escaped($0) }]
            .compactMap { $0 }.joined(separator: "&")
        let path = try path(of: name) + (query.isEmpty ? "" : "?" + query)
        return try decode(FunctionApp.self, from: try await reply(.DELETE, path).body)
    }

    /// What exists, then every change. Goes on by itself after a lost connection and a restart of the daemon.
    package func watch(_ selection: Selection = .all) -> RecordsWatch {
        RecordsWatch(client: self, selection: selection)
    }

    /// Why the controller does with the record what it does, or waits.
    package func explain(_ name: String) async throws(RecordsClientError) -> Explanation {
        try decode(Explanation.self, from: try await reply(.GET, try path(of: name) + "/explain").body)
    }

    /// What is worth telling of the record's history.
    package func events(_ name: String) async throws(RecordsClientError) -> EventList {
        try decode(EventList.self, from: try await reply(.GET, try path(of: name) + "/events").body)
    }

    /// The output of all runs, or of one. With `follow` also what comes until the open run ends.
    package func log(
        _ name: String, follow: Bool = false, tail: Int? = nil, run: Int? = nil
    ) async throws(RecordsClientError) -> RecordsLog {
        var query: [String] = []
        if follow { query.append("follow=1") }
        if let tail { query.append("tail=\(tail)") }
        if let run { query.append("run=\(run)") }
        let path = try path(of: name) + "/log" + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
        return RecordsLog(body: try await stream(path))
    }

    // MARK: requests

    struct Reply {
        let headers: HTTPHeaders
        let body: ByteBuffer
    }

    func path(of name: String) throws(RecordsClientError) -> String {
        guard RecordName(name) != nil else {
            throw RecordsClientError(.notFound, "\"\(name)\" is no name of a record")
        }
        return RecordsClient.path + "/" + name
    }

    /// Opens a watch that starts at a revision.
    func watchBody(
        from revision: Revision, _ selection: Selection
    ) async throws(RecordsClientError) -> HTTPClientResponse.Body {
        let query = selection.query + ["watch=1", "resourceVersion=\(revision)"]
        return try await stream(RecordsClient.path + "?" + query.joined(separator: "&"))
    }

    private func stream(_ path: String) async throws(RecordsClientError) -> HTTPClientResponse.Body {
        let response = try await execute(request(.GET, path), deadline: .distantFuture)
        guard response.status == .ok else {
            throw RecordsClientError(response.status, body: try await collect(response.body))
        }
        return response.body
    }

    func reply(
        _ method: HTTPMethod, _ path: String, body: ByteBuffer? = nil, type: String? = nil,
        timeout: TimeAmount = RecordsClient.requestTimeout
    ) async throws(RecordsClientError) -> Reply {
        var request = request(method, path)
        if let body { request.body = .bytes(body) }
        if let type { request.headers.add(name: "content-type", value: type) }
        let response = try await execute(request, deadline: .now() + timeout)
        let body = try await collect(response.body)
        guard (200..<300).contains(response.status.code) else {
            throw RecordsClientError(response.status, body: body)
        }
        return Reply(headers: response.headers, body: body)
    }

    private func request(_ method: HTTPMethod, _ path: String) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: "http+unix://\(RecordsClient.escaped(socketPath))\(path)")
        request.method = method
        request.headers.add(name: "host", value: "localhost")
        return request
    }

    static func escaped(_ text: String) -> String {
        // ASCII only: other letters are escaped byte by byte.
        let unreserved = CharacterSet(
            charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        // The set leaves nothing that cannot be encoded.
        return text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? text
    }

    private func execute(
        _ request: HTTPClientRequest, deadline: NIODeadline
    ) async throws(RecordsClientError) -> HTTPClientResponse {
        do {
            return try await RecordsClient.client.execute(request, deadline: deadline)
        } catch {
            throw RecordsClientError(transport: error, socketPath: socketPath)
        }
    }

    private func collect(_ body: HTTPClientResponse.Body) async throws(RecordsClientError) -> ByteBuffer {
        do {
            return try await body.collect(upTo: RecordsClient.maximumReplyBytes)
        } catch {
            throw RecordsClientError(transport: error, socketPath: socketPath)
        }
    }

    func decode<Value: Decodable>(
        _ type: Value.Type, from body: ByteBuffer
    ) throws(RecordsClientError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(buffer: body))
        } catch {
            throw RecordsClientError(.badReply, "the daemon's reply cannot be read: \(error)")
        }
    }
}

package enum ApplyOutcome: String, Hashable, Sendable {
    case created, configured, unchanged
}

/// All records at one revision.
package struct RecordsSnapshot: Hashable, Sendable {
    package let revision: Revision
    package let records: [FunctionApp]
}

/// Which records are meant; kubectl's selectors, whose faults the daemon tells.
package struct Selection: Hashable, Sendable {
    package var labels: String
    package var fields: String

    package static let all = Selection(labels: "", fields: "")

    package init(labels: String, fields: String) {
        self.labels = labels
        self.fields = fields
    }

    var query: [String] {
        [("labelSelector", labels), ("fieldSelector", fields)].filter { !$0.1.isEmpty }.map {
            $0.0 + "=" + RecordsClient.escaped($0.1)
        }
    }
}

private struct ListBody: Decodable {
    struct Metadata: Decodable {
        let resourceVersion: Revision
        let `continue`: String?
    }
    let metadata: Metadata
    let items: [FunctionApp]
}

/// A manifest as the body of a request.
private struct ManifestBody: Encodable {
    struct Metadata: Encodable {
        let name: RecordName
        let labels: [String: String]
        let annotations: [String: String]
        let resourceVersion: Revision?
    }

    let apiVersion = FunctionApp.apiVersion
    let kind = FunctionApp.kind
    let metadata: Metadata
    let spec: FunctionAppSpec

    init(_ manifest: Manifest) {
        metadata = Metadata(
            name: manifest.name, labels: manifest.labels, annotations: manifest.annotations,
            resourceVersion: manifest.resourceVersion)
        spec = manifest.spec
    }
}
