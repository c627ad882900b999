import Foundation
import GRDB

/// Records as rows: the document is the record's JSON.
enum RecordRow {
    static func fetch(_ database: Database, uid: UID) throws -> FunctionApp? {
        try Row.fetchOne(
            database.cachedStatement(sql: "SELECT revision, document FROM records WHERE uid = ?"), arguments: [uid.text]
        ).map(decode)
    }

    static func decode(_ row: Row) throws -> FunctionApp {
        let document: Data = row["document"]
        return try JSONDecoder().decode(FunctionApp.self, from: document)
    }

    static func encode(_ record: FunctionApp, revision: Revision) throws -> Data {
        var record = record
        record.metadata.resourceVersion = revision
        return try JSONEncoder().encode(record)
    }
}

extension Attempt {
    init(row: Row) throws {
        guard let uid = UID(row["uid"] as String) else { throw StoreError(.damaged, "attempt of no record") }
        self.init(
            uid: uid, run: row["run"], number: row["number"], token: row["token"], bootID: row["bootID"],
            openedAt: Instant(nanoseconds: row["openedAt"]))
        acknowledgedAt = (row["acknowledgedAt"] as Int64?).map(Instant.init(nanoseconds:))
        guard let outcomeText = row["outcome"] as String? else { return }
        guard let outcome = AttemptOutcome(rawValue: outcomeText), let finishedAt = row["finishedAt"] as Int64? else {
            throw StoreError(.damaged, "attempt with outcome \(outcomeText)")
        }
        result = AttemptResult(
            outcome: outcome, exitCode: row["exitCode"], finishedAt: Instant(nanoseconds: finishedAt),
            message: row["message"])
    }
}

extension ImageRecord {
    init(row: Row) {
        self.init(
            canonical: row["canonical"], digest: row["digest"], pulledAt: Instant(nanoseconds: row["pulledAt"]),
            source: row["source"])
    }
}

extension Intent {
    init(row: Row) throws {
        guard let uid = UID(row["uid"] as String), let kind = Kind(rawValue: row["kind"]) else {
            throw StoreError(.damaged, "intent of kind \(row["kind"] as String)")
        }
        self.init(
            uid: uid, kind: kind, siteName: row["siteName"], openedAt: Instant(nanoseconds: row["openedAt"]),
            isSettled: row["isSettled"], operation: row["operation"])
    }
}
