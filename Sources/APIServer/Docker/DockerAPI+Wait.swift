import DesiredState
import HTTPTypes
import HummingbirdCore
import NIOCore

extension DockerAPI {
    /// `POST /containers/{id}/wait`. The head goes out at once: the CLI starts the container only when it has seen it.
    func wait(_ exchange: Exchange, _ reference: String, _ version: DockerVersion) async throws -> Response {
        // Conditions came with 1.30; older clients mean the end of the run.
        let text = version < DockerVersion(major: 1, minor: 30) ? nil : exchange.query["condition"]
        let condition = try WaitCondition(text)
        let record = try await find(reference)
        let uid = record.uid
        let run = record.attachableRun
        let seen = record.metadata.resourceVersion
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init { writer in
                let end = try await exchange.untilHangUp {
                    try await runEnd(of: uid, condition, run: run, seen: seen)
                }
                var line = end.json.buffer
                line.writeStaticString("\n")
                try await writer.write(line)
                try await writer.finish(nil)
            })
    }

    func runEnd(of uid: UID, _ condition: WaitCondition, run: Int, seen: Revision) async throws -> RunEnd {
        try await backend.wait(for: uid) { record in
            if let record { return condition.end(of: record, run: run) }
            // The last form is forgotten only when a thousand others went after it; what is left to say is that it is gone.
            return RunEnd(lastOf: try await backend.lastForm(of: uid, since: seen))
        }
    }
}

/// When a wait is over.
enum WaitCondition: String, Hashable, Sendable {
    case notRunning = "not-running"
    /// The exit after the request, even of a container that is not running yet.
    case nextExit = "next-exit"
    case removed

    init(_ text: String?) throws(DockerError) {
        guard let text, !text.isEmpty else {
            self = .notRunning
            return
        }
        guard let condition = WaitCondition(rawValue: text) else {
            throw .badParameter("invalid condition: \"\(text)\"")
        }
        self = condition
    }

    /// `nil` while the wait goes on. `run` = the one that was open, or next, when the wait began.
    func end(of record: FunctionApp, run: Int) -> RunEnd? {
        switch self {
        case .notRunning: return record.hasOpenRun ? nil : RunEnd(lastOf: record)
        case .nextExit:
            guard let attempt = record.lastAttempt(ofRun: run) else {
                // A run that is not kept any more ended long ago.
                return record.lastRunNumber > run ? RunEnd(lastOf: record) : nil
            }
            return RunResult(attempt, spec: record.spec).map(RunEnd.init)
        case .removed: return nil
        }
    }
}

/// The answer of a wait.
struct RunEnd: Hashable, Sendable {
    let exitCode: Int
    /// Set when the exit code is not the command's: the CLI prints it and exits 125.
    let error: String?

    init(_ result: RunResult) {
        exitCode = result.exitCode
        error = result.isKnown ? nil : result.explanation
    }

    /// Of the last run; exit code 0 when there was none, as with Docker.
    init(lastOf record: FunctionApp?) {
        let results = record.map { record in
            record.status.runs.compactMap(\.decidingAttempt).compactMap { RunResult($0, spec: record.spec) }
        }
        let result = results?.last
        exitCode = result?.exitCode ?? 0
        error = result?.isKnown == false ? result?.explanation : nil
    }

    var json: JSON {
        let error: JSON = error.map { ["Message": .string($0)] } ?? nil
        return error.isNull
            ? ["StatusCode": .number(exitCode)] : ["StatusCode": .number(exitCode), "Error": error]
    }
}
