import Testing

@testable import DesiredState

/// Commands beside runs.
extension StoreContractTests {
    private static func exec(_ number: Int, of record: FunctionApp) -> ExecRecord {
        ExecRecord(
            id: "exec-\(number)", uid: record.uid, token: "t", bootID: "b", createdAt: .start + .seconds(number),
            command: ExecCommand(
                arguments: ["sh", "-c", "true"], environment: ["A=b"], workingDirectory: "/w", user: "u",
                hasTerminal: true, attachesStdin: true, detachKeys: [16], rows: 24, columns: 80))
    }

    @Test(arguments: StoreKind.allCases)
    func `an executed command is started once, and its first result wins`(kind: StoreKind) async throws {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            let exec = Self.exec(1, of: record)
            #expect(await store.refusal(.createExec(exec)) == .notFound(record.uid))
            try await store.commit(.create(record), .createExec(exec))
            #expect(try await store.exec(exec.id) == exec)
            #expect(try await store.exec("exec-2") == nil)
            #expect(try await store.openExecs().isEmpty)
            guard case .conflict = await store.refusal(.createExec(exec)) else {
                Issue.record("its id was used twice")
                return
            }
            try await store.commit(.startExec(id: exec.id, at: .start + .seconds(5)))
            #expect(try await store.openExecs().map(\.id) == [exec.id])
            for id in [exec.id, "exec-2"] {
                guard case .conflict = await store.refusal(.startExec(id: id, at: .start)) else {
                    Issue.record("\(id) was started")
                    return
                }
            }
            let first = ExecResult(exitCode: 3, finishedAt: .start + .seconds(6), message: "m")
            try await store.commit(.finishExec(id: exec.id, first))
            try await store.commit(.finishExec(id: exec.id, ExecResult(exitCode: 0, finishedAt: .start)))
            try await store.commit(.finishExec(id: "exec-2", first))
            var ended = exec
            ended.startedAt = .start + .seconds(5)
            ended.result = first
            #expect(try await store.execs(of: record.uid) == [ended])
            #expect(try await store.openExecs().isEmpty)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `of a record's executed commands the newest are kept, and those that may be running`(
        kind: StoreKind
    ) async throws {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            let other = try FunctionApp.sample("other")
            try await store.commit(.create(record), .create(other))
            let ids = 0..<(ExecRecord.maximumPerRecord + 3)
            for number in ids {
                try await store.commit(.createExec(Self.exec(number, of: record)))
                if number == 1 { try await store.commit(.startExec(id: "exec-1", at: .start)) }
            }
            try await store.commit(.createExec(Self.exec(1000, of: other)))
            let kept = try await store.execs(of: record.uid).map(\.id)
            #expect(kept == ([1] + Array(ids.dropFirst(3))).map { "exec-\($0)" })
            #expect(try await store.exec("exec-0") == nil)
            try await store.commit(.createExec(Self.exec(0, of: record)))
            #expect(try await store.exec("exec-0") != nil)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `executed commands go with their record, and come back when its forgetting fails`(kind: StoreKind) async throws
    {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            let other = try FunctionApp.sample("other")
            let exec = Self.exec(1, of: record)
            try await store.commit(.create(record), .create(other), .createExec(exec))
            let forget = Transaction.Operation.forget(record.uid, siteName: nil, at: .start)
            #expect(await store.refusal(forget, .create(other)) != nil)
            #expect(try await store.exec(exec.id) == exec)
            try await store.commit(forget)
            #expect(try await store.exec(exec.id) == nil)
            #expect(try await store.execs(of: record.uid).isEmpty)
            try await store.commit(.createExec(Self.exec(1, of: other)))
            #expect(try await store.exec(exec.id)?.uid == other.uid)
        }
    }
}
