import DesiredState

@testable import Controller

/// A small Azure with agents, for driving the machine: applies calls, and can be told to lose replies, restart containers and refuse.
struct SimulatedAzure {
    struct Site: Equatable {
        var tags: [String: String]
        var bootID: String
        /// Runs that the present life of the container knows.
        var tokens: Set<String> = []
        /// Owned fields that somebody changed since they were written.
        var edits: Set<String> = []
        var state = "Running"
        /// How often the site was changed: Azure's time of change.
        var changes = 1
    }

    enum Fault: CaseIterable {
        case none, replyLost, requestLost, containerRestarted, busy
    }

    var sites: [String: Site] = [:]
    /// Every execution of a command, in order.
    private(set) var executions: [String] = []
    private(set) var putCount = 0
    private(set) var deleteCount = 0
    var generator: SplitMix64
    /// Chance of a fault per call, in percent.
    var faultPercent = 0
    var exitCode = 0
    /// How many reads after a PUT still show the site as it was before it.
    var staleReads = 0
    private var staleReadsLeft = 0
    private var before: [String: ObservedSite] = [:]
    /// Writes are refused before they are sent.
    var refusal: String?
    /// How often an operation has to be asked about before a PUT takes effect; nil = it does at once.
    var operationPolls: Int?
    /// Operations end without success and without a site.
    var operationsFail = false
    private(set) var pollCount = 0
    private var pending: [String: (design: SiteDesign, pollsLeft: Int)] = [:]
    /// Followed runs do not end while this is set.
    var runsStayOpen = false
    /// Fields that Azure shows otherwise whatever is written to them.
    var unsteadyFields: Set<String> = []
    /// What Azure tells of who changed a site.
    var activityCaller: String?
    /// Sites cannot be read in full.
    var detailsRefusal: String?
    /// When sites were read in full, and whether it was asked who changed them.
    private(set) var detailsReads: [(name: String, at: Instant, asksForWriter: Bool)] = []

    init(seed: UInt64) {
        generator = SplitMix64(state: seed)
    }

    /// `nil` while the call is not answered yet: ask again later.
    mutating func perform(_ call: Call, now: Instant) -> CallResult? {
        if runsStayOpen, case .followRun(let address, let bootID, let token, _) = call,
            let site = sites[siteName(address)], site.bootID == bootID, site.tokens.contains(token)
        {
            return nil
        }
        let fault =
            Int.random(in: 0..<100, using: &generator) < faultPercent
            ? Fault.allCases.randomElement(using: &generator) : nil
        switch fault ?? .none {
        case .none: return apply(call, now: now)
        case .replyLost:
            _ = apply(call, now: now)
            return lost(call)
        case .requestLost: return lost(call)
        case .containerRestarted:
            for name in sites.keys.sorted() { restartContainer(of: name) }
            return apply(call, now: now)
        case .busy:
            return call.kind.isToAzure
                ? .failed(.init(kind: .transient, message: "busy", retryAfter: .seconds(5)))
                : .agentNotReady(message: "503")
        }
    }

    mutating func restartContainer(of name: String) {
        let bootID = freshBootID()
        sites[name]?.bootID = bootID
        sites[name]?.tokens = []
    }

    func observedSites() -> [ObservedSite] {
        sites.keys.sorted().compactMap { observed($0) }
    }

    private func lost(_ call: Call) -> CallResult {
        call.kind.isToAzure
            ? .failed(.init(kind: .outcomeUnknown, message: "connection lost"))
            : .agentNotReady(message: "connection lost")
    }

