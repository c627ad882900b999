package import Controller
package import DesiredState

/// How a PUT of a site is answered.
package enum PutPace: String, Sendable, CaseIterable {
    /// 202 at once, with an operation that takes 30 s.
    case accepted = "202 at once, operation of 30 s"
    /// Only after 25 s, with 200.
    case blocking = "PUT that blocks 25 s"

    /// From the PUT until the site is there.
    package var latency: Duration { self == .accepted ? .seconds(30) : .seconds(25) }
}

/// Azure with latencies in virtual time and the published buckets of Azure Resource Manager (250 and 25/s, 200 and 10/s; docs,
/// "Understand how Azure Resource Manager throttles requests", read 2026-02). It refuses what is over them and counts.
package struct VirtualAzure {
    private struct Bucket {
        let size: Double
        let perSecond: Double
        var level: Double
        var updated: Instant

        init(size: Double, perSecond: Double, now: Instant) {
            (self.size, self.perSecond, level, updated) = (size, perSecond, size, now)
        }

        mutating func take(_ now: Instant) -> Bool {
            level = min(size, level + Double((now - updated).wholeNanoseconds) * 1e-9 * perSecond)
            updated = now
            guard level >= 1 else { return false }
            level -= 1
            return true
        }
    }

    private let pace: PutPace
    private var reads: Bucket
    private var writes: Bucket
    private var deletes: Bucket
    private var sites: [String: (tags: [String: String], since: Instant)] = [:]
    private var operations: [String: Instant] = [:]
    package private(set) var readCount = 0
    package private(set) var writeCount = 0
    package private(set) var pollCount = 0
    package private(set) var refusedCount = 0
    /// Sites read in full: two reads and a write each.
    package private(set) var detailsCount = 0
    /// Sites in a page of the list. Azure documents no figure and no parameter for it; this one was seen by users for the sites of a
    /// plan (issues 4861 of 2017 and 20304 of 2022 of Azure/azure-powershell, read 2026-11).
    package static let pageSize = 100

    package static func pages(_ sites: Int) -> Int { max(1, (sites + pageSize - 1) / pageSize) }

    package init(pace: PutPace, now: Instant) {
        self.pace = pace
        reads = Bucket(size: 250, perSecond: 25, now: now)
        writes = Bucket(size: 200, perSecond: 10, now: now)
        deletes = Bucket(size: 200, perSecond: 10, now: now)
    }

    /// What comes of a call, and how long the answer takes.
    package mutating func answer(_ call: Call, now: Instant) -> (result: CallResult, after: Duration) {
        switch call {
        case .putSite(let design, _):
            guard takeWrite(now) else { return refused }
            sites[design.name] = (design.tags, now + pace.latency)
            guard pace == .accepted else { return (.siteWritten, pace.latency) }
            operations[design.name] = now + pace.latency
            return (.siteAccepted(operation: design.name, pollAfter: .seconds(10)), .milliseconds(300))
        case .followOperation(let operation):
            guard takeRead(now) else { return refused }
            pollCount += 1
            let isOver = operations[operation].map { $0 <= now } ?? true
            if isOver { operations[operation] = nil }
            return (
                isOver ? .operationEnded : .operationRunning(operation: operation, pollAfter: .seconds(10)),
                .milliseconds(100)
            )
        case .readSite(let name):
            guard takeRead(now) else { return refused }
            return (.siteRead(observed(name, now)), .milliseconds(100))
        case .readDetails(let design, _):
            guard takeRead(now), takeRead(now), takeWrite(now) else { return refused }
            detailsCount += 1
            return (
                .detailsRead(
                    observed(design.name, now).map {
                        SiteReading(site: $0, designHash: design.tags[SiteTag.designHash] ?? "", differences: [])
                    }), .milliseconds(400)
            )
        case .deleteSite(let name):
            guard deletes.take(now) else { return refused }
            return (sites.removeValue(forKey: name) == nil ? .siteWasAbsent : .siteDeleted, .milliseconds(500))
        case .releaseSite(let name, _):
            guard takeWrite(now) else { return refused }
            sites[name]?.tags = [:]
            return (.siteReleased, .milliseconds(300))
        case .greetAgent: return (.agentGreeted(bootID: "00000000000000b0"), .milliseconds(50))
        case .postRun: return (.runReported(RunReported(acknowledgedAt: now)), .milliseconds(50))
        case .followRun:
            let result = AttemptResult(outcome: .succeeded, exitCode: 0, finishedAt: now)
            return (.runReported(RunReported(acknowledgedAt: now, result: result)), .milliseconds(50))
        case .stopRun: return (.stopSent, .milliseconds(50))
        case .readContainerLog:
            guard takeWrite(now) else { return refused }
            return (.containerLogRead(.none), .milliseconds(300))
        case .readRunLog: return (.runLogRead(.nothing), .milliseconds(300))
        }
    }

    /// One read per page.
    package mutating func list(now: Instant) -> [ObservedSite] {
        let present = present(now: now)
        for _ in 0..<VirtualAzure.pages(present.count) { _ = takeRead(now) }
        return present
    }

    func present(now: Instant) -> [ObservedSite] {
        sites.keys.sorted().compactMap { observed($0, now) }
    }

    package var siteCount: Int { sites.count }

    /// Somebody touched every site: lists show them changed.
    package mutating func touchAll() {
        touches += 1
    }

    private var touches = 0

    private var refused: (CallResult, Duration) {
        (.failed(.init(kind: .transient, message: "429", retryAfter: .seconds(5))), .milliseconds(50))
    }

    private mutating func takeRead(_ now: Instant) -> Bool {
        readCount += 1
        return counted(reads.take(now))
    }

    private mutating func takeWrite(_ now: Instant) -> Bool {
        writeCount += 1
        return counted(writes.take(now))
    }

    private mutating func counted(_ isTaken: Bool) -> Bool {
        if !isTaken { refusedCount += 1 }
        return isTaken
    }

    private func observed(_ name: String, _ now: Instant) -> ObservedSite? {
        guard let site = sites[name], site.since <= now else { return nil }
        return ObservedSite(
            name: name,
            resourceID: "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/containers/providers/"
                + "Microsoft.Web/sites/" + name,
            hostName: name + ".azurewebsites.net", tags: site.tags, state: "Running",
            lastModified: "2026-11-21T00:00:0\(touches).000")
    }
}
