import Glibc
import Logging
import SystemPackage

/// The one directory of a simulator: roots of containers, their sockets, journals. It is locked while in use.
struct SimulatorDirectory: Sendable {
    let path: String
    /// Whether it is removed at a clean end.
    let isTemporary: Bool
    private let lock: FileDescriptor

    private static let prefix = "skls-simulator-"

    var roots: String { "\(path)/roots" }
    var runs: String { "\(path)/run" }
    var sites: String { "\(path)/sites" }
    /// Files of shares, as `ACCOUNT/SHARE`.
    var shares: String { "\(path)/shares" }
    var agent: String { "\(path)/agent" }
    var executions: String { "\(path)/executions.jsonl" }
    var requests: String { "\(path)/requests.jsonl" }
    /// The certificate that clients are to trust, and its key.
    var authorityCertificate: String { "\(path)/ca.pem" }
    var authorityKey: String { "\(path)/ca.key" }
    var tokenKey: String { "\(path)/token.key" }
    var state: String { "\(path)/state.json" }
    /// The socket of the containers' way out.
    var relay: String { "\(path)/relay.sock" }

    /// Opens the directory that is configured, or makes one under `temporaryFolder`, where what dead simulators left
    /// behind is removed first.
    /// - Throws: `directoryInUse`, `fileSystem`.
    init(configured: String?, temporaryFolder: String, logger: Logger) throws(SimulatorError) {
        if let configured {
            path = configured
            isTemporary = false
        } else {
            Self.removeStale(in: temporaryFolder, logger: logger)
            var template = Array("\(temporaryFolder)/\(Self.prefix)XXXXXX".utf8CString)
            guard mkdtemp(&template) != nil else {
                throw .failed("create a directory in", temporaryFolder, errno: errno)
            }
            path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            isTemporary = true
        }
        // The user that runs the containers passes through, and sees nothing.
        try SystemCalls.makeDirectory(path, mode: 0o711)
        guard let lock = try isTemporary ? Self.freshLock(path) : Self.lock(path) else {
            throw SimulatorError(code: .directoryInUse, message: "\(path) is used by another simulator")
        }
        self.lock = lock
        for folder in [roots, runs] {
            // Of a simulator that did not end cleanly.
            if access(folder, F_OK) == 0 {
                try TreeRemover.remove(String(folder.dropFirst(path.count + 1)), in: path)
            }
            try SystemCalls.makeDirectory(folder, mode: 0o711)
        }
        if access(sites, F_OK) == 0 { try TreeRemover.remove("sites", in: path) }
        try SystemCalls.makeDirectory(sites, mode: 0o700)
    }

    /// Removes the files of all shares.
    func removeShares() throws(SimulatorError) {
        if access(shares, F_OK) == 0 { try TreeRemover.remove("shares", in: path) }
    }

    /// Lets go of the directory, and removes it if it is a temporary one.
    func end(logger: Logger) {
        if isTemporary {
            do {
                let (parent, name) = Self.split(path)
                try TreeRemover.remove(name, in: parent)
            } catch {
                logger.warning("cannot remove the simulator's directory", metadata: ["error": "\(error)"])
            }
        }
        SystemCalls.close(lock)
    }

    /// The lock of a directory that nobody else knows yet. It gets its name only once it is held: whoever looks for dead simulators meanwhile finds
    /// no lock file, or one that is held.
    private static func freshLock(_ path: String) throws(SimulatorError) -> FileDescriptor? {
        let descriptor = open("\(path)/lock.new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .failed("open", "\(path)/lock.new", errno: errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0, rename("\(path)/lock.new", "\(path)/lock") == 0 else {
            let code = errno
            close(descriptor)
            throw .failed("lock", path, errno: code)
        }
        return FileDescriptor(rawValue: descriptor)
    }

    /// The lock, or nil if another process has it.
    private static func lock(_ path: String) throws(SimulatorError) -> FileDescriptor? {
        let descriptor = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .failed("open", "\(path)/lock", errno: errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            return nil
        }
        return FileDescriptor(rawValue: descriptor)
    }

    /// Removes the directories of simulators that are dead: ours by owner and name, and with a lock that nobody holds.
    /// One without a lock file is left alone: it may be about to be locked.
    private static func removeStale(in folder: String, logger: Logger) {
        guard let stream = opendir(folder) else { return }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name.hasPrefix(prefix) else { continue }
            let path = "\(folder)/\(name)"
            var status = stat()
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(),
                access("\(path)/lock", F_OK) == 0
            else { continue }
            do {
                guard let lock = try lock(path) else { continue }
                defer { SystemCalls.close(lock) }
                try TreeRemover.remove(name, in: folder)
                logger.info("removed the directory of a dead simulator", metadata: ["path": "\(path)"])
            } catch {
                logger.warning("cannot remove the directory of a dead simulator", metadata: ["error": "\(error)"])
            }
        }
    }

    private static func split(_ path: String) -> (parent: String, name: String) {
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        return (String(path[..<slash]), String(path[path.index(after: slash)...]))
    }
}
