import AzureSimulator
import Controller
import DesiredState

/// Sites that no record of ours has made, or that come after their record has gone.
extension SimulationRun {
    /// Makes sites that look like leaks, and some that only resemble ours; then does with some of the leaks what people do.
    func strangers() async throws {
        let count = dice.chance(0.3) ? 7 : dice.int(1...3)
        let pause = dice.int(0...20)
        for _ in 0..<count {
            try await time.pause(.seconds(pause))
            var generator = dice.branch()
            let uid = UID(using: &generator)
            let name = SiteDesigner.siteName(of: uid)
            judge.leaks.excuse(name)
            guard await makeSite(name, tags: ourTags(uid)) else { continue }
            trace.note("a leak: \(name)")
            guard dice.chance(0.3) else { continue }
            usersAtWork += 1
            begin { [self] in
                // Whom the end of the run interrupts leaves it as it is.
                do { try await deal(with: name, uid) } catch {}
                usersAtWork -= 1
            }
        }
        try await makeNearMisses()
    }

    private func ourTags(_ uid: UID) -> [String: String] {
        [SiteTag.managedBy: "skls", SiteTag.instance: store.instance.text, SiteTag.uid: uid.text]
    }

    /// Takes a leak out of quarantine, or adopts it.
    private func deal(with name: String, _ uid: UID) async throws {
        let settings = sweepSettings
        let longest = Int((settings.minimumAge + settings.gracePeriod).components.seconds)
        if dice.chance(0.5) {
            try await time.pause(.seconds(dice.int(0...longest)))
        } else {
            // As soon as it can be seen to be in quarantine.
            for _ in 0..<200 where cloud.azure.site(name)?.tags[SiteTag.quarantined] == nil {
                try await time.pause(.seconds(20))
            }
        }
        guard dice.chance(0.7) else {
            let tags = cloud.azure.site(name)?.tags ?? [:]
            guard tags[SiteTag.quarantined] != nil, tags[SiteTag.uid] == uid.text else { return }
            cloud.outsider(
                "PATCH", site: name, body: #"{"tags":\#(json(tags.filter { $0.key != SiteTag.quarantined }))}"#)
            trace.note("somebody takes \(name) out of quarantine")
            return judge.outsiderActed()
        }
        for _ in 0..<5 {
            guard let desk = lives.last(where: \.isAlive)?.desk else {
                try await time.pause(.seconds(10))
                continue
            }
            trace.note("a user adopts \(name)")
            do throws(RepairError) {
                _ = try await desk.adopt(name)
                return
            } catch {
                trace.note("it is not adopted: \(error.code)")
                if error.code == .notFound || error.code == .refused { return }
            }
            try await time.pause(.seconds(dice.int(1...30)))
        }
    }

    /// One of each kind that a careless sweep would take for ours.
    private func makeNearMisses() async throws {
        var generator = dice.branch()
        let uid = UID(using: &generator)
        let another = UID(using: &generator)
        let own = SiteDesigner.siteName(of: uid)
        // A copy, with its quarantine, of a site whose record is there.
        if let known = judge.records.keys.sorted().first {
            let tags = ourTags(known).merging([SiteTag.quarantined: "2027-01-15T08:00:00Z"]) { $1 }
            await makeNearMiss("copy-of-one-of-ours", tags: tags)
        }
        let kind = dice.int(0...4)
        switch kind {
        case 0: await makeNearMiss("copy-of-a-leak", tags: ourTags(uid))
        case 1: await makeNearMiss(own, tags: ourTags(uid).merging([SiteTag.instance: "another"]) { $1 })
        case 2: await makeNearMiss(own, tags: ourTags(uid).merging([SiteTag.managedBy: "others"]) { $1 })
        case 3: await makeNearMiss(own, tags: ourTags(uid).merging([SiteTag.uid: another.text]) { $1 })
        default: await makeNearMiss(own, tags: ourTags(uid).filter { $0.key != SiteTag.instance })
        }
    }

    private func makeNearMiss(_ name: String, tags: [String: String]) async {
        judge.leaks.plantedNearMiss(name, tags: tags)
        if await makeSite(name, tags: tags) {
            trace.note("a near miss: \(name)")
        } else {
            judge.leaks.withdrawNearMiss(name)
        }
    }

    /// The site of a record that is forgotten appears after all, as Azure may end a create late.
    func appearLate(_ uid: UID, tags: [String: String]) async throws {
        for _ in 0..<400 {
            if try await store.load(uid) == nil { break }
            try await time.pause(.seconds(10))
        }
        guard try await store.tombstone(uid) != nil else { return }
        let name = SiteDesigner.siteName(of: uid)
        if await makeSite(name, tags: tags.merging(ourTags(uid)) { $1 }) { trace.note("late: \(name)") }
    }

    /// Makes a site as somebody else does; again if Azure does not take it.
    private func makeSite(_ name: String, tags: [String: String]) async -> Bool {
        let plan =
            "/subscriptions/\(InProcessAzure.subscriptionID)/resourceGroups/\(InProcessAzure.group)"
            + "/providers/Microsoft.Web/serverfarms/\(InProcessAzure.planName)"
        for _ in 0..<8 {
            if let site = cloud.azure.site(name), !site.isDeleted { return false }
            let status = cloud.outsider(
                "PUT", site: name,
                body: #"{"location":"\#(InProcessAzure.location)","kind":"functionapp,linux,container","#
                    + #""tags":\#(json(tags)),"properties":{"serverFarmId":"\#(plan)","reserved":true,"siteConfig":"#
                    + #"{"linuxFxVersion":"DOCKER|docker.io/library/alpine:latest","appSettings":[]}}}"#)
            if let site = cloud.azure.site(name), !site.isDeleted {
                judge.outsiderActed()
                return true
            }
            trace.note("somebody cannot make \(name): \(status)")
            // Ends with the run at the latest.
            do { try await time.pause(.seconds(30)) } catch { return false }
        }
        return false
    }

    private func json(_ tags: [String: String]) -> String {
        "{" + tags.sorted { $0.key < $1.key }.map { #""\#($0.key)":"\#($0.value)""# }.joined(separator: ",") + "}"
    }
}
