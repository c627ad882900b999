import DesiredState
import Testing

@testable import Controller

/// The decision about one volume, by example; and what must never be decided.
struct VolumePlannerTests {
    static func volume(_ phase: Volume.Phase, _ change: (inout Volume) -> Void = { _ in }) throws -> Volume {
        var volume = Volume(
            name: try #require(VolumeName("data")), id: try id("a"), createdAt: Instant(nanoseconds: 0),
            account: "account1", share: "skls-x-data", phase: phase, generation: 3)
        change(&volume)
        return volume
    }

    static func id(_ digit: String) throws -> UID { try #require(UID(String(repeating: digit, count: 64))) }

    private static let failure = VolumeFacts.Failure(reason: "Throttled", message: "m", isLasting: false)
    private static let refusal = VolumeFacts.Failure(reason: "Forbidden", message: "m", isLasting: true)

    private func facts(_ share: VolumeFacts.Share, _ change: (inout VolumeFacts) -> Void = { _ in }) -> VolumeFacts {
        var facts = VolumeFacts(share: share, account: "account1")
        change(&facts)
        return facts
    }

    @Test func `a volume is made only after its share was looked for`() throws {
        let creating = try Self.volume(.creating)
        #expect(VolumePlanner.next(creating, facts(.unknown)) == .readShare)
        #expect(VolumePlanner.next(creating, facts(.absent)) == .makeShare)
        let ready = creating.changed { $0.phase = .ready }
        #expect(VolumePlanner.next(creating, facts(.ours(creating.id))) == .complete(ready))
        #expect(VolumePlanner.next(ready, facts(.unknown)) == .rest, "a steady volume is not looked at")
    }

    @Test func `a share that an earlier record has left is taken with its files`() throws {
        let other = try Self.id("b")
        guard case .complete(let ready) = VolumePlanner.next(try Self.volume(.creating), facts(.ours(other))) else {
            Issue.record("it was not taken")
            return
        }
        #expect(ready.id == other && ready.phase == .ready && ready.generation == 4)
    }

    @Test func `somebody else's share is neither mounted nor deleted`() throws {
        guard case .forget(.some(let why)) = VolumePlanner.next(try Self.volume(.creating), facts(.foreign)) else {
            Issue.record("it was taken over")
            return
        }
        #expect(why.reason == "ShareNotOurs" && why.message.contains("skls-x-data"))
        #expect(VolumePlanner.next(try Self.volume(.removing), facts(.foreign)) == .forget(nil))
        #expect(
            VolumePlanner.next(try Self.volume(.removing), facts(.ours(try Self.id("b")))) == .forget(nil),
            "a later share of the same name has another id")
    }

    @Test func `a removal deletes what is ours and forgets what is gone`() throws {
        let removing = try Self.volume(.removing)
        #expect(VolumePlanner.next(removing, facts(.unknown)) == .readShare)
        #expect(VolumePlanner.next(removing, facts(.ours(removing.id))) == .deleteShare)
        #expect(VolumePlanner.next(removing, facts(.absent)) == .forget(nil))
    }

    @Test func `a failure is written down, then tried again`() throws {
        let creating = try Self.volume(.creating)
        let failed = facts(.unknown) { $0.failure = Self.failure }
        let noted = creating.changed { ($0.reason, $0.message) = ("Throttled", "m") }
        #expect(VolumePlanner.next(creating, failed) == .write(noted))
        #expect(VolumePlanner.next(noted, failed) == .retry(Self.failure))
    }

