package import DesiredState

/// Makes and removes volumes. What there is of them is read from the store.
package protocol VolumeControl: Sendable {
    /// Whether there is a storage account for them.
    var isOn: Bool { get }
    /// The volume once it can be mounted; one of that name that is there already stays as it is.
    func create(_ request: VolumeRequest) async throws(VolumeError) -> Volume
    /// Begins the removal, and waits until the volume is gone.
    func remove(_ name: VolumeName) async throws(VolumeError)
    /// Volumes that end with this record are removed when it is gone; at once if it was never made.
    func watch(_ uid: UID)
}

/// Where no storage account is configured.
package struct NoVolumes: VolumeControl {
    package init() {}
    package var isOn: Bool { false }

    package func create(_ request: VolumeRequest) async throws(VolumeError) -> Volume { throw NoVolumes.refusal }
    package func remove(_ name: VolumeName) async throws(VolumeError) { throw NoVolumes.refusal }
    package func watch(_ uid: UID) {}

    /// By its settings, so that somebody can do something about it.
    static let reason =
        "no storage account is configured for volumes (SKLS_VOLUMES_ACCOUNT or SKLS_STORAGE_ACCOUNT), or sites go to a Container Apps environment, which mounts no shares"
    private static let refusal = VolumeError(.unavailable, reason)
}
