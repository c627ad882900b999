package import DesiredState

/// An apply that also deletes what its inventory holds and the manifests no longer name.
///
/// Everything is applied first, each record listed in the inventory by the commit that applies it; only when all of that has succeeded is
/// anything deleted. Entries leave the inventory when their records are gone, and not before. So whoever ends half-way through may begin again: the
/// next look at the inventory finds all that was left.
package struct PruningApply: Hashable, Sendable {
    package enum Step: Hashable, Sendable {
        case apply(Manifest)
        case prune(Inventory.Entry)
    }

    package let inventory: String
    package let manifests: [Manifest]
    /// In reverse order of creation: what was made last may need what was made first.
    package let prunes: [Inventory.Entry]

    /// Pure. Throws `invalid` when nothing would remain and that was not allowed, and `conflict` when another inventory holds what would be
    /// deleted.
    package init(
        manifests: [Manifest], inventory: Inventory, allowsEmpty: Bool
    ) throws(RecordsClientError) {
        let wanted = Set(manifests.map(\.name))
        let living = inventory.entries.filter { !$0.isBeingDeleted }
        self.inventory = inventory.name
        self.manifests = manifests
        prunes = living.filter { !wanted.contains($0.name) }.reversed()
        if manifests.isEmpty, !prunes.isEmpty, !allowsEmpty {
            throw RecordsClientError(
                .invalid,
                "there are no manifests, so all \(prunes.count) records of the inventory \(inventory.name) would be deleted; say --allow-empty if that is meant"
            )
        }
        let shared = prunes.filter { !$0.alsoIn.isEmpty }
        guard shared.isEmpty else {
            throw RecordsClientError(
                .conflict,
                shared.map { entry in
                    "functionapp/\(entry.name) stands in the inventory \(entry.alsoIn.joined(separator: ", ")), too, so it is not pruned"
                }.joined(separator: "\n"))
        }
    }

    package var steps: [Step] { manifests.map(Step.apply) + prunes.map(Step.prune) }

    package enum Result: Hashable, Sendable {
        case applied(ApplyOutcome, FunctionApp)
        /// Its deletion is durable.
        case pruned(Inventory.Entry)
        /// Somebody else had deleted it.
        case gone(Inventory.Entry)
    }

    /// Carries the steps out one after the other and tells each result. Ends at the first failure, before anything is pruned if that is among the
    /// applies.
    package func run(
        with client: RecordsClient, told: (Result) throws -> Void
    ) async throws {
        for step in steps {
            switch step {
            case .apply(let manifest):
                let (outcome, record) = try await client.apply(manifest, inventory: inventory)
                try told(.applied(outcome, record))
            case .prune(let entry):
                do throws(RecordsClientError) {
                    _ = try await client.delete(entry.name.text, uid: entry.uid, inventory: inventory)
                } catch {
                    guard error.code == .notFound else { throw error }
                    try told(.gone(entry))
                    continue
                }
                try told(.pruned(entry))
            }
        }
    }
}
