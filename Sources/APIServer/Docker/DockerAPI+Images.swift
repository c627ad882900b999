import DesiredState
import HTTPTypes
import HummingbirdCore
import NIOCore

extension DockerAPI {
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
        try await backend.store.commit(Transaction(origin: .user, [.putImage(image)]))
        let isNew = known == nil || known?.digest != digest
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ImageQuery.progress(reference, digest: digest, isNew: isNew)))
    }

    /// `GET /images/{name}/json`: the little that is known of an image that stays in its registry.
    func inspectImage(_ name: String) async throws -> Response {
        // A text that is no reference names no image, which is Docker's answer, too. (Two guards: with both conditions in one the optimiser of
        // Swift 6.3.1 crashes.)
        guard let reference = ImageReference(codedText: name) else {
            throw DockerError(.notFound, "No such image: \(name)")
        }
        guard let image = try await backend.store.image(reference.canonical) else {
            throw DockerError(.notFound, "No such image: \(name)")
        }
        return .json([
            "Id": .string(image.digest ?? image.canonical), "RepoTags": .array([.string(reference.familiar)]),
            "RepoDigests": ImageQuery.repoDigests(reference, image), "Parent": "", "Comment": "",
            "Created": .string(image.pulledAt.rfc3339(fractionDigits: 9)), "Author": "", "Architecture": "amd64",
            "Os": "linux", "Size": 0, "GraphDriver": ["Name": "azure-functions", "Data": nil],
            "RootFS": ["Type": "layers"], "Metadata": ["LastTagTime": .string(ContainerInspect.never)],
            "Config": ["Cmd": nil, "Entrypoint": nil, "Env": nil, "Labels": nil, "WorkingDir": ""],
        ])
    }

    /// `GET /images/json`: the images of the containers.
    func listImages() async throws -> Response {
        let records = try await backend.store.list(includingDeleted: false).records
        let byImage = Dictionary(grouping: records, by: \.spec.image.canonical).sorted { $0.key < $1.key }
        var images: [JSON] = []
        for (canonical, users) in byImage {
            guard let reference = users.first?.spec.image else { continue }
            guard let image = try await backend.store.image(canonical) else { continue }
            images.append([
                "Id": .string(image.digest ?? canonical), "ParentId": "",
                "RepoTags": .array([.string(reference.familiar)]),
                "RepoDigests": ImageQuery.repoDigests(reference, image),
                "Created": .number(image.pulledAt.unixSeconds), "Size": 0, "SharedSize": -1, "Labels": [:],
                "Containers": .number(users.count),
            ])
        }
        return .json(.array(images))
    }
}

/// The pure parts of the image operations.
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
            var repository = reference.familiar
            if let digest = reference.digest { repository = String(repository.dropLast(digest.utf8.count + 1)) }
            if let tag = reference.tag { repository = String(repository.dropLast(tag.utf8.count + 1)) }
            throw DockerError(
                .notFound,
                "pull access denied for \(repository), repository does not exist or may require 'docker login': denied: requested access to the resource is denied"
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

    static func repoDigests(_ reference: ImageReference, _ image: ImageRecord) -> JSON {
        guard let digest = image.digest else { return [] }
        var repository = reference.familiar
        if let own = reference.digest { repository = String(repository.dropLast(own.utf8.count + 1)) }
        if let tag = reference.tag { repository = String(repository.dropLast(tag.utf8.count + 1)) }
        return .array([.string(repository + "@" + digest)])
    }
}
