import DesiredState
import HTTPTypes
import HummingbirdCore
import NIOCore

/// Images are records of references: they stay in their registry, and what is known here is what they are called.
extension DockerAPI {
    func catalog() async throws -> ImageCatalog { ImageCatalog(try await backend.store.images()) }

    /// `POST /images/create`: `docker pull`. The image stays in its registry; what a pull leaves here is the name, which create asks for.
    /// The registry is asked before the first byte of the reply, so that its refusal has a status.
    func pull(_ exchange: Exchange) async throws -> Response {
        guard exchange.query["fromSrc"] == nil else {
            throw DockerError.notImplemented("import", hint: "push the image to a registry")
        }
        try Platform.check(exchange.query["platform"])
        let reference = try ImageQuery.reference(name: exchange.query["fromImage"], tag: exchange.query["tag"])
        let resolution: ImageResolution
        do throws(ImageResolverError) {
            resolution = try await backend.images.resolve(reference)
        } catch {
            throw DockerError(.internalServerError, error.description)
        }
        let digest = try ImageQuery.digest(resolution, of: reference)
        let known = try await backend.store.image(reference.canonical)
        let image = ImageRecord(canonical: reference.canonical, digest: digest, pulledAt: backend.clock())
        let event = EngineEvent(
            at: backend.clock(), .image, "pull", actor: reference.familiar,
            attributes: ["name": reference.familiarRepository])
        try await backend.store.commit(Transaction(origin: .user, [.putImage(image), .addEvent(event)]))
        let isNew = known == nil || known?.digest != digest
        let progress = ImageQuery.progress(reference, digest: digest, isNew: isNew)
        // In chunks as Docker sends it: docker-py takes a body whose length is known for one line (7.1.0, `api/client.py`, `_stream_helper`).
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init { writer in
                try await exchange.write(progress)
                try await writer.finish(nil)
            })
    }

    /// `GET /images/{name}/json`: the little that is known of an image that stays in its registry.
    func inspectImage(_ name: String) async throws -> Response {
        let entry = try await catalog().find(name).entry
        return .json([
            "Id": .string(entry.id), "RepoTags": .strings(entry.tags), "RepoDigests": .strings(entry.digests),
            "Parent": "", "Comment": "", "Created": .string(entry.createdAt.rfc3339(fractionDigits: 9)), "Author": "",
            "DockerVersion": "", "Architecture": "amd64", "Os": "linux", "Size": 0, "VirtualSize": 0,
            "GraphDriver": ["Name": "azure-functions", "Data": nil], "RootFS": ["Type": "layers"],
            "Metadata": [
                "LastTagTime": .string(
                    (entry.names.filter { $0.source != nil }.map(\.pulledAt).max())?.rfc3339(fractionDigits: 9)
                        ?? ContainerInspect.never)
            ],
            "Config": ["Cmd": nil, "Entrypoint": nil, "Env": nil, "Labels": nil, "WorkingDir": ""],
        ])
    }

    /// `GET /images/json`, newest first.
    func listImages(_ exchange: Exchange) async throws -> Response {
        let catalog = try await catalog()
        let filters = try ImageFilters(exchange.query["filters"], catalog, now: backend.clock())
        return .json(try await imageList(catalog, filters.matches))
    }

    func imageList(_ catalog: ImageCatalog, _ isShown: (ImageCatalog.Entry) -> Bool) async throws -> JSON {
        let records = try await backend.store.list(includingDeleted: false).records
        let users = Dictionary(records.map { (catalog.id(of: $0.spec.image), 1) }, uniquingKeysWith: +)
        return .array(
            catalog.entries.filter(isShown).map { entry in
                [
                    "Id": .string(entry.id), "ParentId": "", "RepoTags": .strings(entry.tags),
                    "RepoDigests": .strings(entry.digests), "Created": .number(entry.createdAt.unixSeconds),
                    "Size": 0, "SharedSize": -1, "VirtualSize": 0, "Labels": [:],
                    "Containers": .number(users[entry.id] ?? 0),
                ]
            })
    }

    /// `GET /images/{name}/history`: one line, since the layers are not looked at.
    func imageHistory(_ name: String) async throws -> Response {
        let entry = try await catalog().find(name).entry
        return .json([
            [
                "Id": .string(entry.id), "Created": .number(entry.createdAt.unixSeconds), "CreatedBy": "",
                "Tags": .strings(entry.tags), "Size": 0, "Comment": "the layers stay in the registry",
            ]
        ])
    }

    /// `POST /images/{name}/tag`: another name for it here. What Azure pulls stays what it was.
    func tagImage(_ exchange: Exchange, _ name: String) async throws -> Response {
        let match = try await catalog().find(name)
        let reference = try ImageQuery.reference(name: exchange.query["repo"], tag: exchange.query["tag"])
        guard reference.digest == nil else {
            throw DockerError.badParameter("refusing to create a tag with a digest reference")
        }
        guard let base = match.name ?? match.entry.names.first else { throw DockerError.noSuchImage(name) }
        let source = base.source ?? base.canonical
        let image = ImageRecord(
            canonical: reference.canonical, digest: base.digest, pulledAt: backend.clock(),
            source: source == reference.canonical ? nil : source)
        let event = EngineEvent(
            at: backend.clock(), .image, "tag", actor: match.entry.id, attributes: ["name": reference.familiar])
        try await backend.store.commit(Transaction(origin: .user, [.putImage(image), .addEvent(event)]))
        return Response(status: .created)
    }

    /// `DELETE /images/{name}`.
    func removeImage(_ exchange: Exchange, _ name: String) async throws -> Response {
        let catalog = try await catalog()
        let match = try catalog.find(name)
        let users = try await backend.store.list(includingDeleted: false).records.filter {
            catalog.id(of: $0.spec.image) == match.entry.id
        }
        let removal = try ImageRemoval(
            match, named: name, users: users, isForced: exchange.query.flag("force"))
        try await backend.store.commit(Transaction(origin: .user, removal.operations(at: backend.clock())))
        return .json(removal.json)
    }

    /// `POST /images/prune`. None dangles, so only `dangling=false` (`docker image prune -a`) removes any: those that no container uses.
    func pruneImages(_ exchange: Exchange) async throws -> Response {
        let arguments = try FilterArguments(
            exchange.query["filters"], allowed: ["dangling", "label", "label!", "until"])
        let isDanglingOnly = try arguments.flag("dangling") ?? true
        let until = try arguments.until(backend.clock())
        let catalog = try await catalog()
        let records = try await backend.store.list(includingDeleted: false).records
        let used = Set(records.map { catalog.id(of: $0.spec.image) })
        let removals = catalog.entries.filter { entry in
            !isDanglingOnly && !used.contains(entry.id) && until.map { entry.createdAt <= $0 } ?? true
                && arguments.matchesLabels([:])
        }.map { ImageRemoval(whole: $0) }
        let now = backend.clock()
        let pruned = EngineEvent(at: now, .image, "prune", actor: "", attributes: ["reclaimed": "0"])
        let operations = removals.flatMap { $0.operations(at: now) } + [.addEvent(pruned)]
        try await backend.store.commit(Transaction(origin: .user, operations))
        let deleted = JSON.array(
            removals.flatMap { removal -> [JSON] in
                guard case .array(let lines) = removal.json else { return [] }
                return lines
            })
        return .json(["ImagesDeleted": removals.isEmpty ? nil : deleted, "SpaceReclaimed": 0])
    }
}

