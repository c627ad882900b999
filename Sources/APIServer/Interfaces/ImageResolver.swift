package import DesiredState

/// Asks the image's registry whether it has the image.
package protocol ImageResolver: Sendable {
    func resolve(_ reference: ImageReference) async throws(ImageResolverError) -> ImageResolution
}

package enum ImageResolution: Hashable, Sendable {
    /// The manifest's digest, `sha256:` and 64 hex digits.
    case found(digest: String)
    /// No such repository, or none that we may read: registries do not tell the two apart.
    case notFound
    /// The repository has no such tag or digest.
    case manifestNotFound
    /// No registry is configured; whether the image exists shows when Azure pulls it.
    case unchecked
}

package struct ImageResolverError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What the registry, or the way to it, refused; safe to show to users.
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
