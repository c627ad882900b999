import DesiredState
import Foundation
import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOFoundationCompat

/// Plan before apply: `PUT …?dryRun=All` tells what the same request without it would do, `?plan=DIGEST` does that or refuses.
extension RecordsAPI {
    /// The answer to a dry run; `nil` when it is none. A request that names a plan is bound to the record that the plan was
    /// made for: `manifest` then names its revision, ``Revision/zero`` standing for its absence. Throws `conflict` when
    /// something has moved since.
    func planned(_ exchange: Exchange, _ manifest: inout Manifest) async throws -> Response? {
        let isDryRun: Bool
        switch exchange.query["dryRun"] {
        case nil: isDryRun = false
        case "All": isDryRun = true
        case .some(let other): throw RecordsError(.badRequest, "dryRun must be All, not \"\(other)\"")
        }
        let wanted: PlanDigest?
        if let text = exchange.query["plan"] {
            guard let digest = PlanDigest(codedText: text) else {
                throw RecordsError(.badRequest, "plan must be a digest as a dry run gives it, not \"\(text)\"")
            }
            wanted = digest
        } else {
            wanted = nil
        }
        guard isDryRun || wanted != nil else { return nil }
        let plan = try await plan(manifest)
        if let wanted, plan.digest != wanted {
            throw RecordsError(
                .conflict,
                "functionapp/\(manifest.name) is not as planned: "
                    + plan.digest.moved(since: wanted).joined(separator: ", "))
        }
        if isDryRun {
            let body = ByteBuffer(data: try RecordsAPI.encoder.encode(plan))
            return Response(status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: body))
        }
        manifest.resourceVersion = plan.resourceVersion ?? .zero
        return nil
    }

    private func plan(_ manifest: Manifest) async throws -> ApplyPlan {
        let existing = try await backend.store.find(name: manifest.name)
        let stored: StoredRecord? = if let existing { try await backend.store.load(existing.uid) } else { nil }
        let before = stored?.record
        let revision = before?.metadata.resourceVersion
        if let wanted = manifest.resourceVersion, wanted != revision ?? .zero {
            throw StoreError(.conflict(current: revision ?? .zero))
        }
        // The uid of a record that is not there yet is drawn when it is made, and nothing that is told depends on it.
        var generator = SystemRandomNumberGenerator()
        var after =
            before?.applying(manifest)
            ?? FunctionApp(creating: manifest, uid: UID(using: &generator), at: backend.clock())
        if let before, before.spec != after.spec { after.metadata.generation += 1 }
        guard let previewer = backend.previewer else {
            throw RecordsError(.unavailable, "there is no controller that could say what it would do")
        }
        let actions = previewer.preview(after, replacing: stored)
        return ApplyPlan(
            name: manifest.name, outcome: before == nil ? .created : before == after ? .unchanged : .configured,
            resourceVersion: revision, changes: try FieldChange.between(before, after), actions: actions,
            digest: try PlanDigest(of: before, manifest, actions))
    }
}