/// What removing an image takes away, by moby's rules (v28, `daemon/images/image_delete.go`). Pure.
struct ImageRemoval: Hashable, Sendable {
    private let untagged: [ImageRecord]
    /// The image's id if nothing of it stays.
    private let deleted: String?
    private let id: String

    /// `named` = how the client called it; `users` = the containers of the image. Throws moby's conflicts.
    init(
        _ match: ImageCatalog.Match, named text: String, users: [FunctionApp], isForced: Bool
    ) throws(DockerError) {
        let entry = match.entry
        id = entry.id
        let running = users.first { ContainerState($0).isRunning }
        if let name = match.name {
            let isLast = entry.names.count == 1
            if isLast, !isForced, let user = users.first {
                throw DockerError(
                    .conflict,
                    "conflict: unable to remove repository reference \"\(text)\" (must force) - container \(user.uid.short) is using its referenced image \(entry.short)"
                )
            }
            untagged = [name]
            // Without its last name nothing is left to keep, also when a container runs from it: Azure has pulled it.
            deleted = isLast ? entry.id : nil
            return
        }
        if let running {
            throw ImageRemoval.conflict(
                entry, "cannot be forced", "image is being used by running container \(running.uid.short)")
        }
        if !isForced {
            if entry.names.count > 1 {
                throw ImageRemoval.conflict(entry, "must be forced", "image is referenced in multiple repositories")
            }
            if let user = users.first {
                throw ImageRemoval.conflict(
                    entry, "must be forced", "image is being used by stopped container \(user.uid.short)")
            }
        }
        untagged = entry.names
        deleted = entry.id
    }

