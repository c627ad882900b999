import AgentProtocol
import AzureSimulator
import Controller
import DesiredState

/// What users and other outsiders do to a run.
extension SimulationRun {
    /// Carries a script out on one record.
    func user(_ index: Int, _ script: [(after: ClosedRange<Int>, step: Scenario.Step)]) async throws {
        var uid: UID?
        for (delay, step) in script {
            try await time.pause(.seconds(dice.int(delay)))
            if case .create(let blueprint) = step {
                uid = try await create(blueprint, named: "record-\(index)")
            } else if case .freeze(let isFrozen) = step {
                try await freeze(isFrozen)
            } else if case .deleteAndAppear = step, let uid {
                let tags = cloud.azure.site(SiteDesigner.siteName(of: uid))?.tags ?? [:]
                try await change(uid, .delete)
                try await appearLate(uid, tags: tags)
            } else if let uid {
                try await change(uid, step)
            }
        }
    }

    private func create(_ blueprint: Scenario.Blueprint, named name: String) async throws -> UID? {
        var run = RunPolicy(
            timeoutSeconds: blueprint.timeout, ttlSecondsAfterFinished: blueprint.timeToLive,
            delivery: blueprint.isAtLeastOnce ? .atLeastOnce : .atMostOnce)
        if blueprint.isAtLeastOnce { run.attemptLimit = dice.int(1...3) }
        guard let name = RecordName(name) else { return nil }
        let spec = FunctionAppSpec(
            image: try ImageReference(parsing: blueprint.image), args: command(blueprint.seconds, blueprint.exitCode),
            invocations: blueprint.invocations, run: run,
            suspend: blueprint.isPaused ? Suspension(by: "a user") : nil,
            replacement: blueprint.isReplaced ? .recreate : .never,
            deletionPolicy: blueprint.isOrphaned ? .orphan : .delete,
            adoption: blueprint.isAdopting ? .ifTagged : .never)
        var generator = dice.branch()
        let record = FunctionApp(
            creating: Manifest(name: name, spec: spec), uid: UID(using: &generator),
            at: Instant(nanoseconds: time.wall))
        try await userCommit([.create(record)])
        waiter(for: record.uid)
        return record.uid
    }

    /// Name of the Container Apps environment beside the plan.
    static let environment = "environment"

