import Testing

@testable import DesiredState

/// Volumes, and which records mount them.
extension StoreContractTests {
    private static func volume(
        _ name: String, generation: Int64 = 1, _ phase: Volume.Phase = .ready, endsWith: UID? = nil
    ) throws -> Volume {
        Volume(
            name: try #require(VolumeName(name)), id: try #require(UID(String(repeating: "a", count: 64))),
            labels: ["team": "a"], options: ["size": "10g"], createdAt: .start, account: "account1",
            share: "skls-x-\(name)", phase: phase, reason: "R", message: "m", generation: generation,
            endsWith: endsWith)
    }

    private static func mounting(_ record: String, _ volumes: String...) throws -> FunctionApp {
        var record = try FunctionApp.sample(record)
        record.spec.volumes = try volumes.map { name in
            VolumeMount(name: try #require(VolumeName(name)), mountPath: "/" + name)
        }
        return record
    }

    @Test(arguments: StoreKind.allCases)
    func `a volume is written by those alone who know its newest form`(kind: StoreKind) async throws {
        try await kind.with { store in
            let (first, second) = (try Self.volume("data"), try Self.volume("data", generation: 2, .creating))
            #expect(await store.refusal(.putVolume(second, ifGeneration: 1)) == .volume(.changed(first.name)))
            try await store.commit(.putVolume(first, ifGeneration: nil))
            #expect(try await store.volume(first.name) == first)
            #expect(await store.refusal(.putVolume(first, ifGeneration: nil)) == .volume(.changed(first.name)))
            try await store.commit(
                .putVolume(second, ifGeneration: 1), .putVolume(try Self.volume("a1"), ifGeneration: nil))
            #expect(try await store.volumes().map(\.name.text) == ["a1", "data"])
            #expect(await store.refusal(.removeVolume(first.name, ifGeneration: 1)) == .volume(.changed(first.name)))
            try await store.commit(.removeVolume(first.name, ifGeneration: 2))
            #expect(try await store.volume(first.name) == nil)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a volume cannot begin to go while a record mounts it, also one that is being deleted`(
        kind: StoreKind
    ) async throws {
        try await kind.with { store in
            let name = try #require(VolumeName("data"))
            let removal = Transaction.Operation.putVolume(
                try Self.volume("data", generation: 2, .removing), ifGeneration: 1)
            let record = try Self.mounting("job", "data", "other")
            try await store.commit(.putVolume(try Self.volume("data"), ifGeneration: nil), .create(record))
            #expect(await store.refusal(removal) == .volume(.inUse(name, by: [record.uid])))
            try await store.commit(.markDeleted(record.uid, at: .start))
            #expect(await store.refusal(removal) == .volume(.inUse(name, by: [record.uid])))
            #expect(await store.refusal(.forget(record.uid, siteName: nil, at: .start), removal, removal) != nil)
            #expect(try await store.volumeUsers()[name] == [record.uid], "a failed transaction changes nothing")
            try await store.commit(.forget(record.uid, siteName: nil, at: .start), removal)
            #expect(try await store.volumeUsers().isEmpty)
            #expect(try await store.volume(name)?.phase == .removing)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a record mounts from now on what it was changed to`(kind: StoreKind) async throws {
        try await kind.with { store in
            let record = try Self.mounting("job", "one", "two")
            try await store.commit(.create(record))
            var changed = try await store.record(record.uid)
            changed.spec.volumes = try Self.mounting("x", "two", "three").spec.volumes
            try await store.commit(.replace(changed, ifRevision: changed.metadata.resourceVersion))
            let users = try await store.volumeUsers()
            #expect(Set(users.keys.map(\.text)) == ["two", "three"])
            #expect(users.values.allSatisfy { $0 == [record.uid] })
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a volume that is not ready cannot be required`(kind: StoreKind) async throws {
        try await kind.with { store in
            let name = try #require(VolumeName("data"))
            #expect(await store.refusal(.requireVolume(name)) == .volume(.missing(name)))
            try await store.commit(.putVolume(try Self.volume("data", .creating), ifGeneration: nil))
            #expect(await store.refusal(.requireVolume(name)) == .volume(.missing(name)))
            try await store.commit(
                .putVolume(try Self.volume("data", generation: 2), ifGeneration: 1), .requireVolume(name))
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `what a volume ends with is its newest form, too`(kind: StoreKind) async throws {
        try await kind.with { store in
            let name = try #require(VolumeName("data"))
            let uid = try FunctionApp.sample("job").uid
            try await store.commit(.endVolume(name, with: uid))
            #expect(try await store.volumes().isEmpty)
            try await store.commit(.putVolume(try Self.volume("data"), ifGeneration: nil), .endVolume(name, with: uid))
            #expect(try await store.volume(name) == Self.volume("data", generation: 2, endsWith: uid))
            try await store.commit(.endVolume(name, with: uid), .endVolume(name, with: nil))
            #expect(try await store.volume(name) == Self.volume("data", generation: 3))
        }
    }
}

@Suite struct VolumeTests {
    @Test(arguments: [
        ("a1", true), ("A.b_c-d", true), ("a", false), ("", false), ("-a", false), ("a/b", false), ("a b", false),
    ])
    func `names of volumes are Docker's`(text: String, isName: Bool) {
        #expect((VolumeName(text) != nil) == isName)
    }

    @Test(arguments: [
        ("10", 10), ("10g", 10), ("10GiB", 10), ("1T", 1024), ("100t", 102_400), ("102400", 102_400), ("0", nil),
        ("", nil),
        ("101t", nil), ("102401", nil), ("10m", nil), ("g", nil), ("-1", nil), ("1.5g", nil),
    ])
    func `sizes are whole GiB within Azure's bounds`(text: String, size: Int?) {
        #expect(Volume.gibibytes(text) == size)
    }

    @Test(arguments: [
        ("/data", true), ("/data/deep", true), ("/", false), ("/home", false), ("/home/x", false), ("/tmp", false),
        ("/tmp/x", false), ("/proc", false), ("/sys/x", false), ("/dev", false), ("/.skls/run", false),
        ("/homes", true),
        ("/tmpfiles", true), ("/a\nb", false),
    ])
    func `what Azure mounts nothing on is refused`(path: String, isAllowed: Bool) {
        #expect((VolumeMount.refusal(of: path) == nil) == isAllowed)
    }

    @Test(arguments: [("/data/", "/data"), ("//a//b/", "/a/b"), ("/a/./b/../c", "/a/c"), ("/..", "/"), ("/", "/")])
    func `paths are compared as they are meant`(path: String, cleaned: String) {
        #expect(VolumeMount.cleaned(path) == cleaned)
    }
}
