import DesiredState
import NIOConcurrencyHelpers

@testable import APIServer

/// Makes and removes volumes in the store alone, at once.
struct FakeVolumes: VolumeControl {
    let store: any RecordStore
    private let watched = NIOLockedValueBox<Set<UID>>([])

    init(store: any RecordStore) { self.store = store }

    var isOn: Bool { true }

    func create(_ request: VolumeRequest) async throws(VolumeError) -> Volume {
        if request.name.text == "refused" { throw VolumeError(.refused, "volume refused: Forbidden") }
        if request.name.text == "foreign" { throw VolumeError(.conflict, "volume foreign: the share is not ours") }
        do throws(StoreError) {
            if let volume = try await store.volume(request.name) { return volume }
            let volume = Volume(
                name: request.name, id: UID.test(7), labels: request.labels, options: request.options,
                createdAt: Instant(nanoseconds: 1_700_000_000_000_000_000), account: "account1",
                share: "share-\(request.name)", phase: .ready, endsWith: request.endsWith)
            try await store.commit(Transaction(origin: .controller, [.putVolume(volume, ifGeneration: nil)]))
            return volume
        } catch {
            throw VolumeError(.unavailable, error.description)
        }
    }

    func remove(_ name: VolumeName) async throws(VolumeError) {
        do throws(StoreError) {
            guard var volume = try await store.volume(name) else { throw StoreError(.volume(.missing(name))) }
            volume.phase = .removing
            volume.generation += 1
            try await store.commit(
                Transaction(
                    origin: .controller,
                    [
                        .putVolume(volume, ifGeneration: volume.generation - 1),
                        .removeVolume(name, ifGeneration: volume.generation),
                    ]))
        } catch {
            switch error.code {
            case .volume(.inUse(_, let users)):
                throw VolumeError(.inUse(users), "remove \(name): volume is in use - [\(users[0])]")
            case .volume(.missing): throw VolumeError(.notFound, "get \(name): no such volume")
            default: throw VolumeError(.unavailable, error.description)
            }
        }
    }

    func watch(_ uid: UID) { watched.withLockedValue { _ = $0.insert(uid) } }
}
