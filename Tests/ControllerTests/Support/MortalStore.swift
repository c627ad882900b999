import DesiredState
import NIOConcurrencyHelpers

/// A store as a life sees it that ends right after one of its commits: what it was about to do then is not done, and what
/// it knew is lost. Cancels the task that commits.
struct MortalStore: RecordStore {
    private let base: any RecordStore
    private let last: Int
    private let onEnd: @Sendable () -> Void
    private let count = NIOLockedValueBox(0)

    init(_ base: any RecordStore, endsAfter last: Int, onEnd: @escaping @Sendable () -> Void = {}) {
        self.onEnd = onEnd
        self.base = base
        self.last = last
    }

    var commitCount: Int { count.withLockedValue { $0 } }
    var hasEnded: Bool { commitCount >= last }

    @discardableResult
    func commit(_ transaction: Transaction) async throws(StoreError) -> Revision {
        let revision = try await base.commit(transaction)
        let isLast = count.withLockedValue { count in
            count += 1
            return count == last
        }
        if isLast {
            withUnsafeCurrentTask { $0?.cancel() }
            onEnd()
        }
        return revision
    }

    var instance: InstanceID { base.instance }
    var key: StoreKey { base.key }
    var changes: ChangeHub { base.changes }

    func load(_ uid: UID) async throws(StoreError) -> StoredRecord? { try await base.load(uid) }
    func find(name: RecordName) async throws(StoreError) -> FunctionApp? { try await base.find(name: name) }
    func find(reference: String) async throws(StoreError) -> ReferenceMatch {
        try await base.find(reference: reference)
    }
    func list(includingDeleted: Bool) async throws(StoreError) -> RecordList {
        try await base.list(includingDeleted: includingDeleted)
    }
    func page(
        after position: RecordPosition?, limit: Int, since revision: Revision?
    ) async throws(StoreError) -> RecordPage {
        try await base.page(after: position, limit: limit, since: revision)
    }
    func allUIDs() async throws(StoreError) -> [UID] { try await base.allUIDs() }
    func changes(since revision: Revision) async throws(StoreError) -> ChangeList {
        try await base.changes(since: revision)
    }
    func tombstone(_ uid: UID) async throws(StoreError) -> Tombstone? { try await base.tombstone(uid) }
    func image(_ canonical: String) async throws(StoreError) -> ImageRecord? { try await base.image(canonical) }
    func exec(_ id: String) async throws(StoreError) -> ExecRecord? { try await base.exec(id) }
    func execs(of uid: UID) async throws(StoreError) -> [ExecRecord] { try await base.execs(of: uid) }
    func openExecs() async throws(StoreError) -> [ExecRecord] { try await base.openExecs() }
    func images() async throws(StoreError) -> [ImageRecord] { try await base.images() }
    func volume(_ name: VolumeName) async throws(StoreError) -> Volume? { try await base.volume(name) }
    func volumes() async throws(StoreError) -> [Volume] { try await base.volumes() }
    func volumeUsers() async throws(StoreError) -> [VolumeName: [UID]] { try await base.volumeUsers() }
    func events(after number: Int64, since: Instant?, limit: Int) async throws(StoreError) -> [EngineEvent] {
        try await base.events(after: number, since: since, limit: limit)
    }
    func newestEventNumber() async throws(StoreError) -> Int64 { try await base.newestEventNumber() }
    func beginEpoch(writer: String) async throws(StoreError) -> Epoch { try await base.beginEpoch(writer: writer) }
    func newestEpoch() async throws(StoreError) -> Epoch? { try await base.newestEpoch() }
    func writers() async throws(StoreError) -> [String: Revision] { try await base.writers() }
    func freeze() async throws(StoreError) -> Freeze? { try await base.freeze() }
    func tombstones() async throws(StoreError) -> [Tombstone] { try await base.tombstones() }
    func sightings() async throws(StoreError) -> [Sighting] { try await base.sightings() }
    func inventories() async throws(StoreError) -> [String] { try await base.inventories() }
    func inventory(_ name: String) async throws(StoreError) -> [InventoryEntry] { try await base.inventory(name) }
    func append(_ entries: [JournalEntry]) async throws(StoreError) { try await base.append(entries) }
    func journal(of uid: UID, limit: Int) async throws(StoreError) -> [JournalEntry] {
        try await base.journal(of: uid, limit: limit)
    }
}
