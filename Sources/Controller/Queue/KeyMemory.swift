import AgentLink
import DesiredState

/// What the machine knows of one record beside what the store holds: observations, calls in flight, failures. Lost at a restart, and learned again.
struct KeyMemory {
    private(set) var inFlight: [CallKind: CallID] = [:]
    private(set) var begunAt: [CallKind: Instant] = [:]
    private var site = SiteObservation.unknown
    private var operation: OperationObservation?
    private var agent = AgentObservation.unknown
    private var boot: (id: String, seenAt: Instant)?
    /// About the attempt with this token.
    private var run: (token: String, observation: RunObservation)?
    private var runLog: (token: String, observation: RunLogObservation)?
    private var openToken: String?
    private var hostName: String?
    private var failures: [CallKind: CallFailure] = [:]
    /// Writes in a row that Azure took and then did not carry out. Each of them was answered well at first, so that the
    /// count of failed calls alone would begin anew with every one.
    private var failedOperations = 0
    private var sentStop: StopRequest?
    private var stopBeingSent: StopRequest?
    private var generation: Int64?
    private var identity: SiteIdentity?
    /// When a write of the site was answered last: a list that began before says nothing about it.
    private var lastWriteAt: Instant?
    private var lastPutSucceededAt: Instant?
    /// Writer tag that the newest PUT carried: what a read that is not stale has to show. The design's hash would not do,
    /// since a repair carries the one that is there.
    private var lastPutWriter: String?
    /// See ``PlanInput/isSurelyUnwritten``; `nil` before the first load. Not known of writes of an earlier life.
    private var isSurelyUnwritten: Bool?
    /// Posts of the open attempt that were sent in this process, and whether an earlier process may have sent one.
    private var postsSent = 0
    private var mayHaveBeenPostedBefore = false
    /// Those that this life has dropped; nothing is asked of a file to know.
    private var droppedOutputs: Set<OutputKey> = []
    private(set) var clock = StoredClock()
    var drift = DriftMemory()

    /// How long reads may show a site as it was before a write, or not at all (go-azure-sdk repeats reads that lag behind a create for up to 30 s).
    static let readLag: Duration = .seconds(60)

    // MARK: in

    /// Takes in what a load brought. A new generation resets the back-off, and a container that did not start is asked anew for it.
    mutating func notice(_ stored: StoredRecord, designer: SiteDesigner, at now: Moment) {
        let record = stored.record
        clock.notice(stored, at: now)
        if generation != record.metadata.generation {
            if generation != nil {
                failures = [:]
                failedOperations = 0
                if case .notReady = agent { agent = .unknown }
            }
            generation = record.metadata.generation
            identity = designer.identity(of: record)
        }
        if isSurelyUnwritten == nil { isSurelyUnwritten = stored.intent == nil }
        hostName = record.status.site?.hostName ?? hostName
        let open = stored.attempts.last { $0.isOpen }
        if open?.token != openToken {
            // Not opened by this process (see `isOpening`), so an earlier one may have asked for it.
            forgetRun(openToken: open?.token, mayHaveBeenPosted: true)
        }
    }

    /// Outputs of attempts whose end is stored, where the record keeps none; each once.
    mutating func takeUnkeptOutputs(of record: FunctionApp) -> [OutputKey] {
        guard !record.keepsLog else { return [] }
        let ended = record.status.runs.flatMap { run in
            run.attempts.indices.filter { run.attempts[$0].outcome != nil }.map {
                OutputKey(uid: record.uid.text, run: run.number, attempt: $0 + 1)
            }
        }
        defer { droppedOutputs = Set(ended) }
        return ended.filter { !droppedOutputs.contains($0) }
    }

    /// The machine has committed this attempt, and no request for it was sent yet.
    mutating func isOpening(token: String) {
        forgetRun(openToken: token, mayHaveBeenPosted: false)
    }

    mutating func begins(_ call: Call, id: CallID, at now: Instant) {
        inFlight[call.kind] = id
        begunAt[call.kind] = now
        if case .stopRun(_, _, _, let stop) = call { stopBeingSent = stop }
        if case .readDetails = call { drift.begins(at: now) }
        if case .putSite(let design, _) = call {
            lastPutWriter = design.tags[SiteTag.writer]
            operation = nil
            failures[.followOperation] = nil
        }
    }

    /// This life does something at this moment whose time is stored, such as keeping the confirmation of an attempt.
    mutating func note(_ moment: Moment, acknowledging token: String? = nil) {
        clock.note(moment)
        if let token { clock.watch(token: token, from: moment.steady) }
    }

