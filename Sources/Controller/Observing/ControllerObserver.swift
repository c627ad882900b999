package import DesiredState
package import Tracing

/// Told what the controller does, for journals, metrics and spans. Decides nothing, and nothing is decided by it.
///
/// Called in the order of what happened, partly under the controller's lock: it must be quick, and never wait or call
/// back.
package protocol ControllerObserver: Sendable {
    func observed(_ observation: ControllerObservation, at now: Moment)
    /// What spans below this call hang on; `nil` where nobody traces.
    func context(of call: CallFacts) -> InstrumentationContext?
}

extension ControllerObserver {
    package func context(of call: CallFacts) -> InstrumentationContext? { nil }
}

/// Something that the controller has done or has seen.
package enum ControllerObservation: Sendable {
    /// The record was woken and waits for its turn.
    case queued(UID)
    /// Its turn has come: a reconcile begins.
    case started(UID, reconcileID: UInt64)
    case decided(Reconcile)
    /// What was decided is durable.
    case committed(UID, LogFacts)
    /// The reconcile is over; its calls may still be under way.
    case ended(UID, LogFacts, ReconcileResult)
    case callBegun(CallFacts)
    /// `nil`: cancelled, nothing is known.
    case callFinished(CallFacts, CallResult?)
    /// All sites of the scope were seen.
    case listed(siteCount: Int)
    case listFailed(CallResult.Failure)
}

/// A decision with what it was made of.
package struct Reconcile: Sendable {
    package let uid: UID
    package let facts: LogFacts
    /// As it was loaded: with the status before the decision.
    package let record: FunctionApp
    package let plan: Plan
    /// Something is written to the store before anything is called.
    package let commits: Bool

    package init(uid: UID, facts: LogFacts, record: FunctionApp, plan: Plan, commits: Bool) {
        self.uid = uid
        self.facts = facts
        self.record = record
        self.plan = plan
        self.commits = commits
    }
}

/// How a reconcile ended, in controller-runtime's terms.
package enum ReconcileResult: Hashable, Sendable {
    /// Nothing but news brings it back.
    case success
    /// Another look follows at once.
    case requeue
    /// Another look follows at a time that was set.
    case requeueAfter
    /// The store failed.
    case error(String)
}

/// A call that was begun for a record.
package struct CallFacts: Hashable, Sendable {
    package let uid: UID
    package let id: CallID
    package let kind: CallKind
    /// Of the reconcile that wanted it.
    package let reconcile: LogFacts
    /// `nil` for agents.
    package let correlationID: String?

    package init(uid: UID, id: CallID, kind: CallKind, reconcile: LogFacts, correlationID: String?) {
        self.uid = uid
        self.id = id
        self.kind = kind
        self.reconcile = reconcile
        self.correlationID = correlationID
    }
}

extension CallResult {
    /// What failed, if something did.
    package var failure: Failure? {
        switch self {
        case .failed(let failure), .operationFailed(let failure): failure
        case .agentNotReady(let message): Failure(kind: .transient, message: message)
        default: nil
        }
    }

    /// What came of it, in a few words without secrets.
    package var summary: String {
        switch self {
        case .siteWritten: "written"
        case .siteAccepted: "Azure works on it"
        case .operationRunning: "Azure is still working on it"
        case .operationEnded: "Azure's operation has ended"
        case .operationFailed(let failure): "Azure's operation failed: \(failure.message)"
        case .siteRead(let site): site == nil ? "no such site" : "the site is there"
        case .detailsRead(let reading): reading == nil ? "no such site" : "the site was read in full"
        case .siteDeleted: "deleted"
        case .siteReleased: "our tags were taken off"
        case .siteWasAbsent: "there was no site to delete"
        case .containerLogRead(.none): "the container's log says nothing"
        case .containerLogRead(.imagePullFailed(let message)): "the image cannot be pulled: \(message)"
        case .containerLogRead(.noAnswerOnPort(let message)), .containerLogRead(.containerExited(_, let message)):
            "the container did not start: \(message)"
        case .agentGreeted: "the agent answered"
        case .runReported(let report):
            report.result.map { "the run ended: \($0.outcome.rawValue)" } ?? "the agent has the run"
        case .bootChanged: "the container was restarted"
        case .stopSent: "the signal was sent"
        case .runLogRead(.nothing): "the log does not know the run"
        case .runLogRead(.began): "the log says that the run began"
        case .runLogRead(.exited(let code)): "the log says that the run ended with exit code \(code)"
        case .agentNotReady(let message): message
        case .failed(let failure): failure.message
        case .notSent(let wait): "not sent: the quota is used up for another \(SpokenTime.duration(wait))"
        }
    }
}

/// Several observers as one.
package struct Observers: ControllerObserver {
    private let all: [any ControllerObserver]

    package init(_ all: [any ControllerObserver]) {
        self.all = all
    }

    package func observed(_ observation: ControllerObservation, at now: Moment) {
        for observer in all { observer.observed(observation, at: now) }
    }

    package func context(of call: CallFacts) -> InstrumentationContext? {
        for observer in all {
            if let context = observer.context(of: call) { return context }
        }
        return nil
    }
}
