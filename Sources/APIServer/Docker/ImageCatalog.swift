import AgentProtocol
import DesiredState
import HTTPTypes

extension ImageRecord {
    /// Docker's id of the image: the digest that its registry gave it, else one that stands for the name.
    var id: String { digest ?? ImageRecord.id(ofUnresolved: source ?? canonical) }

    static func id(ofUnresolved canonical: String) -> String {
        "sha256:" + Hex.encode(SHA256.digest(Array(canonical.utf8)))
    }

    /// The name itself, not what it stands for.
    var reference: ImageReference? { ImageReference(codedText: canonical) }

    /// `alpine@sha256:…`; `nil` when no registry told a digest.
    var familiarDigest: String? {
        guard let digest, let reference = (source ?? canonical).asReference else { return nil }
        return reference.familiarRepository + "@" + digest
    }
}

extension String {
    fileprivate var asReference: ImageReference? { ImageReference(codedText: self) }
}

extension ImageReference {
    /// `alpine`, `registry.example/a/b`: without tag and digest, as Docker shows it.
    var familiarRepository: String {
        var name = familiar
        if let digest { name = String(name.dropLast(digest.utf8.count + 1)) }
        if let tag { name = String(name.dropLast(tag.utf8.count + 1)) }
        return name
    }
}

/// The images that are known, as records of references: several names can be one image. Pure.
struct ImageCatalog: Sendable {
    struct Entry: Hashable, Sendable {
        let id: String
        /// In order of their canonical references; at least one.
        var names: [ImageRecord]

        /// The first 12 digits, as Docker prints ids.
        var short: String { String(id.dropFirst("sha256:".count).prefix(12)) }

        /// When it was heard of first.
        var createdAt: Instant { names.map(\.pulledAt).min() ?? Instant(nanoseconds: 0) }
        var tags: [String] {
            names.compactMap(\.reference).filter { $0.tag != nil && $0.digest == nil }.map(\.familiar)
        }
        var digests: [String] { Set(names.compactMap(\.familiarDigest)).sorted() }
    }

    struct Match: Sendable {
        let entry: Entry
        /// The name that was meant; `nil` when the image was meant by its id.
        let name: ImageRecord?
    }

    /// Newest first.
    let entries: [Entry]
    private let idsByName: [String: String]

    init(_ images: [ImageRecord]) {
        var entries: [String: Entry] = [:]
        for image in images { entries[image.id, default: Entry(id: image.id, names: [])].names.append(image) }
        self.entries = entries.values.sorted { ($1.createdAt, $0.id) < ($0.createdAt, $1.id) }
        idsByName = Dictionary(images.map { ($0.canonical, $0.id) }) { $1 }
    }

    /// The id of a container's image, also after its name was removed.
    func id(of image: ImageReference) -> String {
        idsByName[image.canonical] ?? image.digest ?? ImageRecord.id(ofUnresolved: image.canonical)
    }

    /// moby's order (v28, `daemon/images/image.go`): whole id, then name, then the beginning of one id. Throws 404, and 400 for a beginning of several.
    func find(_ text: String) throws(DockerError) -> Match {
        let digits = text.hasPrefix("sha256:") ? String(text.dropFirst("sha256:".count)) : text
        if let entry = entries.first(where: { $0.id == "sha256:" + digits }) { return Match(entry: entry, name: nil) }
        if let reference = ImageReference(codedText: text), let match = named(reference) { return match }
        if !digits.isEmpty, digits.count < 64, digits.allSatisfy({ $0.isHexDigit && !$0.isUppercase }) {
            let matches = entries.filter { $0.id.hasPrefix("sha256:" + digits) }
            if let only = matches.first, matches.count == 1 { return Match(entry: only, name: nil) }
            if matches.count > 1 {
                throw .badParameter("ambiguous image reference: \(text) is the beginning of several")
            }
        }
        throw DockerError(.notFound, "No such image: \(ImageReference(codedText: text)?.familiar ?? text)")
    }

    private func named(_ reference: ImageReference) -> Match? {
        if let id = idsByName[reference.canonical], let entry = entries.first(where: { $0.id == id }) {
            return Match(entry: entry, name: entry.names.first { $0.canonical == reference.canonical })
        }
        // A digest means the image under whichever tag it was pulled.
        guard let digest = reference.digest, let entry = entries.first(where: { $0.id == digest }),
            let name = entry.names.first(where: {
                $0.reference.map { $0.domain == reference.domain && $0.path == reference.path } ?? false
            })
        else { return nil }
        return Match(entry: entry, name: name)
    }
}

/// Which images a list shows (moby v28, `daemon/images/images.go`).
struct ImageFilters {
    private let arguments: FilterArguments
    private let isDangling: Bool?
    private let before: Instant?
    private let since: Instant?
    private let until: Instant?

    init(_ text: String?, _ catalog: ImageCatalog, now: Instant) throws(DockerError) {
        arguments = try FilterArguments(
            text, allowed: ["dangling", "label", "label!", "before", "since", "reference", "until"])
        isDangling = try arguments.flag("dangling")
        before = try arguments["before"].last.map { text throws(DockerError) in try catalog.find(text).entry.createdAt }
        since = try arguments["since"].last.map { text throws(DockerError) in try catalog.find(text).entry.createdAt }
        until = try arguments.until(now)
    }

    /// An image without a name does not stay known, so none dangles.
    func matches(_ entry: ImageCatalog.Entry) -> Bool {
        isDangling != true && before.map { entry.createdAt < $0 } ?? true && since.map { entry.createdAt > $0 } ?? true
            && until.map { entry.createdAt <= $0 } ?? true && arguments.matchesLabels([:])
            && arguments.any("reference") { pattern in
                entry.names.compactMap(\.reference).contains {
                    Glob.matches(pattern, $0.familiar) || Glob.matches(pattern, $0.familiarRepository)
                }
            }
    }
}

/// Go's `path.Match` without its character classes, which are no part of image names: `*` and `?` stand for anything but a slash.
enum Glob {
    /// In time proportional to both lengths multiplied.
    static func matches(_ pattern: String, _ text: String) -> Bool {
        let pattern = Array(pattern.utf8)
        let text = Array(text.utf8)
        let slash = UInt8(ascii: "/")
        /// Whether what was taken of the pattern can stand for the text up to each place.
        var reached = [true] + Array(repeating: false, count: text.count)
        for symbol in pattern {
            var next = Array(repeating: false, count: text.count + 1)
            if symbol == UInt8(ascii: "*") {
                next[0] = reached[0]
                for place in text.indices {
                    next[place + 1] = reached[place + 1] || next[place] && text[place] != slash
                }
            } else {
                for place in text.indices where reached[place] {
                    next[place + 1] = symbol == UInt8(ascii: "?") ? text[place] != slash : symbol == text[place]
                }
            }
            reached = next
        }
        return reached[text.count]
    }
}
