package import DesiredState
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// What was applied under one name and is not gone yet.
package struct Inventory: Hashable, Sendable, Codable {
    package struct Entry: Hashable, Sendable, Codable {
        package let name: RecordName
        package let uid: UID
        package let isBeingDeleted: Bool
        /// Other inventories that the record stands in.
        package let alsoIn: [String]
    }

    package let name: String
    /// In order of creation.
    package let entries: [Entry]
}

extension RecordsClient {
    private static let inventoriesPath = "/apis/skls.dev/v1/inventories"

    package func inventories() async throws(RecordsClientError) -> [Inventory] {
        try decode(InventoryList.self, from: try await reply(.GET, RecordsClient.inventoriesPath).body).items
    }

    /// Without entries if there is none of this name.
    package func inventory(_ name: String) async throws(RecordsClientError) -> Inventory {
        let path = RecordsClient.inventoriesPath + "/" + RecordsClient.escaped(name)
        let items = try decode(InventoryList.self, from: try await reply(.GET, path).body).items
        return items.first ?? Inventory(name: name, entries: [])
    }

    /// Pauses the record, or changes its pause, for a time counted by the daemon's clock (`nil` = until it is resumed).
    package func suspend(
        _ name: String, by author: String?, for time: Duration?, reason: String?
    ) async throws(RecordsClientError) -> (ApplyOutcome, FunctionApp) {
        let body: Data
        do {
            body = try JSONEncoder().encode(
                SuspensionBody(by: author, reason: reason, forSeconds: time.map { max(1, $0.components.seconds) }))
        } catch {
            throw RecordsClientError(.invalid, "the pause cannot be written as JSON: \(error)")
        }
        return try outcome(
            try await reply(
                .PUT, try path(of: name) + "/suspension", body: ByteBuffer(data: body), type: "application/json"))
    }

    /// Ends the record's pause, if there is one.
    package func resume(_ name: String) async throws(RecordsClientError) -> (ApplyOutcome, FunctionApp) {
        try outcome(try await reply(.DELETE, try path(of: name) + "/suspension"))
    }
}

private struct InventoryList: Decodable {
    let items: [Inventory]
}

private struct SuspensionBody: Encodable {
    let by: String?
    let reason: String?
    let forSeconds: Int64?
}
