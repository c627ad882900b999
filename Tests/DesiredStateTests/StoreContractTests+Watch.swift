import Testing

@testable import DesiredState

/// Watches, wake-ups and what is forgotten.
extension StoreContractTests {
    @Test(arguments: StoreKind.allCases)
    func `a watch resumes from any revision, and deletions are part of it`(kind: StoreKind) async throws {
        try await kind.with { store in
            let (first, second) = (try FunctionApp.sample("a"), try FunctionApp.sample("b"))
            try await store.commit(.create(first))
            try await store.commit(.create(second))
            try await store.commit(.setStatus(second.uid, FunctionAppStatus(observedGeneration: 1)))
            try await store.commit(.forget(first.uid, siteName: "skls-a", at: .start))
            let all = try await store.changes(since: .zero)
            #expect(all.changes.map(\.kind) == [.added, .deleted] && all.revision == Revision(4))
            #expect(all.changes.map(\.record.uid) == [second.uid, first.uid], "each record once, in its newest form")
            #expect(all.changes.map(\.record.metadata.resourceVersion) == [Revision(3), Revision(4)])
            #expect(try await store.kinds(since: Revision(2)) == [.modified, .deleted])
            #expect(try await store.kinds(since: Revision(4)).isEmpty)
            await #expect(throws: StoreError(.compacted(Revision(4)), "revision 9 is ahead of the store")) {
                try await store.changes(since: Revision(9))
            }
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `changes of one commit are in order of their ids`(kind: StoreKind) async throws {
        try await kind.with { store in
            let records = try (0..<8).map { try FunctionApp.sample("r\($0)") }
            try await store.commit(Transaction(origin: .user, records.map { .create($0) }))
            try await store.commit(.forget(records[3].uid, siteName: nil, at: .start))
            let rest = records.filter { $0.uid != records[3].uid }.map(\.uid).sorted()
            #expect(try await store.changes(since: .zero).changes.map(\.record.uid) == rest + [records[3].uid])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a watcher too far behind the deletions is sent back to the list`(kind: StoreKind) async throws {
        try await kind.with { store in
            let stay = try FunctionApp.sample("stay")
            try await store.commit(.create(stay))
            // Each comes and goes in a commit of its own: revisions 2 to 1003 for 1002 deletions, two over the bound.
            for number in 0..<(SQLiteStore.keptDeletions + 2) {
                let record = try FunctionApp.sample("r\(number)")
                try await store.commit(.create(record), .forget(record.uid, siteName: nil, at: .start))
            }
            for revision in [Int64(0), 1, 2] {
                await #expect(throws: StoreError(.compacted(Revision(3)))) {
                    try await store.changes(since: Revision(revision))
                }
            }
            let all = try await store.kinds(since: Revision(3))
            #expect(all == Array(repeating: .deleted, count: SQLiteStore.keptDeletions))
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a commit that forgets more than are kept sends earlier watchers back`(kind: StoreKind) async throws {
        try await kind.with { store in
            let records = try (0...SQLiteStore.keptDeletions).map { try FunctionApp.sample("r\($0)") }
            try await store.commit(Transaction(origin: .user, records.map { .create($0) }))
            try await store.commit(
                Transaction(origin: .user, records.map { .forget($0.uid, siteName: nil, at: .start) }))
            await #expect(throws: StoreError(.compacted(Revision(2)))) {
                try await store.changes(since: Revision(1))
            }
            #expect(try await store.kinds(since: Revision(2)).isEmpty)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `changes wake those who wait for the record, and the controller only for users' commits`(kind: StoreKind)
        async throws
    {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            var waiting = store.changes.subscribe(to: record.uid).makeAsyncIterator()
            var controller = store.changes.subscribeToUserChanges().makeAsyncIterator()
            try await store.commit(.create(record))
            await waiting.next()
            #expect(await controller.next() == [record.uid])
            try await store.commit(Transaction(origin: .controller, [.markDeleted(record.uid, at: .start)]))
            await waiting.next()
            let other = try FunctionApp.sample("other")
            try await store.commit(.create(other), .setStatus(record.uid, FunctionAppStatus(observedGeneration: 1)))
            #expect(await controller.next() == [other.uid, record.uid].sorted())
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `all that belongs to a record goes with it, and its site's name stays as a tombstone`(kind: StoreKind)
        async throws
    {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            let attempt = Attempt(uid: record.uid, run: 1, number: 1, token: "t", bootID: "b", openedAt: .start)
            let intent = Intent(uid: record.uid, kind: .putSite, siteName: "s", openedAt: .start)
            try await store.commit(
                .create(record), .openIntent(intent), .openAttempt(attempt), .addToInventory("web", record.uid))
            try await store.append([JournalEntry(uid: record.uid, at: .start, kind: .event, name: "E")])
            try await store.commit(.forget(record.uid, siteName: "skls-a", at: .start))
            #expect(try await store.load(record.uid) == nil)
            #expect(try await store.find(reference: record.uid.text) == .none)
            #expect(try await store.journal(of: record.uid, limit: 9).isEmpty)
            #expect(try await store.inventory("web").isEmpty)
            #expect(try await store.list(includingDeleted: true).records.isEmpty)
            let tombstone = Tombstone(uid: record.uid, siteName: "skls-a", forgottenAt: .start)
            #expect(try await store.tombstone(record.uid) == tombstone)
            #expect(try await store.tombstones() == [tombstone])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `tombstones last for their lifetime, and go with the first record forgotten after it`(kind: StoreKind)
        async throws
    {
        try await kind.with { store in
            let records = try (0..<4).map { try FunctionApp.sample("r\($0)") }
            try await store.commit(Transaction(origin: .user, records.map { .create($0) }))
            try await store.commit(.forget(records[0].uid, siteName: nil, at: .start))
            try await store.commit(.forget(records[1].uid, siteName: "s1", at: .start))
            try await store.commit(.forget(records[2].uid, siteName: "s2", at: .start + Tombstone.lifetime))
            #expect(try await store.tombstones().map(\.uid) == [records[1].uid, records[2].uid].sorted())
            let later = Instant.start + Tombstone.lifetime + .nanoseconds(1)
            try await store.commit(.forget(records[3].uid, siteName: nil, at: later))
            #expect(try await store.tombstones().map(\.uid) == [records[2].uid])
            #expect(try await store.tombstone(records[1].uid) == nil)
        }
    }
}
