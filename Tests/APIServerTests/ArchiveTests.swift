import AgentLink
import AgentProtocol
import DesiredState
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import APIServer

/// Logs whose kept file is gone, or was cut off: the archive is asked.
@Suite(.timeLimit(.minutes(1)))
struct ArchiveTests {
    /// Holds lines of runs by their marks.
    final class FakeArchive: LogArchive {
        private struct State {
            var lines: [String: [ConsoleLine]] = [:]
            var queries: [LogArchiveQuery] = []
            var pageRows = 1_000
            var failure: LogArchiveError?
            /// How many pages are answered before the failure.
            var pagesBefore = 0
            var missing: String?
        }

        private let state = NIOLockedValueBox(State())

        var queries: [LogArchiveQuery] { state.withLockedValue { $0.queries } }

        func set(pageRows: Int) { state.withLockedValue { $0.pageRows = pageRows } }
        func set(missing: String?) { state.withLockedValue { $0.missing = missing } }

        func fail(_ error: LogArchiveError?, after pages: Int = 0) {
            state.withLockedValue { ($0.failure, $0.pagesBefore) = (error, pages) }
        }

        /// Lines from `start` on: `o:TEXT` and `e:TEXT` are lines, `o+TEXT` a part of one, `d:N` tells of dropped ones, `z` of the end.
        func put(
            _ token: String, _ texts: [String], from start: UInt64 = 1, at base: UInt64 = 2_000_000_000_000_000_000
        ) {
            var lines: [ConsoleLine] = []
            for (index, text) in texts.enumerated() {
                let content: ConsoleLine.Content =
                    switch text.first {
                    case "z": .end
                    case "d": .dropped(lines: UInt64(text.dropFirst(2)) ?? 0)
                    default:
                        .output(
                            text.first == "e" ? .stderr : .stdout, Array(text.dropFirst(2).utf8),
                            endsLine: text.dropFirst().first == ":")
                    }
                let number = start + UInt64(index)
                lines.append(ConsoleLine(sequence: number, timestampNanoseconds: base + number, content: content))
            }
            let all = lines
            state.withLockedValue { $0.lines[token, default: []] += all }
        }

        func page(_ query: LogArchiveQuery) async throws(LogArchiveError) -> LogArchivePage {
            let answer = state.withLockedValue { state -> Result<LogArchivePage, LogArchiveError> in
                state.queries.append(query)
                if let failure = state.failure {
                    if state.pagesBefore == 0 { return .failure(failure) }
                    state.pagesBefore -= 1
                }
                let all = state.lines[query.token] ?? []
                let rows = min(query.rows ?? state.pageRows, state.pageRows)
                var lines: [ConsoleLine]
                switch query.side {
                case .after(let number): lines = Array(all.filter { $0.sequence > number }.prefix(rows))
                case .before(let number): lines = Array(all.filter { $0.sequence < number ?? .max }.suffix(rows))
                }
                return .success(
                    LogArchivePage(lines: lines, rows: rows, isLast: lines.count < rows, missing: state.missing))
            }
            return try answer.get()
        }
    }

    private func with(_ body: @Sendable (TestServer, FakeArchive) async throws -> Void) async throws {
        let archive = FakeArchive()
        try await TestServer.with(archive: archive) { try await body($0, archive) }
    }

