import DesiredState

/// A store as one life sees it: it takes time, is unavailable now and then, and is closed once the life is over. What
/// is committed is shown to the judge before anything else happens.
struct LifeStore: RecordStore {
    let life: Life
    let run: SimulationRun
    private var base: MemoryStore { run.store }

    init(life: Life, run: SimulationRun) {
        self.life = life
        self.run = run
    }

    var instance: InstanceID { base.instance }
    var key: StoreKey { base.key }
    var changes: ChangeHub { life.hub }

    @discardableResult
    func commit(_ transaction: Transaction) async throws(StoreError) -> Revision {
        try await approach(isWrite: true)
        let fate = run.fateOfCommit(life: life)
        if fate == .before { run.crash(life, .beforeCommit) }
        try check()
        let revision: Revision
        do throws(StoreError) {
            revision = try await run.commit(transaction, by: life)
        } catch {
            run.trace.note("life \(life.number) commit refused \(error.code)")
            throw error
        }
        if transaction.origin == .user { run.hint(transaction) }
        if fate == .after { run.crash(life, .afterCommit) }
        try check()
        return revision
    }

    func beginEpoch(writer: String) async throws(StoreError) -> Epoch {
        try await approach(isWrite: false)
        let epoch = try await base.beginEpoch(writer: writer)
        run.judge.began(epoch, life: life)
        return epoch
    }

    func append(_ entries: [JournalEntry]) async throws(StoreError) {
        try await approach(isWrite: true)
        try await base.append(entries)
    }

    func load(_ uid: UID) async throws(StoreError) -> StoredRecord? {
        try await approach(isWrite: false)
        return try await base.load(uid)
    }

    func find(name: RecordName) async throws(StoreError) -> FunctionApp? {
        try await approach(isWrite: false)
        return try await base.find(name: name)
    }

    func find(reference: String) async throws(StoreError) -> ReferenceMatch {
        try await approach(isWrite: false)
        return try await base.find(reference: reference)
    }

    func list(includingDeleted: Bool) async throws(StoreError) -> RecordList {
        try await approach(isWrite: false)
        return try await base.list(includingDeleted: includingDeleted)
    }

    func page(
        after position: RecordPosition?, limit: Int, since revision: Revision?
    ) async throws(StoreError) -> RecordPage {
        try await approach(isWrite: false)
        return try await base.page(after: position, limit: limit, since: revision)
    }

    func allUIDs() async throws(StoreError) -> [UID] {
        try await approach(isWrite: false)
        return try await base.allUIDs()
    }

    func changes(since revision: Revision) async throws(StoreError) -> ChangeList {
        try await approach(isWrite: false)
        return try await base.changes(since: revision)
    }

    func tombstone(_ uid: UID) async throws(StoreError) -> Tombstone? {
        try await approach(isWrite: false)
        return try await base.tombstone(uid)
    }

    func image(_ canonical: String) async throws(StoreError) -> ImageRecord? {
        try await approach(isWrite: false)
        return try await base.image(canonical)
    }

    func exec(_ id: String) async throws(StoreError) -> ExecRecord? {
        try await approach(isWrite: false)
        return try await base.exec(id)
    }

    func execs(of uid: UID) async throws(StoreError) -> [ExecRecord] {
        try await approach(isWrite: false)
        return try await base.execs(of: uid)
    }

    func openExecs() async throws(StoreError) -> [ExecRecord] {
        try await approach(isWrite: false)
        return try await base.openExecs()
    }

    func images() async throws(StoreError) -> [ImageRecord] {
        try await approach(isWrite: false)
        return try await base.images()
    }

    func volume(_ name: VolumeName) async throws(StoreError) -> Volume? {
        try await approach(isWrite: false)
        return try await base.volume(name)
    }

    func volumes() async throws(StoreError) -> [Volume] {
        try await approach(isWrite: false)
        return try await base.volumes()
    }

    func volumeUsers() async throws(StoreError) -> [VolumeName: [UID]] {
        try await approach(isWrite: false)
        return try await base.volumeUsers()
    }

    func events(after number: Int64, since: Instant?, limit: Int) async throws(StoreError) -> [EngineEvent] {
        try await approach(isWrite: false)
        return try await base.events(after: number, since: since, limit: limit)
    }

    func newestEventNumber() async throws(StoreError) -> Int64 {
        try await approach(isWrite: false)
        return try await base.newestEventNumber()
    }

    func newestEpoch() async throws(StoreError) -> Epoch? {
        try await approach(isWrite: false)
        return try await base.newestEpoch()
    }

    func writers() async throws(StoreError) -> [String: Revision] {
        try await approach(isWrite: false)
        return try await base.writers()
    }

    func freeze() async throws(StoreError) -> Freeze? {
        try await approach(isWrite: false)
        return try await base.freeze()
    }

    func tombstones() async throws(StoreError) -> [Tombstone] {
        try await approach(isWrite: false)
        return try await base.tombstones()
    }

    func sightings() async throws(StoreError) -> [Sighting] {
        try await approach(isWrite: false)
        return try await base.sightings()
    }

    func inventories() async throws(StoreError) -> [String] {
        try await approach(isWrite: false)
        return try await base.inventories()
    }

    func inventory(_ name: String) async throws(StoreError) -> [InventoryEntry] {
        try await approach(isWrite: false)
        return try await base.inventory(name)
    }

    func journal(of uid: UID, limit: Int) async throws(StoreError) -> [JournalEntry] {
        try await approach(isWrite: false)
        return try await base.journal(of: uid, limit: limit)
    }

    // MARK: the way

    private func approach(isWrite: Bool) async throws(StoreError) {
        do { try await run.time.pause(run.storeLatency()) } catch { throw StoreError(.cancelled) }
        try check()
        if run.dice.chance(isWrite ? run.chaos.storeWriteFailure : run.chaos.storeReadFailure) {
            run.noteFault("store-unavailable")
            throw StoreError(.unavailable, "simulated")
        }
    }

    private func check() throws(StoreError) {
        if !life.isAlive || Task.isCancelled { throw StoreError(.cancelled) }
    }
}
