import NIOHTTP1

/// The content address of an image: an algorithm and its digest in hex, `sha256:…`.
package struct ImageDigest: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    package let rawValue: String
    package var description: String { rawValue }

    /// Nil unless the text is a SHA-256 or SHA-512 digest (OCI image-spec v1.1, descriptor.md).
    package init?(rawValue: String) {
        let parts = rawValue.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2,
            parts[0] == "sha256" && parts[1].count == 64 || parts[0] == "sha512" && parts[1].count == 128,
            parts[1].utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
        else { return nil }
        self.rawValue = rawValue
    }
}

/// Asks a container registry what a tag stands for, by the OCI distribution protocol, without credentials.
package struct RegistryClient: Sendable {
    /// How long one question may take.
    static let timeout = Duration.seconds(30)
    /// Registries refuse manifests above 4 MiB (OCI distribution-spec v1.1, "Pushing Manifests").
    static let manifestBytes = 4 << 20

    /// Without these a registry may convert an image to the oldest format, which has another digest.
    private static let manifestTypes = [
        "application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
    ].joined(separator: ", ")

    let endpoint: ServiceURL
    let transport: any Transport

    package init(endpoint: ServiceURL, transport: AzureTransport) {
        self.init(endpoint: endpoint, sending: transport)
    }

    init(endpoint: ServiceURL, sending transport: any Transport) {
        self.endpoint = endpoint
        self.transport = transport
    }

    /// The digest of the manifest or index that a tag or digest names, nil if the registry does not have it.
    /// One `HEAD`, which Docker Hub does not count as a pull; one `GET` more where that answer says too little.
    /// - Parameters:
    ///   - repository: with all of its path, such as `library/alpine`.
    ///   - reference: a tag or a digest.
    /// - Throws: `unauthorized` if the registry wants credentials, `invalid` for names that are no names.
    package func resolve(
        repository: String, reference: String, correlationID: CorrelationID
    ) async throws(AzureError) -> ImageDigest? {
        let head = try request(.HEAD, repository, reference, correlationID)
        let short = try await transport.send(head, bearer: nil)
        if short.isSuccess, let digest = digest(short, reference: reference) { return digest }
        // Whether a 404 is the registry's own word, or why it refuses, stands in a body only.
        let get = try request(.GET, repository, reference, correlationID)
        let full = try await transport.send(get, bearer: nil)
        guard full.isSuccess else {
            let error = AzureError(full, to: get, clock: transport.clock)
            if error.code == .notFound { return nil }
            throw error
        }
        guard let digest = digest(full, reference: reference) else {
            throw AzureError(unusable: full, to: get, message: "the registry's answer names no digest, or another one")
        }
        return digest
    }

    private func request(
        _ method: HTTPMethod, _ repository: String, _ reference: String, _ correlationID: CorrelationID
    ) throws(AzureError) -> AzureRequest {
        let resource = "\(endpoint)/\(repository) \(reference)"
        let segments = repository.split(separator: "/", omittingEmptySubsequences: false) + [Substring(reference)]
        guard segments.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && !$0.contains("/") }) else {
            throw AzureError(
                code: .invalid, operation: .resolveImage, resource: resource, message: "not the name of an image",
                correlationID: correlationID.description)
        }
        let path = segments.dropLast().map { PercentEncoding.encoded(String($0)) }.joined(separator: "/")
        // A digest's colon is left as it is: registries route by it, and it has no meaning of its own in a path.
        let name = PercentEncoding.encoded(reference).replacing("%3A", with: ":")
        return AzureRequest(
            operation: .resolveImage, resource: resource, method: method,
            url: endpoint.url(escapedPath: "/v2/\(path)/manifests/\(name)"), headers: ["accept": Self.manifestTypes],
            correlationID: correlationID, timeout: Self.timeout, bodyBound: .refuse(aboveBytes: Self.manifestBytes))
    }

    /// The digest the reply names; nil if it names none or not the one that was asked for.
    private func digest(_ reply: AzureReply, reference: String) -> ImageDigest? {
        guard let digest = reply.headers.first(name: "docker-content-digest").flatMap(ImageDigest.init(rawValue:)),
            !reference.contains(":") || reference == digest.rawValue
        else { return nil }
        return digest
    }
}
