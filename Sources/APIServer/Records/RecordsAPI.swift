import AgentLink
import DesiredState
import Foundation
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// Records as they are, under `/apis/skls.dev/v1/functionapps`, and the daemon's health.
struct RecordsAPI: Sendable {
    let backend: Backend

    private static let prefix = ["apis", "skls.dev", "v1", "functionapps"]
    private static let inventoriesPrefix = ["apis", "skls.dev", "v1", "inventories"]

    /// All other paths are Docker's.
    static func serves(_ segments: [String]) -> Bool {
        segments.first == "apis" || segments == ["healthz"] || segments == ["readyz"] || segments == ["metrics"]
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
        } catch let error as HTTPParserError {
            var response = RecordsAPI.refusal(RecordsError(.badRequest, "the request cannot be read: \(error)"))
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
        if let methods = RecordsAPI.methods(of: segments), !methods.contains(exchange.method) {
            var response = RecordsAPI.refusal(
                RecordsError(.methodNotAllowed, "the method \(exchange.method) is not allowed here"))
            response.headers[.allow] = methods.map(\.rawValue).joined(separator: ", ")
            return response
        }
        if segments == ["healthz"] { return health([]) }
        if segments == ["readyz"] { return health(backend.readiness.failures()) }
        if segments.starts(with: RecordsAPI.inventoriesPrefix) {
            return try await inventories(exchange, Array(segments.dropFirst(RecordsAPI.inventoriesPrefix.count)))
        }
        if segments == ["metrics"] { return try await metrics() }
        if RecordsAPI.servesLeaks(segments) { return try await leaks(exchange) }
        guard segments.starts(with: RecordsAPI.prefix) else { throw RecordsError(.notFound, "page not found") }
        let rest = Array(segments.dropFirst(RecordsAPI.prefix.count))
        switch (exchange.method, rest.count) {
        case (.get, 0):
            // Of a watch; a wrong one is told in any case.
            _ = try RecordsAPI.seconds(exchange.query["timeoutSeconds"])
            return exchange.query.flag("watch") ? try await watch(exchange) : try await list(exchange)
        case (.get, 1): return try answer(try await find(rest[0]), exchange)
        case (.put, 1): return try await apply(exchange, name: rest[0])
        case (.delete, 1): return try await delete(exchange, name: rest[0])
        case (.get, 2) where rest[1] == "explain": return try await explain(name: rest[0])
        case (.get, 2) where rest[1] == "events": return try await events(name: rest[0])
        case (.get, 2) where rest[1] == "log": return try await log(exchange, name: rest[0])
        case (.put, 2) where rest[1] == "suspension": return try await suspend(exchange, name: rest[0])
        case (.delete, 2) where rest[1] == "suspension": return try await resume(exchange, name: rest[0])
        default: throw RecordsError(.notFound, "page not found")
        }
    }

    /// What a path can be asked; `nil` where there is none.
    private static func methods(of segments: [String]) -> [HTTPRequest.Method]? {
        switch segments {
        case ["healthz"], ["readyz"]: return [.get, .head]
        case ["metrics"]: return [.get]
        default: break
        }
        guard segments.starts(with: base), let kind = segments.dropFirst(base.count).first else { return nil }
        let rest = segments.dropFirst(base.count + 1)
        switch (kind, rest.count, rest.last) {
        case ("functionapps", 0, _), ("inventories", 0...1, _), ("leaks", 0, _): return [.get]
        case ("functionapps", 1, _): return [.get, .put, .delete]
        case ("functionapps", 2, "explain"), ("functionapps", 2, "events"), ("functionapps", 2, "log"): return [.get]
        case ("functionapps", 2, "suspension"): return [.put, .delete]
        case ("leaks", 1, _): return [.delete]
        case ("leaks", 2, "adoption"): return [.post]
        case ("recovery", 0, _): return [.get, .post]
        default: return nil
        }
    }

