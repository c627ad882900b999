import DesiredState
import HTTPTypes
import HummingbirdCore
import NIOCore

extension RecordsAPI {
    /// `PUT …/NAME/suspension` with `{by, reason, until | forSeconds}`: pauses the record, or changes its pause. Only this part of the record is
    /// written, so that nobody's other changes are lost. The daemon's clock counts `forSeconds`.
    func suspend(_ exchange: Exchange, name: String) async throws -> Response {
        let body = try await exchange.body(upTo: RecordsAPI.maximumOptionBytes)
        let suspension = try suspension(body.readableBytes == 0 ? .object([]) : try json(body, exchange))
        return try await setSuspension(exchange, name: name, suspension)
    }

    /// `DELETE …/NAME/suspension`
    func resume(_ exchange: Exchange, name: String) async throws -> Response {
        try await setSuspension(exchange, name: name, nil)
    }

    private func setSuspension(
        _ exchange: Exchange, name: String, _ suspension: Suspension?
    ) async throws -> Response {
        let preconditions = try Preconditions(exchange)
        let uid = try await find(name).uid
        do {
            let (record, revision) = try await backend.update(uid) { record in
                try preconditions.check(record)
                var changed = record
                changed.spec.suspend = suspension
                guard changed != record else { return ([], record) }
                let seen = record.metadata.resourceVersion
                if changed.spec != record.spec { changed.metadata.generation += 1 }
                return ([.replace(changed, ifRevision: seen)], changed)
            }
            let isChanged = revision != record.metadata.resourceVersion
            return try reply(record, at: revision, isChanged ? .configured : .unchanged)
        } catch let error as StoreError {
            throw preconditions.refusal(error)
        }
    }

    private func suspension(_ body: JSON) throws(RecordsError) -> Suspension {
        guard case .object(let members) = body else {
            throw RecordsError(.invalid, "the body must be an object of by, reason, until and forSeconds")
        }
        let allowed = ["by", "reason", "until", "forSeconds"]
        if let unknown = members.first(where: { !allowed.contains($0.name) }) {
            throw RecordsError(
                .invalid, "unknown key \"\(unknown.name)\"; allowed: \(allowed.sorted().joined(separator: ", "))")
        }
        var suspension = Suspension(by: try text(body, "by"), reason: try text(body, "reason"))
        if let text = try text(body, "until") {
            guard let until = Instant(rfc3339: text) else {
                throw RecordsError(.invalid, "until must be a time such as 2026-01-31T12:00:00Z, not \"\(text)\"")
            }
            suspension.until = until
        }
        if let value = body["forSeconds"], !value.isNull {
            guard let seconds = value.integer, (1...315_360_000).contains(seconds), suspension.until == nil else {
                throw RecordsError(
                    .invalid, "forSeconds must be a whole number from 1 to 315360000, and not beside until")
            }
            suspension.until = backend.clock() + .seconds(seconds)
        }
        return suspension
    }

    private func text(_ body: JSON, _ name: String) throws(RecordsError) -> String? {
        switch body[name] {
        case nil, .null: return nil
        case .string(let text): return text
        case let value?: throw RecordsError(.invalid, "\(name) must be a string, not a value of type \(value.kind)")
        }
    }
}
