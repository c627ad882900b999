import Foundation
import GRDB

/// One transaction being applied: carries out operations and remembers which records' documents it wrote.
struct StoreWrite {
    let database: Database
    private(set) var revision: Revision
    private(set) var touched: Set<UID> = []
    private(set) var events: [EngineEvent] = []

    init(database: Database) throws {
        self.database = database
        let current = try Int64.fetchOne(database.cachedStatement(sql: "SELECT revision FROM store")) ?? 0
        revision = Revision(current + 1)
    }

    /// - Throws: `fenced`.
    func check(_ epoch: Epoch?) throws {
        guard let epoch else { return }
        let newest = try Int64.fetchOne(database.cachedStatement(sql: "SELECT max(epoch) FROM writers")) ?? 0
        if newest != epoch.number { throw StoreError(.fenced(newest: Epoch(newest))) }
    }

    mutating func apply(_ operation: Transaction.Operation) throws {
        switch operation {
        case .require(let uid, let expected): try require(uid, expected)
        case .create(let record): try create(record)
        case .replace(let record, let expected): try replace(record, ifRevision: expected)
        case .setStatus(let uid, let status): try change(uid) { $0.status = status }
        case .markDeleted(let uid, let instant):
            try change(uid) { record in
                record.metadata.deletionTimestamp = record.metadata.deletionTimestamp ?? instant
            }
        case .removeFinalizer(let uid, let finalizer):
            try change(uid) { $0.metadata.finalizers.removeAll { $0 == finalizer } }
        case .openIntent(let intent): try openIntent(intent)
        case .settleIntent(let uid): try execute("UPDATE intents SET isSettled = 1 WHERE uid = ?", [uid.text])
        case .setOperation(let uid, let operation):
            try execute("UPDATE intents SET operation = ? WHERE uid = ?", [operation, uid.text])
        case .openAttempt(let attempt): try openAttempt(attempt)
        case .acknowledgeAttempt(let token, let instant):
            try execute(
                "UPDATE attempts SET acknowledgedAt = ? WHERE token = ? AND acknowledgedAt IS NULL",
                [instant.nanoseconds, token])
        case .finishAttempt(let token, let result):
            try execute(
                """
                UPDATE attempts SET finishedAt = ?, outcome = ?, exitCode = ?, message = ? WHERE token = ? AND outcome IS NULL
                """, [result.finishedAt.nanoseconds, result.outcome.rawValue, result.exitCode, result.message, token])
        case .forget(let uid, let siteName, let instant): try forget(uid, siteName: siteName, at: instant)
        case .putImage(let image):
            try execute(
                "INSERT OR REPLACE INTO images (canonical, digest, pulledAt, source) VALUES (?, ?, ?, ?)",
                [image.canonical, image.digest, image.pulledAt.nanoseconds, image.source])
        case .removeImage(let canonical): try execute("DELETE FROM images WHERE canonical = ?", [canonical])
        case .addEvent(let event): events.append(event)
        case .keepSighting(let sighting):
            try execute(
                "INSERT OR REPLACE INTO sightings (siteName, document) VALUES (?, ?)",
                [sighting.siteName, try JSONEncoder().encode(sighting)])
        case .dropSighting(let siteName): try execute("DELETE FROM sightings WHERE siteName = ?", [siteName])
        case .addToInventory(let name, let uid):
            guard try RecordRow.fetch(database, uid: uid) != nil else { throw StoreError(.notFound(uid)) }
            try execute("INSERT OR IGNORE INTO inventories (name, uid) VALUES (?, ?)", [name, uid.text])
        case .createExec(let exec): try createExec(exec)
        case .startExec(let id, let instant): try startExec(id, at: instant)
        case .finishExec(let id, let result): try finishExec(id, result)
        case .putVolume(let volume, let expected): try putVolume(volume, ifGeneration: expected)
        case .endVolume(let name, let uid): try endVolume(name, with: uid)
        case .removeVolume(let name, let expected): try removeVolume(name, ifGeneration: expected)
        case .requireVolume(let name): try requireVolume(name)
        case .setFreeze(let freeze):
            try execute("UPDATE store SET freeze = ?", [try freeze.map { try JSONEncoder().encode($0) }])
        case .acceptWriter(let writer):
            try execute(
                """
                INSERT INTO writers (writer, epoch, lastRevision) VALUES (?, NULL, ?)
                ON CONFLICT (writer) DO UPDATE SET lastRevision = excluded.lastRevision
                """, [writer, Int64.max])
        case .raiseRevision(let wanted):
            guard wanted > revision else { return }
            revision = wanted
            try execute("UPDATE store SET compactedThrough = ?", [wanted.number - 1])
        }
    }

