import Testing

@testable import DesiredState

/// Events of Docker's clients, and the names of images.
extension StoreContractTests {
    @Test(arguments: StoreKind.allCases)
    func `a record's life leaves each event once, in Docker's order`(kind: StoreKind) async throws {
        try await kind.with { store in
            var record = try FunctionApp.sample("job")
            record.metadata.labels = ["team": "a"]
            try await store.commit(.create(record))
            let open = attempt(startedAt: .start + .seconds(1))
            try await store.commit(.setStatus(record.uid, status(attempt(startedAt: nil))))
            try await store.commit(.setStatus(record.uid, status(open)))
            try await store.commit(.setStatus(record.uid, status(open, generation: 2)))
            var stopping = try await store.record(record.uid).requestingStop(signal: "TERM", graceSeconds: 1)
            stopping.metadata.resourceVersion = try await store.record(record.uid).metadata.resourceVersion
            try await store.commit(.replace(stopping, ifRevision: stopping.metadata.resourceVersion))
            let ended = attempt(
                startedAt: .start + .seconds(1), finishedAt: .start + .seconds(8), .failed, exitCode: 143)
            try await store.commit(.setStatus(record.uid, status(ended)))
            try await store.commit(.setStatus(record.uid, status(ended, generation: 3)))
            try await store.commit(.markDeleted(record.uid, at: .start + .seconds(9)))
            try await store.commit(.forget(record.uid, siteName: "s", at: .start + .seconds(10)))
            let events = try await store.events(after: 0, since: nil, limit: 100)
            #expect(events.map(\.action) == ["create", "start", "die", "stop", "destroy"])
            #expect(events.map(\.number) == [1, 2, 3, 4, 5])
            #expect(events.allSatisfy { $0.actor == record.uid.text && $0.subject == .container })
            #expect(events[0].attributes == ["team": "a", "image": "alpine", "name": "job"])
            #expect(events[2].attributes["exitCode"] == "143" && events[2].attributes["execDuration"] == "7")
            #expect(events[2].at == .start + .seconds(8))
            #expect(try await store.newestEventNumber() == 5)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a forced removal kills first, and a run whose end nobody saw dies with its record`(
        kind: StoreKind
    ) async throws {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            try await store.commit(.create(record), .setStatus(record.uid, status(attempt(startedAt: .start))))
            try await store.commit(.markDeleted(record.uid, at: .start + .seconds(1)))
            try await store.commit(.markDeleted(record.uid, at: .start + .seconds(2)))
            try await store.commit(.forget(record.uid, siteName: nil, at: .start + .seconds(3)))
            let events = try await store.events(after: 0, since: nil, limit: 100)
            #expect(events.map(\.action) == ["create", "start", "kill", "die", "destroy"])
            #expect(events[2].attributes["signal"] == "9" && events[3].attributes["exitCode"] == "137")
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a command that could not be started neither starts nor dies`(kind: StoreKind) async throws {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            let failed = attempt(startedAt: .start, finishedAt: .start, .startFailed, exitCode: 127)
            try await store.commit(.create(record), .setStatus(record.uid, status(failed)))
            #expect(try await store.events(after: 0, since: nil, limit: 9).map(\.action) == ["create"])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `events are read on from a number or a time, which never goes back`(kind: StoreKind) async throws {
        try await kind.with { store in
            for (number, seconds) in [5, 3, 4, 9].enumerated() {
                try await store.commit(.addEvent(event("e\(number)", at: .start + .seconds(seconds))))
            }
            let all = try await store.events(after: 0, since: nil, limit: 9)
            #expect(all.map(\.action) == ["e0", "e1", "e2", "e3"])
            #expect(zip(all, all.dropFirst()).allSatisfy { $0.at < $1.at })
            #expect(try await store.events(after: 1, since: nil, limit: 2) == Array(all[1...2]))
            #expect(try await store.events(after: 0, since: all[2].at, limit: 9) == Array(all[2...]))
            #expect(try await store.events(after: 4, since: nil, limit: 9).isEmpty)
            #expect(try await store.events(after: 0, since: nil, limit: 0).isEmpty)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `the newest events are kept, and their numbers say what is missing`(kind: StoreKind) async throws {
        try await kind.with { store in
            let surplus = 2_000
            let events = (0..<EngineEvent.maximumKept + surplus).map { event("e", at: .start + .seconds($0)) }
            try await store.commit(Transaction(origin: .user, events.map { .addEvent($0) }))
            let first = try await store.events(after: 0, since: nil, limit: 1).first
            #expect(first?.number == Int64(surplus + 1))
            #expect(try await store.newestEventNumber() == Int64(events.count))
            try await store.commit(.addEvent(event("last", at: .start)))
            #expect(
                try await store.events(after: Int64(events.count), since: nil, limit: 9).map(\.action) == ["last"])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `who listens is woken by events, also by those without a record`(kind: StoreKind) async throws {
        try await kind.with { store in
            var wakeUps = store.changes.subscribeToEvents().makeAsyncIterator()
            try await store.commit(.addEvent(event("pull", at: .start)))
            #expect(await wakeUps.next() != nil)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `labels beyond the bound are not repeated by events`(kind: StoreKind) async throws {
        try await kind.with { store in
            var record = try FunctionApp.sample("job")
            record.metadata.labels = ["big": String(repeating: "x", count: 20 << 10)]
            try await store.commit(.create(record))
            let created = try await store.events(after: 0, since: nil, limit: 1).first
            #expect(created?.attributes == ["image": "alpine", "name": "job"])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `images are listed in order, and forgotten when they are removed`(kind: StoreKind) async throws {
        try await kind.with { store in
            let first = ImageRecord(canonical: "a", digest: nil, pulledAt: .start)
            let second = ImageRecord(canonical: "b", digest: "sha256:2", pulledAt: .start, source: "a")
            try await store.commit(.putImage(second), .putImage(first))
            #expect(try await store.images() == [first, second])
            try await store.commit(.removeImage("a"), .removeImage("none"))
            #expect(try await store.images() == [second])
        }
    }

    private func event(_ action: String, at instant: Instant) -> EngineEvent {
        EngineEvent(at: instant, .image, action, actor: "alpine:latest", attributes: ["name": "alpine"])
    }

    private func attempt(
        startedAt: Instant?, finishedAt: Instant? = nil, _ outcome: AttemptOutcome? = nil, exitCode: Int? = nil
    ) -> AttemptStatus {
        AttemptStatus(
            token: "t", bootID: "b", startedAt: startedAt, finishedAt: finishedAt, exitCode: exitCode,
            outcome: outcome)
    }

    private func status(_ attempt: AttemptStatus, generation: Int64 = 1) -> FunctionAppStatus {
        FunctionAppStatus(observedGeneration: generation, runs: [RunStatus(number: 1, attempts: [attempt])])
    }
}
