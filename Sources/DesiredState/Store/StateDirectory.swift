import Glibc

/// The daemon's directory on disk, held by one process at a time.
///
/// Layout: `lock`, `state.sqlite` (with `-wal` and `-shm`), `outputs/`. Mode 0700: everything in it is as secret as the containers' environment.
package struct StateDirectory: Sendable, ~Copyable {
    package let path: String
    private let lockDescriptor: Int32

    /// Makes the directory if needed and locks it. The lock is the kernel's: it ends with the process, however that ends.
    /// Throws `inUse` or `unavailable`.
    package init(path: String) throws(StoreError) {
        if mkdir(path, 0o700) != 0, errno != EEXIST {
            throw StoreError(.unavailable, "cannot make \(path): \(errorText(errno))")
        }
        try StateDirectory.syncParent(of: path)
        let lockPath = path + "/lock"
        let descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw StoreError(.unavailable, "cannot open \(lockPath): \(errorText(errno))") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(descriptor)
            guard code == EWOULDBLOCK else {
                throw StoreError(.unavailable, "cannot lock \(lockPath): \(errorText(code))")
            }
            throw StoreError(.inUse, path)
        }
        self.path = path
        lockDescriptor = descriptor
    }

    /// A directory survives a power cut when its parent was synced, whatever was synced inside.
    private static func syncParent(of path: String) throws(StoreError) {
        let descriptor = open(path + "/..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        // A parent that may not be read is not ours, and the directory was made before.
        guard descriptor >= 0 else {
            if errno == EACCES { return }
            throw StoreError(.unavailable, "cannot open the parent of \(path): \(errorText(errno))")
        }
        defer { close(descriptor) }
        // Some file systems cannot sync directories, and say so.
        guard fsync(descriptor) == 0 || errno == EINVAL else {
            throw StoreError(.unavailable, "cannot sync the parent of \(path): \(errorText(errno))")
        }
    }

    deinit {
        close(lockDescriptor)
    }

    package var databasePath: String { path + "/state.sqlite" }
    package var outputsPath: String { path + "/outputs" }
}

private func errorText(_ code: Int32) -> String {
    String(cString: strerror(code))
}
