import AzureClient
import DesiredState

/// Calls about volumes' shares. Decides nothing: each answer or error becomes what is known of the share from then on.
struct ShareCalls: Sendable {
    typealias Outcome = (share: VolumeFacts.Share, failure: VolumeFacts.Failure?)

    let shares: any SharesAPI
    let account: StorageAccountName
    let instance: InstanceID

    func read(_ volume: Volume, _ priority: RequestPriority) async -> Outcome {
        await call(volume, priority, unsent: .unknown) { share, id throws(AzureError) in
            let found = try await shares.fileShare(share, in: account, correlationID: id)
            return found.map { VolumeShare.owner($0.metadata, of: volume.name, instance: instance) } ?? .absent
        }
    }

    /// Of a share that is absent.
    func make(_ volume: Volume, _ priority: RequestPriority) async -> Outcome {
        await call(volume, priority, unsent: .absent) { share, id throws(AzureError) in
            let made = try await shares.putFileShare(
                share, in: account, quotaGiB: volume.sizeGiB,
                metadata: VolumeShare.marks(of: volume, instance: instance), correlationID: id)
            // An answer without the marks proves nothing: the share itself is looked at.
            let owner = VolumeShare.owner(made.metadata, of: volume.name, instance: instance)
            return owner == .foreign ? .unknown : owner
        }
    }

    /// Of a share that has the volume's own marks.
    func delete(_ volume: Volume, _ priority: RequestPriority) async -> Outcome {
        await call(volume, priority, unsent: .ours(volume.id)) { share, id throws(AzureError) in
            _ = try await shares.deleteFileShare(share, in: account, correlationID: id)
            return .absent
        }
    }

    /// - Parameter unsent: what is known of the share if the call changed nothing.
    private func call(
        _ volume: Volume, _ priority: RequestPriority, unsent: VolumeFacts.Share,
        _ body: (FileShareName, CorrelationID) async throws(AzureError) -> VolumeFacts.Share
    ) async -> Outcome {
        guard let share = FileShareName(rawValue: volume.share) else {
            let failure = VolumeFacts.Failure(
                reason: "InvalidShare", message: "\(volume.share) is no name of a share", isLasting: true)
            return (unsent, failure)
        }
        let id = CorrelationID(AzureTransport.randomID())
        let result: Result<VolumeFacts.Share, AzureError> = await RequestPriority.$current.withValue(priority) {
            do throws(AzureError) { return .success(try await body(share, id)) } catch { return .failure(error) }
        }
        switch result {
        case .success(let share): return (share, nil)
        case .failure(let error):
            return (error.effectIsUnknown ? .unknown : unsent, VolumeFacts.Failure(error))
        }
    }
}

extension VolumeFacts.Failure {
    init(_ error: AzureError) {
        let isLasting =
            switch Disposition(error) {
            case .waitForChange, .stop: true
            case .retryAfter, .outcomeUnknown, .cancelled: false
            }
        self.init(reason: error.code.rawValue, message: error.description, isLasting: isLasting)
    }

    /// Azure took the share and does not show it.
    static let notSeen = VolumeFacts.Failure(
        reason: "ShareNotSeen", message: "the share was made, and Azure does not show it yet", isLasting: false)
}
