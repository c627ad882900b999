import AgentProtocol
import Glibc

/// Why a task about files was not done, or not to its end.
struct FileFailure: Error {
    let failure: SessionResult.Failure
    let message: String

    init(_ failure: SessionResult.Failure, _ message: String) {
        self.failure = failure
        self.message = message
    }

    /// What the system refused.
    init(_ path: [UInt8], _ error: Int32) {
        self.init(
            FileFailure.meaning(of: error),
            "\(String(decoding: path, as: UTF8.self)): \(String(cString: strerror(error)).lowercased())")
    }

    static func meaning(of error: Int32) -> SessionResult.Failure {
        switch error {
        case ENOENT, ENOTDIR: .notFound
        case EACCES, EPERM, EROFS: .notPermitted
        case EXDEV, ELOOP: .refused
        default: .failed
        }
    }

    var result: SessionResult { SessionResult(failure: failure, message: message) }
}

/// What a path leads to.
struct PathStatus {
    let path: [UInt8]
    /// The last component, as Docker's client sees it: `.` stays, the root is `/`.
    let name: [UInt8]
    let status: stat
    /// Of a symbolic link.
    let target: [UInt8]?

    /// Looks at a path without following a link at its end, unless a slash comes behind that.
    init(_ path: [UInt8]) throws(FileFailure) {
        self.path = path
        let slash = UInt8(ascii: "/")
        let last = path.split(separator: slash).last.map(Array.init) ?? [slash]
        if last == Array("..".utf8) { throw FileFailure(.refused, "a path that ends with ..") }
        name = last
        var status = stat()
        guard Native.withPath(path, { lstat($0, &status) }) == 0 else { throw FileFailure(path, errno) }
        self.status = status
        target = status.st_mode & S_IFMT == S_IFLNK ? Files.linkTarget(AT_FDCWD, path) : nil
    }

    /// As the facts of ``PathFact``.
    var facts: [String: String] {
        let modified = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
        var facts = [
            PathFact.name: String(decoding: name, as: UTF8.self), PathFact.size: String(status.st_size),
            PathFact.mode: String(status.st_mode), PathFact.modified: String(modified),
        ]
        if let target { facts[PathFact.target] = String(decoding: target, as: UTF8.self) }
        return facts
    }
}

/// A few calls on names that are bytes.
enum Files {
    /// Where a symbolic link leads; nil if it is none.
    static func linkTarget(_ directory: Int32, _ name: [UInt8]) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { memory in
            guard let start = memory.baseAddress?.assumingMemoryBound(to: CChar.self) else { return -1 }
            return Native.withPath(name) { readlinkat(directory, $0, start, memory.count) }
        }
        return count < 0 ? nil : Array(buffer[..<count])
    }

    static func status(_ directory: Int32, _ name: [UInt8]) -> stat? {
        var status = stat()
        let error = Native.withPath(name) { fstatat(directory, $0, &status, AT_SYMLINK_NOFOLLOW) }
        return error == 0 ? status : nil
    }

    /// The names in an open directory, without `.` and `..`, sorted. Takes the descriptor's place in the directory, but
    /// not the descriptor. Nil if it cannot be read.
    static func names(in descriptor: Int32) -> [[UInt8]]? {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0, let directory = fdopendir(copy) else {
            if copy >= 0 { close(copy) }
            return nil
        }
        defer { closedir(directory) }
        rewinddir(directory)
        var names: [[UInt8]] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [0x2e], name != [0x2e, 0x2e] { names.append(name) }
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }
}