    private mutating func apply(_ call: Call, now: Instant) -> CallResult {
        switch call {
        case .putSite(let design, _):
            if let refusal { return .failed(.init(kind: .terminal(reason: refusal), message: "refused")) }
            putCount += 1
            if let operationPolls {
                let operation = "operation-\(putCount)"
                pending[operation] = (design, operationPolls)
                return .siteAccepted(operation: operation, pollAfter: .seconds(15))
            }
            write(design)
            return .siteWritten
        case .followOperation(let operation):
            pollCount += 1
            guard let (design, left) = pending[operation] else { return .operationEnded }
            guard left <= 1 else {
                pending[operation] = (design, left - 1)
                return .operationRunning(operation: operation, pollAfter: .seconds(15))
            }
            pending[operation] = nil
            if operationsFail { return .operationFailed(.init(kind: .transient, message: "it failed")) }
            write(design)
            return .operationEnded
        case .readSite(let name):
            guard staleReadsLeft > 0 else { return .siteRead(observed(name)) }
            staleReadsLeft -= 1
            return .siteRead(before[name])
        case .readDetails(let design, let namesWriter):
            let fields = differences(from: design)
            detailsReads.append((design.name, now, namesWriter && !fields.isEmpty))
            if let detailsRefusal { return .failed(.init(kind: .terminal(reason: detailsRefusal), message: "no")) }
            guard let site = observed(design.name) else { return .detailsRead(nil) }
            return .detailsRead(
                SiteReading(
                    site: site, designHash: design.tags[SiteTag.designHash] ?? "",
                    differences: fields.map { Difference(field: $0, desired: "a", observed: "b") },
                    writer: namesWriter && !fields.isEmpty ? activityCaller : nil))
        case .deleteSite(let name):
            deleteCount += 1
            return sites.removeValue(forKey: name) == nil ? .siteWasAbsent : .siteDeleted
        case .readContainerLog: return .containerLogRead(.none)
        case .greetAgent(let address):
            guard let site = sites[siteName(address)] else { return .agentNotReady(message: "404") }
            return .agentGreeted(bootID: site.bootID)
        case .postRun(let address, let bootID, let token, _):
            let name = siteName(address)
            guard let site = sites[name] else { return .agentNotReady(message: "404") }
            guard site.bootID == bootID else { return .bootChanged(bootID: site.bootID) }
            if sites[name]?.tokens.insert(token).inserted == true { executions.append(token) }
            return .runReported(RunReported(acknowledgedAt: now))
        case .followRun(let address, let bootID, let token, _):
            guard let site = sites[siteName(address)] else { return .agentNotReady(message: "404") }
            guard site.bootID == bootID else { return .bootChanged(bootID: site.bootID) }
            guard site.tokens.contains(token) else { return .agentNotReady(message: "time-out") }
            return ended(now, exitCode)
        case .stopRun(let address, let bootID, _, _):
            guard let site = sites[siteName(address)] else { return .agentNotReady(message: "404") }
            guard site.bootID == bootID else { return .bootChanged(bootID: site.bootID) }
            runsStayOpen = false
            exitCode = 143
            return .stopSent
        }
    }

    private mutating func write(_ design: SiteDesign) {
        staleReadsLeft = staleReads
        before[design.name] = observed(design.name)
        let before = sites[design.name]
        if before?.tags[SiteTag.designHash] == design.tags[SiteTag.designHash], before?.edits == [] {
            sites[design.name]?.tags = design.tags
        } else {
            sites[design.name] = Site(tags: design.tags, bootID: freshBootID())
        }
        sites[design.name]?.state = "Running"
        sites[design.name]?.changes = (before?.changes ?? 0) + 1
    }

    /// Somebody else changes the site of this name.
    mutating func edit(_ name: String, _ change: (inout Site) -> Void = { _ in }) {
        guard var site = sites[name] else { return }
        change(&site)
        site.changes += 1
        sites[name] = site
    }

    private func differences(from design: SiteDesign) -> [String] {
        guard let site = sites[design.name] else { return [] }
        let tags = design.tags.filter { $0.key != SiteTag.writer && site.tags[$0.key] != $0.value }
        return site.edits.union(unsteadyFields).union(tags.map { "tags." + $0.key })
            .union(site.state == "Stopped" ? ["state"] : []).sorted()
    }

    private func ended(_ now: Instant, _ code: Int) -> CallResult {
        .runReported(
            RunReported(
                acknowledgedAt: now,
                result: AttemptResult(outcome: code == 0 ? .succeeded : .failed, exitCode: code, finishedAt: now)))
    }

    private func observed(_ name: String) -> ObservedSite? {
        guard let site = sites[name] else { return nil }
        return ObservedSite(
            name: name, resourceID: "/sites/" + name, hostName: name + ".example", tags: site.tags, state: site.state,
            lastModified: "change \(site.changes)")
    }

    private func siteName(_ address: AgentAddress) -> String {
        SiteDesigner.siteName(of: address.uid)
    }

    private mutating func freshBootID() -> String {
        String(generator.next(), radix: 16)
    }
}
