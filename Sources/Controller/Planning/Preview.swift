import DesiredState

/// What would be done about a record, one thing after the other, if Azure and the agent answered every call well.
package struct Preview: Hashable, Sendable {
    package struct Step: Hashable, Sendable {
        package var rule: RuleName
        /// Never a mere look or a note of what was seen: only what changes the site, a run or the record.
        package var action: Action

        package init(rule: RuleName, action: Action) {
            self.rule = rule
            self.action = action
        }
    }

    package var steps: [Step] = []
    /// The rule at which nothing more is done for the time being, and why.
    package var rest: RuleName
    package var reason: String
}

/// Walks the planner forward from `input`: each plan's actions are taken as done, until there are none, nothing moves any
/// more, or `rounds` are over. Pure, as the planner is: the same input gives the same preview.
///
/// Runs are taken to succeed at once. Back-off and waits for time are not waited for.
/// - Parameter writtenHash: design hash of the site as it was written last, for a site that nobody has seen yet.
package func preview(_ input: PlanInput, writtenHash: String?, rounds: Int = 64) -> Preview {
    var walk = PreviewWalk(input: input, siteHash: writtenHash)
    var preview = Preview(rest: .steady, reason: "")
    for _ in 0..<rounds {
        let before = walk
        let plan = plan(walk.input)
        preview.rest = plan.rule
        preview.reason = plan.reason
        for action in plan.actions {
            if action.isEffect { preview.steps.append(Preview.Step(rule: plan.rule, action: action)) }
            walk.carryOut(action)
            if walk.isOver { return preview }
        }
        walk.input.record.status = plan.status
        var comparable = before
        comparable.input.record.status = plan.status
        if walk == comparable { return preview }
    }
    return preview
}

extension Action {
    /// It changes the site, a run or the record, where the others look or note down what was seen.
    package var isEffect: Bool {
        switch self {
        case .putSite, .deleteSite, .releaseSite, .openAttempt, .stopRun, .failRun, .markDeleted, .forget: true
        default: false
        }
    }
}

/// The planner's input as it becomes when all goes well.
private struct PreviewWalk: Equatable {
    var input: PlanInput
    /// Design hash of the site; `nil` = there is none.
    var siteHash: String?
    /// The site stays, without our tags.
    var isReleased = false
    /// The record is forgotten.
    var isOver = false

    init(input: PlanInput, siteHash: String?) {
        self.input = input
        if case .present(let site, _) = input.site { self.siteHash = site.designHash } else { self.siteHash = siteHash }
        if case .absent = input.site { self.siteHash = nil }
        // What is under way ends well, and what failed succeeds when it is tried again.
        self.input.inFlight = []
        self.input.failures = [:]
        self.input.isListPending = false
        self.input.detailsDue = nil
        // Told by the stored times from here on: those of this walk are of no life.
        self.input.times = nil
        if case .notReady = input.agent { self.input.agent = .unknown }
    }

    mutating func carryOut(_ action: Action) {
        switch action {
        case .settleIntent:
            input.intent?.isSettled = true
            input.intent?.operation = nil
        case .setOperation(let operation):
            input.intent?.operation = operation
            if operation == nil { input.operation = nil }
        case .followOperation(let operation): input.operation = .ended(operation)
        case .putSite:
            write(.putSite)
            siteHash = input.identity.designHash
            input.operation = nil
            input.isSurelyUnwritten = false
        case .deleteSite:
            write(.deleteSite)
            siteHash = nil
        case .releaseSite:
            write(.releaseSite)
            isReleased = true
        case .readSite: readSite()
        case .greetAgent: input.agent = .live(bootID: PreviewWalk.bootID)
        case .openAttempt(let run, let number, let bootID): openAttempt(run, number, bootID)
        case .failRun(let number, _):
            let last = input.attempts.last { $0.run == number }?.number ?? 0
            openAttempt(number, last + 1, "")
            end(.startFailed)
        case .acknowledgeAttempt(_, let instant): editOpenAttempt { $0.acknowledgedAt = instant }
        case .finishAttempt(_, let result): editOpenAttempt { $0.result = result }
        case .postRun, .followRun:
            // The agent confirms it, and then tells its end.
            if let open = input.attempts.last, open.isOpen { input.run = PreviewWalk.answer(open, input.wall) }
        case .stopRun(_, let stop):
            input.sentStop = stop
            input.run = .ended(PreviewWalk.result(.failed, input.wall))
        case .removeFinalizer(let finalizer): input.record.metadata.finalizers.removeAll { $0 == finalizer }
        case .markDeleted:
            input.record.metadata.deletionTimestamp = input.record.metadata.deletionTimestamp ?? input.wall
        case .forget: isOver = true
        // Whatever else there is to look at shows nothing new.
        default: break
        }
    }

    private static let bootID = String(repeating: "0", count: 32)

    /// The intent is committed, and the call answered. A moment passes, so that what is seen next is seen after it.
    private mutating func write(_ kind: Intent.Kind) {
        input.intent = Intent(
            uid: input.record.uid, kind: kind, siteName: input.identity.name, openedAt: input.wall)
        input.site = .unknown
        input.agent = .unknown
        input.details = nil
        input.now = input.now + .seconds(1)
    }

    private mutating func readSite() {
        input.now = input.now + .seconds(1)
        guard let siteHash else {
            input.site = .absent(asOf: input.now)
            return
        }
        let tags = [
            SiteTag.instance: input.identity.instance, SiteTag.uid: input.record.uid.text, SiteTag.designHash: siteHash,
        ]
        let known = input.record.status.site
        input.site = .present(
            ObservedSite(
                name: input.identity.name, resourceID: known?.resourceID ?? "", hostName: known?.hostName ?? "",
                tags: isReleased ? [:] : tags, state: "Running", lastModified: known?.lastModified), asOf: input.now)
    }

    private mutating func openAttempt(_ run: Int, _ number: Int, _ bootID: String) {
        input.attempts.append(
            Attempt(
                uid: input.record.uid, run: run, number: number, token: "\(run).\(number)", bootID: bootID,
                openedAt: input.wall))
        input.run = nil
        input.sentStop = nil
    }

    private mutating func end(_ outcome: AttemptOutcome) {
        let result = PreviewWalk.result(outcome, input.wall)
        editOpenAttempt { $0.result = result }
    }

    private mutating func editOpenAttempt(_ change: (inout Attempt) -> Void) {
        guard let index = input.attempts.lastIndex(where: \.isOpen) else { return }
        var attempt = input.attempts[index]
        change(&attempt)
        input.attempts[index] = attempt
        if !attempt.isOpen { input.run = nil }
    }

    private static func answer(_ open: Attempt, _ now: Instant) -> RunObservation {
        open.acknowledgedAt == nil ? .acknowledged(at: now) : .ended(result(.succeeded, now))
    }

    private static func result(_ outcome: AttemptOutcome, _ now: Instant) -> AttemptResult {
        AttemptResult(outcome: outcome, exitCode: outcome == .succeeded ? 0 : nil, finishedAt: now)
    }
}
