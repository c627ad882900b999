import AgentProtocol
import Glibc
import NIOCore
import NIOPosix

/// A started child: its id and our ends of its pipes, all of them ours to close.
struct CommandProcess {
    let pid: pid_t
    /// See ``Native/Child/status``.
    let status: Int32
    /// With a terminal: everything that it shows.
    let stdout: Int32
    /// Nil with a terminal.
    let stderr: Int32?
    /// Nil if the command gets no input.
    let stdin: Int32?
    let terminal: Terminal?

    struct Failure: Error {
        let exitCode: Int
        let message: String
    }

    /// Opens pipes or a terminal, and forks.
    ///
    /// - Parameters:
    ///   - createsDirectory: makes the working directory if there is none.
    ///   - logLine: written to the agent's stderr, by the child, directly before it becomes the command.
    static func start(
        _ request: RunRequest, createsDirectory: Bool, logLine: String
    ) throws(Failure) -> CommandProcess {
        let plan: CommandPlan
        do throws(UserDatabase.Unknown) {
            plan = try CommandPlan(request, in: .ofThisProcess())
        } catch {
            throw Failure(exitCode: 126, message: error.description)
        }
        if createsDirectory { createDirectories(request.workingDirectory) }
        var opened: [Int32] = []
        do throws(Failure) {
            var spawn = Native.SpawnRequest(
                candidates: plan.candidates, arguments: request.arguments, environment: plan.environment,
                workingDirectory: request.workingDirectory, identity: plan.identity, stdin: -1, stdout: -1, stderr: -1,
                logLine: logLine)
            if let size = request.terminal {
                return try start(spawn, in: size, opensStdin: request.opensStdin, &opened)
            }
            let output = try pipe(&opened)
            let error = try pipe(&opened)
            let input = try request.opensStdin ? pipe(&opened) : (read: null(&opened), write: -1)
            spawn.stdin = input.read
            spawn.stdout = output.write
            spawn.stderr = error.write
            let child = try fork(spawn)
            for descriptor in [output.write, error.write, input.read] { close(descriptor) }
            return CommandProcess(
                pid: child.pid, status: child.status, stdout: output.read, stderr: error.read,
                stdin: request.opensStdin ? input.write : nil, terminal: nil)
        } catch {
            for descriptor in opened { close(descriptor) }
            throw error
        }
    }

    private static func start(
        _ request: Native.SpawnRequest, in size: TerminalSize, opensStdin: Bool, _ opened: inout [Int32]
    ) throws(Failure) -> CommandProcess {
        let terminal: Terminal
        switch Native.openTerminal(size) {
        case .success(let ends): terminal = Terminal(master: ends.master, slave: ends.slave)
        case .failure(let error): throw failure("open a terminal", error.error)
        }
        // A descriptor each: whoever reads closes what it reads.
        let stdout = try duplicate(terminal.master, &opened)
        let stdin = try opensStdin ? duplicate(terminal.master, &opened) : nil
        var spawn = request
        spawn.stdin = terminal.slave
        spawn.stdout = terminal.slave
        spawn.stderr = terminal.slave
        spawn.hasTerminal = true
        let child = try fork(spawn)
        return CommandProcess(
            pid: child.pid, status: child.status, stdout: stdout, stderr: nil, stdin: stdin, terminal: terminal)
    }

    private static func fork(_ request: Native.SpawnRequest) throws(Failure) -> Native.Child {
        switch Native.spawn(request) {
        case .success(let child): return child
        case .failure(let error): throw failure("fork", error.error)
        }
    }

    private static func duplicate(_ descriptor: Int32, _ opened: inout [Int32]) throws(Failure) -> Int32 {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw failure("dup", errno) }
        opened.append(copy)
        return copy
    }

    private static func pipe(_ opened: inout [Int32]) throws(Failure) -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        // The child closes what it does not use, and nothing else here executes anything: no need for close-on-exec.
        guard Glibc.pipe(&ends) == 0 else { throw failure("pipe", errno) }
        opened += ends
        return (ends[0], ends[1])
    }

    private static func null(_ opened: inout [Int32]) throws(Failure) -> Int32 {
        let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open /dev/null", errno) }
        opened.append(descriptor)
        return descriptor
    }

    private static func failure(_ call: String, _ error: Int32) -> Failure {
        Failure(exitCode: 126, message: "\(call): \(String(cString: strerror(error)).lowercased())")
    }

    /// As `mkdir -p`. What goes wrong shows when the child changes to the directory.
    private static func createDirectories(_ path: String) {
        var status = stat()
        if stat(path, &status) == 0 { return }
        var prefix = ""
        for part in path.split(separator: "/") {
            prefix += "/\(part)"
            mkdir(prefix, 0o755)
        }
    }
}

/// Our ends of a command's terminal.
///
/// The end that the command has is kept open here as well until it has ended: else the terminal would hang up on a command
/// that closes it and opens it again.
final class Terminal {
    let master: Int32
    fileprivate(set) var slave: Int32

    init(master: Int32, slave: Int32) {
        self.master = master
        self.slave = slave
    }

    deinit {
        commandEnded()
        close(master)
    }

    func resize(to size: TerminalSize) {
        Native.resizeTerminal(master, to: size)
    }

    /// From now on the output ends when nobody else has the terminal open.
    func commandEnded() {
        if slave >= 0 { close(slave) }
        slave = -1
    }
}

extension CommandPlan.Surroundings {
    /// Read anew for each run: a command may have changed the files.
    static func ofThisProcess() -> CommandPlan.Surroundings {
        var name = [CChar](repeating: 0, count: 65)
        let hasName = gethostname(&name, name.count - 1) == 0
        return CommandPlan.Surroundings(
            uid: getuid(), gid: getgid(),
            hostName: hasName
                ? String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) : "",
            users: UserDatabase(passwd: content("/etc/passwd"), group: content("/etc/group")))
    }

    /// Empty for a file that is not there: an image without users has no such file.
    private static func content(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        // A megabyte of users is enough.
        while bytes.count < 1 << 20 {
            let count = read(descriptor, &chunk, chunk.count)
            if count <= 0 { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
