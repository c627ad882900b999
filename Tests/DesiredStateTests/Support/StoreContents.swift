import Testing

@testable import DesiredState

/// All that can be read of a store.
struct StoreContents: Equatable, Sendable {
    var records: [StoredRecord] = []
    var list: RecordList
    var changes: ChangeList
    var tombstones: [Tombstone]
    var sightings: [Sighting]
    var images: [ImageRecord]
    var events: [EngineEvent]
    var inventory: [InventoryEntry]
    var freeze: Freeze?
    var execs: [ExecRecord] = []
    var volumes: [Volume]
    var volumeUsers: [VolumeName: [UID]]
    var writers: [String: Revision]

    init(_ store: any RecordStore) async throws {
        list = try await store.list(includingDeleted: true)
        changes = try await store.changes(since: .zero)
        tombstones = try await store.tombstones()
        sightings = try await store.sightings()
        images = try await store.images()
        events = try await store.events(after: 0, since: nil, limit: .max)
        inventory = try await store.inventory("web")
        freeze = try await store.freeze()
        writers = try await store.writers()
        volumes = try await store.volumes()
        volumeUsers = try await store.volumeUsers()
        for uid in try await store.allUIDs() {
            records.append(try #require(try await store.load(uid)))
            execs += try await store.execs(of: uid)
        }
    }
}
