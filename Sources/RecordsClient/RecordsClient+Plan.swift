package import DesiredState

extension RecordsClient {
    /// What `apply` would do. Changes nothing.
    package func plan(_ manifest: Manifest) async throws(RecordsClientError) -> ApplyPlan {
        try decode(ApplyPlan.self, from: try await put(manifest, query: "?dryRun=All").body)
    }

    /// Does what was planned, or throws `conflict` because something has moved.
    package func apply(
        _ manifest: Manifest, asPlanned digest: PlanDigest
    ) async throws(RecordsClientError) -> (ApplyOutcome, FunctionApp) {
        try outcome(try await put(manifest, query: "?plan=\(digest)"))
    }
}
