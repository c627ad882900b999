import AgentProtocol
import Glibc
import NIOCore
import SystemPackage

/// Spelled out once: NIOCore declares a `FileDescriptor` as well.
typealias LogDescriptor = SystemPackage.FileDescriptor

/// The file system calls of a log, with errors in our words.
///
/// A log is `DIRECTORY/UID/RUN.ATTEMPT.frames`, for its owner only. Once complete and durable it is read-only: the mode
/// tells so without reading the file. (Its content could not: whatever its last bytes look like, a command may have
/// written them.)
enum OutputFile {
    static let directoryMode: mode_t = 0o700
    static let openMode: mode_t = 0o600
    static let sealedMode: mode_t = 0o400

    static func createDirectory(_ path: FilePath) throws(AgentError) {
        try check("create \(path)", unless: EEXIST) { path.withPlatformString { mkdir($0, directoryMode) } }
    }

    /// Opens for reading and appending; a sealed log for reading only.
    static func openForWriting(_ path: FilePath) throws(AgentError) -> LogDescriptor {
        let descriptor = path.withPlatformString { open($0, O_RDWR | O_CREAT | O_CLOEXEC, openMode) }
        if descriptor >= 0 { return LogDescriptor(rawValue: descriptor) }
        let error = Errno(rawValue: errno)
        if error == .permissionDenied, let descriptor = try openForReading(path) { return descriptor }
        throw AgentError(.storage(error), operation: "open \(path)")
    }

    /// Nil if there is no such log.
    static func openForReading(_ path: FilePath) throws(AgentError) -> LogDescriptor? {
        let descriptor = path.withPlatformString { open($0, O_RDONLY | O_CLOEXEC) }
        if descriptor >= 0 { return LogDescriptor(rawValue: descriptor) }
        let error = Errno(rawValue: errno)
        if error == .noSuchFileOrDirectory { return nil }
        throw AgentError(.storage(error), operation: "open \(path)")
    }

    /// Whether the log exists and is complete.
    static func isSealed(_ path: FilePath) throws(AgentError) -> Bool {
        var status = stat()
        let result = path.withPlatformString { lstat($0, &status) }
        if result == 0 { return status.st_mode & 0o777 == sealedMode }
        if errno == ENOENT { return false }
        throw AgentError(.storage(Errno(rawValue: errno)), operation: "look up \(path)")
    }

    /// Appends what is at `position` of the file to `buffer`, at most `limit` bytes.
    /// - Returns: how many bytes there were; zero at the end of the file.
    static func read(
        _ descriptor: LogDescriptor, at position: UInt64, limit: Int, into buffer: inout ByteBuffer
    ) throws(AgentError) -> Int {
        do {
            return try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: limit) { memory in
                try descriptor.read(
                    fromAbsoluteOffset: Int64(position),
                    into: UnsafeMutableRawBufferPointer(rebasing: memory.prefix(limit)))
            }
        } catch {
            throw AgentError(.storage(error as? Errno ?? .ioError), operation: "read log", cause: error)
        }
    }

    static func write(
        _ bytes: ByteBuffer, to descriptor: LogDescriptor, at position: UInt64
    ) throws(AgentError) {
        do {
            _ = try bytes.withUnsafeReadableBytes { try descriptor.writeAll(toAbsoluteOffset: Int64(position), $0) }
        } catch {
            throw AgentError(.storage(error as? Errno ?? .ioError), operation: "write log", cause: error)
        }
    }

    static func truncate(_ descriptor: LogDescriptor, to size: UInt64) throws(AgentError) {
        try check("truncate log") { ftruncate(descriptor.rawValue, off_t(size)) }
    }

    static func size(of descriptor: LogDescriptor) throws(AgentError) -> UInt64 {
        var status = stat()
        try check("look up log") { fstat(descriptor.rawValue, &status) }
        return UInt64(status.st_size)
    }

    /// Makes the content durable, then says so by the mode, durably.
    static func seal(_ descriptor: LogDescriptor) throws(AgentError) {
        try check("sync log") { fsync(descriptor.rawValue) }
        try check("seal log") { fchmod(descriptor.rawValue, sealedMode) }
        try check("sync log") { fsync(descriptor.rawValue) }
    }

    /// Makes the names in a directory durable.
    static func syncDirectory(_ path: FilePath) throws(AgentError) {
        guard let descriptor = try openForReading(path) else { return }
        defer { close(descriptor) }
        try check("sync \(path)") { fsync(descriptor.rawValue) }
    }

    /// It is no error if there is none.
    static func remove(_ path: FilePath) throws(AgentError) {
        try check("remove \(path)", unless: ENOENT) { path.withPlatformString { unlink($0) } }
    }

    /// Removes a directory of files, and the files. It is no error if there is none.
    static func removeDirectory(_ path: FilePath) throws(AgentError) {
        guard let directory = path.withPlatformString({ opendir($0) }) else {
            if errno == ENOENT { return }
            throw AgentError(.storage(Errno(rawValue: errno)), operation: "open \(path)")
        }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name == "." || name == ".." { continue }
            try check("remove \(path)", unless: ENOENT) { path.appending(name).withPlatformString { unlink($0) } }
        }
        try check("remove \(path)", unless: ENOENT) { path.withPlatformString { rmdir($0) } }
    }

    /// A failing close loses nothing here: what must be durable was synced before.
    static func close(_ descriptor: LogDescriptor) {
        try? descriptor.close()
    }

    private static func check(
        _ operation: String, unless harmless: Int32 = 0, _ call: () -> Int32
    ) throws(AgentError) {
        while call() != 0 {
            let error = errno
            if error == EINTR { continue }
            if error == harmless { return }
            throw AgentError(.storage(Errno(rawValue: error)), operation: operation)
        }
    }
}
