import Foundation
import GRDB

/// Executed commands as rows: the document is the ``ExecRecord``'s JSON.
extension StoreWrite {
    func createExec(_ exec: ExecRecord) throws {
        do {
            try executeOnRecord(
                exec.uid, "INSERT INTO execs (id, uid, isOpen, document) VALUES (?, ?, ?, ?)",
                [exec.id, exec.uid.text, exec.isOpen, try JSONEncoder().encode(exec)])
        } catch let error as DatabaseError
            where [.SQLITE_CONSTRAINT_UNIQUE, .SQLITE_CONSTRAINT_PRIMARYKEY].contains(error.extendedResultCode)
        {
            throw StoreError(.conflict(current: revision))
        }
        try execute(
            """
            DELETE FROM execs WHERE uid = ?1 AND NOT isOpen AND number <= (
                SELECT number FROM execs WHERE uid = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)
            """, [exec.uid.text, ExecRecord.maximumPerRecord])
    }

    func startExec(_ id: String, at instant: Instant) throws {
        guard var exec = try ExecRow.fetch(database, id: id), exec.startedAt == nil, exec.result == nil else {
            throw StoreError(.conflict(current: revision))
        }
        exec.startedAt = instant
        try update(exec)
    }

    func finishExec(_ id: String, _ result: ExecResult) throws {
        guard var exec = try ExecRow.fetch(database, id: id), exec.result == nil else { return }
        exec.result = result
        try update(exec)
    }

    private func update(_ exec: ExecRecord) throws {
        try execute(
            "UPDATE execs SET isOpen = ?, document = ? WHERE id = ?",
            [exec.isOpen, try JSONEncoder().encode(exec), exec.id])
    }
}

enum ExecRow {
    static func fetch(_ database: Database, id: String) throws -> ExecRecord? {
        try Data.fetchOne(
            database.cachedStatement(sql: "SELECT document FROM execs WHERE id = ?"), arguments: [id]
        ).map(decode)
    }

    static func decode(_ document: Data) throws -> ExecRecord {
        try JSONDecoder().decode(ExecRecord.self, from: document)
    }
}

extension SQLiteStore {
    package func exec(_ id: String) async throws(StoreError) -> ExecRecord? {
        try await read { try ExecRow.fetch($0, id: id) }
    }

    package func execs(of uid: UID) async throws(StoreError) -> [ExecRecord] {
        try await read { database in
            try Data.fetchAll(
                database.cachedStatement(sql: "SELECT document FROM execs WHERE uid = ? ORDER BY number"),
                arguments: [uid.text]
            ).map(ExecRow.decode)
        }
    }

    package func openExecs() async throws(StoreError) -> [ExecRecord] {
        try await read { database in
            try Data.fetchAll(database, sql: "SELECT document FROM execs WHERE isOpen ORDER BY number").map(
                ExecRow.decode)
        }
    }
}
