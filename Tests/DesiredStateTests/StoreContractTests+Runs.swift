import Testing

@testable import DesiredState

/// Intents and attempts.
extension StoreContractTests {
    @Test(arguments: StoreKind.allCases)
    func `what Azure works on is kept with the intent until it is let go or another intent takes its place`(
        kind: StoreKind
    ) async throws {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            func intent(_ seconds: Int) -> Intent {
                Intent(uid: record.uid, kind: .putSite, siteName: "s", openedAt: .start + .seconds(seconds))
            }
            try await store.commit(.create(record), .openIntent(intent(0)), .setOperation(record.uid, "one"))
            #expect(try await store.load(record.uid)?.intent?.operation == "one")
            try await store.commit(.openIntent(intent(1)))
            #expect(try await store.load(record.uid)?.intent == intent(1))
            try await store.commit(.setOperation(record.uid, "two"))
            try await store.commit(.setOperation(record.uid, nil))
            #expect(try await store.load(record.uid)?.intent?.operation == nil)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a settled intent stays, and a delete takes its place`(kind: StoreKind) async throws {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            let put = Intent(uid: record.uid, kind: .putSite, siteName: "s", openedAt: .start, operation: "o")
            try await store.commit(.create(record), .openIntent(put), .settleIntent(record.uid))
            var settled = put
            settled.isSettled = true
            #expect(try await store.load(record.uid)?.intent == settled)
            let delete = Intent(
                uid: record.uid, kind: .deleteSite, siteName: "s", openedAt: .start + .nanoseconds(1), isSettled: true)
            try await store.commit(.openIntent(delete))
            #expect(try await store.load(record.uid)?.intent == delete)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `one attempt is open at a time, and its first result wins`(kind: StoreKind) async throws {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            func attempt(_ token: String, _ number: Int) -> Attempt {
                Attempt(uid: record.uid, run: 1, number: number, token: token, bootID: "b", openedAt: .start)
            }
            try await store.commit(.create(record), .openAttempt(attempt("t1", 1)))
            #expect(await store.refusal(.openAttempt(attempt("t2", 2))) == .attemptOpen)
            let failed = AttemptResult(outcome: .failed, exitCode: 3, finishedAt: .start, message: "m")
            let succeeded = AttemptResult(outcome: .succeeded, exitCode: 0, finishedAt: .start)
            try await store.commit(.finishAttempt(token: "t1", failed))
            try await store.commit(.finishAttempt(token: "t1", succeeded))
            #expect(try await store.load(record.uid)?.attempts.map(\.result) == [failed])
            #expect(await store.refusal(.openAttempt(attempt("t1", 2))) == .attemptOpen, "the token is used")
            #expect(await store.refusal(.openAttempt(attempt("t3", 1))) == .attemptOpen, "the number is used")
            try await store.commit(.openAttempt(attempt("t2", 2)))
            #expect(try await store.load(record.uid)?.attempts.map(\.token) == ["t1", "t2"])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a token is used for one attempt of all records, until its record is forgotten`(kind: StoreKind) async throws {
        try await kind.with { store in
            let (first, second) = (try FunctionApp.sample("a"), try FunctionApp.sample("b"))
            func attempt(_ record: FunctionApp) -> Attempt {
                Attempt(uid: record.uid, run: 1, number: 1, token: "t", bootID: "b", openedAt: .start)
            }
            try await store.commit(.create(first), .create(second), .openAttempt(attempt(first)))
            #expect(await store.refusal(.openAttempt(attempt(second))) == .attemptOpen)
            try await store.commit(.forget(first.uid, siteName: nil, at: .start))
            #expect(await store.refusal(.openAttempt(attempt(second))) == nil)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `the first acknowledgement stands, and an attempt is opened bare`(kind: StoreKind) async throws {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            var attempt = Attempt(uid: record.uid, run: 2, number: 1, token: "t", bootID: "b", openedAt: .start)
            let bare = attempt
            attempt.acknowledgedAt = .start
            attempt.result = AttemptResult(outcome: .lost, exitCode: nil, finishedAt: .start)
            try await store.commit(.create(record), .openAttempt(attempt))
            #expect(try await store.load(record.uid)?.attempts == [bare])
            try await store.commit(.acknowledgeAttempt(token: "t", at: .start + .seconds(1)))
            try await store.commit(.acknowledgeAttempt(token: "t", at: .start + .seconds(2)))
            let acknowledged = try await store.load(record.uid)?.attempts.map(\.acknowledgedAt)
            #expect(acknowledged == [.start + .seconds(1)])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `attempts are in order of run and number`(kind: StoreKind) async throws {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            try await store.commit(.create(record))
            for (run, number) in [(2, 2), (1, 1), (10, 1), (2, 1)] {
                let token = "\(run).\(number)"
                let attempt = Attempt(
                    uid: record.uid, run: run, number: number, token: token, bootID: "b", openedAt: .start)
                let result = AttemptResult(outcome: .refused, exitCode: nil, finishedAt: .start)
                try await store.commit(.openAttempt(attempt), .finishAttempt(token: token, result))
            }
            let tokens = try await store.load(record.uid)?.attempts.map(\.token)
            #expect(tokens == ["1.1", "2.1", "2.2", "10.1"])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `intents and attempts move no record's revision, and wake nobody`(kind: StoreKind) async throws {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            try await store.commit(.create(record))
            let intent = Intent(uid: record.uid, kind: .putSite, siteName: "s", openedAt: .start)
            #expect(try await store.commit(.openIntent(intent), .settleIntent(record.uid)) == Revision(2))
            #expect(try await store.record(record.uid).metadata.resourceVersion == Revision(1))
            #expect(try await store.kinds(since: Revision(1)).isEmpty)
        }
    }
}
