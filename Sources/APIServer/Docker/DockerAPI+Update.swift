import AgentProtocol
import DesiredState
import HTTPTypes
import HummingbirdCore

extension DockerAPI {
    /// `POST /containers/{id}/update`: limits and the restart policy. They are kept and shown as at create, with the same warnings and refusals.
    func update(_ exchange: Exchange, _ reference: String) async throws -> Response {
        let body = try await objectBody(exchange)
        let members: [JSON.Member] = if case .object(let members) = body { members } else { [] }
        let warnings = try FieldPolicy.check(body: .object([]), host: body)
        // A field that is zero was not asked to change, as in Go's decoding.
        let changed = JSON.object(members.filter { !$0.value.isZero })
        try await backend.update(try await find(reference).uid) { record in
            guard !record.isBeingDeleted else {
                throw DockerError(
                    .conflict,
                    "Cannot update container \(record.uid): container is marked for removal and cannot be \"update\"")
            }
            var updated = record
            updated.metadata.annotations[DockerConfiguration.annotation] =
                DockerConfiguration(record).updating(hostConfig: changed).text
            let revision = record.metadata.resourceVersion
            let event = EngineEvent(at: backend.clock(), "update", of: record)
            return ((updated == record ? [] : [.replace(updated, ifRevision: revision)]) + [.addEvent(event)], ())
        }
        return .json(["Warnings": warnings.isEmpty ? nil : .strings(warnings)])
    }

    /// `POST /containers/{id}/resize`.
    func resize(_ exchange: Exchange, _ reference: String) async throws -> Response {
        let size = try TerminalSize(exchange.query)
        let record = try await find(reference)
        guard let attempt = record.runningAttempt else { throw DockerError.containerNotRunning(record.uid) }
        guard record.spec.tty else { throw DockerError.badParameter("container \(record.uid) has no terminal") }
        return try await exchange.untilHangUp {
            do throws(RunInputError) {
                try await backend.input.resize(uid: record.uid, token: attempt.token, to: size)
            } catch {
                switch error.code {
                case .cancelled: throw CancellationError()
                case .notRunning: throw DockerError.containerNotRunning(record.uid)
                case .gap, .invalidSignal, .unreachable:
                    throw DockerError(.serviceUnavailable, "cannot resize container: \(reference): \(error)")
                }
            }
            try await backend.tell(
                "resize", of: record, ["height": String(size.rows), "width": String(size.columns)])
            return Response(status: .ok)
        }
    }
}
