import AgentProtocol
import CAgentSpawn
import Glibc

/// The few calls that have to be C: what happens between fork and execve, and what Swift's Glibc module does not show.
enum Native {
    /// What to execute, ready for a child that may not allocate memory any more.
    struct SpawnRequest {
        /// Absolute paths to try in turn.
        var candidates: [String]
        var arguments: [String]
        var environment: [String]
        var workingDirectory: String
        /// Nil to stay who the agent is.
        var identity: UserIdentity?
        var stdin: Int32
        var stdout: Int32
        var stderr: Int32
        /// Stdin is a terminal, to become the command's controlling one.
        var hasTerminal = false
        /// Written to the agent's stderr directly before the command is executed.
        var logLine: String
    }

    struct Child {
        let pid: pid_t
        /// Ends when the command was executed, or gives what ``failure(from:)`` reads. The caller closes it.
        let status: Int32
    }

    enum Stage: Equatable {
        case descriptors
        case user
        case workingDirectory
        case execute
    }

    struct Failure: Equatable {
        let stage: Stage
        let error: Int32
    }

    /// Forks. The errno if that fails.
    static func spawn(_ request: SpawnRequest) -> Result<Child, SpawnError> {
        let candidates = CStringList(request.candidates)
        let arguments = CStringList(request.arguments)
        let shellArguments = CStringList(["/bin/sh", ""] + request.arguments.dropFirst())
        let environment = CStringList(request.environment)
        let groups = request.identity?.supplementaryGroups ?? []
        let logLine = Array(request.logLine.utf8CString)
        var pid: pid_t = 0
        var status: Int32 = -1
        let lists = (candidates, arguments, shellArguments, environment)
        defer { withExtendedLifetime(lists) {} }
        let error = request.workingDirectory.withCString { directory in
            groups.withUnsafeBufferPointer { groups in
                logLine.withUnsafeBufferPointer { logLine in
                    var native = agent_spawn_request()
                    native.candidates = candidates.constantPointers
                    native.argv = UnsafePointer(arguments.pointers)
                    native.shell_argv = shellArguments.pointers
                    native.envp = UnsafePointer(environment.pointers)
                    native.working_directory = directory
                    native.stdin_fd = request.stdin
                    native.stdout_fd = request.stdout
                    native.stderr_fd = request.stderr
                    native.has_terminal = request.hasTerminal ? 1 : 0
                    native.log_fd = STDERR_FILENO
                    native.log_line = logLine.baseAddress
                    native.log_line_length = logLine.count - 1
                    if let identity = request.identity {
                        native.changes_user = 1
                        native.uid = identity.uid
                        native.gid = identity.gid
                        native.groups = groups.baseAddress
                        native.group_count = groups.count
                    }
                    return agent_spawn(&native, &pid, &status)
                }
            }
        }
        return error == 0 ? .success(Child(pid: pid, status: status)) : .failure(SpawnError(error: error))
    }

    struct SpawnError: Error {
        let error: Int32
    }

    /// Reads what the child wrote to its status descriptor; nil for anything else than a whole message.
    static func failure(from bytes: UnsafeRawBufferPointer) -> Failure? {
        guard bytes.count == MemoryLayout<agent_spawn_failure>.size else { return nil }
        let failure = bytes.loadUnaligned(as: agent_spawn_failure.self)
        let stage: Stage =
            switch UInt32(bitPattern: failure.stage) {
            case agent_spawn_stage_descriptors.rawValue: .descriptors
            case agent_spawn_stage_user.rawValue: .user
            case agent_spawn_stage_directory.rawValue: .workingDirectory
            default: .execute
            }
        return Failure(stage: stage, error: failure.error)
    }

    /// Wipes the environment out of sight of other processes. Whoever holds a pointer from getenv(3) must be done with
    /// it: to be called before there is a second thread.
    static func hideEnvironment() {
        agent_hide_environment()
    }

    /// Opens a terminal: its two ends, or the errno.
    static func openTerminal(_ size: TerminalSize) -> Result<(master: Int32, slave: Int32), SpawnError> {
        var master: Int32 = -1
        var slave: Int32 = -1
        let error = agent_terminal_open(size.rows, size.columns, &master, &slave)
        return error == 0 ? .success((master, slave)) : .failure(SpawnError(error: error))
    }

    /// Nothing can be done about a terminal that takes no size.
    static func resizeTerminal(_ master: Int32, to size: TerminalSize) {
        _ = agent_terminal_resize(master, size.rows, size.columns)
    }

    /// Opens a path within a directory, never outside: see ``agent_open_beneath``. Negative with errno if that fails.
    static func openBeneath(_ directory: Int32, _ path: [UInt8], flags: Int32, isRoot: Bool) -> Int32 {
        withPath(path) { agent_open_beneath(directory, $0, flags, isRoot ? 1 : 0) }
    }

    /// When a file was made, since 1970; nil where the file system does not know.
    static func birthNanoseconds(_ directory: Int32, _ name: [UInt8]) -> Int64? {
        var seconds: Int64 = 0
        var nanoseconds: Int64 = 0
        guard withPath(name, { agent_birth_time(directory, $0, &seconds, &nanoseconds) }) == 0 else { return nil }
        return seconds &* 1_000_000_000 &+ nanoseconds
    }

    static func device(_ number: dev_t) -> (major: UInt32, minor: UInt32) {
        (agent_device_major(UInt64(number)), agent_device_minor(UInt64(number)))
    }

    /// The kind of file system that an open file is on, as in linux/magic.h; 0 if that cannot be told.
    static func fileSystem(_ descriptor: Int32) -> UInt32 { agent_file_system(descriptor) }

    /// Bytes without NUL as a C string.
    static func withPath<Value>(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> Value) -> Value {
        (bytes.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { buffer in
            guard let start = buffer.baseAddress else { preconditionFailure("a NUL is in it") }
            return body(start)
        }
    }

    /// A descriptor of a nameless file; negative if there is none to be had.
    static func temporaryFile(inMemory: Bool) -> Int32 {
        agent_temporary_file(inMemory ? 1 : 0)
    }
}

/// A NULL-terminated list of C strings, for as long as the object lives.
private final class CStringList {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    /// The same list, seen as one of strings that nobody changes.
    var constantPointers: UnsafePointer<UnsafePointer<CChar>?> {
        UnsafeRawPointer(pointers).assumingMemoryBound(to: UnsafePointer<CChar>?.self)
    }

    init(_ strings: [String]) {
        count = strings.count
        pointers = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() { (pointers + index).initialize(to: strdup(string)) }
        (pointers + count).initialize(to: nil)
    }

    deinit {
        // The child filled a slot of its own copy of this memory only.
        for index in 0..<count { free(pointers[index]) }
        pointers.deallocate()
    }
}
