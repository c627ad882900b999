import DesiredState
import HTTPTypes
import HummingbirdCore

extension DockerAPI {
    /// `DELETE /containers/{id}`. The name is free at once.
    func remove(_ exchange: Exchange, _ reference: String) async throws -> Response {
        guard !exchange.query.flag("link") else {
            throw DockerError.notImplemented("links", hint: "a container has its own network only")
        }
        let isForced = exchange.query.flag("force")
        let found = try await find(reference)
        let uid = found.uid
        let anonymous = exchange.query.flag("v") ? try await anonymousVolumes(of: found) : []
        try await backend.update(uid) { record in
            guard !record.isBeingDeleted else {
                throw DockerError(.conflict, "removal of container \(reference) is already in progress")
            }
            guard isForced || !record.hasOpenRun else {
                throw DockerError(
                    .conflict,
                    "cannot remove container \"\(reference)\": container is running: stop the container before removing or force remove"
                )
            }
            return (
                [
                    .require(uid, record.metadata.resourceVersion), .markDeleted(uid, at: backend.clock()),
                ] + anonymous.map { .endVolume($0, with: uid) }, ()
            )
        }
        if !anonymous.isEmpty { backend.volumes.watch(uid) }
        // Usually the site is gone within a second or two, and a client that looks then must not find it. If Azure takes longer, the answer is the same:
        // the deletion is durable, nothing can call it off, and a failure here would only make the client ask again.
        _ = try await exchange.untilHangUp {
            try await backend.wait(for: uid, atMost: backend.configuration.limits.removeWait) { $0 == nil ? true : nil }
        }
        return Response(status: .noContent)
    }

    /// Named volumes never go with a container.
    private func anonymousVolumes(of record: FunctionApp) async throws -> [VolumeName] {
        guard !record.spec.volumes.isEmpty else { return [] }
        let mounted = Set(record.spec.volumes.map(\.name))
        return try await backend.store.volumes().filter { $0.isAnonymous && mounted.contains($0.name) }.map(\.name)
    }
}