    @Test func `what Azure will not make never was; what may be there is kept`() throws {
        let creating = try Self.volume(.creating)
        #expect(
            VolumePlanner.next(creating, facts(.absent) { $0.failure = Self.refusal }) == .forget(Self.refusal))
        for share in [VolumeFacts.Share.unknown, .ours(creating.id)] {
            guard case .write = VolumePlanner.next(creating, facts(share) { $0.failure = Self.refusal }) else {
                Issue.record("\(share) was forgotten")
                return
            }
        }
        guard case .write = VolumePlanner.next(try Self.volume(.removing), facts(.absent) { $0.failure = Self.refusal })
        else {
            Issue.record("a removal was given up")
            return
        }
    }

    @Test func `a frozen store and another account change nothing in Azure`() throws {
        for phase in [Volume.Phase.creating, .removing] {
            for share in [VolumeFacts.Share.unknown, .absent, .foreign, .ours(try Self.id("a"))] {
                let volume = try Self.volume(phase)
                #expect(VolumePlanner.next(volume, facts(share) { $0.isFrozen = true }) == .wait(.frozen))
                let elsewhere = VolumePlanner.next(volume, facts(share) { $0.account = "account2" })
                #expect(elsewhere == .wait(.otherAccount(volume, "account2")))
            }
        }
    }

    @Test func `a volume goes with its record and with nothing else`() throws {
        let ready = try Self.volume(.ready)
        #expect(
            VolumePlanner.next(ready, facts(.unknown) { $0.isOwnerGone = true })
                == .write(ready.changed { $0.phase = .removing }))
        #expect(
            VolumePlanner.next(ready, facts(.unknown) { ($0.isOwnerGone, $0.isFrozen) = (true, true) })
                == .wait(.frozen), "an older copy of the store does not know every record")
        // Every other combination of what is known leaves it as it is.
        for share in [VolumeFacts.Share.unknown, .absent, .foreign, .ours(ready.id)] {
            for failure in [nil, Self.failure, Self.refusal] {
                for isFrozen in [false, true] {
                    let known = facts(share) { ($0.failure, $0.isFrozen) = (failure, isFrozen) }
                    #expect(VolumePlanner.next(ready, known) == .rest)
                }
            }
        }
    }

    @Test(arguments: [
        ("data", "skls-01234567890123456789-data"), ("a-1", "skls-01234567890123456789-a-1"),
        ("Data", "skls-01234567890123456789-data-cec3a9b89b2e3913"),
    ])
    func `shares are called after installation and volume`(name: String, share: String) throws {
        let instance = InstanceID("01234567890123456789")
        #expect(VolumeShare.name(of: try #require(VolumeName(name)), instance: instance) == share)
    }

    @Test func `no two volumes share a share, and all names are Azure's and no site's`() throws {
        let instance = InstanceID("01234567890123456789")
        let long = String(repeating: "long", count: 40)
        let names = ["aa", "AA", "aA", "a.a", "a_a", "a-a", "a--a", "aa-", "a.", long, long + "1", "1" + long]
        let shares = try names.map { VolumeShare.name(of: try #require(VolumeName($0)), instance: instance) }
        #expect(Set(shares).count == names.count)
        for share in shares {
            #expect(share.utf8.count <= 63 && !share.contains("--") && !share.hasSuffix("-"), "\(share)")
            #expect(share.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber || $0 == "-") }, "\(share)")
            #expect(!SiteDesigner.isSiteName(share), "the sweep would take it for a site's own share")
        }
    }

    @Test func `a share is ours by all of its marks`() throws {
        let (volume, instance) = (try Self.volume(.ready), InstanceID("01234567890123456789"))
        let marks = VolumeShare.marks(of: volume, instance: instance)
        func owner(_ metadata: [String: String]) -> VolumeFacts.Share {
            VolumeShare.owner(metadata, of: volume.name, instance: instance)
        }
        #expect(owner(marks) == .ours(volume.id))
        #expect(
            owner(Dictionary(uniqueKeysWithValues: marks.map { ($0.key.lowercased(), $0.value) })) == .ours(volume.id))
        for name in marks.keys {
            #expect(owner(marks.filter { $0.key != name }) == .foreign)
            #expect(owner(marks.merging([name: "other"]) { $1 }) == .foreign)
        }
        #expect(owner([:]) == .foreign)
    }
}
