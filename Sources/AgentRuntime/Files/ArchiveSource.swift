import AgentProtocol
import Glibc

/// Makes a tar of files, piece by piece: nothing but the piece, and the names in the directories on the way to it, is in
/// memory. It is used by one thread at a time.
///
/// Hard links become files of their own; sockets are left out; what vanishes meanwhile is left out as well.
final class ArchiveSource {
    enum Scope {
        /// A path with all that is below it, but for what the kernel makes up (`/proc`, `/sys` and the like).
        case path(PathStatus)
        /// The root's own file system, its mounts as empty directories, as Docker exports it.
        case root
    }

    private struct Level {
        let descriptor: Int32
        let device: dev_t
        /// Of the entries in it, with a slash at the end; empty for none.
        let prefix: [UInt8]
        /// Still to be visited, the next one last.
        var names: [[UInt8]]
    }

    private struct OpenFile {
        let descriptor: Int32
        var remaining: UInt64
        let padding: Int
    }

    private var levels: [Level] = []
    private var file: OpenFile?
    private var isTrailerWritten = false
    private let staysOnDevice: Bool
    private var pending: [UInt8] = []

    /// What is read before a piece is handed out.
    private static let pieceBytes = 256 << 10
    /// A descriptor each; the usual limit of a process is 1,024.
    private static let depthLimit = 512
    /// File systems that the kernel makes up: proc, sysfs, devpts, cgroup, cgroup2, mqueue, securityfs, debugfs, tracefs,
    /// bpf (linux/magic.h).
    private static let inventedFileSystems: Set<UInt32> = [
        0x9fa0, 0x6265_6572, 0x1cd1, 0x27_e0eb, 0x6367_7270, 0x1980_0202, 0x7363_6673, 0x6462_6720, 0x7472_6163,
        0xcafe_4a11,
    ]

    init(_ scope: Scope) throws(FileFailure) {
        switch scope {
        case .root:
            staysOnDevice = true
            let root = Array("/".utf8)
            let status = try PathStatus(root)
            let descriptor = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard descriptor >= 0 else { throw FileFailure(root, errno) }
            enter(descriptor, status.status.st_dev, prefix: [])
        case .path(let top):
            staysOnDevice = false
            let name = top.name == [UInt8(ascii: "/")] ? [UInt8(ascii: ".")] : top.name
            try visit(AT_FDCWD, top.path, as: name, top.status, below: nil)
        }
    }

    deinit {
        if let file { close(file.descriptor) }
        for level in levels { close(level.descriptor) }
    }

    /// The next piece; nil behind the last one.
    func next() throws(FileFailure) -> [UInt8]? {
        while pending.count < Self.pieceBytes {
            if file != nil {
                try readFile()
            } else if let name = levels.last?.names.last {
                levels[levels.count - 1].names.removeLast()
                let level = levels[levels.count - 1]
                guard let status = Files.status(level.descriptor, name) else { continue }
                try visit(level.descriptor, name, as: level.prefix + name, status, below: level.device)
            } else if let level = levels.popLast() {
                close(level.descriptor)
            } else if !isTrailerWritten {
                isTrailerWritten = true
                pending += TarWriter.trailer
            } else {
                break
            }
        }
        defer { pending = [] }
        return pending.isEmpty ? nil : pending
    }

    private func enter(_ descriptor: Int32, _ device: dev_t, prefix: [UInt8]) {
        let names = Files.names(in: descriptor) ?? []
        levels.append(Level(descriptor: descriptor, device: device, prefix: prefix, names: names.reversed()))
    }

    /// - Parameter device: of the directory that it was found in; nil for what was asked for by name.
    private func visit(
        _ directory: Int32, _ path: [UInt8], as name: [UInt8], _ status: stat, below device: dev_t?
    ) throws(FileFailure) {
        var entry = TarEntry(
            name: name, kind: .file, mode: status.st_mode & 0o7777, uid: status.st_uid, gid: status.st_gid,
            sizeBytes: 0, modifiedSeconds: Int64(status.st_mtim.tv_sec))
        switch status.st_mode & S_IFMT {
        case S_IFREG: return try visitFile(directory, path, &entry, isWanted: device == nil)
        case S_IFDIR:
            entry.kind = .directory
            pending += TarWriter.header(entry)
            let isMount = device.map { $0 != status.st_dev } ?? false
            if isMount, staysOnDevice { return }
            guard levels.count < Self.depthLimit else {
                throw FileFailure(.refused, "directories more than \(Self.depthLimit) deep")
            }
            // A link that has taken its place meanwhile is not followed; what was asked for by name may end with a slash.
            let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (device == nil ? 0 : O_NOFOLLOW)
            let descriptor = Native.withPath(path) { openat(directory, $0, flags) }
            guard descriptor >= 0 else {
                if errno == ENOENT, device != nil { return }
                throw FileFailure(name, errno)
            }
            if isMount, Self.isInvented(descriptor) {
                close(descriptor)
                return
            }
            enter(descriptor, status.st_dev, prefix: name + [UInt8(ascii: "/")])
            return
        case S_IFLNK:
            guard let target = Files.linkTarget(directory, path) else { return }
            entry.kind = .symbolicLink(target: target)
        case S_IFIFO: entry.kind = .pipe
        case S_IFCHR:
            let device = Native.device(status.st_rdev)
            entry.kind = .characterDevice(major: device.major, minor: device.minor)
        case S_IFBLK:
            let device = Native.device(status.st_rdev)
            entry.kind = .blockDevice(major: device.major, minor: device.minor)
        default: return
        }
        pending += TarWriter.header(entry)
    }

    private func visitFile(
        _ directory: Int32, _ path: [UInt8], _ entry: inout TarEntry, isWanted: Bool
    ) throws(FileFailure) {
        // Not blocking, should a pipe have taken its place meanwhile.
        let descriptor = Native.withPath(path) { openat(directory, $0, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) }
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ELOOP, !isWanted { return }
            throw FileFailure(entry.name, errno)
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            return
        }
        entry.sizeBytes = UInt64(max(status.st_size, 0))
        pending += TarWriter.header(entry)
        file = OpenFile(
            descriptor: descriptor, remaining: entry.sizeBytes, padding: TarBlock.padding(entry.sizeBytes))
    }

    /// What a file has grown by since its header is left out; what it has shrunk by is zeros.
    private func readFile() throws(FileFailure) {
        guard var open = file else { return }
        let wanted = Int(min(open.remaining, UInt64(Self.pieceBytes)))
        var error: Int32 = 0
        let piece = [UInt8](unsafeUninitializedCapacity: wanted) { memory, initialized in
            let count = wanted > 0 ? read(open.descriptor, memory.baseAddress, wanted) : 0
            if count < 0 { error = errno }
            initialized = max(count, 0)
        }
        if error != 0, error != EINTR {
            throw FileFailure(.failed, "reading a file: \(String(cString: strerror(error)).lowercased())")
        }
        if piece.isEmpty, wanted > 0, error == 0 {
            pending += [UInt8](repeating: 0, count: wanted)
            open.remaining -= UInt64(wanted)
        } else {
            pending += piece
            open.remaining -= UInt64(piece.count)
        }
        if open.remaining == 0 {
            close(open.descriptor)
            pending += [UInt8](repeating: 0, count: open.padding)
            file = nil
        } else {
            file = open
        }
    }

    private static func isInvented(_ descriptor: Int32) -> Bool {
        inventedFileSystems.contains(Native.fileSystem(descriptor))
    }
}
