import Glibc
import SystemPackage

/// Small files that only their owner may read, replaced as a whole: who reads one finds the old text or the new one, also
/// after a crash.
enum PrivateFile {
    /// The file's bytes, or nil if there is none.
    /// - Throws: `fileSystem`.
    static func read(_ path: String) throws(SimulatorError) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw .failed("open", path, errno: errno)
        }
        defer { Glibc.close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .failed("read", path, errno: errno) }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor, buffer.baseAddress?.advanced(by: offset), buffer.count - offset)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .failed("read", path, errno: count < 0 ? errno : EIO) }
            offset += count
        }
        return bytes
    }

    /// Writes beside the file, makes that durable, and renames it into place.
    /// - Parameter mode: `0o600` unless the file is meant for others.
    /// - Throws: `fileSystem`.
    static func replace(_ path: String, with bytes: [UInt8], mode: mode_t = 0o600) throws(SimulatorError) {
        let temporary = "\(path).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw .failed("open", temporary, errno: errno) }
        let file = FileDescriptor(rawValue: descriptor)
        do throws(SimulatorError) {
            try SystemCalls.write(bytes, to: file, path: temporary)
            guard fsync(descriptor) == 0 else { throw .failed("write", temporary, errno: errno) }
        } catch {
            SystemCalls.close(file)
            throw error
        }
        SystemCalls.close(file)
        guard rename(temporary, path) == 0 else { throw .failed("rename", temporary, errno: errno) }
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        let folder = open(String(path[..<slash]), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw .failed("open", path, errno: errno) }
        defer { Glibc.close(folder) }
        guard fsync(folder) == 0 else { throw .failed("write", path, errno: errno) }
    }
}
