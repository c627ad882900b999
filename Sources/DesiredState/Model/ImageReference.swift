/// A container image as Docker's grammar writes it (distribution/reference v0.6): `[domain/]path[:tag][@digest]`.
package struct ImageReference: Hashable, Sendable {
    /// As the user wrote it.
    package let text: String
    /// `docker.io` when the text names none.
    package let domain: String
    /// With `library/` in front for Docker Hub's official images.
    package let path: String
    /// `latest` when the text has neither tag nor digest; `nil` with only a digest.
    package let tag: String?
    /// `sha256:` and 64 hex digits.
    package let digest: String?

    /// `docker.io/library/alpine:latest`.
    package var canonical: String {
        domain + "/" + path + (tag.map { ":" + $0 } ?? "") + (digest.map { "@" + $0 } ?? "")
    }

    /// `alpine:latest`: how Docker shows it.
    package var familiar: String {
        var name = domain == ImageReference.defaultDomain ? path : domain + "/" + path
        if domain == ImageReference.defaultDomain, name.hasPrefix("library/") { name.removeFirst("library/".count) }
        return name + (tag.map { ":" + $0 } ?? "") + (digest.map { "@" + $0 } ?? "")
    }

    static let defaultDomain = "docker.io"

    /// Throws `InvalidImageReference` with Docker's wording.
    package init(parsing text: String) throws(InvalidImageReference) {
        var rest = Substring(text)
        var digest: String?
        if let at = rest.lastIndex(of: "@") {
            let candidate = rest[rest.index(after: at)...]
            guard candidate.hasPrefix("sha256:"), candidate.dropFirst(7).count == 64,
                candidate.dropFirst(7).allSatisfy({ $0.isHexDigit && !$0.isUppercase })
            else { throw InvalidImageReference(text: text, detail: nil) }
            digest = String(candidate)
            rest = rest[..<at]
        }
        var tag: String?
        if let colon = rest.lastIndex(of: ":"), !rest[colon...].contains("/") {
            let candidate = rest[rest.index(after: colon)...]
            guard let first = candidate.first, first.isASCIIWord, candidate.count <= 128,
                candidate.allSatisfy({ $0.isASCIIWord || $0 == "." || $0 == "-" })
            else { throw InvalidImageReference(text: text, detail: nil) }
            tag = String(candidate)
            rest = rest[..<colon]
        }
        let domain: String
        var path: Substring
        if let slash = rest.firstIndex(of: "/"), ImageReference.isDomain(rest[..<slash]) {
            domain = String(rest[..<slash])
            path = rest[rest.index(after: slash)...]
        } else {
            domain = ImageReference.defaultDomain
            path = rest
        }
        var canonicalDomain = domain
        if domain == "index.docker.io" || domain == "registry-1.docker.io" {
            canonicalDomain = ImageReference.defaultDomain
        }
        if canonicalDomain == ImageReference.defaultDomain, !path.isEmpty, !path.contains("/") {
            path = "library/" + path
        }
        guard !path.isEmpty, path.utf8.count <= 255,
            path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy(ImageReference.isComponent)
        else {
            let isUppercase = path.contains { $0.isUppercase }
            throw InvalidImageReference(
                text: text, detail: isUppercase ? "repository name (\(path)) must be lowercase" : nil)
        }
        self.text = text
        self.domain = canonicalDomain
        self.path = String(path)
        self.tag = tag ?? (digest == nil ? "latest" : nil)
        self.digest = digest
    }

    /// A first component is a domain when it could not be a path: it has a dot, a port or upper case, or is `localhost`.
    private static func isDomain(_ text: Substring) -> Bool {
        guard
            text == "localhost" || text.contains(".") || text.contains(":") || text.contains(where: { $0.isUppercase })
        else { return false }
        return !text.isEmpty && text.allSatisfy { $0.isASCIIWord && $0 != "_" || $0 == "." || $0 == "-" || $0 == ":" }
    }

    /// Lower-case letters and digits, with `.`, `_`, `__` or dashes only between them.
    private static func isComponent(_ text: Substring) -> Bool {
        guard let first = text.first, let last = text.last, first.isLowercaseAlphanumeric, last.isLowercaseAlphanumeric,
            text.allSatisfy({ $0.isLowercaseAlphanumeric || $0 == "." || $0 == "_" || $0 == "-" })
        else { return false }
        let separators = text.split(whereSeparator: \.isLowercaseAlphanumeric)
        return separators.allSatisfy { $0 == "." || $0 == "_" || $0 == "__" || $0.allSatisfy { $0 == "-" } }
    }
}

/// Docker's words for a reference that is none.
package struct InvalidImageReference: Error, Hashable, Sendable, CustomStringConvertible {
    package let text: String
    package let detail: String?

    package var description: String { "invalid reference format" + (detail.map { ": " + $0 } ?? "") }
}

extension Character {
    fileprivate var isLowercaseAlphanumeric: Bool { isASCII && (isLowercase || isNumber) }
    fileprivate var isASCIIWord: Bool { isASCII && (isLetter || isNumber || self == "_") }
}

extension ImageReference: TextCodable, CustomStringConvertible {
    package init?(codedText: String) {
        // The reason is lost here; places that have a user to tell parse the text themselves.
        try? self.init(parsing: codedText)
    }
    package var codedText: String { text }
    package var description: String { text }
}
