import NIOConcurrencyHelpers

/// The store in memory, with exactly the contract of ``SQLiteStore``: both pass one suite of tests. For simulations, where a
/// crash ends a life of the controller and another life begins on the same store. Nothing here waits, reads a clock or
/// draws a number after `init`, so that a run can be replayed.
package final class MemoryStore: RecordStore {
    /// What is asked of the store.
    package enum Access: Hashable, Sendable {
        case read
        case commit(Transaction)
        case beginEpoch(writer: String)
        case append([JournalEntry])
    }

    package enum Stage: Hashable, Sendable {
        /// An error thrown now is the caller's answer, and nothing is read or written.
        case asked
        /// The write stands and was published. An error thrown now is the caller's answer all the same, as when the power
        /// goes between a commit and its answer. Reads do not come here.
        case kept
    }

    /// Called around every access, on the caller's task and outside the store's lock; it may use the store itself.
    package typealias Intervention = @Sendable (Access, Stage) throws(StoreError) -> Void

    package let instance: InstanceID
    package let key: StoreKey
    package let changes = ChangeHub()

    private let tables = NIOLockedValueBox(MemoryTables())
    private let intervene: Intervention

    /// `intervene` refuses accesses or ends a life at one; by default it does nothing.
    package init(
        generator: inout some RandomNumberGenerator, intervene: @escaping Intervention = { _, _ in }
    ) {
        instance = InstanceID(using: &generator)
        key = StoreKey(using: &generator)
        self.intervene = intervene
    }

    // MARK: writing

    @discardableResult
    package func commit(_ transaction: Transaction) async throws(StoreError) -> Revision {
        let access = Access.commit(transaction)
        let committed = try write(access) { tables throws(StoreError) in
            try MemoryWrite.carryOut(transaction, on: &tables)
        }
        changes.publish(committed.touched, origin: transaction.origin)
        if committed.hasEvents { changes.publishEvents() }
        try intervene(access, .kept)
        return committed.revision
    }

    package func beginEpoch(writer: String) async throws(StoreError) -> Epoch {
        let access = Access.beginEpoch(writer: writer)
        let epoch = try write(access) { tables in
            tables.newestEpoch += 1
            let newest = tables.revision
            tables.writers = tables.writers.mapValues { min($0, newest) }
            tables.writers[writer] = Revision(.max)
            return Epoch(tables.newestEpoch)
        }
        try intervene(access, .kept)
        return epoch
    }

    package func append(_ entries: [JournalEntry]) async throws(StoreError) {
        let access = Access.append(entries)
        try write(access) { tables in
            for entry in entries where tables.rows[entry.uid] != nil {
                var journal = tables.journals[entry.uid, default: []]
                journal.append(entry)
                tables.journals[entry.uid] = journal.suffix(JournalEntry.maximumPerRecord)
            }
        }
        try intervene(access, .kept)
    }

    // MARK: copies

    /// All that is stored, as a backup of the database keeps it.
    package struct Backup: Sendable {
        fileprivate let tables: MemoryTables
    }

    package func backUp() -> Backup { Backup(tables: tables.withLockedValue { $0 }) }

    /// Takes everything back to where it was, for lives that begin afterwards; who watches a record is told of it.
    package func restore(_ backup: Backup) {
        let lost = tables.withLockedValue { tables in
            defer { tables = backup.tables }
            return tables.rows.keys
        }
        changes.publish(Set(lost).union(backup.tables.rows.keys).sorted(), origin: .user)
    }

    // MARK: reading

    package func load(_ uid: UID) async throws(StoreError) -> StoredRecord? {
        try read { tables in
            tables.rows[uid].map { StoredRecord(record: $0.record, attempts: $0.attempts, intent: $0.intent) }
        }
    }

    package func find(name: RecordName) async throws(StoreError) -> FunctionApp? {
        try read { $0.record(named: name) }
    }

    package func find(reference: String) async throws(StoreError) -> ReferenceMatch {
        try read { tables in
            if let uid = UID(reference) { return tables.rows[uid].map { .found($0.record) } ?? .none }
            let name = reference.hasPrefix("/") ? String(reference.dropFirst()) : reference
            if let name = RecordName(name), let record = tables.record(named: name) { return .found(record) }
            guard UID.isBeginning(reference) else { return .none }
            let matches = tables.rows.values.filter {
                $0.record.uid.text.hasPrefix(reference) && !$0.record.isBeingDeleted
            }
            if matches.count > 1 { return .ambiguous }
            return matches.first.map { .found($0.record) } ?? .none
        }
    }

    package func list(includingDeleted: Bool) async throws(StoreError) -> RecordList {
        try read { tables in
            let records = tables.inOrder.map(\.record).filter { includingDeleted || !$0.isBeingDeleted }
            return RecordList(revision: tables.revision, records: records)
        }
    }

    package func page(
        after position: RecordPosition?, limit: Int, since revision: Revision?
    ) async throws(StoreError) -> RecordPage {
        try read { tables throws(StoreError) in
            if let revision { try tables.checkChanges(since: revision) }
            let rows = tables.inOrder.drop { $0.ordinal <= position?.number ?? 0 }
            let shown = rows.prefix(max(0, limit))
            return RecordPage(
                revision: tables.revision, records: shown.map(\.record),
                positions: shown.map { RecordPosition(Int64($0.ordinal)) }, hasMore: rows.count > shown.count)
        }
    }

    package func allUIDs() async throws(StoreError) -> [UID] {
        try read { $0.inOrder.map(\.record.uid) }
    }

    package func changes(since revision: Revision) async throws(StoreError) -> ChangeList {
        try read { tables throws(StoreError) in try tables.changes(since: revision) }
    }

    package func tombstone(_ uid: UID) async throws(StoreError) -> Tombstone? {
        try read { $0.tombstones[uid] }
    }

    package func image(_ canonical: String) async throws(StoreError) -> ImageRecord? {
        try read { $0.images[canonical] }
    }

    package func images() async throws(StoreError) -> [ImageRecord] {
        try read { $0.images.values.sorted { $0.canonical < $1.canonical } }
    }

    package func events(
        after number: Int64, since: Instant?, limit: Int
    ) async throws(StoreError) -> [EngineEvent] {
        try read { tables in
            let kept = tables.events.suffix(EngineEvent.maximumKept)
            let wanted = kept.drop { event in event.number <= number || since.map { event.at < $0 } ?? false }
            return Array(wanted.prefix(max(0, limit)))
        }
    }

    package func newestEventNumber() async throws(StoreError) -> Int64 {
        try read { $0.events.last?.number ?? 0 }
    }

    package func newestEpoch() async throws(StoreError) -> Epoch? {
        try read { $0.newestEpoch > 0 ? Epoch($0.newestEpoch) : nil }
    }

    package func writers() async throws(StoreError) -> [String: Revision] {
        try read { tables in tables.writers.mapValues { min($0, tables.revision) } }
    }

    package func freeze() async throws(StoreError) -> Freeze? {
        try read { $0.freeze }
    }

    package func tombstones() async throws(StoreError) -> [Tombstone] {
        try read { $0.tombstones.values.sorted { $0.uid < $1.uid } }
    }

    package func sightings() async throws(StoreError) -> [Sighting] {
        try read { $0.sightings.values.sorted { $0.siteName < $1.siteName } }
    }

    package func inventories() async throws(StoreError) -> [String] {
        try read { tables in
            Set(tables.rows.values.flatMap(\.inventories)).sorted()
        }
    }

    package func inventory(_ name: String) async throws(StoreError) -> [InventoryEntry] {
        try read { tables in
            tables.inOrder.filter { $0.inventories.contains(name) }.map {
                InventoryEntry(
                    uid: $0.record.uid, name: $0.record.metadata.name, isBeingDeleted: $0.record.isBeingDeleted)
            }
        }
    }

    package func journal(of uid: UID, limit: Int) async throws(StoreError) -> [JournalEntry] {
        try read { $0.journals[uid, default: []].suffix(max(0, limit)) }
    }

    // MARK: access

    private func write<T>(
        _ access: Access, _ body: (inout MemoryTables) throws(StoreError) -> T
    ) throws(StoreError) -> T {
        if Task.isCancelled { throw StoreError(.cancelled) }
        try intervene(access, .asked)
        return try tables.withLockedValue { tables in
            Result { () throws(StoreError) -> T in try body(&tables) }
        }.get()
    }

    func read<T>(_ body: (MemoryTables) throws(StoreError) -> T) throws(StoreError) -> T {
        if Task.isCancelled { throw StoreError(.cancelled) }
        try intervene(.read, .asked)
        return try tables.withLockedValue { tables in
            Result { () throws(StoreError) -> T in try body(tables) }
        }.get()
    }
}