    mutating func finish() throws {
        try execute("UPDATE store SET revision = ?", [revision.number])
        if !events.isEmpty { try keepEvents() }
    }

    private func keepEvents() throws {
        let last = try Row.fetchOne(
            database.cachedStatement(sql: "SELECT number, at FROM engineEvents ORDER BY number DESC LIMIT 1"))
        var number: Int64 = last?["number"] ?? 0
        var latest = (last?["at"] as Int64?).map(Instant.init(nanoseconds:))
        for var event in events {
            number += 1
            if let latest { event.at = max(event.at, latest + .nanoseconds(1)) }
            latest = event.at
            event.number = number
            try execute(
                "INSERT INTO engineEvents (number, at, document) VALUES (?, ?, ?)",
                [number, event.at.nanoseconds, try JSONEncoder().encode(event)])
        }
        try execute("DELETE FROM engineEvents WHERE number <= ?", [number - Int64(EngineEvent.maximumKept)])
    }

    // MARK: records

    private func require(_ uid: UID, _ expected: Revision) throws {
        let found = try Int64.fetchOne(
            database.cachedStatement(sql: "SELECT revision FROM records WHERE uid = ?"), arguments: [uid.text])
        guard let found else { throw StoreError(.notFound(uid)) }
        guard found == expected.number else { throw StoreError(.conflict(current: Revision(found))) }
    }

    private mutating func create(_ record: FunctionApp) throws {
        if let existing = try RecordRow.fetch(database, uid: record.uid) {
            throw StoreError(.conflict(current: existing.metadata.resourceVersion))
        }
        if !record.isBeingDeleted { try checkName(record) }
        try execute(
            "INSERT INTO records (uid, name, isDeleted, createdRevision, revision, document) VALUES (?, ?, ?, ?, ?, ?)",
            [
                record.uid.text, record.metadata.name.text, record.isBeingDeleted, revision.number, revision.number,
                try RecordRow.encode(record, revision: revision),
            ])
        try useVolumes(record, instead: nil)
        events += EngineEvent.created(record)
        touched.insert(record.uid)
    }

    private mutating func replace(_ record: FunctionApp, ifRevision expected: Revision) throws {
        try require(record.uid, expected)
        // A record that is being deleted has given its name away.
        if try RecordRow.fetch(database, uid: record.uid)?.isBeingDeleted == false { try checkName(record) }
        try change(record.uid) { $0.take(record) }
    }

    private func checkName(_ record: FunctionApp) throws {
        let holder = try String.fetchOne(
            database.cachedStatement(sql: "SELECT uid FROM records WHERE name = ? AND NOT isDeleted"),
            arguments: [record.metadata.name.text])
        if let holder, holder != record.uid.text, let uid = UID(holder) {
            throw StoreError(.nameTaken(record.metadata.name, by: uid))
        }
    }

    private mutating func change(_ uid: UID, _ body: (inout FunctionApp) -> Void) throws {
        guard var record = try RecordRow.fetch(database, uid: uid) else { throw StoreError(.notFound(uid)) }
        let before = record
        body(&record)
        guard record != before else { return }
        try execute(
            "UPDATE records SET name = ?, isDeleted = ?, revision = ?, document = ? WHERE uid = ?",
            [
                record.metadata.name.text, record.isBeingDeleted, revision.number,
                try RecordRow.encode(record, revision: revision), uid.text,
            ])
        try useVolumes(record, instead: before)
        events += EngineEvent.changed(from: before, to: record)
        touched.insert(uid)
    }

