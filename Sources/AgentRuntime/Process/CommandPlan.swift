import AgentProtocol
import Glibc

/// How a run request is carried out in this container: who, where, with which environment, which files to try.
struct CommandPlan {
    var candidates: [String]
    var environment: [String]
    var identity: UserIdentity?

    /// What the machine is like that the command runs on, as far as the plan depends on it.
    struct Surroundings {
        var uid: UInt32
        var gid: UInt32
        var hostName: String
        var users: UserDatabase
    }

    /// The search path of a command that is given none; Docker's (moby v28, oci/defaults.go, "DefaultPathEnv").
    static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    init(_ request: RunRequest, in surroundings: Surroundings) throws(UserDatabase.Unknown) {
        let wanted: UserIdentity?
        if let user = request.user { wanted = try surroundings.users.identity(user) } else { wanted = nil }
        let uid = wanted?.uid ?? surroundings.uid
        // To become who one is already needs rights that a container without capabilities has not got.
        identity = wanted.flatMap { $0.uid == surroundings.uid && $0.gid == surroundings.gid ? nil : $0 }

        var environment: [String] = []
        var places: [Substring: Int] = [:]
        for entry in request.environment {
            let name = entry.prefix { $0 != "=" }
            if let place = places[name] {
                environment[place] = entry
            } else {
                places[name] = environment.count
                environment.append(entry)
            }
        }
        let home = wanted?.home ?? surroundings.users.home(ofUID: uid) ?? (uid == 0 ? "/root" : "/")
        for (name, value) in [("PATH", Self.defaultPath), ("HOME", home), ("HOSTNAME", surroundings.hostName)]
        where places[name[...]] == nil {
            environment.append("\(name)=\(value)")
        }
        self.environment = environment

        let command = request.arguments[0]
        if command.utf8.contains(UInt8(ascii: "/")) {
            candidates = [command]
        } else {
            let path = places["PATH"].map { environment[$0].dropFirst("PATH=".count) } ?? Self.defaultPath[...]
            candidates = path.split(separator: ":", omittingEmptySubsequences: false).map { directory in
                directory.isEmpty ? "./\(command)" : "\(directory)/\(command)"
            }
        }
    }
}

extension CommandPlan {
    /// Docker's words and exit codes for a command that could not be executed: 127 if there is no such file, else 126.
    static func explain(_ failure: Native.Failure, request: RunRequest) -> (exitCode: Int, message: String) {
        let reason = String(cString: strerror(failure.error)).lowercased()
        let command = request.arguments[0]
        switch failure.stage {
        case .execute:
            if failure.error == ENOENT, !command.utf8.contains(UInt8(ascii: "/")) {
                return (127, "exec: \"\(command)\": executable file not found in $PATH")
            }
            return (failure.error == ENOENT ? 127 : 126, "exec: \"\(command)\": \(reason)")
        case .workingDirectory: return (126, "chdir to cwd (\"\(request.workingDirectory)\"): \(reason)")
        case .user: return (126, "become user \(request.user ?? ""): \(reason)")
        case .descriptors: return (126, "set up stdin, stdout and stderr: \(reason)")
        }
    }
}
