import Glibc
import Subprocess
import SystemPackage

/// How bubblewrap is called. Nothing of a container runs outside of it.
struct Bubblewrap: Sendable {
    /// The executable's path.
    let executable: String
    let owner: FileOwner?
    /// What gives up root's privileges, if there are any to give up.
    private let setpriv: String?

    /// What one container is given.
    struct Sandbox: Sendable {
        var root: String
        /// The folder in which the agent makes its socket.
        var runFolder: String
        var agent: String
        var hostName: String
        var environment: [AppSetting]
        /// The socket of the way out; nil if there is none.
        var relay: String?
    }

    static let runFolder = "/.skls/run"
    static let agent = "/.skls/agent"
    static let socketName = "agent.sock"

    /// Looks for `bwrap` in `path`, a list of folders as in `PATH`, unless an executable is given.
    init(executable: String?, searchPath path: String, owner: FileOwner?) throws(SimulatorError) {
        func find(_ name: String) -> String? {
            path.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
        }
        guard let found = executable ?? find("bwrap"), access(found, X_OK) == 0 else {
            throw SimulatorError(
                code: .bubblewrapMissing,
                message: "bubblewrap is not installed: containers run only inside of it. "
                    + "Install it (Debian, Ubuntu: apt install bubblewrap)")
        }
        self.executable = found
        self.owner = owner
        setpriv = owner == nil ? nil : find("setpriv")
        guard owner == nil || setpriv != nil else {
            throw SimulatorError(
                code: .bubblewrapMissing,
                message:
                    "setpriv is not installed: a simulator that root starts needs it to give up root's privileges. "
                    + "Install it (Debian, Ubuntu: apt install util-linux), or start the simulator as another user")
        }
    }

    /// A private root, own namespaces for everything (also the network), no capabilities, an empty environment but for
    /// what is declared, and an end with the simulator. `/proc/sys` is read-only, since root's settings there would be
    /// the machine's.
    ///
    /// The environment, which holds secrets, stays off the command line: bubblewrap reads it from descriptor 0, one end
    /// of a socket pair, and writes its status there as well. The shell only moves it to descriptors 3 and 4, because
    /// the library starts processes with no descriptors beyond 2.
    /// - Parameter command: the command in the container; fixed text, never from a request.
    func configuration(for sandbox: Sandbox, command: String) -> Subprocess.Configuration {
        let relay = sandbox.relay.map { ["--ro-bind", $0, EgressRelay.pathInContainer] } ?? []
        let options =
            [
                "--bind", sandbox.root, "/", "--dev", "/dev", "--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys",
                "--bind", sandbox.runFolder, Self.runFolder, "--ro-bind", sandbox.agent, Self.agent,
            ] + relay + [
                "--unshare-all", "--hostname", sandbox.hostName, "--uid", "0", "--gid", "0", "--cap-drop", "ALL",
                "--chdir", "/",
                "--die-with-parent", "--as-pid-1", "--json-status-fd", "4", "--clearenv", "--args", "3", "--", command,
            ]
        // Not by the library's own options for users: in its child, between clone and exec, the C library waits for
        // threads that only the parent has if one of them was about to start (swift-subprocess 1.0.2 with glibc 2.36).
        var privileges: [String] = []
        if let owner, let setpriv {
            privileges = [setpriv, "--reuid", "\(owner.user)", "--regid", "\(owner.group)", "--clear-groups", "--"]
        }
        let script = "exec \"$@\" 3<&0 4>&0 0</dev/null"
        var platformOptions = PlatformOptions()
        // A group of its own. If bubblewrap is killed before it has let its child go on, the child waits for that for ever
        // (bubblewrap 0.8, before it has asked to die with its parent); but it is in the group.
        platformOptions.processGroupID = 0
        platformOptions.teardownSequence = [
            .send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .zero)
        ]
        return Subprocess.Configuration(
            executable: .path("/bin/sh"),
            arguments: Arguments(["-c", script, "sh"] + privileges + [executable] + options),
            environment: .custom([:]), workingDirectory: "/", platformOptions: platformOptions)
    }

    /// The options that bubblewrap reads from the socket pair.
    static func environmentOptions(of sandbox: Sandbox) -> [String] {
        sandbox.environment.flatMap { ["--setenv", $0.name, $0.value] }
    }

    /// Runs `/bin/true` of a busybox root in a sandbox like a container's, so that a machine that cannot do it is known
    /// at start.
    func probe(root: String, runFolder: String, agent: String) async throws(SimulatorError) {
        let sandbox = Sandbox(root: root, runFolder: runFolder, agent: agent, hostName: "probe", environment: [])
        let output: String
        do {
            let link = try StatusLink()
            let result = try await Subprocess.run(
                configuration(for: sandbox, command: "/bin/true"),
                input: .fileDescriptor(link.childEnd, closeAfterSpawningProcess: true), output: .string(limit: 65_536),
                error: .combinedWithOutput
            ) { _ in
                link.send([])
            }
            link.close()
            if result.terminationStatus.isSuccess { return }
            output = result.standardOutput
        } catch {
            output = "\(error)"
        }
        throw SimulatorError(code: .bubblewrapRefused, message: Self.advice(for: output))
    }

    /// What to do about a refusal, by the two switches that distributions have for it.
    private static func advice(for output: String) -> String {
        var advice =
            "bubblewrap cannot make a container on this machine: "
            + output.split(separator: "\n").joined(separator: "; ")
        if number(in: "/proc/sys/kernel/unprivileged_userns_clone") == 0 {
            advice += ". Allow it with: sysctl -w kernel.unprivileged_userns_clone=1"
        } else if number(in: "/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1 {
            advice += ". Allow it with: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
        } else if number(in: "/proc/sys/user/max_user_namespaces") == 0 {
            advice += ". Allow it with: sysctl -w user.max_user_namespaces=10000"
        } else {
            advice +=
                ". It needs user namespaces for unprivileged users "
                + "(sysctl kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns), "
                + "and in a container of one's own the right to make them"
        }
        return advice
    }

    /// The number in a file of /proc; nil if there is no such file: not every kernel has every switch.
    private static func number(in path: String) -> Int? {
        guard let file = try? FileDescriptor.open(path, .readOnly) else { return nil }  // an absent switch is no error
        defer { SystemCalls.close(file) }
        var buffer = [UInt8](repeating: 0, count: 32)
        let count = buffer.withUnsafeMutableBytes { read(file.rawValue, $0.baseAddress, $0.count) }
        guard count > 0 else { return nil }
        return Int(String(decoding: buffer[..<count], as: UTF8.self).filter(\.isNumber))
    }
}

