import AgentLink
import DesiredState
import Foundation
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOFoundationCompat

/// Records as they are, under `/apis/skls.dev/v1/functionapps`, and the daemon's health.
struct RecordsAPI: Sendable {
    let backend: Backend

    private static let prefix = ["apis", "skls.dev", "v1", "functionapps"]

    /// All other paths are Docker's.
    static func serves(_ segments: [String]) -> Bool {
        segments.first == "apis" || segments == ["healthz"] || segments == ["readyz"]
    }

    /// Always answers: whatever goes wrong becomes a `Status`.
    func respond(to exchange: Exchange) async -> Response {
        do {
            return try await route(exchange)
        } catch let error as RecordsError {
            return RecordsAPI.refusal(error)
        } catch let error as StoreError {
            return RecordsAPI.refusal(RecordsError(error))
        } catch let error as ManifestFaults {
            return RecordsAPI.refusal(RecordsError(.invalid, error.description))
        } catch let error as NIOTooManyBytesError {
            let limit = error.maxBytes.map { " of \($0) bytes" } ?? ""
            var response = RecordsAPI.refusal(RecordsError(.tooLarge, "the body is over the limit\(limit)"))
            response.headers[.connection] = "close"
            return response
        } catch is CancellationError {
            return RecordsAPI.refusal(RecordsError(.unavailable, "the daemon is stopping"))
        } catch {
            exchange.logger.error("request failed unexpectedly", metadata: ["error": "\(error)"])
            return RecordsAPI.refusal(RecordsError(.internalError, "internal error: \(error)"))
        }
    }

    private func route(_ exchange: Exchange) async throws -> Response {
        let segments = exchange.target.segments
        if segments == ["healthz"] { return health([]) }
        if segments == ["readyz"] { return health(backend.readiness.failures()) }
        guard segments.starts(with: RecordsAPI.prefix) else { throw RecordsError(.notFound, "page not found") }
        let rest = Array(segments.dropFirst(RecordsAPI.prefix.count))
        switch (exchange.method, rest.count) {
        case (.get, 0):
            return exchange.query.flag("watch") ? try await watch(exchange) : try await list()
        case (.get, 1): return try reply(try await find(rest[0]))
        case (.put, 1): return try await apply(exchange, name: rest[0])
        case (.delete, 1): return try await delete(name: rest[0])
        case (.get, 2) where rest[1] == "log": return try await log(exchange, name: rest[0])
        case (_, 0), (_, 1): throw RecordsError(.methodNotAllowed, "the method \(exchange.method) is not allowed here")
        default: throw RecordsError(.notFound, "page not found")
        }
    }

