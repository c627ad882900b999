import Foundation
import GRDB
import Testing

@testable import DesiredState

@Suite(.timeLimit(.minutes(2)))
struct StoreTests {
    private static let epoch = Instant(nanoseconds: 1_700_000_000_000_000_000)

    private func with(_ body: (SQLiteStore, String) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "/skls-store-" + UUID().uuidString
        let directory = try StateDirectory(path: folder)
        var generator = SystemRandomNumberGenerator()
        try await body(try SQLiteStore(path: directory.databasePath, generator: &generator), folder)
        try FileManager.default.removeItem(atPath: folder)
    }

    private func record(_ name: String) throws -> FunctionApp {
        var generator = SystemRandomNumberGenerator()
        let manifest = Manifest(
            name: try #require(RecordName(name)),
            spec: FunctionAppSpec(image: try ImageReference(parsing: "alpine"), args: ["x"]))
        return FunctionApp(creating: manifest, uid: UID(using: &generator), at: StoreTests.epoch)
    }

    private func commit(_ store: SQLiteStore, _ operations: Transaction.Operation...) async throws(StoreError) {
        try await store.commit(Transaction(origin: .user, operations))
    }

    private func code(_ body: () async throws(StoreError) -> Void) async -> StoreError.Code? {
        do throws(StoreError) {
            try await body()
            return nil
        } catch {
            return error.code
        }
    }

    @Test func `what Azure works on is kept with the intent until it is let go or another intent takes its place`()
        async throws
    {
        try await with { store, _ in
            let record = try record("job")
            func operation() async throws -> String? { try await store.load(record.uid)?.intent?.operation }
            func intent(_ seconds: Int) -> Intent {
                Intent(
                    uid: record.uid, kind: .putSite, siteName: "s", openedAt: StoreTests.epoch + .seconds(seconds))
            }
            try await commit(store, .create(record), .openIntent(intent(0)), .setOperation(record.uid, "one"))
            #expect(try await operation() == "one")
            try await commit(store, .openIntent(intent(1)))
            #expect(try await operation() == nil)
            try await commit(store, .setOperation(record.uid, "two"))
            try await commit(store, .setOperation(record.uid, nil))
            #expect(try await operation() == nil)
        }
    }

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
        let record = try record("job")
        try await StoreTests.firstRelease(at: path, of: record)
        var generator = SystemRandomNumberGenerator()
        let store = try SQLiteStore(path: path, generator: &generator)
        let intent = try #require(try await store.load(record.uid)?.intent)
        #expect(intent.siteName == "s" && !intent.isSettled && intent.operation == nil)
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `what was committed is read back by id, by name and by an id's beginning`() async throws {
        try await with { store, _ in
            let record = try record("job")
            try await commit(store, .create(record))
            let stored = try #require(try await store.load(record.uid)?.record)
            #expect(stored.spec == record.spec && stored.metadata.resourceVersion == Revision(1))
            #expect(try await store.find(reference: "/job") == .found(stored))
            #expect(try await store.find(reference: String(record.uid.text.prefix(6))) == .found(stored))
            #expect(try await store.find(reference: record.uid.text) == .found(stored))
            #expect(try await store.find(reference: "nope") == .none)
            #expect(try await store.list(includingDeleted: false).records == [stored])
        }
    }

    @Test func `a moved revision is a conflict, and changes nothing`() async throws {
        try await with { store, _ in
            let record = try record("job")
            try await commit(store, .create(record))
            let first = try #require(try await store.load(record.uid)?.record)
            try await commit(store, .replace(first.requestingRun().record, ifRevision: first.metadata.resourceVersion))
            let second = try #require(try await store.load(record.uid)?.record)
            #expect(second.metadata.generation == 2)
            let conflict = await code { () async throws(StoreError) in
                try await commit(store, .replace(first, ifRevision: first.metadata.resourceVersion))
            }
            #expect(conflict == .conflict(current: Revision(2)))
            #expect(try await store.load(record.uid)?.record == second)
        }
    }