/// The socket pair over which bubblewrap gets its options and reports the container's first process.
struct StatusLink: Sendable {
    let ourEnd: FileDescriptor
    let childEnd: FileDescriptor

    init() throws(SimulatorError) {
        var ends: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw .failed("create", "a socket pair", errno: errno) }
        ourEnd = FileDescriptor(rawValue: ends[0])
        childEnd = FileDescriptor(rawValue: ends[1])
    }

    /// Sends the options, each ended by NUL, and the end of the list. Blocks when they exceed the socket's buffer.
    /// A process that is gone reads nothing; its end is seen elsewhere.
    func send(_ options: [String]) {
        var bytes: [UInt8] = []
        for option in options {
            bytes.append(contentsOf: option.utf8)
            bytes.append(0)
        }
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let sent = Glibc.send(
                    ourEnd.rawValue, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count,
                    Int32(MSG_NOSIGNAL))
                if sent < 0 && errno == EINTR { continue }
                if sent <= 0 { break }
                rest = rest.dropFirst(sent)
            }
        }
        shutdown(ourEnd.rawValue, Int32(SHUT_WR))
    }

    /// The host's process id of the container's first process, from bubblewrap's first line of status
    /// (`{ "child-pid": 123 … }`); nil if bubblewrap ended before. Blocks until one or the other.
    func processID() -> Int32? {
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1_024)
        while !line.contains(UInt8(ascii: "\n")) {
            let count = recv(ourEnd.rawValue, &buffer, buffer.count, 0)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return nil }
            line += buffer[..<count]
        }
        do throws(JSON.SyntaxError) {
            let first = line.split(separator: UInt8(ascii: "\n"), maxSplits: 1)[0]
            guard case .number(let text) = try JSON(parsing: Array(first))["child-pid"] else { return nil }
            return Int32(text)
        } catch {
            return nil
        }
    }

    /// Closes our end; the other one is closed when the process was started.
    func close() { SystemCalls.close(ourEnd) }
}
