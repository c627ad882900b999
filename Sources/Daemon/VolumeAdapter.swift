import APIServer
import Controller
import DesiredState

/// The controller's volumes as the API server wants them.
struct VolumeAdapter: VolumeControl {
    let service: VolumeService

    var isOn: Bool { true }

    func create(_ request: VolumeRequest) async throws(VolumeError) -> Volume { try await service.create(request) }
    func remove(_ name: VolumeName) async throws(VolumeError) { try await service.remove(name) }
    func watch(_ uid: UID) { service.watch(uid) }
}