    private func health(_ failures: [String]) -> Response {
        let text = failures.isEmpty ? "ok\n" : failures.map { $0 + "\n" }.joined()
        return Response(
            status: failures.isEmpty ? .ok : .serviceUnavailable, headers: [.contentType: "text/plain; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    private static func refusal(_ error: RecordsError) -> Response {
        .json(error.json, status: error.status)
    }

    // MARK: reading

    /// Throws `notFound`; records that are being deleted have no name any more.
    func find(_ name: String) async throws -> FunctionApp {
        // Two guards: with an `await` behind another condition the optimiser of Swift 6.3.1 crashes.
        guard let valid = RecordName(name) else { throw RecordsError.noSuchRecord(name) }
        guard let record = try await backend.store.find(name: valid) else { throw RecordsError.noSuchRecord(name) }
        return record
    }

    /// Records that are being deleted are there too, as long as they are.
    private func list() async throws -> Response {
        let list = try await backend.store.list(includingDeleted: true)
        var body = ByteBuffer()
        let head: JSON = [
            "apiVersion": .string(FunctionApp.apiVersion), "kind": "FunctionAppList",
            "metadata": ["resourceVersion": .string(list.revision.codedText)],
        ]
        head.write(to: &body)
        // Takes the closing brace back, to go on with the items.
        body.moveWriterIndex(to: body.writerIndex - 1)
        body.writeStaticString(",\"items\":[")
        let encoder = RecordsAPI.encoder
        for (index, record) in list.records.enumerated() {
            if index > 0 { body.writeStaticString(",") }
            body.writeData(try encoder.encode(record))
        }
        body.writeStaticString("]}\n")
        return Response(status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: body))
    }

    private func log(_ exchange: Exchange, name: String) async throws -> Response {
        let record = try await find(name)
        var query = LogQuery()
        query.follows = exchange.query.flag("follow")
        query.tail = LogQuery.tail(exchange.query["tail"])
        var keys = record.outputKeys
        if let text = exchange.query["run"] {
            guard let run = Int(text), run > 0 else {
                throw RecordsError(.badRequest, "run must be a number from 1, not \"\(text)\"")
            }
            keys = keys.filter { $0.run == run }
            query.follows = query.follows && record.attachableRun == run
        }
        return LogReply(backend: backend, record: record, keys: keys, query: query)
            .response(exchange, contentType: StreamFrame.multiplexedType)
    }

    // MARK: writing

    /// Creates or changes the record of this name; writes nothing when it is as the manifest says already.
    private func apply(_ exchange: Exchange, name: String) async throws -> Response {
        var manifest = try await manifest(exchange)
        guard manifest.name.text == name else {
            throw RecordsError(
                .invalid, "metadata.name: \"\(manifest.name)\" is not the name in the path, \"\(name)\"")
        }
        if let plan = try await planned(exchange, &manifest) { return plan }
        for _ in 0..<Backend.conflictRetries {
            do throws(StoreError) {
                return try await applyOnce(manifest)
            } catch {
                switch error.code {
                // Somebody was quicker: what that means for the manifest shows in the next look, unless it named the revision.
                case .conflict where manifest.resourceVersion == nil, .nameTaken where manifest.resourceVersion == nil:
                    continue
                default: throw error
                }
            }
        }
        throw RecordsError(.unavailable, "the record is changed by others all the time; try again")
    }

    private func applyOnce(_ manifest: Manifest) async throws(StoreError) -> Response {
        guard let existing = try await backend.store.find(name: manifest.name) else {
            guard (manifest.resourceVersion ?? .zero) == .zero else {
                throw StoreError(.conflict(current: .zero), "there is no record \(manifest.name)")
            }
            var generator = SystemRandomNumberGenerator()
            let created = FunctionApp(
                creating: manifest, uid: UID(using: &generator), at: backend.clock())
            let revision = try await backend.store.commit(Transaction(origin: .user, [.create(created)]))
            return try reply(created, at: revision, .created)
        }
        if let wanted = manifest.resourceVersion, wanted != existing.metadata.resourceVersion {
            throw StoreError(.conflict(current: existing.metadata.resourceVersion))
        }
        var changed = existing.applying(manifest)
        guard changed != existing else { return try reply(existing, .unchanged) }
        let revision = try await backend.store.commit(
            Transaction(origin: .user, [.replace(changed, ifRevision: existing.metadata.resourceVersion)]))
        if changed.spec != existing.spec { changed.metadata.generation += 1 }
        return try reply(changed, at: revision, .configured)
    }

    private func manifest(_ exchange: Exchange) async throws -> Manifest {
        let body = try await exchange.body(upTo: Manifest.maximumBytes)
        let type = exchange.request.headers[.contentType] ?? ""
        return try Manifest.one(
            of: ManifestSource(
                name: nil, bytes: Array(body.readableBytesView), isJSON: type.hasPrefix("application/json")))
    }

    /// Marks the record; the controller does the rest, and `watch` tells when it is gone.
    private func delete(name: String) async throws -> Response {
        var record = try await find(name)
        let now = backend.clock()
        // The reply is made of what is known here: by now the record itself may be gone.
        record.metadata.resourceVersion = try await backend.store.commit(
            Transaction(origin: .user, [.markDeleted(record.uid, at: now)]))
        record.metadata.deletionTimestamp = now
        return try reply(record, status: .accepted)
    }

    // MARK: replies

    static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    private func reply(_ record: FunctionApp, status: HTTPResponse.Status = .ok) throws -> Response {
        var body = ByteBuffer(data: try RecordsAPI.encoder.encode(record))
        body.writeStaticString("\n")
        return Response(status: status, headers: [.contentType: "application/json"], body: .init(byteBuffer: body))
    }

    /// The header tells what `apply` did.
    private func reply(
        _ record: FunctionApp, at revision: Revision? = nil, _ result: ApplyResult
    ) throws(StoreError) -> Response {
        var record = record
        if let revision { record.metadata.resourceVersion = revision }
        do {
            var response = try reply(record, status: result == .created ? .created : .ok)
            response.headers[.sklsResult] = result.rawValue
            return response
        } catch {
            throw StoreError(.damaged, "the record cannot be written as JSON: \(error)")
        }
    }
}

enum ApplyResult: String, Hashable, Sendable {
    case created, configured, unchanged
}

extension HTTPField.Name {
    static let sklsResult = HTTPField.Name("skls-result", default: .server)
}
