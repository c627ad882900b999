import AzureClient
import DesiredState
import NIOConcurrencyHelpers
import Testing

@testable import Controller

/// How a record's volumes become a site's mounts.
@Suite(.timeLimit(.minutes(1)))
struct MountTests {
    private static let now = Instant(nanoseconds: 1_700_000_000_000_000_000)

    private struct Ground {
        let store: MemoryStore
        let sites: FakeSites
        let shares: FakeShares
        let designer: SiteDesigner
        let account: StorageAccountName

        init(phase: Volume.Phase = .ready, volumeAccount: String = "account1") async throws {
            var generator = SplitMix64(state: 3)
            store = MemoryStore(generator: &generator)
            account = try #require(StorageAccountName(rawValue: "account1"))
            let plan = try SiteSample.plan()
            let site = Site(
                name: "x", resourceID: try SiteSample.id(SiteSample.group + "/providers/Microsoft.Web/sites/x"),
                location: "West Europe")
            sites = FakeSites {
                $0.plans = [plan]
                $0.put = .success(.finished(site))
            }
            shares = FakeShares()
            let name = try #require(StorageAccountName(rawValue: "account1"))
            var configuration = SiteSample.designer().configuration
            configuration.volumeAccount = name
            designer = SiteDesigner(
                configuration: configuration, instance: store.instance, key: store.key, writer: "life")
            let volume = try #require(VolumeName("data"))
            try await store.commit(
                Transaction(
                    origin: .user,
                    [
                        .putVolume(
                            Volume(
                                name: volume, id: UID(using: &generator), createdAt: now, account: volumeAccount,
                                share: VolumeShare.name(of: volume, instance: store.instance), phase: phase),
                            ifGeneration: nil)
                    ]))
        }

        var keys: MountKeys { MountKeys(account: account, store: store, shares: shares) { now } }

        func record(_ paths: String...) throws -> FunctionApp {
            var record = try makeRecord(seed: 1)
            record.spec.volumes = try paths.map {
                VolumeMount(name: try #require(VolumeName("data")), mountPath: $0)
            }
            return record
        }

        func write(_ record: FunctionApp, isUpdate: Bool = false, keys: MountKeys?) async throws -> CallResult {
            let writer = SiteWriter(
                sites: sites, plans: PlanDirectory(sites: sites, clock: { now }), mountKeys: keys)
            return try await writer.write(
                designer.design(of: record), isUpdate: isUpdate, correlationID: SiteSample.correlation)
        }
    }

    private func reason(_ result: CallResult) -> String? {
        guard case .failed(let failure) = result, case .terminal(let reason) = failure.kind else { return nil }
        return reason
    }

    @Test func `the first container starts with its mounts, and the key is in the request alone`() async throws {
        let ground = try await Ground()
        let record = try ground.record("/data", "/more")
        #expect(try await ground.write(record, keys: ground.keys) == .siteWritten)
        let mounts = try #require(ground.sites.written.first?.mounts)
        #expect(mounts.count == 2 && Set(mounts.values.map(\.mountPath)) == ["/data", "/more"])
        for mount in mounts.values {
            #expect(mount.accessKey == Secret("key") && mount.type == "AzureFiles" && mount.accountName == "account1")
            #expect(mount.shareName.hasSuffix("-data"))
        }
        #expect(ground.sites.calls == ["plan", "put"], "one write")
        let design = ground.designer.design(of: record)
        #expect(design.mounts.values.allSatisfy { $0.accessKey == nil })
        #expect(
            design.appSettings.first { $0.name == SiteSetting.mounts }?.value
                == mounts.keys.sorted().joined(separator: ","))
    }

