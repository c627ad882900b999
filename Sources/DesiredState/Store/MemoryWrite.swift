/// One transaction being applied to a ``MemoryStore``: ``StoreWrite``'s counterpart, with its own way back.
struct MemoryWrite {
    private(set) var revision: Revision
    private(set) var touched: Set<UID> = []
    private var events: [EngineEvent] = []
    /// How to put back what was written, newest last. Tables are written in place: a copy for every transaction would cost
    /// time in proportion to the number of records.
    private var undo: [(inout MemoryTables) -> Void] = []

    /// Applies all operations or none.
    static func carryOut(
        _ transaction: Transaction, on tables: inout MemoryTables
    ) throws(StoreError) -> (revision: Revision, touched: [UID], hasEvents: Bool) {
        if let epoch = transaction.epoch, epoch.number != tables.newestEpoch {
            throw StoreError(.fenced(newest: Epoch(tables.newestEpoch)))
        }
        var write = MemoryWrite(revision: Revision(tables.revision.number + 1))
        do throws(StoreError) {
            for operation in transaction.operations { try write.apply(operation, to: &tables) }
        } catch {
            for step in write.undo.reversed() { step(&tables) }
            throw error
        }
        tables.revision = write.revision
        tables.add(write.events)
        return (write.revision, write.touched.sorted(), !write.events.isEmpty)
    }

    private init(revision: Revision) {
        self.revision = revision
    }

    private mutating func apply(
        _ operation: Transaction.Operation, to tables: inout MemoryTables
    ) throws(StoreError) {
        switch operation {
        case .require(let uid, let expected): try require(uid, expected, in: tables)
        case .create(let record): try create(record, in: &tables)
        case .replace(let record, let expected): try replace(record, ifRevision: expected, in: &tables)
        case .setStatus(let uid, let status): try change(uid, in: &tables) { $0.status = status }
        case .markDeleted(let uid, let instant):
            try change(uid, in: &tables) { record in
                record.metadata.deletionTimestamp = record.metadata.deletionTimestamp ?? instant
            }
        case .removeFinalizer(let uid, let finalizer):
            try change(uid, in: &tables) { $0.metadata.finalizers.removeAll { $0 == finalizer } }
        case .openIntent(let intent):
            guard tables.rows[intent.uid] != nil else { throw StoreError(.notFound(intent.uid)) }
            edit(intent.uid, in: &tables) { $0.intent = intent }
        case .settleIntent(let uid): edit(uid, in: &tables) { $0.intent?.isSettled = true }
        case .setOperation(let uid, let operation): edit(uid, in: &tables) { $0.intent?.operation = operation }
        case .openAttempt(let attempt): try openAttempt(attempt, in: &tables)
        case .acknowledgeAttempt(let token, let instant):
            editAttempt(token, in: &tables) { $0.acknowledgedAt = $0.acknowledgedAt ?? instant }
        case .finishAttempt(let token, let result):
            editAttempt(token, in: &tables) { $0.result = $0.result ?? result }
        case .forget(let uid, let siteName, let instant):
            try forget(uid, siteName: siteName, at: instant, in: &tables)
        case .putImage(let image): set(\.images, image.canonical, image, in: &tables)
        case .removeImage(let canonical): set(\.images, canonical, nil, in: &tables)
        case .addEvent(let event): events.append(event)
        case .keepSighting(let sighting): set(\.sightings, sighting.siteName, sighting, in: &tables)
        case .dropSighting(let siteName): set(\.sightings, siteName, nil, in: &tables)
        case .addToInventory(let name, let uid):
            guard tables.rows[uid] != nil else { throw StoreError(.notFound(uid)) }
            edit(uid, in: &tables) { $0.inventories.insert(name) }
        case .createExec(let exec): try createExec(exec, in: &tables)
        case .startExec(let id, let instant): try startExec(id, at: instant, in: &tables)
        case .finishExec(let id, let result): finishExec(id, result, in: &tables)
        case .putVolume(let volume, let expected): try putVolume(volume, ifGeneration: expected, in: &tables)
        case .endVolume(let name, let uid): endVolume(name, with: uid, in: &tables)
        case .removeVolume(let name, let expected): try removeVolume(name, ifGeneration: expected, in: &tables)
        case .requireVolume(let name): try tables.requireVolume(name)
        case .setFreeze(let freeze): set(\.freeze, freeze, in: &tables)
        case .acceptWriter(let writer): set(\.writers, writer, Revision(.max), in: &tables)
        case .raiseRevision(let wanted):
            guard wanted > revision else { return }
            revision = wanted
            set(\.compactedThrough, Revision(wanted.number - 1), in: &tables)
        }
    }

    // MARK: records

    private func require(_ uid: UID, _ expected: Revision, in tables: MemoryTables) throws(StoreError) {
        guard let found = tables.rows[uid]?.record.metadata.resourceVersion else { throw StoreError(.notFound(uid)) }
        guard found == expected else { throw StoreError(.conflict(current: found)) }
    }

    private mutating func create(_ record: FunctionApp, in tables: inout MemoryTables) throws(StoreError) {
        if let existing = tables.rows[record.uid]?.record {
            throw StoreError(.conflict(current: existing.metadata.resourceVersion))
        }
        if !record.isBeingDeleted {
            try checkName(record, in: tables)
            set(\.names, record.metadata.name, record.uid, in: &tables)
        }
        var created = record
        created.metadata.resourceVersion = revision
        set(\.newestOrdinal, tables.newestOrdinal + 1, in: &tables)
        let row = MemoryTables.Row(record: created, ordinal: tables.newestOrdinal, createdRevision: revision)
        set(\.rows, record.uid, row, in: &tables)
        events += EngineEvent.created(created)
        touched.insert(record.uid)
    }

