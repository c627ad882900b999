import DesiredState
import HTTPTypes
import HummingbirdCore

/// Volumes: shares of Azure Files under Docker's names.
extension DockerAPI {
    func volumes(
        _ route: SystemRoute, _ exchange: Exchange, _ version: DockerVersion
    ) async throws -> Response {
        switch route {
        case .createVolume: return try await createVolume(exchange)
        case .volumes: return try await listVolumes(exchange)
        case .pruneVolumes: return try await pruneVolumes(exchange, version)
        case .volume(let text):
            guard let volume = try await volume(text) else { throw DockerError.noSuchVolume(text) }
            return .json(VolumeReport.json(volume))
        case .removeVolume(let text): return try await removeVolume(exchange, text)
        default:
            guard backend.hasVolumes else { throw DockerError.lacking(.volumes) }
            throw DockerError.notImplemented("volume update", hint: "cluster volumes belong to swarm mode")
        }
    }

    private func volume(_ text: String) async throws -> Volume? {
        guard let name = VolumeName(text) else { return nil }
        guard let volume = try await backend.store.volume(name) else { return nil }
        return volume
    }

    /// `POST /volumes/create`: the same name again is the same volume.
    private func createVolume(_ exchange: Exchange) async throws -> Response {
        guard backend.hasVolumes else { throw DockerError.lacking(.volumes) }
        let body = try await objectBody(exchange)
        if let cluster = body["ClusterVolumeSpec"], !cluster.isZero {
            throw DockerError.notImplemented("cluster volumes", hint: "they belong to swarm mode")
        }
        let text = try body.string("Name") ?? ""
        try VolumeOptions.checkDriver(try body.string("Driver") ?? "", of: text)
        var request = text.isEmpty ? VolumeRequest.anonymous() : VolumeRequest(name: try VolumeOptions.name(text))
        request.labels.merge(try VolumeOptions.map(body, "Labels")) { $1 }
        request.options = try VolumeOptions.map(body, "DriverOpts")
        try VolumeOptions.check(request.options, of: text)
        let volume = try await backend.makeVolume(request)
        return .json(VolumeReport.json(volume), status: .created)
    }

    /// `GET /volumes`, in order of names.
    private func listVolumes(_ exchange: Exchange) async throws -> Response {
        let arguments = try FilterArguments(
            exchange.query["filters"], allowed: ["dangling", "name", "driver", "label"])
        let dangles = try arguments.flag("dangling")
        var names: [NamePattern] = []
        for text in arguments["name"] { names.append(try NamePattern(text)) }
        let patterns = names
        let shown = try await backend.volumesInUse().filter { volume, users in
            (dangles.map { $0 == users.isEmpty } ?? true) && arguments.exactly("driver", "local")
                && arguments.matchesAll("label", of: volume.labels)
                && (patterns.isEmpty || patterns.contains { $0.matches(volume.name.text) })
        }
        return .json(["Volumes": .array(shown.map { VolumeReport.json($0.volume) }), "Warnings": nil])
    }

    /// `DELETE /volumes/{name}`. What cannot be is not forced either.
    private func removeVolume(_ exchange: Exchange, _ text: String) async throws -> Response {
        guard let volume = try await volume(text) else {
            if exchange.query.flag("force") { return Response(status: .noContent) }
            throw DockerError.noSuchVolume(text)
        }
        guard backend.hasVolumes else { throw DockerError.lacking(.volumes) }
        try await backend.dropVolume(volume.name)
        return Response(status: .noContent)
    }

    /// `POST /volumes/prune`: volumes that nobody named and nobody mounts; with `all`, and before version 1.42, the named ones too.
    private func pruneVolumes(_ exchange: Exchange, _ version: DockerVersion) async throws -> Response {
        let arguments = try FilterArguments(exchange.query["filters"], allowed: ["all", "label", "label!"])
        let takesNamed = try arguments.flag("all") ?? (version < DockerVersion(major: 1, minor: 42))
        guard backend.hasVolumes else { return .json(["VolumesDeleted": [], "SpaceReclaimed": 0]) }
        guard backend.pruneGate.enter() else {
            throw DockerError(.conflict, "a prune operation is already running")
        }
        defer { backend.pruneGate.leave() }
        var removed: [String] = []
        for (volume, users) in try await backend.volumesInUse() {
            guard users.isEmpty, takesNamed || volume.isAnonymous, arguments.matchesLabels(volume.labels) else {
                continue
            }
            do throws(VolumeError) {
                try await backend.volumes.remove(volume.name)
                removed.append(volume.name.text)
            } catch {
                switch error.code {
                // Somebody has come to mount it, or was quicker.
                case .inUse, .notFound: continue
                case .cancelled: throw CancellationError()
                case .conflict, .refused, .pending, .unavailable: throw DockerError(error)
                }
            }
        }
        try await backend.tell(
            EngineEvent(at: backend.clock(), .volume, "prune", actor: "", attributes: ["reclaimed": "0"]))
        return .json(["VolumesDeleted": .strings(removed), "SpaceReclaimed": 0])
    }

