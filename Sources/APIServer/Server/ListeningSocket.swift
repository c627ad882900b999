import Glibc

/// A listening unix socket at a path that nobody else uses.
///
/// It is bound inside a fresh directory that only we may enter, gets its mode there, and is then linked to its path: so nobody can connect before the
/// mode is right, and the process-wide umask is left alone. The parent directory is locked meanwhile, so that two daemons that start at the same time
/// do not both take a stale socket for theirs to remove.
struct ListeningSocket: ~Copyable {
    let path: String
    /// Belongs to whoever takes it with `descriptor`; listening and non-blocking.
    let descriptor: Int32
    private let identity: Identity

    /// Owner and group may connect, as with Docker's.
    static let mode: mode_t = 0o660
    /// Where it is full, a client that does not block is refused (EAGAIN): as many as there may be connections.
    private static let backlog: Int32 = 4096

    /// Throws when the directory is missing, when the path is something else than a stale socket of our own, or when the system refuses.
    /// `group` = name or number of the group that may connect, `nil` = the process's own.
    init(path: String, group: String? = nil) throws(ListeningSocketError) {
        // NIO ignores this signal when it makes a socket itself. It did not make this one, and a client that leaves must not end the process.
        signal(SIGPIPE, SIG_IGN)
        // Nobody could connect to a longer one; the temporary one is bounded where it is bound.
        guard path.utf8.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path) else { throw .pathTooLong(path) }
        let parent = ListeningSocket.parent(of: path)
        let groupID = try group.map { text throws(ListeningSocketError) in try ListeningSocket.groupID(text) }
        let lock = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard lock >= 0 else { throw .system("open the directory \(parent)", errno) }
        defer { close(lock) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else { throw .directoryBusy(parent) }
        try ListeningSocket.clear(path)

        var template = Array((parent + "/.skls-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw .system("make a directory in \(parent)", errno) }
        let directory = template.withUnsafeBufferPointer {
            String(decoding: $0.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        defer { rmdir(directory) }
        let temporary = directory + "/s"
        let descriptor = try ListeningSocket.bound(to: temporary)
        let isMade =
            (groupID.map { chown(temporary, uid_t.max, $0) == 0 } ?? true)
            && chmod(temporary, ListeningSocket.mode) == 0 && listen(descriptor, ListeningSocket.backlog) == 0
            && link(temporary, path) == 0
        let code = errno
        unlink(temporary)
        guard isMade, let identity = ListeningSocket.identity(of: path) else {
            close(descriptor)
            throw .system("make the socket \(path)", code)
        }
        self.path = path
        self.descriptor = descriptor
        self.identity = identity
    }

    /// Removes the path if it is still the socket that was made here.
    func removePath() {
        if ListeningSocket.identity(of: path) == identity { unlink(path) }
    }

    /// Inode numbers are used again, hence the time of the last change.
    private struct Identity: Equatable {
        let numbers: [Int]
    }

    private static func identity(of path: String) -> Identity? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        return Identity(
            numbers: [
                Int(bitPattern: UInt(status.st_dev)), Int(bitPattern: UInt(status.st_ino)), status.st_ctim.tv_sec,
                status.st_ctim.tv_nsec,
            ])
    }

    /// Makes way: a stale socket of ours is removed, everything else is somebody's.
    private static func clear(_ path: String) throws(ListeningSocketError) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if errno == ENOENT { return }
            throw .system("look at \(path)", errno)
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path) }
        guard status.st_uid == geteuid() else { throw .foreign(path) }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { throw .system("make a socket", errno) }
        defer { close(probe) }
        let result = try withAddress(path) { connect(probe, $0, $1) }
        guard result != 0 else { throw .inUse(path) }
        guard errno == ECONNREFUSED else { throw .system("find out who listens on \(path)", errno) }
        guard unlink(path) == 0 else { throw .system("remove \(path)", errno) }
    }

    private static func bound(to path: String) throws(ListeningSocketError) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { throw .system("make a socket", errno) }
        do throws(ListeningSocketError) {
            guard try withAddress(path, { bind(descriptor, $0, $1) }) == 0 else {
                throw .system("bind \(path)", errno)
            }
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func withAddress(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(ListeningSocketError) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { throw .pathTooLong(path) }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func groupID(_ text: String) throws(ListeningSocketError) -> gid_t {
        if let number = gid_t(text) { return number }
        // Called once at the start, before there are other threads that could ask for groups.
        guard let group = getgrnam(text) else { throw .unknownGroup(text) }
        return group.pointee.gr_gid
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

package enum ListeningSocketError: Error, Hashable, Sendable, CustomStringConvertible {
    case inUse(String)
    case notASocket(String)
    case foreign(String)
    case directoryBusy(String)
    case pathTooLong(String)
    case unknownGroup(String)
    case system(String, Int32)

    package var description: String {
        switch self {
        case .inUse(let path): "another daemon listens on \(path)"
        case .notASocket(let path): "\(path) exists and is not a socket; it is left alone"
        case .foreign(let path): "\(path) belongs to another user; it is left alone"
        case .directoryBusy(let directory): "another daemon is starting in \(directory)"
        case .unknownGroup(let name): "there is no group \(name) for the socket"
        case .pathTooLong(let path): "the path \(path) is too long for a socket"
        case .system(let what, let code): "cannot \(what): \(String(cString: strerror(code)))"
        }
    }
}
