package import DesiredState

/// What is known about a volume beside its record.
package struct VolumeFacts: Hashable, Sendable {
    package enum Share: Hashable, Sendable {
        /// To be read.
        case unknown
        case absent
        /// It has our marks; the id is the one among them.
        case ours(UID)
        /// It has not.
        case foreign
    }

    /// A call that did not do what was asked.
    package struct Failure: Hashable, Sendable {
        package var reason: String
        package var message: String
        /// It will not heal by itself.
        package var isLasting: Bool

        package init(reason: String, message: String, isLasting: Bool) {
            self.reason = reason
            self.message = message
            self.isLasting = isLasting
        }
    }

    package var share: Share
    /// Of the newest call; `nil` when that went well.
    package var failure: Failure?
    package var isFrozen: Bool
    /// The account that is configured.
    package var account: String
    /// The record that it ends with is gone, or was never made.
    package var isOwnerGone: Bool

    package init(
        share: Share = .unknown, failure: Failure? = nil, isFrozen: Bool = false, account: String,
        isOwnerGone: Bool = false
    ) {
        self.share = share
        self.failure = failure
        self.isFrozen = isFrozen
        self.account = account
        self.isOwnerGone = isOwnerGone
    }
}

package enum VolumeAction: Hashable, Sendable {
    /// Nothing is left to do.
    case rest
    /// Looked at again when somebody wakes it.
    case wait(VolumeFacts.Failure)
    /// Looked at again after a while.
    case retry(VolumeFacts.Failure)
    case readShare
    case makeShare
    case deleteShare
    /// To be committed; it is looked at again at once.
    case write(Volume)
    /// To be committed: the volume is there for whoever asked.
    case complete(Volume)
    /// To be committed. With a failure: it never came to be.
    case forget(VolumeFacts.Failure?)
}

/// Decides what is done about a volume. Pure: everything it needs comes in as values, and deciding twice is harmless.
package enum VolumePlanner {
    package static func next(_ volume: Volume, _ facts: VolumeFacts) -> VolumeAction {
        if volume.phase == .ready {
            guard facts.isOwnerGone else { return .rest }
            // An older copy of the store may just not know the record.
            if facts.isFrozen { return .wait(.frozen) }
            return .write(volume.changed { $0.phase = .removing })
        }
        if facts.isFrozen { return .wait(.frozen) }
        guard volume.account == facts.account else { return .wait(.otherAccount(volume, facts.account)) }
        if let failure = facts.failure {
            // Nothing of ours can be in Azure, and whoever asked is told why.
            if volume.phase == .creating, failure.isLasting, facts.share == .absent { return .forget(failure) }
            guard volume.reason == failure.reason, volume.message == failure.message else {
                return .write(
                    volume.changed {
                        $0.reason = failure.reason
                        $0.message = failure.message
                    })
            }
            return .retry(failure)
        }
        switch (volume.phase, facts.share) {
        case (_, .unknown): return .readShare
        case (.creating, .absent): return .makeShare
        case (.creating, .ours(let id)):
            return .complete(
                volume.changed {
                    // A share that an earlier record of that name has left keeps its files.
                    $0.id = id
                    $0.phase = .ready
                    $0.reason = ""
                    $0.message = ""
                })
        case (.creating, .foreign): return .forget(.foreignShare(volume))
        // Somebody else's share, or a later one of ours that this record does not know: both stay.
        case (.removing, .absent), (.removing, .foreign): return .forget(nil)
        case (.removing, .ours(let id)): return id == volume.id ? .deleteShare : .forget(nil)
        case (.ready, _): return .rest
        }
    }
}

extension Volume {
    /// The next generation.
    package func changed(_ body: (inout Volume) -> Void) -> Volume {
        var volume = self
        body(&volume)
        volume.generation += 1
        return volume
    }
}

extension VolumeFacts.Failure {
    static let frozen = VolumeFacts.Failure(
        reason: "Frozen", message: "the store is behind its sites, and nothing is written to Azure until skls recover",
        isLasting: true)

    static func otherAccount(_ volume: Volume, _ account: String) -> VolumeFacts.Failure {
        VolumeFacts.Failure(
            reason: "OtherStorageAccount",
            message:
                "the volume \(volume.name) is in the storage account \(volume.account), and \(account) is configured: "
                + "start the daemon with \(volume.account) for its volumes", isLasting: true)
    }

    static func foreignShare(_ volume: Volume) -> VolumeFacts.Failure {
        VolumeFacts.Failure(
            reason: "ShareNotOurs",
            message:
                "the storage account \(volume.account) has a share \(volume.share) that skls did not make for this volume: "
                + "delete or rename that share, or give the volume another name", isLasting: true)
    }
}
