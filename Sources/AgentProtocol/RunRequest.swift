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
    /// Whether the command gets a pipe, or its terminal's input, that stays open until eof is sent; else `/dev/null`.
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
        var fields = FieldWriter()
        for argument in arguments { fields.append(Field.argument.rawValue, argument) }
        for entry in environment { fields.append(Field.environment.rawValue, entry) }
        fields.append(Field.workingDirectory.rawValue, workingDirectory)
        if let user { fields.append(Field.user.rawValue, user) }
        if opensStdin { fields.append(Field.stdin.rawValue, "1") }
        if let terminal { fields.append(Field.terminal.rawValue, terminal.description) }
        fields.append(Field.timeout.rawValue, timeoutSeconds)
        return fields.bytes
    }

    /// Reads and checks what arrived. Fields that the agent does not know are refused: ignoring one would run
    /// something else than was asked.
    package init(decoding bytes: UnsafeRawBufferPointer) throws(RunRequestError) {
        self.init(arguments: [])
        var reader = FieldReader(bytes: bytes)
        var seen: Set<Field> = []
        while let (field, value) = try Self.next(&reader) {
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
        case terminal = "tty"

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
        case .terminal:
            if value == "0" { return }
            guard let size = TerminalSize(value) else { throw RunRequestError("tty is not ROWSxCOLUMNS") }
            terminal = size
        }
    }

    private static func flag(_ field: Field, _ value: String) throws(RunRequestError) -> Bool {
        switch value {
        case "1": true
        case "0": false
        default: throw RunRequestError("\(field.rawValue) is neither 0 nor 1")
        }
    }

    private static func next(_ reader: inout FieldReader) throws(RunRequestError) -> (Field, String)? {
        do throws(FieldError) {
            guard let (name, value) = try reader.next() else { return nil }
            guard let field = Field(rawValue: name) else { throw FieldError(description: "unknown field") }
            return (field, value)
        } catch {
            throw RunRequestError(error.description)
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
