import Foundation
import NIOConcurrencyHelpers

/// A program run by a test: collects what it prints, can be waited for by its lines, and ends with the test.
final class ChildProcess: Sendable {
    private struct State {
        var output = Data()
        var errors = Data()
        /// Lines of standard error so far, for those who wait for one.
        var errorLineCount = 0
        var onErrorLine: [@Sendable (Int, String) -> Void] = []
        var partialLine = Data()
    }

    struct Result: Sendable {
        let status: Int32
        let output: String
        let errors: String
    }

    private let process = Process()
    private let state = NIOLockedValueBox(State())
    private let ended: AsyncStream<Int32>

    /// Starts the program. `input` is its whole standard input.
    init(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:], input: Data? = nil,
        onErrorLine: (@Sendable (Int, String) -> Void)? = nil
    ) throws {
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
        ended = stream
        if let onErrorLine { state.withLockedValue { $0.onErrorLine = [onErrorLine] } }
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        let outputPipe = Pipe()
        let errorPipe = Pipe()
        let inputPipe = Pipe()
        process.standardOutput = outputPipe
        process.standardError = errorPipe
        process.standardInput = input == nil ? FileHandle.nullDevice : inputPipe
        // The end is known when the process has ended and both pipes were read to theirs.
        let group = DispatchGroup()
        for _ in 0..<3 { group.enter() }
        let statusBox = NIOLockedValueBox<Int32>(0)
        process.terminationHandler = { process in
            statusBox.withLockedValue {
                $0 = process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
            }
            group.leave()
        }
        let state = state
        outputPipe.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            if data.isEmpty {
                handle.readabilityHandler = nil
                group.leave()
            } else {
                state.withLockedValue { $0.output += data }
            }
        }
        errorPipe.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            if data.isEmpty {
                handle.readabilityHandler = nil
                group.leave()
            } else {
                ChildProcess.take(data, state)
            }
        }
        try process.run()
        if let input {
            inputPipe.fileHandleForWriting.write(input)
            try inputPipe.fileHandleForWriting.close()
        }
        group.notify(queue: .global()) {
            continuation.yield(statusBox.withLockedValue { $0 })
            continuation.finish()
        }
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    private static func take(_ data: Data, _ state: NIOLockedValueBox<State>) {
        let (lines, handlers, first) = state.withLockedValue { state in
            state.errors += data
            state.partialLine += data
            var lines: [String] = []
            while let end = state.partialLine.firstIndex(of: UInt8(ascii: "\n")) {
                lines.append(String(decoding: state.partialLine[..<end], as: UTF8.self))
                state.partialLine = Data(state.partialLine[state.partialLine.index(after: end)...])
            }
            let first = state.errorLineCount
            state.errorLineCount += lines.count
            return (lines, state.onErrorLine, first)
        }
        for (index, line) in lines.enumerated() {
            for handler in handlers { handler(first + index, line) }
        }
    }

    var processID: Int32 { process.processIdentifier }
    var errors: String { state.withLockedValue { String(decoding: $0.errors, as: UTF8.self) } }

    func send(_ signal: Int32) {
        kill(process.processIdentifier, signal)
    }

    /// Waits for the end. Call once.
    func wait() async -> Result {
        var status: Int32 = 0
        for await code in ended { status = code }
        return state.withLockedValue { state in
            Result(
                status: status, output: String(decoding: state.output, as: UTF8.self),
                errors: String(decoding: state.errors, as: UTF8.self))
        }
    }
}