    /// Runs a container to its end; its id and the token of its newest attempt.
    private func run(_ server: TestServer, _ words: [String]) async throws -> (id: String, token: String) {
        let id = try await server.create(words)
        _ = try await server.request("POST", "/containers/\(id)/start")
        _ = try await server.request("POST", "/containers/\(id)/wait")
        let record = try #require(try await server.record(id))
        return (id, try #require(record.status.runs.last?.attempts.last?.token))
    }

    private func removeKeptLog(_ server: TestServer, _ id: String, run: Int = 1) throws {
        try FileManager.default.removeItem(atPath: "\(server.directory)/outputs/\(id)/\(run).1.frames")
    }

    /// The payloads of the frames, with the number of their stream.
    private func frames(_ text: ByteBuffer) -> [String] {
        var rest = text
        var frames: [String] = []
        while let head = rest.readMultipleIntegers(as: (UInt32, UInt32).self) {
            frames.append("\(head.0 >> 24) \(rest.readString(length: Int(head.1)) ?? "")")
        }
        return frames
    }

    private func logs(_ server: TestServer, _ id: String, _ query: String = "") async throws -> [String] {
        let reply = try await server.request("GET", "/containers/\(id)/logs?stdout=1&stderr=1\(query)")
        #expect(reply.status == 200, "\(reply)")
        return frames(ByteBuffer(string: reply.body))
    }

    @Test func `a kept log is enough: nobody else is asked`() async throws {
        try await with { server, archive in
            let (id, token) = try await run(server, ["echo", "kept"])
            archive.put(token, ["o:archived", "z"])
            #expect(try await logs(server, id) == ["1 kept\n"])
            #expect(archive.queries.isEmpty)
        }
    }

    @Test func `what is gone comes from the archive, with streams and pieces as they were`() async throws {
        try await with { server, archive in
            let (id, token) = try await run(server, ["echo", "x"])
            archive.put(token, ["o:one", "e:oops", "o+tw", "o:o", "o+rest", "z"])
            try removeKeptLog(server, id)
            #expect(try await logs(server, id) == ["1 one\n", "2 oops\n", "1 two\n", "1 rest"])
            let record = try #require(try await server.record(id)).status.runs[0].attempts[0]
            let query = try #require(archive.queries.first)
            #expect(archive.queries.count == 1 && query.token == token && query.side == .after(0))
            #expect(query.from < record.startedAt ?? query.from && record.finishedAt ?? query.to < query.to)
            let output = try await server.request("GET", "/containers/\(id)/logs?stdout=1").body
            #expect(frames(ByteBuffer(string: output)) == ["1 one\n", "1 two\n", "1 rest"])
            #expect(try await logs(server, id, "&since=2000000000.000000003") == ["1 two\n", "1 rest"])
            #expect(try await logs(server, id, "&until=2000000000.000000002") == ["1 one\n", "2 oops\n"])
            #expect(
                try await logs(server, id, "&timestamps=1&until=2000000000.000000001")
                    == ["1 2033-05-18T03:33:20.000000001Z one\n"])
            let skls = try await server.skls("logs", try #require(try await server.record(id)).metadata.name.text)
            #expect(skls.output.contains("one\ntwo\nrest"))
        }
    }

    @Test func `pages follow each other`() async throws {
        try await with { server, archive in
            let (id, token) = try await run(server, ["echo", "x"])
            archive.set(pageRows: 3)
            archive.put(token, (1...7).map { "o:\($0)" } + ["z"])
            try removeKeptLog(server, id)
            #expect(try await logs(server, id) == (1...7).map { "1 \($0)\n" })
            #expect(archive.queries.map(\.side) == [.after(0), .after(3), .after(6)])
        }
    }

    @Test func `the last lines are asked for from the end, and of no more runs than are needed`() async throws {
        try await with { server, archive in
            let (id, first) = try await run(server, ["echo", "x"])
            _ = try await run(server, id)
            archive.put(first, (1...200).map { "o:\($0)" } + ["z"])
            try removeKeptLog(server, id)
            #expect(try await logs(server, id, "&tail=1") == ["1 x\n"])
            #expect(archive.queries.isEmpty, "the newest run was enough")
            #expect(try await logs(server, id, "&tail=3") == ["1 199\n", "1 200\n", "1 x\n"])
            #expect(archive.queries.map(\.side) == [.before(nil)] && archive.queries[0].rows == 64)
            archive.set(pageRows: 64)
            #expect(try await logs(server, id, "&tail=100").count == 100)
            #expect(try await logs(server, id, "&tail=500").count == 201)
        }
    }

    private func run(_ server: TestServer, _ id: String) async throws {
        _ = try await server.request("POST", "/containers/\(id)/start")
        _ = try await server.request("POST", "/containers/\(id)/wait")
    }

    @Test func `what is missing is said where it is missing`() async throws {
        try await with { server, archive in
            let (id, token) = try await run(server, ["echo", "x"])
            try removeKeptLog(server, id)
            #expect(
                try await logs(server, id)
                    == ["2 [skls: the kept log of run 1 is gone, and the log workspace has none of it (yet)]\n"])
            archive.put(token, ["o:three", "d:5", "o:five"], from: 3)
            archive.put(token, ["o:nine"], from: 9)
            #expect(
                try await logs(server, id) == [
                    "2 [skls: 2 lines are not in the log workspace (yet)]\n", "1 three\n",
                    "2 [skls: 5 lines were lost here: the container's console was too slow]\n", "1 five\n",
                    "2 [skls: 3 lines are not in the log workspace (yet)]\n", "1 nine\n",
                    "2 [skls: the end of run 1 is not in the log workspace (yet)]\n",
                ])
        }
    }

    @Test func `a log that was cut off goes on where it ended, and no line comes twice`() async throws {
        try await with { server, archive in
            let (id, token) = try await run(server, ["lose"])
            // As the controller does whenever a run ends.
            try server.output.writer(for: OutputKey(uid: id, run: 1, attempt: 1)).seal()
            var kept: UInt64 = 0
            for try await chunk in try server.output.read(OutputKey(uid: id, run: 1, attempt: 1)) {
                kept = chunk.timestampNanoseconds
            }
            archive.put(token, ["o:before", "o:after", "e:all"], at: kept - 1)
            #expect(try await logs(server, id) == ["1 before\n", "1 after\n", "2 all\n"])
            #expect(try await logs(server, id, "&tail=2") == ["1 after\n", "2 all\n"])
        }
    }

    @Test func `a run that never began has nothing to be asked for`() async throws {
        try await with { server, archive in
            let (id, _) = try await run(server, ["nosuch"])
            #expect(try await logs(server, id).isEmpty)
            #expect(archive.queries.isEmpty)
        }
    }

    @Test func `a refusal is a status before the first byte, and a frame of its own after it`() async throws {
        try await with { server, archive in
            let (id, token) = try await run(server, ["echo", "x"])
            archive.set(pageRows: 2)
            archive.put(token, ["o:1", "o:2", "o:3", "z"])
            try removeKeptLog(server, id)
            for (code, status) in [(LogArchiveError.Code.throttled, 503), (.unavailable, 503), (.refused, 500)] {
                archive.fail(LogArchiveError(code, "why not"))
                for query in ["", "&tail=2"] {
                    let reply = try await server.request("GET", "/containers/\(id)/logs?stdout=1\(query)")
                    #expect(reply.status == status)
                    #expect(reply.body.contains("Error grabbing logs: why not"))
                }
            }
            let name = try #require(try await server.record(id)).metadata.name.text
            let skls = try await server.skls("logs", name)
            #expect(skls.errors.contains("why not") && skls.exitCode != 0)
            archive.fail(LogArchiveError(.throttled, "why not"), after: 1)
            #expect(try await logs(server, id) == ["1 1\n", "1 2\n", "3 Error grabbing logs: why not"])
            archive.fail(nil)
            archive.set(missing: "a node was lost")
            #expect(
                try await logs(server, id) == [
                    "1 1\n", "1 2\n",
                    "3 Error grabbing logs: the log workspace's answer is not whole: a node was lost",
                ])
        }
    }
}
