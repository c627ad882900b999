/// A reference to an image, in Docker's normal form: `alpine` is `docker.io/library/alpine:latest`.
struct ImageReference: Hashable, Sendable, CustomStringConvertible {
    var registry: String
    /// `library/alpine`
    var repository: String
    /// A tag, or a digest (`sha256:…`), which wins over a tag beside it.
    var reference: String

    /// Nil if there is no repository name, or a character that no reference can hold.
    init?(_ text: some StringProtocol) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        var name = Substring(text)
        var digest: Substring?
        if let at = name.firstIndex(of: "@") {
            digest = name[name.index(after: at)...]
            name = name[..<at]
        }
        var tag = "latest"
        if let colon = name.lastIndex(of: ":"), !name[colon...].contains("/") {
            tag = String(name[name.index(after: colon)...])
            name = name[..<colon]
        }
        var parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        // Docker's rule: the first part is a registry if it has a dot or a port, or is "localhost".
        if parts.count > 1, parts[0].contains(".") || parts[0].contains(":") || parts[0] == "localhost" {
            registry = parts.removeFirst()
        } else {
            registry = Self.dockerHub
        }
        if registry == "index.docker.io" { registry = Self.dockerHub }
        if registry == Self.dockerHub, parts.count == 1 { parts.insert("library", at: 0) }
        repository = parts.joined(separator: "/")
        reference = digest.map(String.init) ?? tag
        guard parts.allSatisfy({ !$0.isEmpty }), !reference.isEmpty else { return nil }
    }

    static let dockerHub = "docker.io"

    var isDigest: Bool { reference.contains(":") }

    var description: String { "\(registry)/\(repository)\(isDigest ? "@" : ":")\(reference)" }
}