    private mutating func forget(_ uid: UID, siteName: String?, at instant: Instant) throws {
        guard let record = try RecordRow.fetch(database, uid: uid) else { throw StoreError(.notFound(uid)) }
        try execute("DELETE FROM attempts WHERE uid = ?", [uid.text])
        try execute("DELETE FROM intents WHERE uid = ?", [uid.text])
        try execute("DELETE FROM inventories WHERE uid = ?", [uid.text])
        try execute("DELETE FROM journal WHERE uid = ?", [uid.text])
        try execute("DELETE FROM execs WHERE uid = ?", [uid.text])
        try execute("DELETE FROM volumeUses WHERE uid = ?", [uid.text])
        try execute("DELETE FROM records WHERE uid = ?", [uid.text])
        try execute(
            "INSERT INTO deletions (revision, uid, document) VALUES (?, ?, ?)",
            [revision.number, uid.text, try RecordRow.encode(record, revision: revision)])
        if let siteName {
            try execute(
                "INSERT OR REPLACE INTO tombstones (uid, siteName, forgottenAt) VALUES (?, ?, ?)",
                [uid.text, siteName, instant.nanoseconds])
        }
        try execute(
            "DELETE FROM tombstones WHERE forgottenAt < ?", [(instant + (.zero - Tombstone.lifetime)).nanoseconds])
        try compactDeletions()
        events += EngineEvent.forgotten(record, at: instant)
        touched.insert(uid)
    }

    /// Keeps the newest deletions; what watchers cannot look back on any more is told as compacted.
    private func compactDeletions() throws {
        let oldestDropped = try Int64.fetchOne(
            database.cachedStatement(sql: "SELECT revision FROM deletions ORDER BY revision DESC LIMIT 1 OFFSET ?"),
            arguments: [SQLiteStore.keptDeletions])
        guard let oldestDropped else { return }
        try execute("DELETE FROM deletions WHERE revision <= ?", [oldestDropped])
        try execute("UPDATE store SET compactedThrough = max(compactedThrough, ?)", [oldestDropped])
    }

    // MARK: intents and attempts

    private func openIntent(_ intent: Intent) throws {
        try executeOnRecord(
            intent.uid,
            "INSERT OR REPLACE INTO intents (uid, kind, siteName, openedAt, isSettled, operation) VALUES (?, ?, ?, ?, ?, ?)",
            [
                intent.uid.text, intent.kind.rawValue, intent.siteName, intent.openedAt.nanoseconds, intent.isSettled,
                intent.operation,
            ])
    }

    private func openAttempt(_ attempt: Attempt) throws {
        do {
            try executeOnRecord(
                attempt.uid,
                "INSERT INTO attempts (token, uid, run, number, bootID, openedAt) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    attempt.token, attempt.uid.text, attempt.run, attempt.number, attempt.bootID,
                    attempt.openedAt.nanoseconds,
                ])
        } catch let error as DatabaseError
            where [.SQLITE_CONSTRAINT_UNIQUE, .SQLITE_CONSTRAINT_PRIMARYKEY].contains(error.extendedResultCode)
        {
            throw StoreError(.attemptOpen)
        }
    }

    /// For rows that refer to a record: throws `notFound` without it.
    func executeOnRecord(_ uid: UID, _ sql: String, _ arguments: [(any DatabaseValueConvertible)?]) throws {
        do {
            try execute(sql, arguments)
        } catch let error as DatabaseError where error.extendedResultCode == .SQLITE_CONSTRAINT_FOREIGNKEY {
            throw StoreError(.notFound(uid))
        }
    }

    func execute(_ sql: String, _ arguments: [(any DatabaseValueConvertible)?]) throws {
        try database.cachedStatement(sql: sql).execute(arguments: StatementArguments(arguments))
    }
}

extension FunctionApp {
    /// What a `replace` writes: all that users own, and a new generation if the spec differs.
    mutating func take(_ record: FunctionApp) {
        let isChanged = spec != record.spec
        metadata.name = record.metadata.name
        metadata.labels = record.metadata.labels
        metadata.annotations = record.metadata.annotations
        spec = record.spec
        if isChanged { metadata.generation += 1 }
    }
}
