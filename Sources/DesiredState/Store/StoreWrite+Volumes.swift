import Foundation
import GRDB

/// Volumes as rows: the document is the ``Volume``'s JSON. Which records mount which volumes stands in a table of its own, so that a volume in use
/// cannot begin to go, whoever asks.
extension StoreWrite {
    func putVolume(_ volume: Volume, ifGeneration expected: Int64?) throws {
        let found = try VolumeRow.fetch(database, volume.name)
        guard found?.generation == expected else { throw StoreError(.volume(.changed(volume.name))) }
        if volume.phase == .removing {
            let users = try VolumeRow.users(database, of: volume.name)
            if !users.isEmpty { throw StoreError(.volume(.inUse(volume.name, by: users))) }
        }
        try write(volume)
    }

    func endVolume(_ name: VolumeName, with uid: UID?) throws {
        guard var volume = try VolumeRow.fetch(database, name), volume.endsWith != uid else { return }
        volume.endsWith = uid
        volume.generation += 1
        try write(volume)
    }

    func removeVolume(_ name: VolumeName, ifGeneration expected: Int64) throws {
        guard try VolumeRow.fetch(database, name)?.generation == expected else {
            throw StoreError(.volume(.changed(name)))
        }
        try execute("DELETE FROM volumes WHERE name = ?", [name.text])
    }

    func requireVolume(_ name: VolumeName) throws {
        guard try VolumeRow.fetch(database, name)?.phase == .ready else { throw StoreError(.volume(.missing(name))) }
    }

    /// What a record mounts from now on.
    func useVolumes(_ record: FunctionApp, instead before: FunctionApp?) throws {
        guard record.spec.volumes != before?.spec.volumes ?? [] else { return }
        try execute("DELETE FROM volumeUses WHERE uid = ?", [record.uid.text])
        for mount in record.spec.volumes {
            try execute(
                "INSERT OR IGNORE INTO volumeUses (volume, uid) VALUES (?, ?)", [mount.name.text, record.uid.text])
        }
    }

    private func write(_ volume: Volume) throws {
        try execute(
            "INSERT OR REPLACE INTO volumes (name, document) VALUES (?, ?)",
            [volume.name.text, try JSONEncoder().encode(volume)])
    }
}

private enum VolumeRow {
    static func fetch(_ database: Database, _ name: VolumeName) throws -> Volume? {
        try Data.fetchOne(
            database.cachedStatement(sql: "SELECT document FROM volumes WHERE name = ?"), arguments: [name.text]
        ).map(decode)
    }

    static func users(_ database: Database, of name: VolumeName) throws -> [UID] {
        try String.fetchAll(
            database.cachedStatement(sql: "SELECT uid FROM volumeUses WHERE volume = ? ORDER BY uid"),
            arguments: [name.text]
        ).compactMap { UID($0) }
    }

    static func decode(_ document: Data) throws -> Volume { try JSONDecoder().decode(Volume.self, from: document) }
}

extension SQLiteStore {
    package func volume(_ name: VolumeName) async throws(StoreError) -> Volume? {
        try await read { try VolumeRow.fetch($0, name) }
    }

    package func volumes() async throws(StoreError) -> [Volume] {
        try await read { database in
            try Data.fetchAll(database, sql: "SELECT document FROM volumes ORDER BY name").map(VolumeRow.decode)
        }
    }

    package func volumeUsers() async throws(StoreError) -> [VolumeName: [UID]] {
        try await read { database in
            var users: [VolumeName: [UID]] = [:]
            for row in try Row.fetchAll(database, sql: "SELECT volume, uid FROM volumeUses ORDER BY uid") {
                guard let name = VolumeName(row["volume"] as String), let uid = UID(row["uid"] as String) else {
                    continue
                }
                users[name, default: []].append(uid)
            }
            return users
        }
    }
}
