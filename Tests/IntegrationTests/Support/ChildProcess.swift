import Foundation
import Glibc
import NIOConcurrencyHelpers

/// A program run by a test. Its output goes to files and its end is waited for by a thread of its own, so that nothing depends on a run loop.
final class ChildProcess: Sendable {
    struct Result: Sendable {
        let status: Int32
        let output: String
        let errors: String
    }

    /// Held from the making of a pipe to its closing here, so that no other child inherits it.
    private static let spawning = NIOLock()

    let processID: pid_t
    private let outputPath: String
    private let errors = NIOLockedValueBox(Data())
    private let ended: AsyncStream<Int32>
    private let hasEnded = NIOLockedValueBox(false)

    /// Starts the program. `input` is its whole standard input. `onErrorLine` is called on a thread of this process.
    init(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:], input: Data? = nil,
        onErrorLine: @escaping @Sendable (String) -> Void = { _ in }
    ) throws {
        let stem = NSTemporaryDirectory() + "/skls-child-" + UUID().uuidString
        outputPath = stem + ".out"
        let inputPath = input == nil ? "/dev/null" : stem + ".in"
        if let input { try input.write(to: URL(fileURLWithPath: inputPath)) }
        let outputPath = outputPath
        var readEnd: Int32 = -1
        processID = try ChildProcess.spawning.withLock {
            var ends: [Int32] = [0, 0]
            guard pipe(&ends) == 0 else { throw POSIXError(.EMFILE) }
            defer { close(ends[1]) }
            readEnd = ends[0]
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            return try ChildProcess.spawn(
                executable, arguments, environment: environment, input: inputPath, output: outputPath, errors: ends[1])
        }
        if input != nil { unlink(inputPath) }
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
        ended = stream
        Thread.detachNewThread { [processID, errors, hasEnded, readEnd] in
            ChildProcess.readLines(readEnd, into: errors, onErrorLine)
            var status: Int32 = 0
            while waitpid(processID, &status, 0) < 0, errno == EINTR {}
            hasEnded.withLockedValue { $0 = true }
            let signal = status & 0x7f
            continuation.yield(signal == 0 ? (status >> 8) & 0xff : 128 + signal)
            continuation.finish()
        }
    }

    deinit {
        send(SIGKILL)
        unlink(outputPath)
    }

    /// What it has written to its standard output so far.
    var outputSoFar: String {
        String(decoding: FileManager.default.contents(atPath: outputPath) ?? Data(), as: UTF8.self)
    }

    var errorText: String { errors.withLockedValue { String(decoding: $0, as: UTF8.self) } }

    func send(_ signal: Int32) {
        // A process that ended may have left its number to another one.
        hasEnded.withLockedValue { hasEnded in
            if !hasEnded { kill(processID, signal) }
        }
    }

    /// Waits for the end. Call once.
    func wait() async -> Result {
        var status: Int32 = 0
        for await code in ended { status = code }
        let output = FileManager.default.contents(atPath: outputPath) ?? Data()
        return Result(status: status, output: String(decoding: output, as: UTF8.self), errors: errorText)
    }

    private static func spawn(
        _ executable: String, _ arguments: [String], environment: [String: String], input: String, output: String,
        errors: Int32
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, errors, 2)
        // A connection of another test that a daemon inherits would stay open after that test has closed it: NIO's sockets
        // are not closed by exec. Those that are opened meanwhile get the lowest free numbers; closing what is not open is no error.
        let highest = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap { Int32($0) }
            .max()
        for descriptor in 3...(max(highest ?? 0, 3) + 64) {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        let merged = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        var argv = ([executable] + arguments).map { strdup($0) } + [nil]
        var envp = merged.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, executable, &actions, nil, &argv, &envp)
        guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: code) ?? .ENOENT) }
        return pid
    }

    private static func readLines(
        _ descriptor: Int32, into errors: NIOLockedValueBox<Data>, _ onLine: @Sendable (String) -> Void
    ) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var rest: [UInt8] = []
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            errors.withLockedValue { $0.append(contentsOf: buffer[0..<count]) }
            rest += buffer[0..<count]
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                onLine(String(decoding: rest[..<end], as: UTF8.self))
                rest.removeSubrange(...end)
            }
        }
        close(descriptor)
    }
}
