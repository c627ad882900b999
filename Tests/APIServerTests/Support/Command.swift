import Foundation
import Subprocess
import SystemPackage

/// What a program printed and how it ended.
struct CommandResult: Sendable {
    let exitCode: Int32
    let output: String
    let errors: String
}

/// Runs a client program; `input` is its whole standard input. Ends the program when the test is cancelled.
///
/// The input is a file: a program that ends before it has read its input would break a pipe, and swift-subprocess 1.0 ends the process of the tests then.
func run(
    _ executable: String, _ arguments: [String], environment: [String: String] = [:], input: String = ""
) async throws -> CommandResult {
    let file = try inputFile(input)
    let result = try await Subprocess.run(
        .path(.init(executable)), arguments: Arguments(arguments),
        environment: .inherit.updating(
            Dictionary(uniqueKeysWithValues: environment.map { (Environment.Key(stringLiteral: $0.key), $0.value) })),
        input: .fileDescriptor(file, closeAfterSpawningProcess: true), output: .string(limit: 16 << 20),
        error: .string(limit: 1 << 20))
    let code: Int32 =
        switch result.terminationStatus {
        case .exited(let code): Int32(code)
        case .signaled(let signal): Int32(128 + signal)
        }
    return CommandResult(
        exitCode: code, output: result.standardOutput, errors: result.standardError)
}

/// Has no name any more, and is read from its beginning.
private func inputFile(_ text: String) throws -> FileDescriptor {
    let path = NSTemporaryDirectory() + "/skls-input-" + UUID().uuidString
    let file = try FileDescriptor.open(
        path, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
    unlink(path)
    try file.writeAll(text.utf8)
    try file.seek(offset: 0, from: FileDescriptor.SeekOrigin.start)
    return file
}

/// The real docker CLI, if there is one. Only a client: it talks to the server under test alone.
enum DockerCLI {
    static let path: String? = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        .map { $0 + "/docker" }.first { FileManager.default.isExecutableFile(atPath: $0) }
}

/// The program `skls` that was built with the tests.
enum SklsProgram {
    static let path: String? = {
        // A test bundle whose own path is unknown has no neighbours.
        let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let candidates = [own, CommandLine.arguments.first { $0.hasSuffix(".xctest") }].compactMap { $0 }
        return candidates.map {
            URL(fileURLWithPath: $0).deletingLastPathComponent().appendingPathComponent("skls").path
        }
        .first { FileManager.default.isExecutableFile(atPath: $0) }
    }()
}

extension TestServer {
    func docker(_ arguments: String..., input: String = "") async throws -> CommandResult {
        try await docker(arguments, input: input)
    }

    func docker(_ arguments: [String], input: String = "") async throws -> CommandResult {
        try await run(
            DockerCLI.path ?? "docker", arguments,
            environment: ["DOCKER_HOST": host, "DOCKER_CONFIG": directory, "DOCKER_CLI_HINTS": "false"], input: input)
    }

    func skls(_ arguments: String..., input: String = "") async throws -> CommandResult {
        try await run(SklsProgram.path ?? "skls", arguments, environment: ["SKLS_HOST": host], input: input)
    }
}