    /// What of volumes `GET /system/df` tells. How much is in a share is not asked for.
    func volumeUsage() async throws -> JSON {
        .array(
            try await backend.volumesInUse().map { volume, users in
                VolumeReport.json(volume).merging([
                    "UsageData": ["Size": -1, "RefCount": .number(users.count)]
                ])
            })
    }
}

/// A volume as Docker's clients see it. Pure.
enum VolumeReport {
    static func json(_ volume: Volume) -> JSON {
        var status: JSON = [
            "Phase": .string(volume.phase.rawValue), "StorageAccount": .string(volume.account),
            "Share": .string(volume.share),
        ]
        if !volume.reason.isEmpty {
            status = status.merging(["Reason": .string(volume.reason), "Message": .string(volume.message)])
        }
        return [
            "CreatedAt": .string(volume.createdAt.rfc3339()), "Driver": "local",
            "Labels": volume.labels.isEmpty ? nil : .stringMap(volume.labels),
            // There is no folder on this machine.
            "Mountpoint": "", "Name": .string(volume.name.text),
            "Options": volume.options.isEmpty ? nil : .stringMap(volume.options), "Scope": "local", "Status": status,
        ]
    }

    /// `Mounts` of a container. The mode is what the client wrote, or Docker's own (recorded from docker 28.5.2).
    static func mounts(_ record: FunctionApp, _ docker: DockerConfiguration) -> JSON {
        .array(
            record.spec.volumes.map { mount in
                [
                    "Type": "volume", "Name": .string(mount.name.text), "Source": "",
                    "Destination": .string(mount.mountPath), "Driver": "local",
                    "Mode": .string(mode(of: mount, docker)), "RW": true, "Propagation": "",
                ]
            })
    }

    private static func mode(of mount: VolumeMount, _ docker: DockerConfiguration) -> String {
        // What was not understood was refused at create.
        for spec in (try? docker.hostConfig.strings("Binds")) ?? [] {
            let parts = spec.split(separator: ":").map(String.init)
            guard parts.count > 1, VolumeMount.cleaned(parts[1]) == mount.mountPath else { continue }
            return parts.count > 2 ? parts[2] : "z"
        }
        guard case .array(let mounts)? = docker.hostConfig["Mounts"] else { return "" }
        let isNamed = mounts.contains { item in
            if case .string(let target)? = item["Target"] {
                VolumeMount.cleaned(target) == mount.mountPath
            } else {
                false
            }
        }
        return isNamed ? "z" : ""
    }
}

extension VolumeRequest {
    /// As Docker names volumes for which nobody has a name.
    static func anonymous(endsWith uid: UID? = nil) -> VolumeRequest {
        var generator = SystemRandomNumberGenerator()
        guard let name = VolumeName(UID(using: &generator).text) else {
            preconditionFailure("64 hex digits are a volume's name")
        }
        return VolumeRequest(name: name, labels: [Volume.anonymousLabel: ""], endsWith: uid)
    }
}

extension Backend {
    /// Without sessions the contract of a backend that has no volumes holds, whatever is configured.
    var hasVolumes: Bool { volumes.isOn && configuration.sessions != .off }

    /// All volumes with those who mount them, in order of names; without those that go with a container that is gone.
    func volumesInUse() async throws -> [(volume: Volume, users: [UID])] {
        let users = try await store.volumeUsers()
        var known: [(volume: Volume, users: [UID])] = []
        for volume in try await store.volumes() {
            if let owner = volume.endsWith {
                let isGone = try await store.load(owner) == nil
                if isGone || volume.phase == .removing { continue }
            }
            known.append((volume, users[volume.name] ?? []))
        }
        return known
    }

    func makeVolume(_ request: VolumeRequest) async throws -> Volume {
        do throws(VolumeError) {
            return try await volumes.create(request)
        } catch {
            if error.code == .cancelled { throw CancellationError() }
            throw DockerError(error)
        }
    }

    func dropVolume(_ name: VolumeName) async throws {
        do throws(VolumeError) {
            try await volumes.remove(name)
        } catch {
            if error.code == .cancelled { throw CancellationError() }
            throw DockerError(error)
        }
    }
}

extension DockerError {
    static func noSuchVolume(_ text: String) -> DockerError { DockerError(.notFound, "get \(text): no such volume") }

    init(_ error: VolumeError) {
        switch error.code {
        case .notFound: self.init(.notFound, error.description)
        case .inUse, .conflict: self.init(.conflict, error.description)
        case .refused: self.init(.internalServerError, error.description)
        case .pending, .unavailable, .cancelled: self.init(.serviceUnavailable, error.description)
        }
    }
}
