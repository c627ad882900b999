import AgentLink
import DesiredState

/// A plan taken apart: what is committed first, and what is called then.
struct PlanSteps: Equatable {
    /// `nil` when nothing needs to be written.
    private(set) var transaction: Transaction?
    private(set) var calls: [Call] = []
    /// Logs of attempts that end with the commit: sealed before it, so that who sees the end can read to the end.
    private(set) var sealedOutputs: [OutputKey] = []
    private(set) var openedToken: String?
    private(set) var acknowledgedToken: String?
    private(set) var forgets = false
    /// The commit may let another rule apply.
    private(set) var changesFacts = false

    /// - Parameter now: by the wall clock: it is stored.
    init(
        _ plan: Plan, stored: StoredRecord, site: SiteObservation, designer: SiteDesigner, epoch: Epoch?,
        now: Instant
    ) {
        let record = stored.record
        var operations: [Transaction.Operation] = []
        for action in plan.actions {
            operations += commits(action, stored, designer, now)
            if let call = PlanSteps.call(action, stored, site, designer) { calls.append(call) }
        }
        changesFacts = !operations.isEmpty
        if !forgets, PlanSteps.isWorthWriting(plan, record.status, hasOperations: changesFacts) {
            operations.append(.setStatus(record.uid, plan.status))
        }
        if !operations.isEmpty {
            transaction = Transaction(
                origin: .controller, epoch: epoch,
                [.require(record.uid, record.metadata.resourceVersion)] + operations)
        }
    }

    /// The call waits for its turn.
    mutating func drop(_ call: Call) {
        calls.removeAll { $0.kind == call.kind }
    }

    /// A status that differs is written; the next action alone is news only once the record has come to rest.
    private static func isWorthWriting(_ plan: Plan, _ current: FunctionAppStatus, hasOperations: Bool) -> Bool {
        if hasOperations { return plan.status != current }
        var comparable = plan.status
        comparable.nextAction = current.nextAction
        if comparable != current { return true }
        let isAtRest =
            [
                .steady, .timeToLive, .paused, .frozen, .foreignOwner, .startFailed, .retryDelayed, .attemptUnknown,
                .replacing,
            ].contains(plan.rule) && plan.actions.isEmpty
        return isAtRest && !plan.status.nextAction.saysTheSame(as: current.nextAction)
    }

    private mutating func commits(
        _ action: Action, _ stored: StoredRecord, _ designer: SiteDesigner, _ now: Instant
    ) -> [Transaction.Operation] {
        let uid = stored.record.uid
        let siteName = SiteDesigner.siteName(of: uid)
        switch action {
        case .settleIntent:
            return [.settleIntent(uid)] + (stored.intent?.operation == nil ? [] : [.setOperation(uid, nil)])
        case .setOperation(let operation): return [.setOperation(uid, operation)]
        case .finishAttempt(let token, let result):
            if let attempt = stored.attempts.last(where: { $0.token == token }) {
                sealedOutputs.append(OutputKey(uid: uid.text, run: attempt.run, attempt: attempt.number))
            }
            return [.finishAttempt(token: token, result)]
        case .acknowledgeAttempt(let token, let instant):
            acknowledgedToken = token
            return [.acknowledgeAttempt(token: token, at: instant)]
        case .failRun(let number, let message):
            let attempt = attempt(
                uid, run: number, number: (stored.attempts.last { $0.run == number }?.number ?? 0) + 1, bootID: "",
                designer, now)
            sealedOutputs.append(OutputKey(uid: uid.text, run: number, attempt: attempt.number))
            let result = AttemptResult(outcome: .startFailed, exitCode: nil, finishedAt: now, message: message)
            return [.openAttempt(attempt), .finishAttempt(token: attempt.token, result)]
        case .removeFinalizer(let finalizer): return [.removeFinalizer(uid, finalizer)]
        case .markDeleted: return [.markDeleted(uid, at: now)]
        case .forget:
            forgets = true
            let isReleased = stored.intent?.kind == .releaseSite
            return [.forget(uid, siteName: isReleased ? nil : stored.intent?.siteName, at: now)]
        case .putSite: return [.openIntent(Intent(uid: uid, kind: .putSite, siteName: siteName, openedAt: now))]
        case .deleteSite: return [.openIntent(Intent(uid: uid, kind: .deleteSite, siteName: siteName, openedAt: now))]
        case .releaseSite: return [.openIntent(Intent(uid: uid, kind: .releaseSite, siteName: siteName, openedAt: now))]
        case .openAttempt(let run, let number, let bootID):
            let attempt = attempt(uid, run: run, number: number, bootID: bootID, designer, now)
            openedToken = attempt.token
            return [.openAttempt(attempt)]
        case .postRun, .followOperation, .readSite, .readDetails, .greetAgent, .readContainerLog, .followRun, .stopRun,
            .readRunLog:
            return []
        }
    }

