import AgentProtocol
import Glibc
import NIOCore
import NIOPosix

/// A started child: its id and our ends of its pipes, all of them ours to close.
struct CommandProcess {
    let pid: pid_t
    /// See ``Native/Child/status``.
    let status: Int32
    let stdout: Int32
    let stderr: Int32
    /// Nil if the command has `/dev/null`.
    let stdin: Int32?

    struct Failure: Error {
        let exitCode: Int
        let message: String
    }

    /// Makes the working directory if there is none, opens pipes and forks.
    ///
    /// - Parameter logLine: written to the agent's stderr, by the child, directly before it becomes the command.
    static func start(_ request: RunRequest, logLine: String) throws(Failure) -> CommandProcess {
        let plan: CommandPlan
        do throws(UserDatabase.Unknown) {
            plan = try CommandPlan(request, in: .ofThisProcess())
        } catch {
            throw Failure(exitCode: 126, message: error.description)
        }
        createDirectories(request.workingDirectory)
        var opened: [Int32] = []
        do throws(Failure) {
            let output = try pipe(&opened)
            let error = try pipe(&opened)
            let input = try request.opensStdin ? pipe(&opened) : (read: null(&opened), write: -1)
            let result = Native.spawn(
                Native.SpawnRequest(
                    candidates: plan.candidates, arguments: request.arguments, environment: plan.environment,
                    workingDirectory: request.workingDirectory, identity: plan.identity, stdin: input.read,
                    stdout: output.write, stderr: error.write, logLine: logLine))
            let child: Native.Child
            switch result {
            case .success(let started): child = started
            case .failure(let failure): throw Self.failure("fork", failure.error)
            }
            for descriptor in [output.write, error.write, input.read] { close(descriptor) }
            return CommandProcess(
                pid: child.pid, status: child.status, stdout: output.read, stderr: error.read,
                stdin: request.opensStdin ? input.write : nil)
        } catch {
            for descriptor in opened { close(descriptor) }
            throw error
        }
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