    @Test func `a name is taken until its record is being deleted`() async throws {
        try await with { store, _ in
            let (first, second) = (try record("job"), try record("job"))
            try await commit(store, .create(first))
            #expect(
                await code { () async throws(StoreError) in try await commit(store, .create(second)) }
                    == .nameTaken(first.metadata.name, by: first.uid))
            try await commit(store, .markDeleted(first.uid, at: StoreTests.epoch))
            try await commit(store, .create(second))
            #expect(try await store.find(name: second.metadata.name)?.uid == second.uid)
            #expect(try await store.load(first.uid) != nil, "its finalizers are still to be worked off")
        }
    }

    @Test func `one attempt is open at a time, and its first result wins`() async throws {
        try await with { store, _ in
            let record = try record("job")
            func attempt(_ token: String, _ number: Int) -> Attempt {
                Attempt(uid: record.uid, run: 1, number: number, token: token, bootID: "b", openedAt: StoreTests.epoch)
            }
            try await commit(store, .create(record), .openAttempt(attempt("t1", 1)))
            #expect(
                await code { () async throws(StoreError) in try await commit(store, .openAttempt(attempt("t2", 2))) }
                    == .attemptOpen)
            let failed = AttemptResult(outcome: .failed, exitCode: 3, finishedAt: StoreTests.epoch)
            let succeeded = AttemptResult(outcome: .succeeded, exitCode: 0, finishedAt: StoreTests.epoch)
            try await commit(store, .finishAttempt(token: "t1", failed))
            try await commit(store, .finishAttempt(token: "t1", succeeded))
            #expect(try await store.load(record.uid)?.attempts.map(\.result) == [failed])
            #expect(
                await code { () async throws(StoreError) in try await commit(store, .openAttempt(attempt("t1", 2))) }
                    == .attemptOpen)
        }
    }

    @Test func `a transaction that fails in the middle leaves nothing behind`() async throws {
        try await with { store, _ in
            let record = try record("job")
            var generator = SystemRandomNumberGenerator()
            let stranger = UID(using: &generator)
            #expect(
                await code { () async throws(StoreError) in
                    try await commit(store, .create(record), .require(stranger, .zero))
                } == .notFound(stranger))
            #expect(try await store.list(includingDeleted: true).records.isEmpty)
            #expect(try await store.list(includingDeleted: true).revision == .zero)
        }
    }

    @Test func `a watch resumes from any revision, and deletions are part of it`() async throws {
        try await with { store, _ in
            let (first, second) = (try record("a"), try record("b"))
            try await commit(store, .create(first))
            try await commit(store, .create(second))
            try await commit(store, .forget(first.uid, siteName: "skls-a", at: StoreTests.epoch))
            let all = try await store.changes(since: Revision(1))
            #expect(all.changes.map(\.kind) == [.added, .deleted] && all.revision == Revision(3))
            #expect(all.changes.last?.record.uid == first.uid)
            #expect(try await store.changes(since: Revision(3)).changes.isEmpty)
            #expect(try await store.tombstone(first.uid)?.siteName == "skls-a")
            #expect(
                await code { () async throws(StoreError) in _ = try await store.changes(since: Revision(9)) }
                    == .compacted(Revision(3)))
        }
    }

    @Test func `changes wake those who wait for the record, and the controller only for users' commits`() async throws {
        try await with { store, _ in
            let record = try record("job")
            var waiting = store.changes.subscribe(to: record.uid).makeAsyncIterator()
            var controller = store.changes.subscribeToUserChanges().makeAsyncIterator()
            try await commit(store, .create(record))
            await waiting.next()
            #expect(await controller.next() == [record.uid])
            try await store.commit(Transaction(origin: .controller, [.markDeleted(record.uid, at: StoreTests.epoch)]))
            await waiting.next()
            let other = try self.record("other")
            try await commit(store, .create(other))
            #expect(await controller.next() == [other.uid])
        }
    }

    @Test func `a state directory is held by one process at a time`() async throws {
        try await with { _, folder in
            // The kernel's lock belongs to the open file, so that a second one in the same process is refused as well.
            #expect(await code { () async throws(StoreError) in _ = try StateDirectory(path: folder) } == .inUse)
        }
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
        let record = try record("job")
        let first = try SQLiteStore(path: directory.databasePath, generator: &generator)
        try await commit(first, .create(record))
        let second = try SQLiteStore(path: directory.databasePath, generator: &generator)
        #expect(second.instance == first.instance && second.key == first.key)
        #expect(try await second.load(record.uid)?.record.spec == record.spec)
        #expect("\(second.key)" == "(redacted)")
        try FileManager.default.removeItem(atPath: folder)
    }
}