    private func attempt(
        _ uid: UID, run: Int, number: Int, bootID: String, _ designer: SiteDesigner, _ now: Instant
    ) -> Attempt {
        Attempt(
            uid: uid, run: run, number: number, token: designer.token(uid: uid, run: run, attempt: number),
            bootID: bootID,
            openedAt: now)
    }

    /// `nil` for actions without a call, and for agents whose address nobody has seen.
    private static func call(
        _ action: Action, _ stored: StoredRecord, _ site: SiteObservation, _ designer: SiteDesigner
    ) -> Call? {
        let record = stored.record
        let name = SiteDesigner.siteName(of: record.uid)
        let hostName = record.status.site?.hostName
        let address = hostName.map { AgentAddress(uid: record.uid, hostName: $0) }
        let open = stored.attempts.last { $0.isOpen }
        switch action {
        case .settleIntent, .setOperation, .finishAttempt, .acknowledgeAttempt, .failRun, .removeFinalizer,
            .markDeleted, .forget:
            return nil
        case .putSite:
            // A site that was seen once is looked for again, lest what others set is lost to a read that found nothing.
            let isPresent = if case .present = site { true } else { false }
            let isUpdate = isPresent || record.status.site != nil
            return .putSite(designer.design(of: record), isUpdate: isUpdate)
        case .followOperation(let operation): return .followOperation(operation)
        case .deleteSite: return .deleteSite(name: name)
        case .releaseSite: return .releaseSite(name: name, instance: designer.instance.text)
        case .readSite: return .readSite(name: name)
        case .readDetails(let namesWriter):
            return .readDetails(designer.design(of: record), namesWriter: namesWriter)
        case .readContainerLog: return .readContainerLog(name: name)
        case .greetAgent: return address.map { .greetAgent($0) }
        case .openAttempt(let run, let number, let bootID):
            let token = designer.token(uid: record.uid, run: run, attempt: number)
            return address.map { .postRun($0, bootID: bootID, token: token, record.spec) }
        case .postRun(let token):
            guard let address, let open else { return nil }
            return .postRun(address, bootID: open.bootID, token: token, record.spec)
        case .followRun(let token):
            guard let address, let open else { return nil }
            let key = OutputKey(uid: record.uid.text, run: open.run, attempt: open.number)
            return .followRun(address, bootID: open.bootID, token: token, key)
        case .stopRun(let token, let stop):
            guard let address, let open else { return nil }
            return .stopRun(address, bootID: open.bootID, token: token, stop)
        case .readRunLog(let token): return open.map { .readRunLog(token: token, openedAt: $0.openedAt) }
        }
    }
}

extension NextAction? {
    /// The time alone is no news: what waits for long is looked at now and then, and each time for a later one.
    fileprivate func saysTheSame(as other: NextAction?) -> Bool {
        self?.rule == other?.rule && self?.reason == other?.reason && (self?.at == nil) == (other?.at == nil)
    }
}
