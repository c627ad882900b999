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

    deinit {
        close(lockDescriptor)
    }

    package var databasePath: String { path + "/state.sqlite" }
    package var outputsPath: String { path + "/outputs" }
}

private func errorText(_ code: Int32) -> String {
    String(cString: strerror(code))
}
