/// What a ``MemoryStore`` holds.
struct MemoryTables: Sendable {
    /// A record with what goes when it goes.
    struct Row: Sendable {
        var record: FunctionApp
        /// Rises with every creation: the order of lists.
        let ordinal: Int
        let createdRevision: Revision
        /// By run and number.
        var attempts: [Attempt] = []
        var intent: Intent?
        var inventories: Set<String> = []
        /// In order of creation.
        var execs: [ExecRecord] = []
    }

    var revision = Revision.zero
    var compactedThrough = Revision.zero
    var newestOrdinal = 0
    var newestEpoch: Int64 = 0
    var rows: [UID: Row] = [:]
    /// Of the records that are not being deleted.
    var names: [RecordName: UID] = [:]
    /// Whose attempt a token is.
    var tokens: [String: UID] = [:]
    /// Whose executed command an id is.
    var execOwners: [String: UID] = [:]
    var journals: [UID: [JournalEntry]] = [:]
    /// Final forms of forgotten records, oldest first.
    var deletions: [FunctionApp] = []
    var tombstones: [UID: Tombstone] = [:]
    var sightings: [String: Sighting] = [:]
    var images: [String: ImageRecord] = [:]
    var volumes: [VolumeName: Volume] = [:]
    /// Oldest first, with some more than are kept.
    var events: [EngineEvent] = []
    /// With the store's revision when the next life began; before that the largest there is.
    var writers: [String: Revision] = [:]
    var freeze: Freeze?

    var inOrder: [Row] { rows.values.sorted { $0.ordinal < $1.ordinal } }

    func record(named name: RecordName) -> FunctionApp? {
        names[name].flatMap { rows[$0]?.record }
    }

    /// Dropped in batches: each would move all others.
    mutating func add(_ new: [EngineEvent]) {
        for var event in new {
            if let last = events.last {
                event.number = last.number + 1
                event.at = max(event.at, last.at + .nanoseconds(1))
            } else {
                event.number = 1
            }
            events.append(event)
        }
        let surplus = events.count - EngineEvent.maximumKept
        if surplus > EngineEvent.maximumKept / 8 { events.removeFirst(surplus) }
    }

    /// Throws `compacted`.
    func checkChanges(since revision: Revision) throws(StoreError) {
        guard revision >= compactedThrough else { throw StoreError(.compacted(compactedThrough)) }
        guard revision <= self.revision else {
            throw StoreError(.compacted(self.revision), "revision \(revision) is ahead of the store")
        }
    }

    func changes(since revision: Revision) throws(StoreError) -> ChangeList {
        try checkChanges(since: revision)
        let living = rows.values.filter { $0.record.metadata.resourceVersion > revision }.map { row in
            RecordChange(kind: row.createdRevision > revision ? .added : .modified, record: row.record)
        }
        let gone = deletions.filter { $0.metadata.resourceVersion > revision }.map { record in
            RecordChange(kind: .deleted, record: record)
        }
        let changes = (living + gone).sorted { left, right in
            (left.record.metadata.resourceVersion, left.record.uid)
                < (right.record.metadata.resourceVersion, right.record.uid)
        }
        return ChangeList(revision: self.revision, changes: changes)
    }
}
