import Foundation
import GRDB
import Testing

@testable import DesiredState

/// What is the file's and not the contract's: ``StoreContractTests`` has that.
@Suite(.timeLimit(.minutes(2)))
struct SQLiteStoreTests {
    /// A database as the first release left it, with an intent that is not settled.
    private static func firstRelease(at path: String, of record: FunctionApp) async throws {
        let queue = try DatabaseQueue(path: path)
        try Migrations.migrator().migrate(queue, upTo: "1")
        let document = try RecordRow.encode(record, revision: Revision(1))
        try await queue.write { database in
            try database.execute(
                sql:
                    "INSERT INTO records (uid, name, isDeleted, createdRevision, revision, document) VALUES (?, ?, 0, 1, 1, ?)",
                arguments: [record.uid.text, record.metadata.name.text, document])
            try database.execute(
                sql: "INSERT INTO intents (uid, kind, siteName, openedAt, isSettled) VALUES (?, 'putSite', 's', 0, 0)",
                arguments: [record.uid.text])
        }
        try queue.close()
    }

    @Test func `a store of the first release is read, its intents following nothing`() async throws {
        let folder = NSTemporaryDirectory() + "/skls-store-" + UUID().uuidString
        let path = try StateDirectory(path: folder).databasePath
        let record = try FunctionApp.sample("job")
        try await SQLiteStoreTests.firstRelease(at: path, of: record)
        var generator = SystemRandomNumberGenerator()
        let store = try SQLiteStore(path: path, generator: &generator)
        let intent = try #require(try await store.load(record.uid)?.intent)
        #expect(intent.siteName == "s" && !intent.isSettled && intent.operation == nil)
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `a store whose lives did not say how far they came takes them for as new as it is`() async throws {
        let folder = NSTemporaryDirectory() + "/skls-store-" + UUID().uuidString
        let path = try StateDirectory(path: folder).databasePath
        let queue = try DatabaseQueue(path: path)
        try Migrations.migrator().migrate(queue, upTo: "3")
        try await queue.write { database in
            try database.execute(sql: "INSERT INTO writers (writer, epoch) VALUES ('old', 1)")
        }
        try queue.close()
        var generator = SystemRandomNumberGenerator()
        let store = try SQLiteStore(path: path, generator: &generator)
        try await store.commit(Transaction(origin: .user, [.create(try FunctionApp.sample("first"))]))
        #expect(try await store.writers() == ["old": Revision(1)])
        #expect(try await store.beginEpoch(writer: "new") == Epoch(2))
        try await store.commit(Transaction(origin: .user, [.create(try FunctionApp.sample("second"))]))
        #expect(try await store.writers() == ["old": Revision(1), "new": Revision(2)])
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `a state directory is held by one process at a time`() throws {
        let folder = NSTemporaryDirectory() + "/skls-store-" + UUID().uuidString
        let directory = try StateDirectory(path: folder)
        // The kernel's lock belongs to the open file, so that a second one in the same process is refused as well.
        #expect(throws: StoreError(.inUse, folder)) { _ = try StateDirectory(path: folder).path }
        #expect(directory.path == folder)
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `a file that is no database is refused and left alone`() async throws {
        let path = NSTemporaryDirectory() + "/skls-nodb-" + UUID().uuidString
        let garbage = Data(repeating: 65, count: 8192)
        try garbage.write(to: URL(fileURLWithPath: path))
        var generator = SystemRandomNumberGenerator()
        #expect(throws: StoreError.self) { try SQLiteStore(path: path, generator: &generator) }
        #expect(FileManager.default.contents(atPath: path) == garbage)
        try FileManager.default.removeItem(atPath: path)
    }

    @Test func `a store opened again is the same installation with the same records`() async throws {
        let folder = NSTemporaryDirectory() + "/skls-store-" + UUID().uuidString
        let directory = try StateDirectory(path: folder)
        var generator = SystemRandomNumberGenerator()
        let record = try FunctionApp.sample("job")
        let first = try SQLiteStore(path: directory.databasePath, generator: &generator)
        try await first.commit(.create(record))
        let second = try SQLiteStore(path: directory.databasePath, generator: &generator)
        #expect(second.instance == first.instance && second.key == first.key)
        #expect(try await second.load(record.uid)?.record.spec == record.spec)
        #expect("\(second.key)" == "(redacted)")
        try FileManager.default.removeItem(atPath: folder)
    }
}
