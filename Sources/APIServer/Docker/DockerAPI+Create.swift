import DesiredState
import HTTPTypes
import HummingbirdCore

extension DockerAPI {
    /// `POST /containers/create`: writes the record with no run asked for. 404 is answered only for an image that was never pulled, since the CLI pulls
    /// and tries again on any 404.
    func create(_ exchange: Exchange) async throws -> Response {
        let body = try await objectBody(exchange)
        try Platform.check(exchange.query["platform"])
        let asked = exchange.query["name"].flatMap { $0.isEmpty ? nil : $0 }
        let name = try asked.map { text throws(DockerError) in try ContainerName.parse(text) }
        var request = try CreateRequest(body: body)
        guard request.mounts.isEmpty || backend.hasVolumes else {
            throw DockerError.notImplemented(
                "a mount on \(request.mounts[0].path) is not supported: \(NoVolumes.reason)")
        }
        if backend.configuration.sessions == .off { try AttachedStreams.refuse(body) }
        // A name that `docker tag` gave stands for one in a registry, and so does an id.
        let match = try await catalog().find(request.image.text)
        try request.checkCommand()
        if let name = match.name ?? match.entry.names.first,
            name.canonical != request.image.canonical || name.source != nil,
            let source = ImageReference(codedText: name.source ?? name.canonical)
        {
            request.pull(source)
        }
        let uid = try await commit(request, name: name)
        return .json(["Id": .string(uid.text), "Warnings": .strings(request.warnings)], status: .created)
    }

    private func commit(_ request: CreateRequest, name: RecordName?) async throws -> UID {
        var generator = SystemRandomNumberGenerator()
        let uid = UID(using: &generator)
        // Before any volume is made in vain; the commit tells for certain.
        if !request.mounts.isEmpty, let name {
            if let holder = try await backend.store.find(name: name) {
                throw DockerError.nameTaken(name, by: holder.uid)
            }
        }
        // Once the record is gone, or if it never comes.
        defer { if request.mounts.contains(where: { $0.name == nil }) { backend.volumes.watch(uid) } }
        let (volumes, operations) = try await makeVolumes(request, for: uid)
        for attempt in 0..<Backend.conflictRetries {
            guard let tried = name ?? ContainerName.random(attempt: attempt, using: &generator) else { break }
            var record = request.record(name: tried, uid: uid, at: backend.clock())
            record.spec.run.timeoutSeconds = backend.configuration.runTimeoutSeconds
            record.spec.volumes = volumes
            do throws(StoreError) {
                try await backend.store.commit(Transaction(origin: .user, operations + [.create(record)]))
                RequestLog.note(uid)
                return uid
            } catch {
                if case .nameTaken = error.code, name == nil { continue }
                throw error
            }
        }
        throw DockerError(.internalServerError, "no free name was found; give one with --name")
    }

    /// Makes what is to be mounted and is not there yet, and tells what the record's commit has to hold beside the record. Volumes without a name end with
    /// the record until it is there; after that only where it removes itself.
    private func makeVolumes(
        _ request: CreateRequest, for uid: UID
    ) async throws -> (mounts: [VolumeMount], operations: [Transaction.Operation]) {
        var mounts: [VolumeMount] = []
        var operations: [Transaction.Operation] = []
        for mount in request.mounts {
            var wanted = mount.name.map { VolumeRequest(name: $0) } ?? .anonymous(endsWith: uid)
            wanted.labels.merge(mount.labels) { $1 }
            wanted.options = mount.options
            let volume = try await backend.makeVolume(wanted)
            mounts.append(VolumeMount(name: volume.name, mountPath: mount.path))
            operations.append(.requireVolume(volume.name))
            if mount.name == nil, request.spec.run.ttlSecondsAfterFinished != 0 {
                operations.append(.endVolume(volume.name, with: nil))
            }
        }
        return (mounts, operations)
    }
}

/// The only kind of worker that Azure offers for Linux Function Apps (Azure docs, App Service custom containers: x86-64 images).
enum Platform {
    /// Accepts an absent platform and linux/amd64 in its spellings.
    static func check(_ text: String?) throws(DockerError) {
        guard let text, !text.isEmpty else { return }
        let accepted: Set = ["linux", "linux/amd64", "linux/x86_64", "linux/x86-64", "amd64", "x86_64"]
        guard accepted.contains(text.lowercased()) else {
            throw .badParameter("platform \(text) is not available: Function Apps run linux/amd64 containers")
        }
    }
}

/// The contract without sessions.
enum AttachedStreams {
    private static let flags = ["AttachStdin", "AttachStdout", "AttachStderr"]

    /// Throws when any stream is to be attached to a container that removes itself: a refused attach would leave it behind, for it is never started.
    /// Others are made: `docker create` asks for all streams, whether it is attached to later or not.
    static func refuse(_ body: JSON) throws(DockerError) {
        guard try body["HostConfig"]?.bool("AutoRemove") ?? false else { return }
        for flag in flags {
            guard try body.bool(flag) else { continue }
            throw .notImplemented(
                "attach (\(flag)) needs a session with the container's agent, and sessions are off: run the container detached (docker run -d) and read its output with docker logs"
            )
        }
    }
}
