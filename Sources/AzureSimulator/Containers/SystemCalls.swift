import Glibc
import SystemPackage

/// File operations that are relative to an open directory and never follow a link: trees that containers wrote in are
/// not to be trusted. Each throws `SimulatorError` with the operation and path.
enum SystemCalls {
    /// Opens a directory itself, not what a link there leads to.
    static func openDirectory(_ path: String, at parent: Int32 = AT_FDCWD) throws(SimulatorError) -> FileDescriptor {
        let descriptor = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { throw .failed("open", path, errno: errno) }
        return FileDescriptor(rawValue: descriptor)
    }

    static func makeDirectory(_ path: String, mode: UInt32, owner: FileOwner? = nil) throws(SimulatorError) {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .failed("create", path, errno: errno) }
        // The process's umask must not decide who gets through.
        guard chmod(path, mode) == 0 else { throw .failed("change the mode of", path, errno: errno) }
        if let owner, lchown(path, owner.user, owner.group) != 0 {
            throw .failed("change the owner of", path, errno: errno)
        }
    }

    static func write(_ bytes: some Collection<UInt8>, to file: FileDescriptor, path: String) throws(SimulatorError) {
        do {
            try file.writeAll(bytes)
        } catch {
            throw .failed("write", path, errno: (error as? Errno)?.rawValue ?? EIO)
        }
    }

    /// Closing a descriptor that was only read or whose writes were checked has no error worth acting on.
    static func close(_ file: FileDescriptor) { _ = Glibc.close(file.rawValue) }

    static func wallClock() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}

/// The user that a container's files belong to and that runs it.
struct FileOwner: Equatable, Sendable {
    var user: UInt32
    var group: UInt32

    /// `nobody` on Debian and Ubuntu: what root drops to before it starts anything for a container.
    static let unprivileged = FileOwner(user: 65_534, group: 65_534)

    /// Nil where the simulator has no privileges to give up: containers run as its own user.
    static var forContainers: FileOwner? { geteuid() == 0 ? unprivileged : nil }
}
