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
        let uid = try await find(reference).uid
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
                ], ()
            )
        }
        // Usually the site is gone within a second or two, and a client that looks then must not find it. If Azure takes longer, the answer is the same:
        // the deletion is durable, nothing can call it off, and a failure here would only make the client ask again.
        _ = try await exchange.untilHangUp {
            try await backend.wait(for: uid, atMost: backend.configuration.limits.removeWait) { $0 == nil ? true : nil }
        }
        return Response(status: .noContent)
    }
}
