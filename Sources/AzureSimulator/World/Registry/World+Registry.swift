import Crypto

// The container registry: the read-only part of the OCI Distribution Specification v1.1 that tells whether a reference
// exists. Every known image has one manifest, whatever the tag.

extension World {
    mutating func answerRegistry(_ request: ControlRequest) -> Reply {
        var reply = registryReply(request)
        reply.add("Docker-Distribution-Api-Version", "registry/2.0")
        return reply
    }

    private func registryReply(_ request: ControlRequest) -> Reply {
        guard request.method == "GET" || request.method == "HEAD" else {
            return registryError(405, "UNSUPPORTED", "The operation is unsupported.")
        }
        let segments = request.path.split(separator: "/").dropFirst().compactMap { URLText.decode($0) }
        if segments.isEmpty { return .json(200, [:]) }
        guard segments.count >= 3, segments[segments.count - 2] == "manifests", let reference = segments.last else {
            return registryError(404, "NAME_UNKNOWN", "repository name not known to registry")
        }
        let repository = segments.dropLast(2).joined(separator: "/")
        guard let manifest = manifest(repository: repository, reference: reference) else {
            return registryError(404, "MANIFEST_UNKNOWN", "manifest unknown")
        }
        var reply = Reply(
            status: 200,
            headers: [
                .init(name: "Content-Type", value: "application/vnd.oci.image.manifest.v1+json"),
                .init(name: "Docker-Content-Digest", value: manifest.digest),
                .init(name: "ETag", value: "\"\(manifest.digest)\""),
            ])
        if request.method == "HEAD" {
            reply.add("Content-Length", String(manifest.bytes.count))
        } else {
            reply.body = manifest.bytes
        }
        return reply
    }

    private func registryError(_ status: Int, _ code: String, _ message: String) -> Reply {
        .json(status, ["errors": [["code": .string(code), "message": .string(message)]]])
    }

    /// The key of the base root that an image reference leads to; nil is "manifest unknown".
    /// A registry on loopback is this one, which stands for Docker Hub.
    func baseRoot(of image: ImageReference) -> String? {
        let isOurs = ["127.0.0.1", "localhost", "[::1]"].contains { image.registry.hasPrefix($0) }
        let name = isOurs ? image.repository : "\(image.registry)/\(image.repository)"
        guard manifest(repository: name, reference: image.reference) != nil else { return nil }
        return imageKey(repository: name)
    }

    private func imageKey(repository: String) -> String? {
        settings.images[repository] ?? settings.images["\(ImageReference.dockerHub)/\(repository)"]
            ?? settings.images["\(ImageReference.dockerHub)/library/\(repository)"]
    }

    private func manifest(repository: String, reference: String) -> (bytes: [UInt8], digest: String)? {
        guard let key = imageKey(repository: repository) else { return nil }
        let config: JSON = [
            "architecture": "amd64", "os": "linux", "config": [:], "rootfs": ["type": "layers", "diff_ids": []],
            "comment": .string(key),
        ]
        let configBytes = config.encoded
        let manifest: JSON = [
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": [
                "mediaType": "application/vnd.oci.image.config.v1+json", "digest": .string(digest(configBytes)),
                "size": .number(configBytes.count),
            ],
            "layers": [],
        ]
        let bytes = manifest.encoded
        let digest = digest(bytes)
        if reference.contains(":"), reference != digest { return nil }
        return (bytes, digest)
    }

    private func digest(_ bytes: [UInt8]) -> String { "sha256:\(hexString(SHA256.hash(data: bytes)))" }
}
