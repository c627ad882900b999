import AgentProtocol
import Glibc

/// Unpacks a tar into a directory, piece by piece. It is used by one thread at a time.
///
/// Nothing is written outside of that directory: every entry's name is relative and without `..`, links on the way to it
/// are followed only as far as they stay beneath the directory, and the entry itself is made anew, never written through.
/// Device nodes are refused. Modes are kept whole, set-user-id bits included, as Docker does; owners where that is asked.
final class Extraction {
    private let target: Int32
    private let isRoot: Bool
    private let keepsKinds: Bool
    private let copiesOwners: Bool
    private var reader = TarReader()
    private var entry: TarEntry?
    private var file: Int32 = -1
    /// The directory that the last entries were put into.
    private var parent: (path: [UInt8], descriptor: Int32)?
    /// What is set when nothing more is put into them: modes could forbid that, and times would change by it.
    private var directories: [(path: [UInt8], mode: UInt32, modifiedSeconds: Int64)] = []
    /// How many owners the container's system did not allow to be set.
    private(set) var refusedOwners = 0

    /// Beyond this many directories get their modes and times at once.
    private static let directoryLimit = 65536
    private static let slash = UInt8(ascii: "/")

    init(path: [UInt8], keepsKinds: Bool, copiesOwners: Bool) throws(FileFailure) {
        target = Native.withPath(path) { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard target >= 0 else {
            let error = errno
            var status = stat()
            if error == ENOTDIR, Native.withPath(path, { stat($0, &status) }) == 0 {
                throw FileFailure(.refused, "extraction point is not a directory")
            }
            throw FileFailure(path, error)
        }
        isRoot = !path.contains { $0 != Self.slash && $0 != UInt8(ascii: ".") }
        self.keepsKinds = keepsKinds
        self.copiesOwners = copiesOwners
    }

    deinit {
        if file >= 0 { close(file) }
        if let parent { close(parent.descriptor) }
        close(target)
    }

    func write(_ bytes: [UInt8]) throws(FileFailure) {
        let events: [TarReader.Event]
        do throws(TarReader.Failure) {
            events = try reader.read(bytes)
        } catch {
            throw FileFailure(.refused, "archive: \(error.description)")
        }
        for event in events {
            switch event {
            case .entry(let entry):
                self.entry = entry
                try begin(entry)
            case .content(let piece): try writeContent(piece)
            case .entryEnd: try finishFile()
            }
        }
    }

    /// The input has ended.
    func finish() throws(FileFailure) {
        do throws(TarReader.Failure) {
            try reader.finish()
        } catch {
            throw FileFailure(.refused, "archive: \(error.description)")
        }
        for directory in directories.reversed() { try apply(directory) }
        directories = []
    }

    // MARK: entries

    private func begin(_ entry: TarEntry) throws(FileFailure) {
        let components = try Self.components(entry.name)
        // The target itself stays as it is.
        guard let name = components.last else {
            guard entry.kind == .directory else { throw FileFailure(.refused, "an entry without a name") }
            return
        }
        let path = Array(components.dropLast().joined(separator: [Self.slash]))
        let directory = try openParent(path)
        try makeRoom(directory, name, for: entry)
        switch entry.kind {
        case .file:
            file = Native.withPath(name) {
                openat(directory, $0, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
            }
            guard file >= 0 else { throw FileFailure(entry.name, errno) }
        case .directory:
            try makeDirectory(directory, name, entry, path: path.isEmpty ? name : path + [Self.slash] + name)
        case .symbolicLink(let target):
            let error = Native.withPath(target) { target in
                Native.withPath(name) { symlinkat(target, directory, $0) }
            }
            try check(error, entry)
            try setOwner(entry) { uid, gid in
                Native.withPath(name) { fchownat(directory, $0, uid, gid, AT_SYMLINK_NOFOLLOW) }
            }
            setTime(directory, name, entry.modifiedSeconds)
        case .hardLink(let target): try makeLink(directory, name, to: target, entry)
        case .pipe:
            try check(Native.withPath(name) { mkfifoat(directory, $0, entry.mode & 0o777) }, entry)
            setTime(directory, name, entry.modifiedSeconds)
        case .characterDevice, .blockDevice:
            throw FileFailure(.refused, "\(String(decoding: entry.name, as: UTF8.self)): device nodes are not made")
        }
    }

    private func makeDirectory(
        _ directory: Int32, _ name: [UInt8], _ entry: TarEntry, path: [UInt8]
    ) throws(FileFailure) {
        if Native.withPath(name, { mkdirat(directory, $0, 0o700) }) != 0, errno != EEXIST {
            throw FileFailure(entry.name, errno)
        }
        let descriptor = Native.withPath(name) {
            openat(directory, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        }
        guard descriptor >= 0 else { throw FileFailure(entry.name, errno) }
        defer { close(descriptor) }
        try setOwner(entry) { uid, gid in fchown(descriptor, uid, gid) }
        let late = (path: path, mode: entry.mode, modifiedSeconds: entry.modifiedSeconds)
        if directories.count < Self.directoryLimit {
            directories.append(late)
        } else {
            try apply(late)
        }
    }

    private func makeLink(
        _ directory: Int32, _ name: [UInt8], to target: [UInt8], _ entry: TarEntry
    ) throws(FileFailure) {
        let components = try Self.components(target)
        guard let last = components.last else { throw FileFailure(.refused, "a link to nothing") }
        let path = Array(components.dropLast().joined(separator: [Self.slash]))
        let descriptor = Native.openBeneath(self.target, path, flags: O_RDONLY | O_DIRECTORY, isRoot: isRoot)
        guard descriptor >= 0 else { throw FileFailure(target, errno) }
        defer { close(descriptor) }
        let error = Native.withPath(last) { last in
            Native.withPath(name) { linkat(descriptor, last, directory, $0, 0) }
        }
        try check(error, entry)
    }

    /// Takes away what stands in an entry's place. A directory stays for a directory.
    private func makeRoom(_ directory: Int32, _ name: [UInt8], for entry: TarEntry) throws(FileFailure) {
        guard let status = Files.status(directory, name) else { return }
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        if isDirectory, entry.kind == .directory { return }
        if keepsKinds, isDirectory != (entry.kind == .directory) {
            let text = String(decoding: entry.name, as: UTF8.self)
            throw FileFailure(
                .refused,
                isDirectory
                    ? "cannot overwrite directory with non-directory: \(text)"
                    : "cannot overwrite non-directory with directory: \(text)")
        }
        if isDirectory {
            try remove(directory, name, depth: 0)
        } else {
            try check(Native.withPath(name) { unlinkat(directory, $0, 0) }, entry)
        }
    }

    /// A directory with all that is in it; never through a link.
    private func remove(_ directory: Int32, _ name: [UInt8], depth: Int) throws(FileFailure) {
        guard depth < 256 else { throw FileFailure(.refused, "directories more than 256 deep") }
        let descriptor = Native.withPath(name) {
            openat(directory, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        }
        guard descriptor >= 0 else { throw FileFailure(name, errno) }
        defer { close(descriptor) }
        for inner in Files.names(in: descriptor) ?? [] {
            if let status = Files.status(descriptor, inner), status.st_mode & S_IFMT == S_IFDIR {
                try remove(descriptor, inner, depth: depth + 1)
            } else if Native.withPath(inner, { unlinkat(descriptor, $0, 0) }) != 0, errno != ENOENT {
                throw FileFailure(inner, errno)
            }
        }
        if Native.withPath(name, { unlinkat(directory, $0, AT_REMOVEDIR) }) != 0 { throw FileFailure(name, errno) }
    }

    private func writeContent(_ piece: ArraySlice<UInt8>) throws(FileFailure) {
        let error: Int32? = piece.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let count = Glibc.write(file, bytes.baseAddress.map { $0 + done }, bytes.count - done)
                if count < 0, errno == EINTR { continue }
                if count <= 0 { return errno }
                done += count
            }
            return nil
        }
        if let error { throw FileFailure(entry?.name ?? [], error) }
    }

    private func finishFile() throws(FileFailure) {
        guard file >= 0, let entry else { return }
        defer {
            close(file)
            file = -1
        }
        // The mode comes behind the owner, which takes set-user-id bits away.
        try setOwner(entry) { uid, gid in fchown(file, uid, gid) }
        try check(fchmod(file, entry.mode), entry)
        var times = Self.times(entry.modifiedSeconds)
        futimens(file, &times)
    }

    private func apply(_ directory: (path: [UInt8], mode: UInt32, modifiedSeconds: Int64)) throws(FileFailure) {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
        let descriptor = Native.openBeneath(target, directory.path, flags: flags, isRoot: isRoot)
        // A later entry may have taken its place.
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        guard fchmod(descriptor, directory.mode) == 0 else { throw FileFailure(directory.path, errno) }
        var times = Self.times(directory.modifiedSeconds)
        futimens(descriptor, &times)
    }

    // MARK: names

    /// The directory of an entry, made if it is missing.
    private func openParent(_ path: [UInt8]) throws(FileFailure) -> Int32 {
        if let parent, parent.path == path { return parent.descriptor }
        if let parent { close(parent.descriptor) }
        parent = nil
        let flags = O_RDONLY | O_DIRECTORY
        var descriptor = Native.openBeneath(target, path, flags: flags, isRoot: isRoot)
        if descriptor < 0, errno == ENOENT {
            try makeParents(path)
            descriptor = Native.openBeneath(target, path, flags: flags, isRoot: isRoot)
        }
        guard descriptor >= 0 else {
            let error = errno
            if error == EXDEV || error == ELOOP {
                throw FileFailure(
                    .refused, "\(String(decoding: path, as: UTF8.self)): leads out through a symbolic link")
            }
            throw FileFailure(path, error)
        }
        parent = (path, descriptor)
        return descriptor
    }

    private func makeParents(_ path: [UInt8]) throws(FileFailure) {
        var made: [UInt8] = []
        for component in path.split(separator: Self.slash) {
            let outer = Native.openBeneath(target, made, flags: O_RDONLY | O_DIRECTORY, isRoot: isRoot)
            guard outer >= 0 else { throw FileFailure(made, errno) }
            defer { close(outer) }
            if Native.withPath(Array(component), { mkdirat(outer, $0, 0o755) }) != 0, errno != EEXIST {
                throw FileFailure(path, errno)
            }
            made += (made.isEmpty ? [] : [Self.slash]) + component
        }
    }

    private static func components(_ name: [UInt8]) throws(FileFailure) -> [[UInt8]] {
        let text = String(decoding: name, as: UTF8.self)
        if name.first == slash { throw FileFailure(.refused, "\(text): an absolute name in the archive") }
        let components = name.split(separator: slash).map(Array.init).filter { $0 != [0x2e] }
        if components.contains([0x2e, 0x2e]) { throw FileFailure(.refused, "\(text): .. in a name of the archive") }
        return components
    }

    // MARK: attributes

    private func setOwner(
        _ entry: TarEntry, _ change: (uid_t, gid_t) -> Int32
    ) throws(FileFailure) {
        guard copiesOwners, change(entry.uid, entry.gid) != 0 else { return }
        // A container without that right, or without that user, keeps its own: told, not fatal.
        guard errno == EPERM || errno == EINVAL else { throw FileFailure(entry.name, errno) }
        refusedOwners += 1
    }

    private func setTime(_ directory: Int32, _ name: [UInt8], _ seconds: Int64) {
        var times = Self.times(seconds)
        _ = Native.withPath(name) { utimensat(directory, $0, &times, AT_SYMLINK_NOFOLLOW) }
    }

    private static func times(_ seconds: Int64) -> [timespec] {
        [timespec](repeating: timespec(tv_sec: Int(seconds), tv_nsec: 0), count: 2)
    }

    private func check(_ error: Int32, _ entry: TarEntry) throws(FileFailure) {
        if error != 0 { throw FileFailure(entry.name, errno) }
    }
}
