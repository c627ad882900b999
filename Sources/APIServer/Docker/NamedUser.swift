import NIOCore

/// What of `user[:group]` has to be looked up in the container, by the rules of Docker's engine (moby/sys/user v0.4, user.go, GetExecUser): a number
/// needs no entry.
struct NamedUser: Hashable, Sendable {
    struct Name: Hashable, Sendable {
        /// `user` or `group`.
        let kind: String
        let text: String

        var file: String { kind == "user" ? "/etc/passwd" : "/etc/group" }

        /// Throws when no line of the file has the name.
        func check(in list: String) throws(DockerError) {
            for line in list.split(separator: "\n") where line.split(separator: ":").first == text[...] { return }
            let name = kind == "user" ? "passwd" : "group"
            throw .badParameter("unable to find \(kind) \(text): no matching entries in \(name) file")
        }
    }

    let names: [Name]

    init(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        names = zip(["user", "group"], parts).compactMap { kind, part in
            part.isEmpty || Int32(part) != nil ? nil : Name(kind: kind, text: String(part))
        }
    }
}

/// Reading a tar that our agent made.
enum TarEntry {
    private static let blockBytes = 512

    /// The content of the first regular file; `nil` when there is none, or it is cut off.
    static func first(in archive: ByteBuffer) -> ByteBuffer? {
        var rest = archive
        while let header = rest.readSlice(length: blockBytes) {
            // POSIX ustar: the size is octal at 124, the kind one letter at 156.
            guard let digits = header.getString(at: header.readerIndex + 124, length: 11),
                let size = Int(digits, radix: 8),
                let kind = header.getInteger(at: header.readerIndex + 156, as: UInt8.self)
            else { return nil }
            guard let content = rest.readSlice(length: size) else { return nil }
            if kind == UInt8(ascii: "0") || kind == 0 { return content }
            guard rest.readSlice(length: (blockBytes - size % blockBytes) % blockBytes) != nil else { return nil }
        }
        return nil
    }
}
