/// ``StoreWrite``'s volumes in memory.
extension MemoryWrite {
    mutating func putVolume(
        _ volume: Volume, ifGeneration expected: Int64?, in tables: inout MemoryTables
    ) throws(StoreError) {
        guard tables.volumes[volume.name]?.generation == expected else {
            throw StoreError(.volume(.changed(volume.name)))
        }
        if volume.phase == .removing {
            let users = tables.users(of: volume.name)
            if !users.isEmpty { throw StoreError(.volume(.inUse(volume.name, by: users))) }
        }
        set(\.volumes, volume.name, volume, in: &tables)
    }

    mutating func endVolume(_ name: VolumeName, with uid: UID?, in tables: inout MemoryTables) {
        guard var volume = tables.volumes[name], volume.endsWith != uid else { return }
        volume.endsWith = uid
        volume.generation += 1
        set(\.volumes, name, volume, in: &tables)
    }

    mutating func removeVolume(
        _ name: VolumeName, ifGeneration expected: Int64, in tables: inout MemoryTables
    ) throws(StoreError) {
        guard tables.volumes[name]?.generation == expected else { throw StoreError(.volume(.changed(name))) }
        set(\.volumes, name, nil, in: &tables)
    }
}

extension MemoryTables {
    fileprivate func users(of name: VolumeName) -> [UID] {
        rows.values.filter { $0.record.spec.volumes.contains { $0.name == name } }.map(\.record.uid).sorted()
    }

    func requireVolume(_ name: VolumeName) throws(StoreError) {
        guard let volume = volumes[name], volume.phase == .ready else { throw StoreError(.volume(.missing(name))) }
    }
}

extension MemoryStore {
    package func volume(_ name: VolumeName) async throws(StoreError) -> Volume? {
        try read { tables in
            tables.volumes[name]
        }
    }

    package func volumes() async throws(StoreError) -> [Volume] {
        try read { $0.volumes.values.sorted { $0.name < $1.name } }
    }

    package func volumeUsers() async throws(StoreError) -> [VolumeName: [UID]] {
        try read { tables in
            var users: [VolumeName: [UID]] = [:]
            for row in tables.rows.values {
                for name in Set(row.record.spec.volumes.map(\.name)) { users[name, default: []].append(row.record.uid) }
            }
            return users.mapValues { $0.sorted() }
        }
    }
}