    private mutating func replace(
        _ record: FunctionApp, ifRevision expected: Revision, in tables: inout MemoryTables
    ) throws(StoreError) {
        try require(record.uid, expected, in: tables)
        if tables.rows[record.uid]?.record.isBeingDeleted == false { try checkName(record, in: tables) }
        try change(record.uid, in: &tables) { $0.take(record) }
    }

    private func checkName(_ record: FunctionApp, in tables: MemoryTables) throws(StoreError) {
        if let holder = tables.names[record.metadata.name], holder != record.uid {
            throw StoreError(.nameTaken(record.metadata.name, by: holder))
        }
    }

    private mutating func change(
        _ uid: UID, in tables: inout MemoryTables, _ body: (inout FunctionApp) -> Void
    ) throws(StoreError) {
        guard let before = tables.rows[uid]?.record else { throw StoreError(.notFound(uid)) }
        var record = before
        body(&record)
        guard record != before else { return }
        record.metadata.resourceVersion = revision
        if !before.isBeingDeleted { set(\.names, before.metadata.name, nil, in: &tables) }
        if !record.isBeingDeleted { set(\.names, record.metadata.name, uid, in: &tables) }
        edit(uid, in: &tables) { $0.record = record }
        events += EngineEvent.changed(from: before, to: record)
        touched.insert(uid)
    }

    private mutating func forget(
        _ uid: UID, siteName: String?, at instant: Instant, in tables: inout MemoryTables
    ) throws(StoreError) {
        guard let row = tables.rows[uid] else { throw StoreError(.notFound(uid)) }
        var record = row.record
        record.metadata.resourceVersion = revision
        for attempt in row.attempts { set(\.tokens, attempt.token, nil, in: &tables) }
        for exec in row.execs { set(\.execOwners, exec.id, nil, in: &tables) }
        if !record.isBeingDeleted { set(\.names, record.metadata.name, nil, in: &tables) }
        set(\.journals, uid, nil, in: &tables)
        set(\.rows, uid, nil, in: &tables)
        keepDeletion(record, in: &tables)
        events += EngineEvent.forgotten(record, at: instant)
        if let siteName {
            set(
                \.tombstones, uid, Tombstone(uid: uid, siteName: siteName, forgottenAt: instant), in: &tables)
        }
        let oldest = instant + (.zero - Tombstone.lifetime)
        for tombstone in tables.tombstones.values where tombstone.forgottenAt < oldest {
            set(\.tombstones, tombstone.uid, nil, in: &tables)
        }
        touched.insert(uid)
    }

    /// Keeps the newest deletions; what watchers cannot look back on any more is told as compacted.
    private mutating func keepDeletion(_ record: FunctionApp, in tables: inout MemoryTables) {
        var kept = tables.deletions
        kept.append(record)
        if kept.count > SQLiteStore.keptDeletions {
            let dropped = kept[kept.count - 1 - SQLiteStore.keptDeletions].metadata.resourceVersion
            kept.removeAll { $0.metadata.resourceVersion <= dropped }
            set(\.compactedThrough, max(dropped, tables.compactedThrough), in: &tables)
        }
        set(\.deletions, kept, in: &tables)
    }

    // MARK: attempts

    private mutating func openAttempt(_ attempt: Attempt, in tables: inout MemoryTables) throws(StoreError) {
        guard let row = tables.rows[attempt.uid] else { throw StoreError(.notFound(attempt.uid)) }
        let isTaken = row.attempts.contains {
            $0.isOpen || ($0.run, $0.number) == (attempt.run, attempt.number)
        }
        guard !isTaken, tables.tokens[attempt.token] == nil else { throw StoreError(.attemptOpen) }
        // Opened is what it is, whatever else the value says.
        let opened = Attempt(
            uid: attempt.uid, run: attempt.run, number: attempt.number, token: attempt.token,
            bootID: attempt.bootID, openedAt: attempt.openedAt)
        set(\.tokens, attempt.token, attempt.uid, in: &tables)
        edit(attempt.uid, in: &tables) { row in
            row.attempts.append(opened)
            row.attempts.sort { ($0.run, $0.number) < ($1.run, $1.number) }
        }
    }

    private mutating func editAttempt(
        _ token: String, in tables: inout MemoryTables, _ body: (inout Attempt) -> Void
    ) {
        guard let uid = tables.tokens[token] else { return }
        edit(uid, in: &tables) { row in
            guard let index = row.attempts.firstIndex(where: { $0.token == token }) else { return }
            body(&row.attempts[index])
        }
    }

    // MARK: writing with a way back

    /// Does nothing without the row.
    mutating func edit(
        _ uid: UID, in tables: inout MemoryTables, _ body: (inout MemoryTables.Row) -> Void
    ) {
        guard var row = tables.rows[uid] else { return }
        body(&row)
        set(\.rows, uid, row, in: &tables)
    }

    mutating func set<Key, Value>(
        _ table: WritableKeyPath<MemoryTables, [Key: Value]>, _ key: Key, _ value: Value?,
        in tables: inout MemoryTables
    ) {
        let earlier = tables[keyPath: table][key]
        undo.append { $0[keyPath: table][key] = earlier }
        tables[keyPath: table][key] = value
    }

    private mutating func set<Value>(
        _ field: WritableKeyPath<MemoryTables, Value>, _ value: Value, in tables: inout MemoryTables
    ) {
        let earlier = tables[keyPath: field]
        undo.append { $0[keyPath: field] = earlier }
        tables[keyPath: field] = value
    }
}
