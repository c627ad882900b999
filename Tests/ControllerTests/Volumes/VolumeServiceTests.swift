import AzureClient
import DesiredState
import Logging
import NIOConcurrencyHelpers
import Testing

@testable import Controller

/// Volumes come and go whatever fails and wherever a life ends.
@Suite(.timeLimit(.minutes(2)))
struct VolumeServiceTests {
    private static let now = Instant(nanoseconds: 1_700_000_000_000_000_000)

    private static func makeStore() -> MemoryStore {
        var generator = SplitMix64(state: 11)
        return MemoryStore(generator: &generator)
    }

    /// Timers that fire at once, but for the long one of those who wait: time is no part of these tests.
    private static let timers = TimerSource { delay, fire in
        if delay < VolumeService.patience { Task { fire() } }  // ends by itself, and nothing waits for it
        return {}
    }

    private static func service(
        _ store: any RecordStore, _ shares: FakeShares, account: String = "account1"
    ) throws -> VolumeService {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return VolumeService(
            account: try #require(StorageAccountName(rawValue: account)), store: store, shares: shares, seed: 1,
            clock: { now }, timers: timers, logger: logger)
    }

    /// A life of the service for the time of `body`.
    private static func living<Answer: Sendable>(
        _ service: VolumeService, _ body: @Sendable () async throws -> Answer
    ) async throws -> Answer {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await service.live() }
            let answer = try await body()
            group.cancelAll()
            return answer
        }
    }

    private static func name(_ text: String = "data") throws -> VolumeName { try #require(VolumeName(text)) }

    private static func error(_ body: () async throws(VolumeError) -> Void) async -> VolumeError? {
        do throws(VolumeError) {
            try await body()
            return nil
        } catch {
            return error
        }
    }

    @Test func `a volume costs a read and a write, and nothing while it is there`() async throws {
        let (store, shares) = (Self.makeStore(), FakeShares())
        let service = try Self.service(store, shares)
        try await Self.living(service) {
            let request = VolumeRequest(name: try Self.name(), labels: ["a": "b"], options: ["size": "7g"])
            let made = try await service.create(request)
            #expect(made.phase == .ready && made.labels == ["a": "b"] && made.account == "account1")
            #expect(shares.calls == ["get", "put"])
            #expect(shares.quotas == [made.share: 7])
            let again = try await service.create(VolumeRequest(name: try Self.name(), labels: ["other": ""]))
            #expect(again == made && shares.calls.count == 2)
            try await service.remove(try Self.name())
            #expect(shares.calls == ["get", "put", "get", "delete"] && shares.shares.isEmpty)
            #expect(try await store.volumes().isEmpty)
        }
        let events = try await store.events(after: 0, since: nil, limit: 100)
        #expect(events.map(\.action) == ["create", "destroy"] && events.allSatisfy { $0.subject == .volume })
    }

    /// The life ends after each of its commits in turn; the next one goes on.
    @Test func `a life that ends after any commit leaves no share and no volume behind`() async throws {
        var last = 1
        var wasCutShort = true
        while wasCutShort {
            let (store, shares) = (Self.makeStore(), FakeShares())
            let (ended, end) = AsyncStream.makeStream(of: Never.self)
            let mortal = MortalStore(store, endsAfter: last) { end.finish() }
            let first = try Self.service(mortal, shares)
            let name = try Self.name()
            await withDiscardingTaskGroup { group in
                group.addTask { await first.live() }
                group.addTask {
                    // A life that ends answers nobody.
                    let error = await Self.error { () async throws(VolumeError) in
                        _ = try await first.create(VolumeRequest(name: name))
                        try await first.remove(name)
                    }
                    #expect(error == nil || mortal.hasEnded)
                    end.finish()
                }
                for await _ in ended {}
                group.cancelAll()
            }
            wasCutShort = mortal.hasEnded
            let second = try Self.service(store, shares)
            try await Self.living(second) {
                _ = try await second.create(VolumeRequest(name: try Self.name("other")))
                // What the first life has left open is finished by now, or is finished by asking for it again.
                if let volume = try await store.volume(try Self.name()) {
                    if volume.phase != .removing { _ = try await second.create(VolumeRequest(name: volume.name)) }
                    try await second.remove(volume.name)
                }
                try await second.remove(try Self.name("other"))
            }
            #expect(shares.shares.isEmpty, "after commit \(last)")
            #expect(try await store.volumes().isEmpty, "after commit \(last)")
            last += 1
        }
        #expect(last > 4, "creation and removal are four commits")
    }

    @Test(arguments: [FakeShares.Misfortune.lost, .answerLost], 1...4)
    func `a lost request or answer is found out by reading`(misfortune: FakeShares.Misfortune, call: Int) async throws {
        let (store, shares) = (Self.makeStore(), FakeShares { $0.misfortune = (call, misfortune) })
        let service = try Self.service(store, shares)
        try await Self.living(service) {
            let volume = try await service.create(VolumeRequest(name: try Self.name()))
            #expect(volume.phase == .ready && volume.reason.isEmpty)
            #expect(shares.shares[volume.share] == VolumeShare.marks(of: volume, instance: store.instance))
            try await service.remove(volume.name)
        }
        #expect(shares.shares.isEmpty)
        #expect(try await store.volumes().isEmpty)
    }

    @Test func `a share of that name that is not ours is left alone, and said so`() async throws {
        let (store, shares) = (Self.makeStore(), FakeShares())
        let share = VolumeShare.name(of: try Self.name(), instance: store.instance)
        shares.change { $0.shares[share] = ["owner": "somebody"] }
        let service = try Self.service(store, shares)
        try await Self.living(service) {
            let error = await Self.error { () async throws(VolumeError) in
                guard let name = VolumeName("data") else { return }
                _ = try await service.create(VolumeRequest(name: name))
            }
            #expect(error?.code == .conflict && error?.description.contains(share) == true)
        }
        #expect(shares.shares == [share: ["owner": "somebody"]] && shares.calls == ["get"])
        #expect(try await store.volumes().isEmpty)
    }

    @Test func `a share that has lost our marks outlives its volume`() async throws {
        let (store, shares) = (Self.makeStore(), FakeShares())
        let service = try Self.service(store, shares)
        try await Self.living(service) {
            let volume = try await service.create(VolumeRequest(name: try Self.name()))
            shares.change { $0.shares[volume.share] = [:] }
            try await service.remove(volume.name)
            #expect(shares.shares.keys.contains(volume.share))
        }
        #expect(try await store.volumes().isEmpty && !shares.calls.contains("delete"))
    }

    @Test func `files are found again by another record of that name`() async throws {
        let (lost, store, shares) = (Self.makeStore(), Self.makeStore(), FakeShares())
        let first = try Self.service(lost, shares)
        let made = try await Self.living(first) { try await first.create(VolumeRequest(name: try Self.name())) }
        // The same installation, from a copy that does not know the volume.
        let second = try Self.service(store, shares)
        let found = try await Self.living(second) { try await second.create(VolumeRequest(name: try Self.name())) }
        #expect(found.id == made.id && found.share == made.share && shares.calls == ["get", "put", "get"])
    }

    @Test func `what Azure will not make is told, and no volume stays`() async throws {
        let (store, shares) = (Self.makeStore(), FakeShares { $0.misfortune = (2, .noAccount) })
        let service = try Self.service(store, shares)
        try await Self.living(service) {
            let error = await Self.error { () async throws(VolumeError) in
                guard let name = VolumeName("data") else { return }
                _ = try await service.create(VolumeRequest(name: name))
            }
            #expect(error?.code == .refused && error?.description.contains("as scripted") == true)
        }
        #expect(try await store.volumes().isEmpty)
        #expect(try await store.events(after: 0, since: nil, limit: 10).isEmpty)
    }

    @Test func `a frozen store makes and deletes nothing until it is thawed`() async throws {
        let (store, shares) = (Self.makeStore(), FakeShares())
        try await store.commit(
            Transaction(origin: .user, [.setFreeze(Freeze(since: Self.now, reason: "r"))]))
        let service = try Self.service(store, shares)
        try await Self.living(service) {
            let error = await Self.error { () async throws(VolumeError) in
                guard let name = VolumeName("data") else { return }
                _ = try await service.create(VolumeRequest(name: name))
            }
            #expect(error?.code == .refused && shares.calls.isEmpty)
            try await store.commit(Transaction(origin: .user, [.setFreeze(nil)]))
            service.wakeAll()
            _ = try await service.create(VolumeRequest(name: try Self.name()))
            #expect(shares.calls == ["get", "put"])
        }
    }

    @Test func `a life that another has followed sends nothing`() async throws {
        let (store, shares) = (Self.makeStore(), FakeShares())
        let service = try Self.service(store, shares)
        service.begin(try await store.beginEpoch(writer: "one"))
        _ = try await store.beginEpoch(writer: "two")
        try await Self.living(service) {
            let error = await Self.error { () async throws(VolumeError) in
                guard let name = VolumeName("data") else { return }
                _ = try await service.create(VolumeRequest(name: name))
            }
            #expect(error?.code == .unavailable)
        }
        #expect(shares.calls.isEmpty && shares.shares.isEmpty)
    }

    @Test func `a volume in use stays, and one that ends with its record goes with it`() async throws {
        let (store, shares) = (Self.makeStore(), FakeShares())
        let service = try Self.service(store, shares)
        var record = try makeRecord(seed: 5)
        let (kept, owned) = (try Self.name("kept"), try Self.name("owned"))
        record.spec.volumes = [
            VolumeMount(name: kept, mountPath: "/kept"), VolumeMount(name: owned, mountPath: "/owned"),
        ]
        let mounting = record
        try await Self.living(service) {
            _ = try await service.create(VolumeRequest(name: kept))
            _ = try await service.create(VolumeRequest(name: owned, endsWith: mounting.uid))
            try await store.commit(Transaction(origin: .user, [.create(mounting)]))
            service.watch(mounting.uid)
            let error = await Self.error { () async throws(VolumeError) in try await service.remove(kept) }
            #expect(error?.code == .inUse([mounting.uid]))
            #expect(
                error?.description == "remove kept: volume is in use - [\(mounting.uid)]", "Docker's words")
            try await store.commit(
                Transaction(origin: .user, [.forget(mounting.uid, siteName: nil, at: Self.now)]))
            while try await store.volume(owned) != nil { await Task.yield() }
            #expect(try await store.volume(kept)?.phase == .ready)
            #expect(shares.shares.count == 1)
        }
    }

    @Test func `a volume whose record was never made goes at the next life's beginning`() async throws {
        let (store, shares) = (Self.makeStore(), FakeShares())
        let first = try Self.service(store, shares)
        let uid = try makeRecord(seed: 9).uid
        _ = try await Self.living(first) {
            try await first.create(VolumeRequest(name: try Self.name(), endsWith: uid))
        }
        #expect(shares.shares.count == 1)
        let second = try Self.service(store, shares)
        try await Self.living(second) {
            while try await store.volume(try Self.name()) != nil { await Task.yield() }
        }
        #expect(shares.shares.isEmpty)
    }

    @Test func `volumes in another account are left where they are`() async throws {
        let (store, shares) = (Self.makeStore(), FakeShares())
        let first = try Self.service(store, shares)
        _ = try await Self.living(first) { try await first.create(VolumeRequest(name: try Self.name())) }
        let second = try Self.service(store, shares, account: "account2")
        try await Self.living(second) {
            let error = await Self.error { () async throws(VolumeError) in
                guard let name = VolumeName("data") else { return }
                try await second.remove(name)
            }
            #expect(error?.code == .refused && error?.description.contains("account1") == true)
        }
        #expect(shares.shares.count == 1)
    }
}