    private func health(_ failures: [String]) -> Response {
        let text = failures.isEmpty ? "ok\n" : failures.map { $0 + "\n" }.joined()
        return Response(
            status: failures.isEmpty ? .ok : .serviceUnavailable, headers: [.contentType: "text/plain; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    static func refusal(_ error: RecordsError) -> Response {
        .json(error.json, status: error.status)
    }

    // MARK: reading

    /// Throws `notFound`; records that are being deleted have no name any more.
    func find(_ name: String) async throws -> FunctionApp {
        // Two guards: with an `await` behind another condition the optimiser of Swift 6.3.1 crashes.
        guard let valid = RecordName(name) else { throw RecordsError.noSuchRecord(name) }
        guard let record = try await backend.store.find(name: valid) else { throw RecordsError.noSuchRecord(name) }
        RequestLog.note(record.uid)
        return record
    }

    private func log(_ exchange: Exchange, name: String) async throws -> Response {
        let record = try await find(name)
        guard record.keepsLog else {
            throw RecordsError(.badRequest, "the output is not kept: the record's \(FunctionApp.logAnnotation) is none")
        }
        var query = LogQuery()
        query.follows = exchange.query.flag("follow")
        query.tail = LogQuery.tail(exchange.query["tail"])
        var keys = record.outputKeys
        if let text = exchange.query["run"] {
            guard let run = Int32(text).map(Int.init), run > 0 else {
                throw RecordsError(.badRequest, "run must be a number from 1, not \"\(text)\"")
            }
            keys = keys.filter { $0.run == run }
            query.follows = query.follows && record.attachableRun == run
        }
        let reply = LogReply(backend: backend, record: record, keys: keys, query: query, framing: .multiplexed)
        do {
            return try await reply.response(exchange, contentType: StreamFrame.multiplexedType)
        } catch let error as LogArchiveError {
            throw RecordsError(error)
        }
    }

    // MARK: writing

    /// Creates or changes the record of this name; writes nothing when it is as the manifest says already. With `inventory=NAME` the record
    /// stands in that inventory from the same commit on, so that nothing is applied before it is listed.
    private func apply(_ exchange: Exchange, name: String) async throws -> Response {
        var manifest = try await manifest(exchange)
        guard manifest.name.text == name else {
            throw RecordsError(
                .invalid, "metadata.name: \"\(manifest.name)\" is not the name in the path, \"\(name)\"")
        }
        let preconditions = try Preconditions(exchange)
        let inventory = try inventoryName(exchange)
        manifest.resourceVersion = manifest.resourceVersion ?? preconditions.revision
        try checkVolumes(of: manifest)
        if let plan = try await planned(exchange, &manifest) { return plan }
        try await makeVolumes(of: manifest)
        let isConditional = manifest.resourceVersion != nil || preconditions.uid != nil || preconditions.mustExist
        for _ in 0..<Backend.conflictRetries {
            do throws(StoreError) {
                return try await applyOnce(manifest, preconditions, inventory: inventory)
            } catch {
                switch error.code {
                // Somebody was quicker: what that means for the manifest shows in the next look, unless it made conditions.
                case .conflict where !isConditional, .nameTaken where !isConditional: continue
                default: throw preconditions.refusal(error)
                }
            }
        }
        throw RecordsError(.unavailable, "the record is changed by others all the time; try again")
    }

    private func applyOnce(
        _ manifest: Manifest, _ preconditions: Preconditions, inventory: String?
    ) async throws(StoreError) -> Response {
        let found = try await backend.store.find(name: manifest.name)
        if let found { RequestLog.note(found.uid) }
        guard let existing = found else {
            guard (manifest.resourceVersion ?? .zero) == .zero, preconditions.uid == nil, !preconditions.mustExist
            else {
                throw StoreError(.conflict(current: .zero), "there is no record \(manifest.name)")
            }
            var generator = SystemRandomNumberGenerator()
            let created = FunctionApp(
                creating: manifest, uid: UID(using: &generator), at: backend.clock())
            RequestLog.note(created.uid)
            let revision = try await commit(
                RecordsAPI.requiring(manifest.spec.volumes) + [.create(created)], listing: created.uid, in: inventory)
            return try reply(created, at: revision, .created)
        }
        try preconditions.check(existing)
        if let wanted = manifest.resourceVersion, wanted != existing.metadata.resourceVersion {
            throw StoreError(.conflict(current: existing.metadata.resourceVersion))
        }
        var changed = existing.applying(manifest)
        let seen = existing.metadata.resourceVersion
        guard changed != existing else {
            if inventory != nil {
                _ = try await commit([.require(existing.uid, seen)], listing: existing.uid, in: inventory)
            }
            return try reply(existing, .unchanged)
        }
        let revision = try await commit(
            RecordsAPI.requiring(manifest.spec.volumes) + [.replace(changed, ifRevision: seen)], listing: existing.uid,
            in: inventory)
        if changed.spec != existing.spec { changed.metadata.generation += 1 }
        return try reply(changed, at: revision, .configured)
    }

    private func checkVolumes(of manifest: Manifest) throws(RecordsError) {
        guard manifest.spec.volumes.isEmpty || backend.volumes.isOn else {
            throw RecordsError(.invalid, "spec.volumes: \(NoVolumes.reason)")
        }
    }

    /// Volumes that are not there yet, as for one of Docker's containers. They stay when the record goes.
    private func makeVolumes(of manifest: Manifest) async throws {
        for mount in manifest.spec.volumes {
            do throws(VolumeError) {
                _ = try await backend.volumes.create(VolumeRequest(name: mount.name))
            } catch {
                switch error.code {
                case .cancelled: throw CancellationError()
                case .conflict, .inUse, .notFound: throw RecordsError(.conflict, error.description)
                case .refused: throw RecordsError(.internalError, error.description)
                case .pending, .unavailable: throw RecordsError(.unavailable, error.description)
                }
            }
        }
    }

    private static func requiring(_ mounts: [VolumeMount]) -> [Transaction.Operation] {
        mounts.map { .requireVolume($0.name) }
    }

    /// One transaction. The gate keeps it out of the time between a look at the inventories and the deletion that follows from it.
    private func commit(
        _ operations: [Transaction.Operation], listing uid: UID, in inventory: String?
    ) async throws(StoreError) -> Revision {
        guard let inventory else {
            return try await backend.store.commit(Transaction(origin: .user, operations))
        }
        await backend.inventoryGate.enter()
        defer { backend.inventoryGate.leave() }
        return try await backend.store.commit(
            Transaction(origin: .user, operations + [.addToInventory(inventory, uid)]))
    }

    private func manifest(_ exchange: Exchange) async throws -> Manifest {
        let body = try await exchange.body(upTo: Manifest.maximumBytes)
        let type = exchange.request.headers[.contentType] ?? ""
        return try Manifest.one(
            of: ManifestSource(
                name: nil, bytes: Array(body.readableBytesView), isJSON: type.hasPrefix("application/json")))
    }

    /// Marks the record; the controller does the rest, and `watch` tells when it is gone. The record may be asked to be a certain one, or in a
    /// certain state, and with `inventory=NAME` to stand in that inventory and in no other.
    private func delete(_ exchange: Exchange, name: String) async throws -> Response {
        let preconditions = try Preconditions(exchange, body: try await deleteOptions(exchange))
        guard let inventory = try inventoryName(exchange) else {
            return try await delete(name: name, preconditions)
        }
        await backend.inventoryGate.enter()
        defer { backend.inventoryGate.leave() }
        let record = try await find(name)
        let holders = try await backend.inventoriesByRecord()[record.uid] ?? []
        guard holders.contains(inventory) else {
            throw RecordsError(.conflict, "functionapp/\(name) does not stand in the inventory \(inventory)")
        }
        guard holders == [inventory] else { throw RecordsError.shared(name, holders.filter { $0 != inventory }) }
        return try await delete(name: name, preconditions)
    }

    private func delete(name: String, _ preconditions: Preconditions) async throws -> Response {
        var record = try await find(name)
        let now = backend.clock()
        do throws(StoreError) {
            try preconditions.check(record)
            let seen: [Transaction.Operation] =
                preconditions.revision.map { [.require(record.uid, $0)] } ?? []
            // The reply is made of what is known here: by now the record itself may be gone.
            record.metadata.resourceVersion = try await backend.store.commit(
                Transaction(origin: .user, seen + [.markDeleted(record.uid, at: now)]))
        } catch {
            throw preconditions.refusal(error)
        }
        record.metadata.deletionTimestamp = now
        return try reply(record, status: .accepted)
    }

    /// Kubernetes' `DeleteOptions`, of which the preconditions count; nothing if there is no body.
    private func deleteOptions(_ exchange: Exchange) async throws -> JSON {
        let body = try await exchange.body(upTo: RecordsAPI.maximumOptionBytes)
        guard body.readableBytes > 0 else { return .null }
        return try json(body, exchange)
    }

    /// Bound of the small bodies, which hold a few names and sentences.
    static let maximumOptionBytes = 64 << 10

    func json(_ body: ByteBuffer, _ exchange: Exchange) throws(RecordsError) -> JSON {
        do throws(JSONError) {
            return try JSON.parse(body, depth: exchange.limits.jsonDepth)
        } catch {
            throw RecordsError(.badRequest, DockerError(error).message)
        }
    }

    // MARK: replies

    static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    func reply(_ record: FunctionApp, status: HTTPResponse.Status = .ok) throws -> Response {
        var body = ByteBuffer(data: try RecordsAPI.encoder.encode(record))
        body.writeStaticString("\n")
        let headers: HTTPFields = [
            .contentType: "application/json", .eTag: Preconditions.entityTag(record.metadata.resourceVersion),
        ]
        return Response(status: status, headers: headers, body: .init(byteBuffer: body))
    }

    /// 304 without a body when the client has this state already.
    private func answer(_ record: FunctionApp, _ exchange: Exchange) throws -> Response {
        let tag = Preconditions.entityTag(record.metadata.resourceVersion)
        guard Preconditions.tags(exchange.request.headers[.ifNoneMatch]).contains(tag) else {
            return try reply(record)
        }
        return Response(status: .notModified, headers: [.eTag: tag])
    }

    /// The header tells what was done.
    func reply(
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
