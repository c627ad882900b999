import Foundation
import Testing

@testable import DesiredState

/// What every store does with records, names, revisions and watches. ``StoreContractTests+Lives`` and its neighbours go on.
@Suite(.timeLimit(.minutes(2)))
struct StoreContractTests {
    @Test(arguments: StoreKind.allCases)
    func `what was committed is read back by id, by name and by an id's beginning`(kind: StoreKind) async throws {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            try await store.commit(.create(record))
            let stored = try await store.record(record.uid)
            #expect(stored.spec == record.spec && stored.metadata.resourceVersion == Revision(1))
            #expect(try await store.find(reference: "/job") == .found(stored))
            #expect(try await store.find(reference: String(record.uid.text.prefix(6))) == .found(stored))
            #expect(try await store.find(reference: record.uid.text) == .found(stored))
            #expect(try await store.find(reference: record.uid.text.uppercased().prefix(7) + "G") == .none)
            #expect(try await store.find(reference: "nope") == .none)
            #expect(try await store.find(reference: "") == .none)
            #expect(try await store.list(includingDeleted: false).records == [stored])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `every part of a record is read back as it was written`(kind: StoreKind) async throws {
        try await kind.with { store in
            var record = try FunctionApp.sample("job")
            record.metadata.labels = ["team": "a", "": "ü\u{0}\u{1F600}"]
            record.metadata.annotations["docker.skls.dev/config"] = "{\"a\": [1, 2]}"
            record.spec = FunctionAppSpec(
                image: try ImageReference(parsing: "registry.example/a/b:c"), command: ["sh", "-c"], args: ["echo"],
                env: [EnvironmentVariable(name: "A", value: "line\nline")], workingDir: "/w", user: "1:2", stdin: true,
                tty: true,
                invocations: 3,
                run: RunPolicy(
                    timeoutSeconds: 0, ttlSecondsAfterFinished: 5, delivery: .atLeastOnce, attemptLimit: 7),
                volumes: [VolumeMount(name: try #require(VolumeName("data")), mountPath: "/data")],
                hosting: Hosting(plan: "p"), azure: AzureSettings(appSettings: ["K": "v"], tags: ["t": "u"]),
                suspend: Suspension(by: "me", until: .start + .nanoseconds(1), reason: "why"), drift: .report,
                replacement: .recreate, deletionPolicy: .orphan, adoption: .ifTagged,
                stop: StopRequest(run: 2, signal: "HUP", graceSeconds: 0))
            record.status = FunctionAppStatus(
                observedGeneration: 4,
                conditions: [
                    Condition(
                        type: .drifted, status: .unknown, reason: "R", message: "m", lastTransitionTime: .start)
                ],
                site: SiteStatus(name: "s", resourceID: "/r", hostName: "h", lastModified: "yesterday"),
                runs: [
                    RunStatus(
                        number: 1,
                        attempts: [
                            AttemptStatus(
                                token: "t", bootID: "b", startedAt: .start, finishedAt: .start, exitCode: 137,
                                outcome: .lost, message: "x")
                        ])
                ], nextAction: NextAction(rule: "steady", reason: "r", at: .start),
                driftHistory: [DriftFinding(foundAt: .start, fields: ["tags"], writer: "w", answer: .suspended)])
            try await store.commit(.create(record))
            record.metadata.resourceVersion = Revision(1)
            #expect(try await store.record(record.uid) == record)
            #expect(try await store.changes(since: .zero).changes.map(\.record) == [record])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a beginning that several ids share is ambiguous, and deleted records do not count`(kind: StoreKind)
        async throws
    {
        try await kind.with { store in
            var (first, second) = (try FunctionApp.sample("a"), try FunctionApp.sample("b"))
            first.metadata.uid = try #require(UID("abc" + String(repeating: "0", count: 61)))
            second.metadata.uid = try #require(UID("abc" + String(repeating: "f", count: 61)))
            try await store.commit(.create(first), .create(second))
            #expect(try await store.find(reference: "abc") == .ambiguous)
            #expect(try await store.find(reference: "abcf") == .found(try await store.record(second.uid)))
            try await store.commit(.markDeleted(first.uid, at: .start))
            #expect(try await store.find(reference: "abc") == .found(try await store.record(second.uid)))
            #expect(
                try await store.find(reference: first.uid.text) == .found(try await store.record(first.uid)))
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `lists are in order of creation, also within one commit, whatever was changed since`(kind: StoreKind)
        async throws
    {
        try await kind.with { store in
            let records = try ["c", "a", "d", "b"].map { try FunctionApp.sample($0) }
            try await store.commit(.create(records[0]), .create(records[1]), .create(records[2]))
            try await store.commit(.create(records[3]))
            try await store.commit(.setStatus(records[0].uid, FunctionAppStatus(observedGeneration: 1)))
            try await store.commit(.markDeleted(records[1].uid, at: .start))
            #expect(try await store.allUIDs() == records.map(\.uid))
            #expect(
                try await store.list(includingDeleted: true).records.map(\.metadata.name.text) == ["c", "a", "d", "b"])
            let list = try await store.list(includingDeleted: false)
            #expect(list.records.map(\.metadata.name.text) == ["c", "d", "b"] && list.revision == Revision(4))
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a moved revision is a conflict, and changes nothing`(kind: StoreKind) async throws {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            try await store.commit(.create(record))
            let first = try await store.record(record.uid)
            let next = first.requestingRun().record
            try await store.commit(.replace(next, ifRevision: first.metadata.resourceVersion))
            let second = try await store.record(record.uid)
            #expect(second.metadata.generation == 2)
            #expect(await store.refusal(.replace(first, ifRevision: Revision(1))) == .conflict(current: Revision(2)))
            #expect(await store.refusal(.require(record.uid, Revision(1))) == .conflict(current: Revision(2)))
            #expect(await store.refusal(.require(record.uid, Revision(2))) == nil)
            #expect(try await store.record(record.uid) == second)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `the generation rises with the spec only, and nothing written is no write`(kind: StoreKind) async throws {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            try await store.commit(.create(record))
            var labelled = try await store.record(record.uid)
            labelled.metadata.labels = ["a": "b"]
            // A replace writes what users own, and nothing else.
            labelled.status.observedGeneration = 9
            labelled.metadata.finalizers = []
            labelled.metadata.deletionTimestamp = .start
            try await store.commit(.replace(labelled, ifRevision: Revision(1)))
            let stored = try await store.record(record.uid)
            #expect(stored.metadata.generation == 1 && stored.metadata.labels == ["a": "b"])
            #expect(stored.status == FunctionAppStatus() && stored.metadata.finalizers == Finalizer.allCases)
            #expect(!stored.isBeingDeleted && stored.metadata.resourceVersion == Revision(2))
            #expect(try await store.commit(.replace(stored, ifRevision: Revision(2))) == Revision(3))
            #expect(try await store.commit(.setStatus(record.uid, stored.status)) == Revision(4))
            #expect(try await store.record(record.uid).metadata.resourceVersion == Revision(2))
            #expect(try await store.kinds(since: Revision(2)).isEmpty)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `what is not there cannot be written`(kind: StoreKind) async throws {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            let uid = record.uid
            let missing = StoreError.Code.notFound(uid)
            #expect(await store.refusal(.require(uid, .zero)) == missing)
            #expect(await store.refusal(.replace(record, ifRevision: .zero)) == missing)
            #expect(await store.refusal(.setStatus(uid, FunctionAppStatus())) == missing)
            #expect(await store.refusal(.markDeleted(uid, at: .start)) == missing)
            #expect(await store.refusal(.removeFinalizer(uid, .endRun)) == missing)
            #expect(await store.refusal(.forget(uid, siteName: "s", at: .start)) == missing)
            #expect(await store.refusal(.addToInventory("web", uid)) == missing)
            let intent = Intent(uid: uid, kind: .putSite, siteName: "s", openedAt: .start)
            #expect(await store.refusal(.openIntent(intent)) == missing)
            let attempt = Attempt(uid: uid, run: 1, number: 1, token: "t", bootID: "b", openedAt: .start)
            #expect(await store.refusal(.openAttempt(attempt)) == missing)
            // These speak of what may be gone already.
            #expect(await store.refusal(.settleIntent(uid), .setOperation(uid, "o")) == nil)
            #expect(await store.refusal(.acknowledgeAttempt(token: "t", at: .start)) == nil)
            let result = AttemptResult(outcome: .lost, exitCode: nil, finishedAt: .start)
            #expect(await store.refusal(.finishAttempt(token: "t", result), .dropSighting(siteName: "s")) == nil)
            #expect(try await store.load(uid) == nil)
            #expect(try await store.tombstone(uid) == nil)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a name is taken until its record is being deleted`(kind: StoreKind) async throws {
        try await kind.with { store in
            let (first, second) = (try FunctionApp.sample("job"), try FunctionApp.sample("job"))
            try await store.commit(.create(first))
            #expect(await store.refusal(.create(second)) == .nameTaken(first.metadata.name, by: first.uid))
            #expect(await store.refusal(.create(first)) == .conflict(current: Revision(1)))
            try await store.commit(.markDeleted(first.uid, at: .start))
            try await store.commit(.create(second))
            #expect(try await store.find(name: second.metadata.name)?.uid == second.uid)
            // The first one's finalizers are still to be worked off, and its end may be hurried.
            let dying = try await store.record(first.uid)
            let hurried = dying.requestingStop(signal: "KILL", graceSeconds: 0)
            #expect(await store.refusal(.replace(hurried, ifRevision: dying.metadata.resourceVersion)) == nil)
            try await store.commit(.forget(first.uid, siteName: nil, at: .start))
            #expect(try await store.find(name: second.metadata.name)?.uid == second.uid)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a renamed record leaves its old name and takes its new one`(kind: StoreKind) async throws {
        try await kind.with { store in
            let (first, second) = (try FunctionApp.sample("a"), try FunctionApp.sample("b"))
            try await store.commit(.create(first), .create(second))
            var renamed = try await store.record(first.uid)
            renamed.metadata.name = second.metadata.name
            #expect(
                await store.refusal(.replace(renamed, ifRevision: Revision(1)))
                    == .nameTaken(second.metadata.name, by: second.uid))
            renamed.metadata.name = try #require(RecordName("c"))
            try await store.commit(.replace(renamed, ifRevision: Revision(1)))
            #expect(try await store.find(name: first.metadata.name) == nil)
            #expect(try await store.find(name: renamed.metadata.name)?.uid == first.uid)
            #expect(await store.refusal(.create(try FunctionApp.sample("a"))) == nil)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `the time of deletion is set once, finalizers go one by one`(kind: StoreKind) async throws {
        try await kind.with { store in
            let record = try FunctionApp.sample("job")
            try await store.commit(.create(record), .markDeleted(record.uid, at: .start))
            try await store.commit(.markDeleted(record.uid, at: .start + .seconds(9)))
            try await store.commit(.removeFinalizer(record.uid, .endRun))
            let stored = try await store.record(record.uid)
            #expect(stored.metadata.deletionTimestamp == .start && stored.metadata.finalizers == [.deleteSite])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a transaction that fails at its end leaves nothing of any kind behind`(kind: StoreKind) async throws {
        try await kind.with { store in
            let (old, doomed, fresh) = (
                try FunctionApp.sample("old"), try FunctionApp.sample("doomed"), try FunctionApp.sample("new")
            )
            let attempt = Attempt(uid: old.uid, run: 1, number: 1, token: "t", bootID: "b", openedAt: .start)
            let intent = Intent(uid: old.uid, kind: .putSite, siteName: "s", openedAt: .start)
            let seen = Sighting(siteName: "leak", uid: nil, firstSeenAt: .start, lastSeenAt: .start)
            try await store.commit(
                .create(old), .create(doomed), .openIntent(intent), .openAttempt(attempt), .keepSighting(seen),
                .addToInventory("web", doomed.uid),
                .putImage(ImageRecord(canonical: "k", digest: nil, pulledAt: .start)))
            let before = try await StoreContents(store)
            let stranger = try FunctionApp.sample("stranger").uid
            var renamed = try await store.record(old.uid)
            renamed.metadata.name = try #require(RecordName("other"))
            let more = Attempt(uid: fresh.uid, run: 1, number: 1, token: "u", bootID: "b", openedAt: .start)
            #expect(
                await store.refusal(
                    .create(fresh), .replace(renamed, ifRevision: Revision(1)),
                    .setStatus(old.uid, FunctionAppStatus(observedGeneration: 1)), .settleIntent(old.uid),
                    .setOperation(old.uid, "o"), .acknowledgeAttempt(token: "t", at: .start),
                    .finishAttempt(token: "t", AttemptResult(outcome: .lost, exitCode: nil, finishedAt: .start)),
                    .openAttempt(more), .forget(doomed.uid, siteName: "s", at: .start),
                    .putImage(ImageRecord(canonical: "i", digest: nil, pulledAt: .start)), .removeImage("k"),
                    .addEvent(EngineEvent(at: .start, .image, "pull", actor: "i")),
                    .keepSighting(Sighting(siteName: "z", uid: nil, firstSeenAt: .start, lastSeenAt: .start)),
                    .dropSighting(siteName: "leak"), .addToInventory("web", old.uid),
                    .setFreeze(Freeze(since: .start, reason: "r")), .acceptWriter("w"),
                    .raiseRevision(to: Revision(50)), .markDeleted(old.uid, at: .start), .require(stranger, .zero))
                    == .notFound(stranger))
            #expect(try await StoreContents(store) == before)
            // Names and tokens are as free, or taken, as before.
            #expect(await store.refusal(.create(try FunctionApp.sample("doomed"))) != nil)
            #expect(try await store.commit(.create(fresh), .openAttempt(more)) == Revision(2))
        }
    }
}
