import AgentProtocol
import DesiredState
import Foundation

/// The body of `containers/{id}/exec`.
struct ExecCreateRequest: Hashable, Sendable {
    let command: ExecCommand

    /// Throws Docker's refusals.
    init(body: JSON, _ version: DockerVersion) throws(DockerError) {
        guard case .object = body else {
            throw .badParameter("invalid JSON: the body must be an object, not \(body.kind)")
        }
        let words: [String]
        if case .string(let word)? = body["Cmd"] { words = [word] } else { words = try body.strings("Cmd") }
        guard let first = words.first, !first.isEmpty else { throw .badParameter("No exec command specified") }
        guard try !body.bool("Privileged") else {
            throw .notImplemented("Privileged is not supported: the host of a Function App belongs to Azure")
        }
        let environment = try body.strings("Env").filter { $0.utf8.contains(UInt8(ascii: "=")) }
        let directory = try body.string("WorkingDir").flatMap { $0.isEmpty ? nil : $0 }
        guard (words + environment + [directory ?? ""]).allSatisfy({ !$0.utf8.contains(0) }),
            environment.allSatisfy({ !$0.hasPrefix("=") })
        else { throw .badParameter("a value of the command holds a NUL character, or a variable has no name") }
        var keys: [UInt8] = []
        if let text = try body.string("DetachKeys"), !text.isEmpty {
            guard let parsed = DetachKeys(text) else {
                throw .badParameter("Invalid escape keys (\(text)) provided")
            }
            keys = parsed.bytes
        }
        let size = version < .consoleSize ? nil : try TerminalSize(console: body["ConsoleSize"])
        command = ExecCommand(
            arguments: words, environment: environment, workingDirectory: directory,
            user: try body.string("User").flatMap { $0.isEmpty ? nil : $0 }, hasTerminal: try body.bool("Tty"),
            attachesStdin: try body.bool("AttachStdin"), attachesStdout: try body.bool("AttachStdout"),
            attachesStderr: try body.bool("AttachStderr"), detachKeys: keys, rows: size?.rows ?? 0,
            columns: size?.columns ?? 0)
    }
}

/// The body of `exec/{id}/start`.
struct ExecStartRequest: Hashable, Sendable {
    let isDetached: Bool
    /// The client wants bytes as they come, without frames. It may say something else than at create, and counts.
    let isRaw: Bool
    let size: TerminalSize?

    init(body: JSON, _ version: DockerVersion) throws(DockerError) {
        guard case .object = body else {
            throw .badParameter("invalid JSON: the body must be an object, not \(body.kind)")
        }
        isDetached = try body.bool("Detach")
        isRaw = try body.bool("Tty")
        size = isRaw && version >= .consoleSize ? try TerminalSize(console: body["ConsoleSize"]) : nil
    }
}

extension DockerVersion {
    /// The first in which bodies have a `ConsoleSize`, and streams a type of their own.
    static let consoleSize = DockerVersion(major: 1, minor: 42)
}

extension TerminalSize {
    /// Docker's `[height, width]`; `nil` for none.
    init?(console value: JSON?) throws(DockerError) {
        guard let value, !value.isNull else { return nil }
        guard case .array(let numbers) = value, numbers.count == 2,
            let rows = numbers[0].integer.flatMap({ UInt16(exactly: $0) }),
            let columns = numbers[1].integer.flatMap({ UInt16(exactly: $0) })
        else { throw .badParameter("invalid ConsoleSize: it has to be [height, width]") }
        guard rows > 0 || columns > 0 else { return nil }
        self.init(rows: rows, columns: columns)
    }

    /// The query of a resize (moby v28, `container_routes.go`).
    init(_ query: RequestTarget.Query) throws(DockerError) {
        func number(_ name: String, _ word: String) throws(DockerError) -> UInt16 {
            let text = query[name] ?? ""
            // Docker takes 32 bits, which no terminal has; the kernel's size has 16.
            guard let number = UInt32(text) else {
                throw .badParameter("invalid resize \(word) \"\(text)\": it has to be a number")
            }
            return UInt16(clamping: number)
        }
        self.init(rows: try number("h", "height"), columns: try number("w", "width"))
    }
}

extension ExecRecord {
    /// `GET /exec/{id}/json`.
    func json(pid: Int) -> JSON {
        let process: JSON = [
            "tty": .bool(command.hasTerminal), "entrypoint": .string(command.arguments.first ?? ""),
            "arguments": .strings(command.arguments.dropFirst()), "privileged": false,
            "user": .string(command.user ?? ""),
        ]
        return [
            "ID": .string(id), "Running": .bool(isOpen), "ExitCode": result.map { .number($0.exitCode) } ?? nil,
            "ProcessConfig": process, "OpenStdin": .bool(command.attachesStdin),
            "OpenStderr": .bool(command.attachesStderr), "OpenStdout": .bool(command.attachesStdout),
            "CanRemove": .bool(result != nil), "ContainerID": .string(uid.text),
            // Bytes are base64 in Go's JSON.
            "DetachKeys": .string(Data(command.detachKeys).base64EncodedString()), "Pid": .number(pid),
        ]
    }

    /// Why the command cannot even be asked for; moby finds that out at the start.
    var fault: ExecFault? {
        guard let directory = command.workingDirectory, !directory.hasPrefix("/") else { return nil }
        return .relativeDirectory
    }

    /// What the agent is asked to execute: the record's environment with the command's over it.
    func request(for record: FunctionApp, size: TerminalSize?) -> ExecRequest {
        let command = command
        let terminal = size ?? TerminalSize(rows: command.rows, columns: command.columns)
        let own = record.spec.env.map { $0.name + "=" + $0.value }
        return ExecRequest(
            arguments: command.arguments,
            environment: (command.hasTerminal ? ["TERM=xterm"] : []) + own + command.environment,
            workingDirectory: command.workingDirectory ?? record.spec.workingDir ?? "/",
            user: command.user ?? record.spec.user, opensStdin: command.attachesStdin,
            terminal: command.hasTerminal ? terminal : nil)
    }
}

/// What a container runtime refuses before it executes anything, with its exit code (moby v28 with runc 1.2, recorded 2026-11-21).
enum ExecFault: Hashable, Sendable {
    case relativeDirectory

    var exitCode: Int { 128 }
    var message: String { "Cwd must be an absolute path" }
}
