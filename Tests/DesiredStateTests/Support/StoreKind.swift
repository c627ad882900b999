import Foundation
import Testing

@testable import DesiredState

/// The stores that keep one contract.
enum StoreKind: String, CaseIterable, Sendable {
    case sqlite, memory

    /// A fresh store for the time of `body`.
    func with(_ body: (any RecordStore) async throws -> Void) async throws {
        var generator = SystemRandomNumberGenerator()
        switch self {
        case .memory: try await body(MemoryStore(generator: &generator))
        case .sqlite:
            let folder = NSTemporaryDirectory() + "/skls-store-" + UUID().uuidString
            let directory = try StateDirectory(path: folder)
            try await body(try SQLiteStore(path: directory.databasePath, generator: &generator))
            try FileManager.default.removeItem(atPath: folder)
        }
    }
}

extension Instant {
    /// When the tests of stores begin.
    static let start = Instant(nanoseconds: 1_700_000_000_000_000_000)
}

extension FunctionApp {
    /// A record that is like any other of that name, but for its uid.
    static func sample(_ name: String) throws -> FunctionApp {
        var generator = SystemRandomNumberGenerator()
        let manifest = Manifest(
            name: try #require(RecordName(name)),
            spec: FunctionAppSpec(image: try ImageReference(parsing: "alpine"), args: ["x"]))
        return FunctionApp(creating: manifest, uid: UID(using: &generator), at: .start)
    }
}

extension RecordStore {
    @discardableResult
    func commit(_ operations: Transaction.Operation...) async throws(StoreError) -> Revision {
        try await commit(Transaction(origin: .user, operations))
    }

    /// What the commit is refused with; `nil` if it is not.
    func refusal(_ operations: Transaction.Operation..., epoch: Epoch? = nil) async -> StoreError.Code? {
        do throws(StoreError) {
            try await commit(Transaction(origin: .controller, epoch: epoch, operations))
            return nil
        } catch {
            return error.code
        }
    }

    func record(_ uid: UID) async throws -> FunctionApp {
        try #require(try await load(uid)?.record)
    }

    /// What a watch from there is answered with; throws its refusal as the store does.
    func kinds(since revision: Revision) async throws(StoreError) -> [RecordChange.Kind] {
        try await changes(since: revision).changes.map(\.kind)
    }
}
