import DesiredState
import HTTPTypes
import HummingbirdCore
import NIOConcurrencyHelpers

extension RecordsAPI {
    /// `GET …/inventories[/NAME]`: what was applied under a name and is not gone yet. An inventory that has no entries is not there.
    func inventories(_ exchange: Exchange, _ rest: [String]) async throws -> Response {
        guard rest.count <= 1 else { throw RecordsError(.notFound, "page not found") }
        let wanted = try rest.first.map { try inventoryName($0) }
        let names = try await backend.store.inventories()
        let holders = try await backend.inventoriesByRecord()
        var items: [JSON] = []
        for name in names where wanted == nil || wanted == name {
            let entries = try await backend.store.inventory(name)
            items.append([
                "name": .string(name),
                "entries": .array(
                    entries.map { entry in
                        [
                            "name": .string(entry.name.text), "uid": .string(entry.uid.text),
                            "isBeingDeleted": .bool(entry.isBeingDeleted),
                            "alsoIn": .array((holders[entry.uid] ?? []).filter { $0 != name }.map { .string($0) }),
                        ]
                    }),
            ])
        }
        return .json([
            "apiVersion": .string(FunctionApp.apiVersion), "kind": "InventoryList", "items": .array(items),
        ])
    }

    func inventoryName(_ exchange: Exchange) throws(RecordsError) -> String? {
        guard let text = exchange.query["inventory"] else { return nil }
        return try inventoryName(text)
    }

    /// The grammar of records' names.
    private func inventoryName(_ text: String) throws(RecordsError) -> String {
        guard RecordName(text) != nil else {
            throw RecordsError(
                .badRequest,
                "\"\(text)\" is no name of an inventory: 1 to 255 of a-z A-Z 0-9 _ . - beginning with a letter or digit"
            )
        }
        return text
    }
}

extension RecordsError {
    /// What stands in several inventories is nobody's to prune.
    static func shared(_ name: String, _ others: [String]) -> RecordsError {
        RecordsError(
            .conflict,
            "functionapp/\(name) stands in the inventory \(others.joined(separator: ", ")), too, so it is not pruned")
    }
}

extension Backend {
    /// Inventories of each record that stands in any, sorted.
    func inventoriesByRecord() async throws(StoreError) -> [UID: [String]] {
        var holders: [UID: [String]] = [:]
        for name in try await store.inventories() {
            for entry in try await store.inventory(name) { holders[entry.uid, default: []].append(name) }
        }
        return holders
    }
}

/// Lets one at a time through: between a look at the inventories and the deletion that follows from it nobody may list the record. One daemon
/// has the store to itself, so that a gate in its memory is enough. What is done inside are a few reads and a commit.
final class InventoryGate: Sendable {
    private struct State {
        var isTaken = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = NIOLockedValueBox(State())

    /// Every entry needs its `leave`. Cancellation does not end the wait, which is as short as the others' commits.
    func enter() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLockedValue { state in
                guard state.isTaken else {
                    state.isTaken = true
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    func leave() {
        let next: CheckedContinuation<Void, Never>? = state.withLockedValue { state in
            guard !state.waiting.isEmpty else {
                state.isTaken = false
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
