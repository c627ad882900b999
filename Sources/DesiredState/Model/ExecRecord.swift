/// A command that a user asked to be executed beside a record's run, and what became of it. It goes with its record.
///
/// States: created → started (`startedAt`) → ended (`result`). What is created only was never given to an agent; what is started may be running
/// until there is a result.
package struct ExecRecord: Hashable, Sendable, Codable {
    /// 64 hex digits, never used twice; the agent knows the command by it.
    package let id: String
    package let uid: UID
    /// Of the attempt that it is executed beside, and that it ends with.
    package let token: String
    /// The life of the container that it is executed in, 32 hex digits. It goes with that life.
    package let bootID: String
    package let createdAt: Instant
    package let command: ExecCommand
    package var startedAt: Instant?
    package var result: ExecResult?

    /// Bound per record: the oldest ones give way, except those that may be running. As many results as an agent keeps.
    package static let maximumPerRecord = 256

    package init(id: String, uid: UID, token: String, bootID: String, createdAt: Instant, command: ExecCommand) {
        self.id = id
        self.uid = uid
        self.token = token
        self.bootID = bootID
        self.createdAt = createdAt
        self.command = command
    }

    /// It may be running.
    package var isOpen: Bool { startedAt != nil && result == nil }
}

/// What is executed. The environment may hold secrets, so its textual forms show numbers only.
package struct ExecCommand: Hashable, Sendable, Codable {
    /// At least one.
    package var arguments: [String]
    /// `NAME=value`, beside the record's own environment.
    package var environment: [String]
    package var workingDirectory: String?
    package var user: String?
    package var hasTerminal: Bool
    package var attachesStdin: Bool
    package var attachesStdout: Bool
    package var attachesStderr: Bool
    /// Bytes that detach a client from its terminal; empty = the usual ones.
    package var detachKeys: [UInt8]
    /// Of the terminal; 0 = not known.
    package var rows: UInt16
    package var columns: UInt16

    package init(
        arguments: [String], environment: [String] = [], workingDirectory: String? = nil, user: String? = nil,
        hasTerminal: Bool = false, attachesStdin: Bool = false, attachesStdout: Bool = false,
        attachesStderr: Bool = false, detachKeys: [UInt8] = [], rows: UInt16 = 0, columns: UInt16 = 0
    ) {
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.user = user
        self.hasTerminal = hasTerminal
        self.attachesStdin = attachesStdin
        self.attachesStdout = attachesStdout
        self.attachesStderr = attachesStderr
        self.detachKeys = detachKeys
        self.rows = rows
        self.columns = columns
    }
}

extension ExecCommand: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String {
        "ExecCommand(\(arguments.count) arguments, \(environment.count) environment entries, redacted)"
    }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// How an executed command ended. The first result that is committed wins.
package struct ExecResult: Hashable, Sendable, Codable {
    /// The command's own, 126 or 127 when it could not be executed, 137 when it went with its container, 125 when nobody knows.
    package var exitCode: Int
    package var finishedAt: Instant
    /// A sentence for people, when the exit code alone would not tell.
    package var message: String?

    package init(exitCode: Int, finishedAt: Instant, message: String? = nil) {
        self.exitCode = exitCode
        self.finishedAt = finishedAt
        self.message = message
    }
}