    @Test func `one key serves many sites, and an update asks for it again`() async throws {
        let ground = try await Ground()
        let keys = ground.keys
        let record = try ground.record("/data")
        for _ in 0..<5 { _ = try await ground.write(record, keys: keys) }
        #expect(ground.shares.calls == ["keys"])
        ground.shares.change { $0.keys = ["another"] }
        let design = ground.designer.design(of: record)
        ground.sites.change { state in
            var site = Site(
                name: "x",
                resourceID: ResourceID("/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/x")
                    ?? state.plans[0].resourceID, location: "x")
            site.tags = design.tags
            state.details = SiteDetails(site: site, appSettings: [SiteSetting.mounts: Secret("skls-old")])
            state.mounts = [
                "skls-old": SiteMount(accountName: "account1", shareName: "old", mountPath: "/old"),
                "theirs": SiteMount(accountName: "b", shareName: "t", mountPath: "/theirs", accessKey: Secret("t")),
            ]
        }
        #expect(try await ground.write(record, isUpdate: true, keys: keys) == .siteWritten)
        let mounts = try #require(ground.sites.written.last?.mounts)
        #expect(Set(mounts.values.map(\.mountPath)) == ["/data", "/theirs"], "ours of before are gone, others' stay")
        #expect(mounts.values.first { $0.mountPath == "/data" }?.accessKey == Secret("another"))
        // And back to none.
        #expect(try await ground.write(try ground.record(), isUpdate: true, keys: keys) == .siteWritten)
        #expect(ground.sites.written.last?.mounts?.keys.sorted() == ["theirs"])
    }

    @Test func `a record without volumes is written as it always was`() async throws {
        let ground = try await Ground()
        let record = try ground.record()
        #expect(try await ground.write(record, keys: ground.keys) == .siteWritten)
        #expect(ground.sites.written.first?.mounts == nil && ground.shares.calls.isEmpty)
        let plain = SiteDesigner(
            configuration: SiteSample.designer().configuration, instance: ground.store.instance, key: ground.store.key,
            writer: "life")
        #expect(plain.identity(of: record) == ground.designer.identity(of: record))
        #expect(plain.identity(of: record) != ground.designer.identity(of: try ground.record("/data")))
    }

    @Test func `nothing is written while a volume is not ready, or is elsewhere, or nothing is configured`()
        async throws
    {
        for (phase, account, expected) in [
            (Volume.Phase.removing, "account1", "VolumeNotReady"), (.creating, "account1", "VolumeNotReady"),
            (.ready, "account2", "OtherStorageAccount"),
        ] {
            let ground = try await Ground(phase: phase, volumeAccount: account)
            let result = try await ground.write(try ground.record("/data"), keys: ground.keys)
            #expect(reason(result) == expected && ground.sites.written.isEmpty && ground.shares.calls.isEmpty)
        }
        let ground = try await Ground()
        let bare = SiteDesigner(
            configuration: SiteSample.designer().configuration, instance: ground.store.instance, key: ground.store.key,
            writer: "life")
        let writer = SiteWriter(sites: ground.sites, plans: PlanDirectory(sites: ground.sites, clock: { Self.now }))
        let result = try await writer.write(
            bare.design(of: try ground.record("/data")), isUpdate: false, correlationID: SiteSample.correlation)
        #expect(reason(result) == "NoStorageAccount" && ground.sites.written.isEmpty)
    }

    @Test func `a mount that somebody changed, took away or whose key is stale is a difference`() async throws {
        let ground = try await Ground()
        let design = ground.designer.design(of: try ground.record("/data"))
        let (id, mount) = try #require(design.mounts.first)
        func differences(_ mounts: [String: SiteMount]) throws -> [String] {
            let site = Site(
                name: design.name,
                resourceID: try SiteSample.id(SiteSample.group + "/providers/Microsoft.Web/sites/x"),
                location: design.location)
            return design.differences(
                on: .elasticPremium(try SiteSample.id(SiteSample.group + "/providers/Microsoft.Web/serverfarms/p")),
                from: SiteDetails(site: site, mounts: mounts)
            ).map(\.field).filter { $0.hasPrefix("mounts") }
        }
        var (moved, stale) = (mount, mount)
        moved.shareName = "other"
        stale.others = ["state": .string("InvalidCredentials")]
        #expect(try differences([id: mount, "theirs": moved]).isEmpty)
        #expect(try differences([:]) == ["mounts.\(id)"])
        #expect(try differences([id: moved]) == ["mounts.\(id)"])
        #expect(try differences([id: stale]) == ["mounts.\(id).accessKey"])
    }
}
