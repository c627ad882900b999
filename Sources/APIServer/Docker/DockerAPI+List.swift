import DesiredState
import HTTPTypes
import HummingbirdCore

extension DockerAPI {
    /// `GET /containers/json`, newest first.
    func list(_ exchange: Exchange) async throws -> Response {
        let catalog = try await catalog()
        let filters = try ListFilters(exchange.query["filters"], images: catalog)
        let limit = try exchange.query["limit"].map { text throws(DockerError) in
            guard let limit = Int(text) else {
                throw DockerError.badParameter("strconv.Atoi: parsing \"\(text)\": invalid syntax")
            }
            return limit
        }
        // The query's own `before` and `since` are older than the filters, and mean the same.
        let before = filters["before"].last ?? exchange.query["before"].flatMap { $0.isEmpty ? nil : $0 }
        let since = filters["since"].last ?? exchange.query["since"].flatMap { $0.isEmpty ? nil : $0 }
        var records = try await backend.store.list(includingDeleted: false).records
        records.reverse()
        if let before {
            let bound = try await find(before)
            records = Array(records.drop { $0.uid != bound.uid }.dropFirst())
        }
        if let since {
            let bound = try await find(since)
            records = Array(records.prefix { $0.uid != bound.uid })
        }
        let includesStopped =
            exchange.query.flag("all") || (limit ?? 0) > 0 || filters.asksForStopped || before != nil || since != nil
        let now = backend.clock()
        let withSize = exchange.query.flag("size")
        let most = limit.flatMap { $0 > 0 ? $0 : nil } ?? .max
        var shown: [JSON] = []
        for record in records {
            if shown.count == most { break }
            let state = ContainerState(record)
            let imageID = catalog.id(of: record.spec.image)
            guard includesStopped || state.isRunning, filters.matches(record, state, imageID: imageID) else { continue }
            shown.append(ContainerSummary.json(record, imageDigest: imageID, now: now, withSize: withSize))
        }
        return .json(.array(shown))
    }

    /// `GET /containers/{id}/json`.
    func inspect(_ exchange: Exchange, _ reference: String) async throws -> Response {
        .json(try await inspection(exchange, reference))
    }

    func inspection(_ exchange: Exchange, _ reference: String) async throws -> JSON {
        let record = try await find(reference)
        let execs = try await backend.store.execs(of: record.uid).filter { $0.result == nil }.map(\.id)
        let inspected = ContainerInspect.json(
            record, imageDigest: try await catalog().id(of: record.spec.image), execs: execs)
        return exchange.query.flag("size") ? inspected.merging(["SizeRw": 0, "SizeRootFs": 0]) : inspected
    }

    /// `POST /containers/{id}/rename`.
    func rename(_ exchange: Exchange, _ reference: String) async throws -> Response {
        guard let text = exchange.query["name"], !text.isEmpty else {
            throw DockerError.badParameter("Neither old nor new names may be empty")
        }
        let name = try ContainerName.parse(text)
        let uid = try await find(reference).uid
        do {
            try await rename(uid, name)
        } catch let error as StoreError {
            let refusal = DockerError(error, reference: reference)
            guard case .nameTaken = error.code else { throw refusal }
            throw DockerError(refusal.status, "Error when allocating new name: \(refusal.message)")
        }
        return Response(status: .noContent)
    }

    private func rename(_ uid: UID, _ name: RecordName) async throws {
        try await backend.update(uid) { record in
            guard record.metadata.name != name else {
                throw DockerError.badParameter("Renaming a container with the same name as its current name")
            }
            var renamed = record
            renamed.metadata.name = name
            let event = EngineEvent(
                at: backend.clock(), "rename", of: renamed, ["oldName": "/" + record.metadata.name.text])
            return ([.replace(renamed, ifRevision: record.metadata.resourceVersion), .addEvent(event)], ())
        }
    }
}
