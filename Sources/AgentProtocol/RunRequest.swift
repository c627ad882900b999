/// What to execute: the body of `POST /skls/v1/runs/{token}`.
///
/// The environment may hold secrets, so its textual forms show numbers only.
package struct RunRequest: Equatable, Sendable {
    /// The command and its arguments; at least one. A first one without a slash is looked up in `PATH`.
    package var arguments: [String]
    /// `NAME=value`; a name given twice counts as given last.
    package var environment: [String]
    /// Absolute; created if it does not exist.
    package var workingDirectory: String
    /// `name|uid[:group|gid]`; nil for the agent's own.
    package var user: String?
    /// Whether the command gets a pipe that stays open until eof is sent; else `/dev/null`.
    package var opensStdin: Bool
    /// Zero for none.
    package var timeoutSeconds: Int
    /// The command gets a terminal of this size, and all its output is stdout; nil for pipes.
    package var terminal: TerminalSize?

    package init(
        arguments: [String], environment: [String] = [], workingDirectory: String = "/", user: String? = nil,
        opensStdin: Bool = false, timeoutSeconds: Int = 0, terminal: TerminalSize? = nil
    ) {
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.user = user
        self.opensStdin = opensStdin
        self.timeoutSeconds = timeoutSeconds
        self.terminal = terminal
    }
}

/// Why a run request is refused. `description` never quotes a value of the environment.
package struct RunRequestError: Error, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

extension RunRequest {
    /// The bytes to send. Each field is a line `name length`, that many bytes, and a line feed.
    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        func append(_ name: Field, _ value: String) {
            bytes.append(contentsOf: "\(name.rawValue) \(value.utf8.count)\n".utf8)
            bytes.append(contentsOf: value.utf8)
            bytes.append(UInt8(ascii: "\n"))
        }
        for argument in arguments { append(.argument, argument) }
        for entry in environment { append(.environment, entry) }
        append(.workingDirectory, workingDirectory)
        if let user { append(.user, user) }
        if opensStdin { append(.stdin, "1") }
        if let terminal { append(.tty, "\(terminal.rows)x\(terminal.columns)") }
        append(.timeout, String(timeoutSeconds))
        return bytes
    }

    /// Reads and checks what arrived. Fields that the agent does not know are refused: ignoring one would run
    /// something else than was asked.
    package init(decoding bytes: UnsafeRawBufferPointer) throws(RunRequestError) {
        self.init(arguments: [])
        var reader = FieldReader(bytes: bytes)
        var seen: Set<Field> = []
        while let (field, value) = try reader.next() {
            if !field.isRepeatable, !seen.insert(field).inserted {
                throw RunRequestError("\(field.rawValue) is given twice")
            }
            try take(field, value)
        }
        try validate()
    }

    /// What the agent will refuse, found before sending.
    package func validate() throws(RunRequestError) {
        guard let command = arguments.first else { throw RunRequestError("argv is missing") }
        if command.isEmpty { throw RunRequestError("the command is empty") }
        let texts = arguments + environment + [workingDirectory, user ?? ""]
        if texts.contains(where: { $0.utf8.contains(0) }) { throw RunRequestError("a value contains a NUL byte") }
        for entry in environment {
            guard let equals = entry.utf8.firstIndex(of: UInt8(ascii: "=")), equals > entry.utf8.startIndex else {
                throw RunRequestError("an env entry has no NAME=")
            }
        }
        guard workingDirectory.utf8.first == UInt8(ascii: "/") else { throw RunRequestError("workdir is not absolute") }
        if user?.isEmpty == true { throw RunRequestError("user is empty") }
        if timeoutSeconds < 0 || timeoutSeconds > Self.largestTimeoutSeconds {
            throw RunRequestError("timeout is not between 0 and \(Self.largestTimeoutSeconds) seconds")
        }
    }

    /// A century: far from overflowing nanoseconds in 64 bits.
    static let largestTimeoutSeconds = 3_153_600_000

    private enum Field: String {
        case argument = "argv"
        case environment = "env"
        case workingDirectory = "workdir"
        case user
        case stdin
        case timeout
        case tty

        var isRepeatable: Bool { self == .argument || self == .environment }
    }

    private mutating func take(_ field: Field, _ value: String) throws(RunRequestError) {
        switch field {
        case .argument: arguments.append(value)
        case .environment: environment.append(value)
        case .workingDirectory: workingDirectory = value
        case .user: user = value
        case .stdin: opensStdin = try Self.flag(field, value)
        case .timeout:
            guard let seconds = Int(value) else { throw RunRequestError("timeout is no number") }
            timeoutSeconds = seconds
        case .tty:
            if value != "0" { throw RunRequestError("tty is not supported") }
        }
    }

    private static func flag(_ field: Field, _ value: String) throws(RunRequestError) -> Bool {
        switch value {
        case "1": true
        case "0": false
        default: throw RunRequestError("\(field.rawValue) is neither 0 nor 1")
        }
    }

    private struct FieldReader {
        let bytes: UnsafeRawBufferPointer
        var position = 0

        mutating func next() throws(RunRequestError) -> (Field, String)? {
            guard position < bytes.count else { return nil }
            // The longest line is `workdir` with a length of seven digits.
            guard let lineEnd = bytes[position...].prefix(32).firstIndex(of: UInt8(ascii: "\n")) else {
                throw RunRequestError("a field has no line `name length`")
            }
            let line = bytes[position..<lineEnd].split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            guard line.count == 2, let length = Int(String(decoding: line[1], as: UTF8.self)), length >= 0 else {
                throw RunRequestError("a field has no line `name length`")
            }
            guard let field = Field(rawValue: String(decoding: line[0], as: UTF8.self)) else {
                throw RunRequestError("unknown field")
            }
            let start = lineEnd + 1
            guard length < bytes.count - start, bytes[start + length] == UInt8(ascii: "\n") else {
                throw RunRequestError("\(field.rawValue) is not as long as it says")
            }
            guard let value = String(validating: bytes[start..<start + length], as: UTF8.self) else {
                throw RunRequestError("\(field.rawValue) is not UTF-8")
            }
            position = start + length + 1
            return (field, value)
        }
    }
}

extension RunRequest: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String {
        "RunRequest(\(arguments.count) arguments, \(environment.count) environment entries, redacted)"
    }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