    private func othersCreate(_ record: FunctionApp) {
        let plan =
            "/subscriptions/\(InProcessAzure.subscriptionID)/resourceGroups/\(InProcessAzure.group)"
            + "/providers/Microsoft.Web/serverfarms/\(InProcessAzure.planName)"
        let tags =
            #""skls-managed-by":"skls","skls-instance":"another","skls-uid":"\#(record.uid.text)","skls-hash":"theirs""#
        let status = cloud.outsider(
            "PUT", site: SiteDesigner.siteName(of: record.uid),
            body: #"{"location":"\#(InProcessAzure.location)","kind":"functionapp,linux,container","tags":{\#(tags)},"#
                + #""properties":{"serverFarmId":"\#(plan)","reserved":true,"siteConfig":"#
                + #"{"linuxFxVersion":"DOCKER|\#(record.spec.image.canonical)","appSettings":[]}}}"#)
        trace.note("another installation creates the site: \(status)")
        judge.outsiderActed()
    }

    /// As who finds the store behind its sites, or `skls recover`.
    private func freeze(_ isFrozen: Bool) async throws {
        let freeze =
            isFrozen ? Freeze(since: Instant(nanoseconds: time.wall), reason: "the store is behind its sites") : nil
        trace.note(isFrozen ? "the store is frozen" : "the store is not frozen any more")
        try await userCommit([.setFreeze(freeze)])
        for life in lives where life.isAlive { life.service?.freezeChanged(freeze) }
    }

    private func command(_ seconds: Int, _ code: Int) -> [String] { ["run", String(seconds), String(code)] }

    /// Reads, changes and writes; again if somebody wrote in between.
    func change(_ uid: UID, _ step: Scenario.Step) async throws {
        for _ in 0..<20 {
            guard let stored = try await store.load(uid), !stored.record.isBeingDeleted else { return }
            var record = stored.record
            let lastRun = stored.attempts.last?.run ?? 0
            let now = Instant(nanoseconds: time.wall)
            var operations: [Transaction.Operation] = []
            switch step {
            case .create, .freeze, .deleteAndAppear: return
            case .othersCreate: return othersCreate(record)
            case .changeHosting: record.spec.hosting = Hosting(managedEnvironment: Self.environment)
            case .start:
                // As `docker start`: not while a run is open.
                if stored.attempts.contains(where: \.isOpen) { return }
                record.spec.invocations = max(record.spec.invocations, lastRun) + 1
            case .stop:
                guard let open = stored.attempts.last(where: \.isOpen) else { return }
                record.spec.stop = StopRequest(run: open.run, signal: "TERM", graceSeconds: dice.int(0...10))
            case .changeSettings:
                record.spec.azure.appSettings["VALUE"] = String(dice.int(0...9))
            case .changeImage(let image): record.spec.image = try ImageReference(parsing: image)
            case .pause: record.spec.suspend = Suspension(by: "a user")
            case .pauseUntil(let seconds):
                record.spec.suspend = Suspension(by: "a user", until: now + .seconds(seconds))
            case .resume: record.spec.suspend = nil
            case .abandon:
                guard stored.intent == nil, record.spec.suspend != nil else { return }
                operations =
                    [.require(uid, record.metadata.resourceVersion), .markDeleted(uid, at: now)]
                    + Finalizer.allCases.map { .removeFinalizer(uid, $0) }
            case .delete: operations = [.markDeleted(uid, at: now)]
            }
            if operations.isEmpty {
                operations = [.replace(record, ifRevision: stored.record.metadata.resourceVersion)]
            }
            trace.note("user \(step.name) \(uid.short)")
            do throws(StoreError) {
                return try await userCommit(operations)
            } catch {
                guard case .conflict = error.code else { return }
                do { try await time.pause(.milliseconds(dice.int(1...50))) } catch { return }
            }
        }
    }

    /// Waits as `docker wait` does, until the record's runs have ended or it is gone.
    private func waiter(for uid: UID) {
        openWaiters += 1
        begin { [self] in
            for await _ in store.changes.subscribe(to: uid) {
                do throws(StoreError) {
                    guard let stored = try await store.load(uid) else { break }
                    let isRun = stored.attempts.allSatisfy { !$0.isOpen } && stored.attempts.last != nil
                    if isRun, stored.attempts.last?.result?.outcome != .refused { break }
                } catch {
                    break
                }
            }
            openWaiters -= 1
        }
    }

    // MARK: wreckers

    /// Comes by every few seconds while things may fail.
    func wrecker() async throws {
        while true {
            try await time.pause(.milliseconds(dice.int(1_000...20_000)))
            if dice.chance(chaos.containerEnd) { endContainer() }
            if dice.chance(chaos.clockStep) { stepClock() }
            if dice.chance(chaos.takeover) {
                noteFault("takeover")
                beginLife()
            }
            if dice.chance(chaos.outsider) { meddle() }
        }
    }

    private func endContainer() {
        let instances = cloud.containers.keys.sorted()
        guard !instances.isEmpty else { return }
        noteFault("container-ended")
        cloud.end(dice.pick(instances))
    }

    private func stepClock() {
        let seconds = dice.pick([-7_200, -600, -30, -1, 1, 30, 600, 7_200])
        noteFault(seconds < 0 ? "clock-back" : "clock-forward")
        trace.note("the wall clock steps by \(seconds) s")
        if seconds > 0 { judge.leaks.clockSteppedForward() }
        time.stepWall(by: Int64(seconds) * 1_000_000_000)
    }

    private func meddle() {
        let sites = cloud.azure.sites.filter {
            !$0.isDeleted && !$0.isHidden && !judge.leaks.isNearMiss($0.name.lowercased())
        }
        guard !sites.isEmpty else { return }
        let site = dice.pick(sites)
        let what = dice.pick(["deletes", "strips", "edits", "sets", "stops"])
        let status: Int
        switch what {
        case "deletes": status = cloud.outsider("DELETE", site: site.name)
        case "strips": status = cloud.outsider("PATCH", site: site.name, body: #"{"tags":{"theirs":"1"}}"#)
        case "edits":
            status = cloud.outsider(
                "PATCH", site: site.name,
                body:
                    #"{"tags":{\#(site.tags.filter { $0.key != "skls-hash" }.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\"\($0.value)\"" }.joined(separator: ","))}}"#
            )
        case "sets":
            // One of ours gets another value, and one of theirs is added.
            var settings = site.settings
            settings["WEBSITES_PORT"] = "81"
            settings["THEIRS"] = "1"
            let members = settings.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\"\($0.value)\"" }
            status = cloud.outsider(
                "PUT", site: site.name, "/config/appsettings",
                body: #"{"properties":{\#(members.joined(separator: ","))}}"#)
        default: status = cloud.outsider("POST", site: site.name, "/stop")
        }
        trace.note("somebody \(what) \(site.name): \(status)")
        if (200..<300).contains(status) {
            noteFault("outsider-" + what)
            if what == "sets", judge.record(ofSite: site.name)?.intent?.isSettled == false { hasHiddenDrift = true }
            if what == "stops" { stoppedByOthers.insert(site.name.lowercased()) }
        }
        judge.outsiderActed()
    }
}

extension Scenario.Step {
    var name: String {
        switch self {
        case .create: "creates"
        case .start: "starts"
        case .stop: "stops"
        case .changeSettings: "changes settings of"
        case .changeImage: "changes the image of"
        case .pause, .pauseUntil: "pauses"
        case .resume: "resumes"
        case .delete: "deletes"
        case .abandon: "abandons"
        case .freeze: "freezes"
        case .othersCreate: "shares"
        case .deleteAndAppear: "deletes"
        case .changeHosting: "moves"
        }
    }
}
