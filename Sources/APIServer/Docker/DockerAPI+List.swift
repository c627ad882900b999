import DesiredState
import HTTPTypes
import HummingbirdCore

extension DockerAPI {
    /// `GET /containers/json`, newest first.
    func list(_ exchange: Exchange) async throws -> Response {
        let filters = try ListFilters(exchange.query["filters"], allowed: ListFilters.containerKeys)
        let limit = try exchange.query["limit"].map { text throws(DockerError) in
            guard let limit = Int(text) else { throw DockerError.badParameter("invalid limit: \(text)") }
            return limit
        }
        var records = try await backend.store.list(includingDeleted: false).records
        records.reverse()
        if let reference = filters["before"].last {
            let bound = try await find(reference)
            records = Array(records.drop { $0.uid != bound.uid }.dropFirst())
        }
        if let reference = filters["since"].last {
            let bound = try await find(reference)
            records = Array(records.prefix { $0.uid != bound.uid })
        }
        let includesStopped = exchange.query.flag("all") || (limit ?? 0) > 0 || filters.asksForStopped
        let shown = records.lazy.filter { record in
            let state = ContainerState(record)
            return (includesStopped || state.isRunning) && filters.matches(record, state)
        }
        let selected = Array(limit.flatMap { $0 > 0 ? $0 : nil }.map { Array(shown.prefix($0)) } ?? Array(shown))
        let digests = try await digests(of: selected)
        let now = backend.clock()
        return .json(
            .array(
                selected.map {
                    ContainerSummary.json(
                        $0, imageDigest: digests[$0.spec.image.canonical], now: now,
                        withSize: exchange.query.flag("size"))
                }))
    }

    /// `GET /containers/{id}/json`.
    func inspect(_ exchange: Exchange, _ reference: String) async throws -> Response {
        let record = try await find(reference)
        let digests = try await digests(of: [record])
        let execs = try await backend.store.execs(of: record.uid).filter { $0.result == nil }.map(\.id)
        let inspected = ContainerInspect.json(
            record, imageDigest: digests[record.spec.image.canonical], execs: execs)
        return .json(
            exchange.query.flag("size") ? inspected.merging(["SizeRw": 0, "SizeRootFs": 0]) : inspected)
    }

    /// By canonical reference, each asked for once.
    private func digests(of records: [FunctionApp]) async throws -> [String: String] {
        var digests: [String: String] = [:]
        for canonical in Set(records.map(\.spec.image.canonical)) {
            digests[canonical] = try await backend.store.image(canonical)?.digest
        }
        return digests
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
            return ([.replace(renamed, ifRevision: record.metadata.resourceVersion)], ())
        }
    }
}
