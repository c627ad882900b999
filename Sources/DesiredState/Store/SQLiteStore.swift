import Foundation
import GRDB

/// The store in one SQLite file: WAL, and `synchronous=FULL` where it is written, so that a commit that returned survives a power cut. What only
/// tells history (events alone, journals) waits for no disk.
package final class SQLiteStore: RecordStore {
    package let instance: InstanceID
    package let key: StoreKey
    package let changes = ChangeHub()

    let pool: DatabasePool
    private let cache = RecordCache()

    /// How many deletions `watch` can look back on; a watcher that is further behind lists again.
    static let keptDeletions = 1000

    /// Opens or makes the database, bringing its tables up to date. Throws `unavailable` or `damaged`.
    package init(path: String, generator: inout some RandomNumberGenerator) throws(StoreError) {
        var configuration = Configuration()
        configuration.maximumReaderCount = 3
        configuration.busyMode = .timeout(5)
        configuration.foreignKeysEnabled = true
        let freshInstance = InstanceID(using: &generator)
        let freshKey = StoreKey(using: &generator)
        do {
            let opened = try DatabasePool(path: path, configuration: configuration)
            pool = opened
            // GRDB 7.10 sets NORMAL on the pool's writer after its preparations (`setUpWALMode`): a commit that returned would
            // be lost with the power. Readers write nothing.
            try opened.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            // The file holds secrets of containers; the directory is closed to others as well.
            chmod(path, 0o600)
            try Migrations.migrator().migrate(opened)
            (instance, key) = try opened.write { database in
                try database.execute(
                    sql:
                        "INSERT OR IGNORE INTO store (id, revision, compactedThrough, instance, key) VALUES (1, 0, 0, ?, ?)",
                    arguments: [freshInstance.text, Data(freshKey.bytes)])
                guard let row = try Row.fetchOne(database, sql: "SELECT instance, key FROM store") else {
                    throw StoreError(.damaged, "no row in table store")
                }
                let keyData: Data = row["key"]
                return (InstanceID(row["instance"]), StoreKey(Array(keyData)))
            }
        } catch {
            throw StoreError(translating: error)
        }
    }

    // MARK: writing

    @discardableResult
    package func commit(_ transaction: Transaction) async throws(StoreError) -> Revision {
        let committed: (revision: Revision, touched: [UID], hasEvents: Bool)
        do {
            let apply: @Sendable (Database) throws -> (revision: Revision, touched: [UID], hasEvents: Bool) = {
                database in
                var write = try StoreWrite(database: database)
                try write.check(transaction.epoch)
                for operation in transaction.operations { try write.apply(operation) }
                try write.finish()
                return (write.revision, write.touched.sorted(), !write.events.isEmpty)
            }
            committed =
                transaction.isHistory ? try await pool.writeUnsynced(apply) : try await pool.write(apply)
        } catch {
            throw StoreError(translating: error)
        }
        changes.publish(committed.touched, origin: transaction.origin)
        if committed.hasEvents { changes.publishEvents() }
        return committed.revision
    }

    // MARK: reading

    package func load(_ uid: UID) async throws(StoreError) -> StoredRecord? {
        try await read { [cache] database in
            let row = try Row.fetchOne(
                database.cachedStatement(sql: "SELECT rowid, revision, document FROM records WHERE uid = ?"),
                arguments: [uid.text])
            guard let record = try row.map(cache.decode) else { return nil }
            let attempts = try Row.fetchAll(
                database.cachedStatement(sql: "SELECT * FROM attempts WHERE uid = ? ORDER BY run, number"),
                arguments: [uid.text])
            let intent = try Row.fetchOne(
                database.cachedStatement(sql: "SELECT * FROM intents WHERE uid = ?"), arguments: [uid.text])
            return StoredRecord(
                record: record, attempts: try attempts.map { try Attempt(row: $0) },
                intent: try intent.map { try Intent(row: $0) })
        }
    }

    package func find(name: RecordName) async throws(StoreError) -> FunctionApp? {
        try await read { [cache] database in
            try Row.fetchOne(
                database.cachedStatement(
                    sql: "SELECT rowid, revision, document FROM records WHERE name = ? AND NOT isDeleted"),
                arguments: [name.text]
            ).map(cache.decode)
        }
    }

    package func find(reference: String) async throws(StoreError) -> ReferenceMatch {
        if let uid = UID(reference) {
            return try await load(uid).map { .found($0.record) } ?? .none
        }
        let name = reference.hasPrefix("/") ? String(reference.dropFirst()) : reference
        if let name = RecordName(name), let record = try await find(name: name) { return .found(record) }
        guard UID.isBeginning(reference) else { return .none }
        return try await read { [cache] database in
            let rows = try Row.fetchAll(
                database.cachedStatement(
                    sql: """
                        SELECT rowid, revision, document FROM records WHERE uid >= ? AND uid < ? AND NOT isDeleted LIMIT 2
                        """),
                arguments: [reference, reference + "g"])
            if rows.count > 1 { return .ambiguous }
            return try rows.first.map { .found(try cache.decode($0)) } ?? .none
        }
    }

    package func list(includingDeleted: Bool) async throws(StoreError) -> RecordList {
        try await read { [cache] database in
            let condition = includingDeleted ? "" : "WHERE NOT isDeleted"
            let rows = try Row.fetchCursor(
                database.cachedStatement(
                    sql: "SELECT rowid, revision, document FROM records \(condition) ORDER BY createdRevision, rowid"))
            var records: [FunctionApp] = []
            while let row = try rows.next() { records.append(try cache.decode(row)) }
            return RecordList(revision: try currentRevision(database), records: records)
        }
    }

    /// Row ids rise with every insertion, and nothing here renumbers them.
    package func page(
        after position: RecordPosition?, limit: Int, since revision: Revision?
    ) async throws(StoreError) -> RecordPage {
        try await read { [cache] database in
            if let revision { try checkChanges(since: revision, database) }
            let rows = try Row.fetchAll(
                database.cachedStatement(
                    sql: "SELECT rowid, revision, document FROM records WHERE rowid > ? ORDER BY rowid LIMIT ?"),
                arguments: [position?.number ?? 0, max(0, limit) + 1])
            let shown = rows.prefix(max(0, limit))
            return RecordPage(
                revision: try currentRevision(database), records: try shown.map(cache.decode),
                positions: shown.map { RecordPosition($0["rowid"]) }, hasMore: rows.count > shown.count)
        }
    }

    package func allUIDs() async throws(StoreError) -> [UID] {
        try await read { database in
            try String.fetchAll(database, sql: "SELECT uid FROM records ORDER BY createdRevision, rowid").compactMap {
                UID($0)
            }
        }
    }

    package func changes(since revision: Revision) async throws(StoreError) -> ChangeList {
        try await read { database in
            let now = try checkChanges(since: revision, database)
            let rows = try Row.fetchAll(
                database.cachedStatement(
                    sql: """
                        SELECT revision, uid, document, createdRevision > ?1 AS isNew, 0 AS isGone FROM records
                        WHERE revision > ?1
                        UNION ALL SELECT revision, uid, document, 0, 1 FROM deletions WHERE revision > ?1
                        ORDER BY revision, uid
                        """), arguments: [revision.number])
            let changes = try rows.map { row in
                let kind: RecordChange.Kind = row["isGone"] ? .deleted : row["isNew"] ? .added : .modified
                return RecordChange(kind: kind, record: try RecordRow.decode(row))
            }
            return ChangeList(revision: now, changes: changes)
        }
    }

    package func tombstone(_ uid: UID) async throws(StoreError) -> Tombstone? {
        try await read { database in
            try Row.fetchOne(database, sql: "SELECT * FROM tombstones WHERE uid = ?", arguments: [uid.text]).map {
                row in
                Tombstone(uid: uid, siteName: row["siteName"], forgottenAt: Instant(nanoseconds: row["forgottenAt"]))
            }
        }
    }

    package func image(_ canonical: String) async throws(StoreError) -> ImageRecord? {
        try await read { database in
            try Row.fetchOne(
                database.cachedStatement(sql: "SELECT * FROM images WHERE canonical = ?"), arguments: [canonical]
            ).map(ImageRecord.init)
        }
    }

    package func images() async throws(StoreError) -> [ImageRecord] {
        try await read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM images ORDER BY canonical").map(ImageRecord.init)
        }
    }

    // MARK: events of Docker's clients

    package func events(
        after number: Int64, since: Instant?, limit: Int
    ) async throws(StoreError) -> [EngineEvent] {
        try await read { database in
            try Data.fetchAll(
                database.cachedStatement(
                    sql: "SELECT document FROM engineEvents WHERE number > ? AND at >= ? ORDER BY number LIMIT ?"),
                arguments: [number, since?.nanoseconds ?? .min, max(0, limit)]
            ).map { try JSONDecoder().decode(EngineEvent.self, from: $0) }
        }
    }

    package func newestEventNumber() async throws(StoreError) -> Int64 {
        try await read { database in
            try Int64.fetchOne(database.cachedStatement(sql: "SELECT max(number) FROM engineEvents")) ?? 0
        }
    }

    // MARK: lives of the controller

    package func beginEpoch(writer: String) async throws(StoreError) -> Epoch {
        try await write { database in
            let newest = try Int64.fetchOne(database, sql: "SELECT max(epoch) FROM writers") ?? 0
            try database.execute(
                sql: "UPDATE writers SET lastRevision = min(lastRevision, (SELECT revision FROM store))")
            try database.execute(
                sql: "INSERT OR REPLACE INTO writers (writer, epoch, lastRevision) VALUES (?, ?, ?)",
                arguments: [writer, newest + 1, Int64.max])
            return Epoch(newest + 1)
        }
    }

    package func newestEpoch() async throws(StoreError) -> Epoch? {
        try await read { try Int64.fetchOne($0.cachedStatement(sql: "SELECT max(epoch) FROM writers")).map(Epoch.init) }
    }

    package func writers() async throws(StoreError) -> [String: Revision] {
        try await read { database in
            let rows = try Row.fetchAll(
                database,
                sql: "SELECT writer, min(lastRevision, (SELECT revision FROM store)) AS lastRevision FROM writers")
            return Dictionary(rows.map { ($0["writer"], Revision($0["lastRevision"])) }) { $1 }
        }
    }

    package func freeze() async throws(StoreError) -> Freeze? {
        try await read { database in
            try Data.fetchOne(database, sql: "SELECT freeze FROM store WHERE freeze IS NOT NULL").map {
                try JSONDecoder().decode(Freeze.self, from: $0)
            }
        }
    }

    // MARK: leaks and inventories

    package func tombstones() async throws(StoreError) -> [Tombstone] {
        try await read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM tombstones ORDER BY uid").compactMap { row in
                UID(row["uid"] as String).map { uid in
                    Tombstone(
                        uid: uid, siteName: row["siteName"], forgottenAt: Instant(nanoseconds: row["forgottenAt"]))
                }
            }
        }
    }

    package func sightings() async throws(StoreError) -> [Sighting] {
        try await read { database in
            try Data.fetchAll(database, sql: "SELECT document FROM sightings ORDER BY siteName").map {
                try JSONDecoder().decode(Sighting.self, from: $0)
            }
        }
    }

    package func inventories() async throws(StoreError) -> [String] {
        try await read { try String.fetchAll($0, sql: "SELECT DISTINCT name FROM inventories ORDER BY name") }
    }

    package func inventory(_ name: String) async throws(StoreError) -> [InventoryEntry] {
        try await read { [cache] database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT records.rowid, revision, document FROM records JOIN inventories USING (uid) WHERE inventories.name = ?
                    ORDER BY createdRevision, records.rowid
                    """, arguments: [name]
            ).map { row in
                let record = try cache.decode(row)
                return InventoryEntry(
                    uid: record.uid, name: record.metadata.name, isBeingDeleted: record.isBeingDeleted)
            }
        }
    }

    // MARK: history

    package func append(_ entries: [JournalEntry]) async throws(StoreError) {
        try await writeHistory { database in
            for entry in entries {
                try database.cachedStatement(
                    sql: """
                        INSERT INTO journal (uid, document)
                        SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM records WHERE uid = ?1)
                        """
                ).execute(arguments: [entry.uid.text, try JSONEncoder().encode(entry)])
            }
            for uid in Set(entries.map(\.uid)).sorted() {
                try database.cachedStatement(
                    sql: """
                        DELETE FROM journal WHERE uid = ?1 AND id <= (
                            SELECT id FROM journal WHERE uid = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
                        """
                ).execute(arguments: [uid.text, JournalEntry.maximumPerRecord])
            }
        }
    }

    package func journal(of uid: UID, limit: Int) async throws(StoreError) -> [JournalEntry] {
        try await read { database in
            try Data.fetchAll(
                database, sql: "SELECT document FROM journal WHERE uid = ? ORDER BY id DESC LIMIT ?",
                arguments: [uid.text, limit]
            ).reversed().map { try JSONDecoder().decode(JournalEntry.self, from: $0) }
        }
    }

    private func write<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws(StoreError) -> T {
        do {
            return try await pool.write(body)
        } catch {
            throw StoreError(translating: error)
        }
    }

    private func writeHistory(_ body: @escaping @Sendable (Database) throws -> Void) async throws(StoreError) {
        do {
            try await pool.writeUnsynced(body)
        } catch {
            throw StoreError(translating: error)
        }
    }

    func read<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws(StoreError) -> T {
        do {
            return try await pool.read(body)
        } catch {
            throw StoreError(translating: error)
        }
    }
}

extension DatabasePool {
    /// A write that is not waited for on the disk: the next synced one makes it durable as well, since the WAL is synced up to its end. A process
    /// that is killed loses nothing; a machine that loses its power may lose what was written last, and never a part of it.
    fileprivate func writeUnsynced<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        try await writeWithoutTransaction { database in
            // SQLite ignores the pragma within a transaction.
            try database.execute(sql: "PRAGMA synchronous = NORMAL")
            let result = Result { () throws -> T in
                var value: T?
                try database.inTransaction(.immediate) {
                    value = try body(database)
                    return .commit
                }
                guard let value else { throw DatabaseError(resultCode: .SQLITE_INTERNAL) }
                return value
            }
            // Before anything else is written, whatever became of the transaction.
            try database.execute(sql: "PRAGMA synchronous = FULL")
            return try result.get()
        }
    }
}

/// Returns the current revision; throws `compacted`.
@discardableResult
private func checkChanges(since revision: Revision, _ database: Database) throws -> Revision {
    let compacted = try Int64.fetchOne(database, sql: "SELECT compactedThrough FROM store") ?? 0
    guard revision.number >= compacted else { throw StoreError(.compacted(Revision(compacted))) }
    let now = try currentRevision(database)
    guard revision <= now else {
        throw StoreError(.compacted(now), "revision \(revision) is ahead of the store")
    }
    return now
}

private func currentRevision(_ database: Database) throws -> Revision {
    Revision(try Int64.fetchOne(database.cachedStatement(sql: "SELECT revision FROM store")) ?? 0)
}

extension StoreError {
    /// Every failure of the database leaves the transaction undone.
    init(translating error: any Error) {
        switch error {
        case let error as StoreError: self = error
        case let error as DatabaseError:
            let isDamage = [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode)
            self.init(isDamage ? .damaged : .unavailable, error.message ?? error.resultCode.description)
        case is CancellationError: self.init(.cancelled)
        case is DecodingError: self.init(.damaged, "\(error)")
        default: self.init(.unavailable, "\(error)")
        }
    }
}