    /// Takes in the answer to a call.
    mutating func learn(
        from result: CallResult, of kind: CallKind, now: Instant, using generator: inout some RandomNumberGenerator
    ) {
        inFlight[kind] = nil
        if kind == .postRun { postsSent += 1 }
        if kind == .putSite {
            if case .failed(let failure) = result, failure.kind != .outcomeUnknown {} else { isSurelyUnwritten = false }
        }
        // What was asked before the site was written last may have been answered by the site as it was.
        let isOutdated = lastWriteAt.map { written in begunAt[kind].map { $0 <= written } ?? false } ?? false
        switch result {
        case .siteWritten:
            failures[kind] = nil
            failedOperations = 0
            lastPutSucceededAt = now
            wrote(now)
        case .siteAccepted(let operation, let wait):
            failures[kind] = nil
            wrote(now)
            isRunning(operation, wait, now)
        case .operationRunning(let operation, let wait): isRunning(operation, wait, now)
        case .operationEnded:
            failedOperations = 0
            operationEnded(now)
        case .operationFailed(let failure):
            operationEnded(now)
            lastPutSucceededAt = nil
            fail(.putSite, failure, now, &generator, after: failedOperations)
            failedOperations += 1
        case .siteRead(let observed):
            if !isOutdated { read(observed, now, &generator) }
        case .detailsRead(let reading):
            if !isOutdated { readInFull(reading, now, &generator) }
        case .siteDeleted:
            // Should Azure show it for a while yet, it is deleted again less and less often.
            fail(kind, .init(kind: .transient, message: "Azure still shows the site"), now, &generator)
            lastPutSucceededAt = nil
            wrote(now)
        case .siteReleased:
            fail(kind, .init(kind: .transient, message: "Azure still shows our tags"), now, &generator)
            lastPutSucceededAt = nil
            wrote(now)
        case .siteWasAbsent:
            failures[kind] = nil
            failures[.deleteSite] = nil
            lastPutSucceededAt = nil
            wrote(now)
            site = .absent(asOf: now)
        case .containerLogRead(let diagnosis):
            guard case .notReady(var notReady) = agent, !isOutdated else { return }
            notReady.diagnosis = diagnosis
            agent = .notReady(notReady)
            if diagnosis == .none {
                // Read again while it lasts, but less and less often.
                fail(kind, .init(kind: .transient, message: "nothing in the container's log says why"), now, &generator)
            }
        case .agentGreeted(let bootID):
            failures[kind] = nil
            if !isOutdated { isLive(bootID, now) }
        case .runReported(let report):
            failures[kind] = nil
            guard let openToken else { return }
            run = (openToken, report.result.map(RunObservation.ended) ?? .acknowledged(at: report.acknowledgedAt))
        case .bootChanged(let bootID):
            failures[kind] = nil
            isLive(bootID, now)
            if kind == .postRun, postsSent == 1, !mayHaveBeenPostedBefore, let openToken {
                run = (openToken, .refused(bootID: bootID))
            }
        case .runLogRead(let finding):
            failures[kind] = nil
            if let openToken, let asOf = begunAt[kind] {
                runLog = (openToken, RunLogObservation(finding: finding, asOf: asOf))
            }
        case .stopSent:
            failures[kind] = nil
            sentStop = stopBeingSent
        case .agentNotReady(let message):
            if !isOutdated { agentDidNotAnswer(message, kind, now, &generator) }
        case .notSent: break  // goes on waiting
        case .failed(let failure):
            fail(kind, failure, now, &generator)
            if kind.changesSite { wrote(now) }
            if kind == .readDetails { drift.failed(failure) }
        }
    }

    /// A list of all sites is the newest look unless the site was written since. True when it says something new.
    mutating func learn(listed: ObservedSite?, listStartedAt: Instant, now: Instant) -> Bool {
        if inFlight.keys.contains(where: \.changesSite) { return false }
        // As in `read`: a list may lag behind a write as well, and would have the site written again.
        if let listed, let lastPutSucceededAt, now - lastPutSucceededAt < KeyMemory.readLag,
            listed.writer != lastPutWriter
        {
            return false
        }
        if let lastWriteAt, lastWriteAt >= listStartedAt { return false }
        switch (site, listed) {
        case (.unknown, nil), (.absent, nil): return false
        case (.present(let known, let asOf), let listed):
            guard asOf < listStartedAt else { return false }
            guard let listed else {
                // Lists lag behind; a read decides.
                site = .unknown
                return true
            }
            site = .present(listed, asOf: listStartedAt)
            return known != listed
        case (_, .some(let listed)):
            site = .present(listed, asOf: listStartedAt)
            return true
        }
    }

    // MARK: out

    var isCalling: Bool { !inFlight.isEmpty }

    /// Computed once per record where it can be: the list of all sites asks every one.
    func siteName(of uid: UID) -> String { identity?.name ?? SiteDesigner.siteName(of: uid) }

