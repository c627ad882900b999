/// What a session asks of an agent, beside the container's own run.
///
/// Each task is begun at most once per boot, by its name; what it answers comes as bytes of streams and ends with a
/// ``SessionResult``.
package enum SessionTask: Equatable, Sendable {
    /// A command beside the run. Its output is bytes of stdout and stderr, or of stdout alone with a terminal.
    case exec(ExecRequest)
    /// What lies at a path: nothing comes but the result, whose ``SessionResult/facts`` are those of ``PathFact``.
    case stat(path: String)
    /// A tar of what lies at a path, on stdout, its entries named after the last component of the path.
    case archive(path: String)
    /// Unpacks the tar that comes as input into the directory at a path.
    ///
    /// - Parameters:
    ///   - noOverwriteDirNonDir: a directory is not replaced by something else, nor the other way round.
    ///   - copiesOwners: the tar's owners are kept; else the files belong to the agent's user.
    case extract(path: String, noOverwriteDirNonDir: Bool, copiesOwners: Bool)
    /// A tar of the whole file system, on stdout.
    case export
    /// What was changed since the container's start, on stdout: a line `A|C|D path` for each, paths percent-encoded.
    case changes
    /// The processes of the container, on stdout: a line of tab-separated fields for each, the first line the titles.
    /// `arguments` are those of `ps`, of which `-ef` and `-o LIST` with or without `ax` have to be known.
    case processes(arguments: String)
    /// Figures of use, on stdout: a line `name=value …` at once and, unless `once`, each second until it is released.
    case stats(once: Bool)
}

/// A command to be executed beside the container's run.
///
/// The environment may hold secrets, so its textual forms show numbers only.
package struct ExecRequest: Equatable, Sendable {
    /// The command and its arguments; at least one. A first one without a slash is looked up in `PATH`.
    package var arguments: [String]
    /// `NAME=value`; a name given twice counts as given last.
    package var environment: [String]
    /// Absolute.
    package var workingDirectory: String
    /// `name|uid[:group|gid]`; nil for the agent's own.
    package var user: String?
    /// Whether the command gets a pipe, or the terminal, that stays open until the input ends; else `/dev/null`.
    package var opensStdin: Bool
    /// The command gets a terminal of this size; nil = pipes.
    package var terminal: TerminalSize?

    package init(
        arguments: [String], environment: [String] = [], workingDirectory: String = "/", user: String? = nil,
        opensStdin: Bool = false, terminal: TerminalSize? = nil
    ) {
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.user = user
        self.opensStdin = opensStdin
        self.terminal = terminal
    }
}

extension ExecRequest: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String {
        "ExecRequest(\(arguments.count) arguments, \(environment.count) environment entries, redacted)"
    }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// In characters. Zero rows or columns leave a terminal as it is.
package struct TerminalSize: Hashable, Sendable {
    package var rows: UInt16
    package var columns: UInt16

    package init(rows: UInt16, columns: UInt16) {
        self.rows = rows
        self.columns = columns
    }
}

extension TerminalSize: CustomStringConvertible {
    /// `ROWSxCOLUMNS`, as on the wire.
    package var description: String { "\(rows)x\(columns)" }

    /// Nil for anything but two numbers, in their shortest form, with an `x` between.
    package init?(_ text: String) {
        let parts = text.split(separator: "x", omittingEmptySubsequences: false)
        guard parts.count == 2, let rows = UInt16(parts[0]), let columns = UInt16(parts[1]) else { return nil }
        self.init(rows: rows, columns: columns)
        guard description == text else { return nil }
    }
}

/// How a task ended.
package struct SessionResult: Equatable, Sendable {
    package enum Failure: String, Equatable, Sendable {
        /// No such path, user or command.
        case notFound
        /// Permission denied, or not executable.
        case notPermitted
        /// The agent does not do that, or not with these arguments; the message says why.
        case refused
        /// Anything else that the container's system refused.
        case failed
    }

    /// Of an exec's command: 0–255, 128 + n for signal n; with a failure 127 (not found) or 126 (not executable).
    package var exitCode: Int?
    /// nil = the task did what was asked.
    package var failure: Failure?
    /// For people, with a failure.
    package var message: String
    /// What the task found out; names as the task documents them.
    package var facts: [String: String]

    package init(
        exitCode: Int? = nil, failure: Failure? = nil, message: String = "", facts: [String: String] = [:]
    ) {
        self.exitCode = exitCode
        self.failure = failure
        self.message = message
        self.facts = facts
    }
}

/// Names of the facts about a path; a tar's task tells them too, before its first byte.
package enum PathFact {
    /// The last component.
    package static let name = "name"
    /// In bytes.
    package static let size = "size"
    /// As `st_mode`, decimal.
    package static let mode = "mode"
    /// Unix nanoseconds.
    package static let modified = "modified"
    /// Where a symbolic link leads; missing for anything else.
    package static let target = "target"
}

/// Names of the facts about an exec.
package enum ExecFact {
    /// The process id within the container.
    package static let pid = "pid"
}
