import Testing

@testable import DesiredState

/// Lives of the controller, leaks, inventories, journals and images.
extension StoreContractTests {
    @Test(arguments: StoreKind.allCases)
    func `a later life fences the earlier ones, and never the users`(kind: StoreKind) async throws {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            #expect(await store.refusal(.create(record), epoch: Epoch(1)) == .fenced(newest: Epoch(0)))
            let first = try await store.beginEpoch(writer: "one")
            #expect(first == Epoch(1))
            #expect(await store.refusal(.create(record), epoch: first) == nil)
            let second = try await store.beginEpoch(writer: "two")
            #expect(second == Epoch(2))
            #expect(await store.refusal(.markDeleted(record.uid, at: .start), epoch: first) == .fenced(newest: second))
            #expect(await store.refusal(epoch: Epoch(3)) == .fenced(newest: second), "nor may it be of the future")
            #expect(try await !store.record(record.uid).isBeingDeleted)
            #expect(await store.refusal(.markDeleted(record.uid, at: .start), epoch: second) == nil)
            try await store.commit(.removeFinalizer(record.uid, .endRun))
            #expect(try await store.list(includingDeleted: true).revision == Revision(3), "refusals are no commits")
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `writers of all lives and those that were accepted are known for good`(kind: StoreKind) async throws {
        try await kind.with { store in
            #expect(try await store.writers().isEmpty)
            #expect(try await store.newestEpoch() == nil)
            _ = try await store.beginEpoch(writer: "one")
            #expect(try await store.newestEpoch() == Epoch(1))
            try await store.commit(.acceptWriter("stranger"), .acceptWriter("stranger"), .acceptWriter("one"))
            #expect(try await store.beginEpoch(writer: "two") == Epoch(2))
            #expect(try await store.beginEpoch(writer: "one") == Epoch(3), "a writer may live again")
            #expect(try await store.beginEpoch(writer: "stranger") == Epoch(4))
            #expect(await store.refusal(epoch: Epoch(4)) == nil)
            #expect(Set(try await store.writers().keys) == ["one", "two", "stranger"])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a writer wrote nothing later than the beginning of the next life, unless it was accepted`(kind: StoreKind)
        async throws
    {
        try await kind.with { store in
            _ = try await store.beginEpoch(writer: "one")
            let last = try await store.commit(Transaction(origin: .user, [.setFreeze(nil)]))
            #expect(try await store.writers() == ["one": last])
            _ = try await store.beginEpoch(writer: "two")
            let newer = try await store.commit(Transaction(origin: .user, [.setFreeze(nil)]))
            #expect(newer > last)
            #expect(try await store.writers() == ["one": last, "two": newer])
            _ = try await store.beginEpoch(writer: "three")
            let accepting = try await store.commit(
                Transaction(
                    origin: .user, [.raiseRevision(to: Revision(99)), .acceptWriter("one"), .acceptWriter("other")]))
            #expect(
                try await store.writers() == ["one": accepting, "two": newer, "three": accepting, "other": accepting])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a freeze stays until it is lifted`(kind: StoreKind) async throws {
        try await kind.with { store in
            #expect(try await store.freeze() == nil)
            let freeze = Freeze(since: .start, reason: "behind")
            try await store.commit(.setFreeze(freeze))
            #expect(try await store.freeze() == freeze)
            try await store.commit(.setFreeze(nil))
            #expect(try await store.freeze() == nil)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `the revision can be raised, never lowered, and watchers of a lost future list again`(kind: StoreKind)
        async throws
    {
        try await kind.with { store in
            let (first, second) = (try FunctionApp.sample("a"), try FunctionApp.sample("b"))
            try await store.commit(.create(first))
            let raised = try await store.commit(
                .raiseRevision(to: Revision(100)), .setStatus(first.uid, FunctionAppStatus(observedGeneration: 1)))
            #expect(raised == Revision(100))
            #expect(try await store.record(first.uid).metadata.resourceVersion == Revision(100))
            #expect(try await store.commit(.raiseRevision(to: Revision(7))) == Revision(101))
            #expect(try await store.commit(.create(second)) == Revision(102))
            #expect(try await store.kinds(since: Revision(100)) == [.added])
            for number in [Int64(1), 2, 98] {
                await #expect(throws: StoreError(.compacted(Revision(99)))) {
                    try await store.changes(since: Revision(number))
                }
            }
            #expect(try await store.list(includingDeleted: true).revision == Revision(102))
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a sighting takes the place of the earlier one of its site`(kind: StoreKind) async throws {
        try await kind.with { store in
            let uid = try FunctionApp.sample("x").uid
            var sighting = Sighting(siteName: "b", uid: uid, firstSeenAt: .start, lastSeenAt: .start)
            let other = Sighting(siteName: "a", uid: nil, firstSeenAt: .start, lastSeenAt: .start)
            try await store.commit(.keepSighting(sighting), .keepSighting(other))
            sighting.count = 2
            sighting.lastSeenAt = .start + .seconds(300)
            sighting.quarantinedAt = .start + .seconds(300)
            try await store.commit(.keepSighting(sighting))
            #expect(try await store.sightings() == [other, sighting])
            try await store.commit(.dropSighting(siteName: "a"))
            #expect(try await store.sightings() == [sighting])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `an inventory forgets a record when the record is forgotten, and not before`(kind: StoreKind) async throws {
        try await kind.with { store in
            let (first, second) = (try FunctionApp.sample("b"), try FunctionApp.sample("a"))
            try await store.commit(
                .create(first), .addToInventory("web", first.uid), .create(second),
                .addToInventory("web", second.uid), .addToInventory("web", first.uid),
                .addToInventory("all", first.uid))
            #expect(try await store.inventories() == ["all", "web"])
            func names() async throws -> [String] {
                try await store.inventory("web").map { "\($0.name)\($0.isBeingDeleted ? " going" : "")" }
            }
            #expect(try await names() == ["b", "a"])
            try await store.commit(.markDeleted(first.uid, at: .start))
            // Its name is another record's now; the inventory still means the first.
            try await store.commit(.create(try FunctionApp.sample("b")))
            #expect(try await names() == ["b going", "a"])
            try await store.commit(.removeFinalizer(first.uid, .endRun), .removeFinalizer(first.uid, .deleteSite))
            #expect(try await names() == ["b going", "a"])
            try await store.commit(.forget(first.uid, siteName: "s", at: .start))
            #expect(try await names() == ["a"])
            #expect(try await store.inventories() == ["web"])
            #expect(try await store.inventory("none").isEmpty)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a journal keeps its newest entries, for records that exist`(kind: StoreKind) async throws {
        try await kind.with { store in
            let (record, other) = (try FunctionApp.sample("job"), try FunctionApp.sample("other"))
            let stranger = try FunctionApp.sample("stranger")
            try await store.commit(.create(record), .create(other))
            func entry(_ number: Int, of uid: UID) -> JournalEntry {
                JournalEntry(
                    uid: uid, at: .start, kind: .call, name: "putSite", isWarning: true, message: "\(number)",
                    rule: "absent", reconcileID: .max, generation: 2, correlationID: "c", durationMilliseconds: 3,
                    count: number)
            }
            let all = (1...(JournalEntry.maximumPerRecord + 5)).map { entry($0, of: record.uid) }
            try await store.append([entry(1, of: other.uid), entry(1, of: stranger.uid)])
            try await store.append(Array(all.prefix(60)))
            try await store.append(Array(all.dropFirst(60)))
            #expect(
                try await store.journal(of: record.uid, limit: 1000)
                    == Array(all.suffix(JournalEntry.maximumPerRecord)))
            #expect(try await store.journal(of: record.uid, limit: 2) == Array(all.suffix(2)))
            #expect(try await store.journal(of: record.uid, limit: 0).isEmpty)
            #expect(try await store.journal(of: other.uid, limit: 9) == [entry(1, of: other.uid)])
            #expect(try await store.journal(of: stranger.uid, limit: 9).isEmpty)
            #expect(try await store.list(includingDeleted: true).revision == Revision(1))
            #expect(try await store.kinds(since: Revision(1)).isEmpty)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `an image is remembered as it was pulled last`(kind: StoreKind) async throws {
        try await kind.with { store in
            #expect(try await store.image("i") == nil)
            let second = ImageRecord(canonical: "i", digest: "sha256:2", pulledAt: .start + .seconds(1))
            try await store.commit(.putImage(ImageRecord(canonical: "i", digest: nil, pulledAt: .start)))
            try await store.commit(.putImage(second))
            #expect(try await store.image("i") == second)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a cancelled caller writes nothing`(kind: StoreKind) async throws {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            let code = await withTaskGroup(of: StoreError.Code?.self) { group in
                group.cancelAll()
                group.addTask { await store.refusal(.create(record)) }
                return await group.next() ?? nil
            }
            #expect(code == .cancelled)
            #expect(try await store.allUIDs().isEmpty)
        }
    }
}
