package import AzureClient
package import DesiredState
import NIOConcurrencyHelpers

/// Gives mounts the account's key, in the moment in which a site is written: the key is in no record, no design and no log.
package final class MountKeys: Sendable {
    private let account: StorageAccountName
    private let store: any RecordStore
    private let shares: any SharesAPI
    private let clock: @Sendable () -> Instant
    private let known = NIOLockedValueBox<(key: Secret, readAt: Instant)?>(nil)

    /// A key is asked for once for many sites that are written together, and a changed one is found by the next write.
    static let lifetime: Duration = .seconds(60)

    /// `clock`: steady.
    package init(
        account: StorageAccountName, store: any RecordStore, shares: any SharesAPI,
        clock: @escaping @Sendable () -> Instant
    ) {
        self.account = account
        self.store = store
        self.shares = shares
        self.clock = clock
    }

    /// Why the mounts cannot be written; `nil` when each is of a volume that is ready.
    func fault(_ mounts: [String: SiteMount]) async -> DesignFault? {
        let volumes: [Volume]
        do throws(StoreError) {
            volumes = try await store.volumes()
        } catch {
            return DesignFault(reason: "StoreUnavailable", description: "volumes cannot be read: \(error)")
        }
        let ready = Dictionary(
            volumes.filter { $0.phase == .ready }.map { ($0.share, $0.account) },
            uniquingKeysWith: { first, _ in first }
        )
        for mount in mounts.values.sorted(by: { $0.mountPath < $1.mountPath }) {
            guard let place = ready[mount.shareName] else {
                return DesignFault(
                    reason: "VolumeNotReady",
                    description: "the volume that is to be mounted on \(mount.mountPath) is not there: create it again")
            }
            guard place == account.rawValue else {
                return DesignFault(
                    reason: "OtherStorageAccount",
                    description: "the volume that is mounted on \(mount.mountPath) is in the storage account \(place), "
                        + "and \(account) is configured: start the daemon with \(place) for its volumes")
            }
        }
        return nil
    }

    /// - Parameter isRepair: what was known before is asked for again.
    /// - Throws: if the account's keys cannot be read.
    func keyed(
        _ mounts: [String: SiteMount], isRepair: Bool, correlationID: CorrelationID
    ) async throws(AzureError) -> [String: SiteMount] {
        if isRepair { known.withLockedValue { $0 = nil } }
        let key = try await key(correlationID)
        return mounts.mapValues { mount in
            var mount = mount
            mount.accessKey = key
            return mount
        }
    }

    private func key(_ correlationID: CorrelationID) async throws(AzureError) -> Secret {
        let now = clock()
        if let known = known.withLockedValue({ $0 }), now - known.readAt < MountKeys.lifetime, known.readAt <= now {
            return known.key
        }
        let keys = try await shares.storageAccountKeys(account, correlationID: correlationID)
        guard let key = keys.first(where: { $0.permissions?.lowercased() != "read" })?.value else {
            throw AzureError(
                code: .forbidden, operation: .listStorageKeys, resource: account.rawValue,
                message: "the account has no key that writes, and App Service mounts by key only")
        }
        known.withLockedValue { $0 = (key, now) }
        return key
    }
}