    /// Of an image that nothing uses.
    init(whole entry: ImageCatalog.Entry) {
        id = entry.id
        untagged = entry.names
        deleted = entry.id
    }

    private static func conflict(_ entry: ImageCatalog.Entry, _ way: String, _ why: String) -> DockerError {
        DockerError(.conflict, "conflict: unable to delete \(entry.short) (\(way)) - \(why)")
    }

    func operations(at instant: Instant) -> [Transaction.Operation] {
        var operations: [Transaction.Operation] = []
        for name in untagged {
            operations.append(.removeImage(name.canonical))
            operations.append(.addEvent(EngineEvent(at: instant, .image, "untag", actor: id, attributes: ["name": id])))
        }
        if let deleted {
            operations.append(
                .addEvent(EngineEvent(at: instant, .image, "delete", actor: deleted, attributes: ["name": deleted])))
        }
        return operations
    }

    var json: JSON {
        var lines: [JSON] = untagged.map { ["Untagged": .string($0.reference?.familiar ?? $0.canonical)] }
        if let deleted {
            for digest in Set(untagged.compactMap(\.familiarDigest)).sorted() {
                lines.append(["Untagged": .string(digest)])
            }
            lines.append(["Deleted": .string(deleted)])
        }
        return .array(lines)
    }
}

/// The pure parts of a pull.
enum ImageQuery {
    /// `tag` is a tag or a digest.
    static func reference(name: String?, tag: String?) throws(DockerError) -> ImageReference {
        guard let name, !name.isEmpty else { throw .badParameter("invalid reference format") }
        let suffix = tag.flatMap { $0.isEmpty ? nil : ($0.hasPrefix("sha256:") ? "@" : ":") + $0 } ?? ""
        do throws(InvalidImageReference) {
            return try ImageReference(parsing: name + suffix)
        } catch {
            throw .badParameter("\(error)")
        }
    }

    /// Throws Docker's words for an image that is not there (moby v28, `distribution/errors.go`).
    static func digest(_ resolution: ImageResolution, of reference: ImageReference) throws(DockerError) -> String? {
        switch resolution {
        case .found(let digest): return digest
        case .unchecked: return nil
        case .notFound:
            throw DockerError(
                .notFound,
                "pull access denied for \(reference.familiarRepository), repository does not exist or may require 'docker login': denied: requested access to the resource is denied"
            )
        case .manifestNotFound:
            throw DockerError(
                .notFound,
                "manifest for \(reference.familiar) not found: manifest unknown: manifest unknown")
        }
    }

    /// JSON lines, as the CLI shows them.
    static func progress(_ reference: ImageReference, digest: String?, isNew: Bool) -> ByteBuffer {
        let name = reference.familiar
        var lines: [JSON] = [
            [
                "status": .string("Pulling from \(reference.path)"),
                "id": .string(reference.tag ?? reference.digest ?? ""),
            ]
        ]
        if let digest { lines.append(["status": .string("Digest: \(digest)")]) }
        lines.append([
            "status": .string(
                isNew ? "Status: Downloaded newer image for \(name)" : "Status: Image is up to date for \(name)")
        ])
        var buffer = ByteBuffer()
        for line in lines {
            line.write(to: &buffer)
            buffer.writeStaticString("\r\n")
        }
        return buffer
    }
}

extension DockerError {
    static func noSuchImage(_ name: String) -> DockerError { DockerError(.notFound, "No such image: \(name)") }
}
