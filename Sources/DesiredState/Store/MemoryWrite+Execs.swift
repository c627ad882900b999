/// ``StoreWrite``'s counterpart for executed commands.
extension MemoryWrite {
    mutating func createExec(_ exec: ExecRecord, in tables: inout MemoryTables) throws(StoreError) {
        guard tables.rows[exec.uid] != nil else { throw StoreError(.notFound(exec.uid)) }
        guard tables.execOwners[exec.id] == nil else { throw StoreError(.conflict(current: revision)) }
        set(\.execOwners, exec.id, exec.uid, in: &tables)
        var dropped: [String] = []
        edit(exec.uid, in: &tables) { row in
            row.execs.append(exec)
            let older = row.execs.dropLast(ExecRecord.maximumPerRecord)
            dropped = older.filter { !$0.isOpen }.map(\.id)
            row.execs = older.filter(\.isOpen) + row.execs.suffix(ExecRecord.maximumPerRecord)
        }
        for id in dropped { set(\.execOwners, id, nil, in: &tables) }
    }

    mutating func startExec(_ id: String, at instant: Instant, in tables: inout MemoryTables) throws(StoreError) {
        guard let exec = tables.exec(id), exec.startedAt == nil, exec.result == nil else {
            throw StoreError(.conflict(current: revision))
        }
        editExec(id, in: &tables) { $0.startedAt = instant }
    }

    mutating func finishExec(_ id: String, _ result: ExecResult, in tables: inout MemoryTables) {
        editExec(id, in: &tables) { $0.result = $0.result ?? result }
    }

    private mutating func editExec(
        _ id: String, in tables: inout MemoryTables, _ body: (inout ExecRecord) -> Void
    ) {
        guard let uid = tables.execOwners[id] else { return }
        edit(uid, in: &tables) { row in
            guard let index = row.execs.firstIndex(where: { $0.id == id }) else { return }
            body(&row.execs[index])
        }
    }
}

extension MemoryTables {
    func exec(_ id: String) -> ExecRecord? {
        guard let uid = execOwners[id] else { return nil }
        return rows[uid]?.execs.first { $0.id == id }
    }
}

extension MemoryStore {
    package func exec(_ id: String) async throws(StoreError) -> ExecRecord? {
        try read { $0.exec(id) }
    }

    package func execs(of uid: UID) async throws(StoreError) -> [ExecRecord] {
        try read { $0.rows[uid]?.execs ?? [] }
    }

    package func openExecs() async throws(StoreError) -> [ExecRecord] {
        try read { tables in tables.inOrder.flatMap(\.execs).filter(\.isOpen) }
    }
}
