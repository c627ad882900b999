import Glibc
import Logging
import SystemPackage

/// A file of JSON lines that is only appended to. Each line is one `write`, so that lines of several tasks do not mix
/// and a line that was written survives the end of the process.
final class Journal: Sendable {
    private let file: FileDescriptor
    private let path: String
    private let logger: Logger

    init(path: String, logger: Logger) throws(SimulatorError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .failed("open", path, errno: errno) }
        file = FileDescriptor(rawValue: descriptor)
        self.path = path
        self.logger = logger
    }

    deinit { SystemCalls.close(file) }

    func append(_ line: JSON) {
        do {
            try SystemCalls.write(line.encoded + [UInt8(ascii: "\n")], to: file, path: path)
        } catch {
            logger.error("cannot write a journal", metadata: ["error": "\(error)"])
        }
    }
}