    func input(
        _ stored: StoredRecord, now: Moment, isListPending: Bool, freeze: Freeze? = nil,
        runLogSettlesAfter: Duration? = nil
    ) -> PlanInput {
        PlanInput(
            now: now.steady, wall: now.wall, record: stored.record, attempts: stored.attempts, intent: stored.intent,
            identity: identity ?? SiteIdentity(name: "", designHash: "", instance: ""),
            times: clock.times(at: now), site: site,
            operation: operation,
            agent: agent, bootSeenAt: liveBoot?.seenAt,
            run: run.flatMap { $0.token == openToken ? $0.observation : nil }, runLogSettlesAfter: runLogSettlesAfter,
            runLog: runLog.flatMap { $0.token == openToken ? $0.observation : nil }, inFlight: Set(inFlight.keys),
            failures: failures, isListPending: isListPending,
            isSurelyUnwritten: (isSurelyUnwritten ?? false) && inFlight[.putSite] == nil, sentStop: sentStop,
            freeze: freeze)
    }

    private var liveBoot: (id: String, seenAt: Instant)? {
        guard case .live(let id) = agent, let boot, boot.id == id else { return nil }
        return boot
    }

    // MARK: parts

    /// Whatever was known of the site and its container is out of date.
    private mutating func wrote(_ now: Instant) {
        site = .unknown
        agent = .unknown
        lastWriteAt = now
        drift.forgetDetails()
    }

    private mutating func read(_ observed: ObservedSite?, _ now: Instant, _ generator: inout some RandomNumberGenerator)
    {
        let mayBeStale = lastPutSucceededAt.map { now - $0 < KeyMemory.readLag } ?? false
        if let observed {
            if mayBeStale, observed.writer != lastPutWriter {
                // Written again and again the site would never come to rest.
                return fail(
                    .readSite, .init(kind: .transient, message: "Azure still shows the site as it was"), now, &generator
                )
            }
            failures[.readSite] = nil
            // However the write ended for us, it is there.
            if observed.writer == lastPutWriter { failures[.putSite] = nil }
            site = .present(observed, asOf: now)
        } else if mayBeStale {
            fail(
                .readSite, .init(kind: .transient, message: "Azure does not show the new site yet"), now, &generator)
        } else {
            failures[.readSite] = nil
            failures[.deleteSite] = nil
            site = .absent(asOf: now)
            agent = .unknown
        }
    }

    /// A difference that Azure shows right after a write may be that write on its way.
    private mutating func readInFull(
        _ reading: SiteReading?, _ now: Instant, _ generator: inout some RandomNumberGenerator
    ) {
        let mayBeStale = lastPutSucceededAt.map { now - $0 < KeyMemory.readLag } ?? false
        if mayBeStale, let reading, !reading.differences.isEmpty {
            let message = "Azure may still show the site as it was"
            return fail(.readDetails, .init(kind: .transient, message: message), now, &generator)
        }
        failures[.readDetails] = nil
        read(reading?.site, now, &generator)
        if let reading { drift.learn(reading, at: now) }
    }

    private mutating func isRunning(_ operation: String, _ wait: Duration, _ now: Instant) {
        self.operation = .accepted(operation)
        failures[.followOperation] = CallFailure(
            kind: .transient, message: "Azure is working on it", count: 1, notBefore: now + wait, isProgress: true)
    }

    /// Reads from now on show the site as it is, or lag behind as after any write.
    private mutating func operationEnded(_ now: Instant) {
        if case .accepted(let operation) = operation {
            self.operation = .ended(operation)
        } else {
            operation = .ended("")
        }
        failures[.followOperation] = nil
        lastPutSucceededAt = now
        wrote(now)
    }

    private mutating func isLive(_ bootID: String, _ now: Instant) {
        agent = .live(bootID: bootID)
        if boot?.id != bootID { boot = (bootID, now) }
        failures[.readContainerLog] = nil
    }

    private mutating func forgetRun(openToken token: String?, mayHaveBeenPosted: Bool) {
        openToken = token
        run = nil
        sentStop = nil
        postsSent = 0
        mayHaveBeenPostedBefore = mayHaveBeenPosted
        failures[.postRun] = nil
        failures[.followRun] = nil
        failures[.stopRun] = nil
        failures[.readRunLog] = nil
    }

    private mutating func agentDidNotAnswer(
        _ message: String, _ kind: CallKind, _ now: Instant, _ generator: inout some RandomNumberGenerator
    ) {
        if case .notReady(var notReady) = agent {
            notReady.message = message
            notReady.askedAt = now
            if failures[.readContainerLog].map({ $0.notBefore <= now }) ?? false { notReady.diagnosis = nil }
            agent = .notReady(notReady)
        } else {
            agent = .notReady(NotReady(since: now, message: message))
        }
        fail(kind, .init(kind: .transient, message: message), now, &generator)
    }

    private mutating func fail(
        _ kind: CallKind, _ failure: CallResult.Failure, _ now: Instant, _ generator: inout some RandomNumberGenerator,
        after earlier: Int = 0
    ) {
        let count = max(failures[kind]?.count ?? 0, earlier) + 1
        let backoff: Backoff =
            if case .terminal = failure.kind { .terminal } else { kind.isToAzure ? .azure : .agent }
        let delay = max(backoff.delay(afterFailures: count, using: &generator), failure.retryAfter ?? .zero)
        failures[kind] = CallFailure(kind: failure.kind, message: failure.message, count: count, notBefore: now + delay)
    }
}
