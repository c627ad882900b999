package import AgentLink
package import DesiredState

/// What can happen to the controller.
package enum ControllerEvent: Sendable {
    /// The records that the store holds at start, this life's epoch, and whether the store is frozen.
    case started([UID], epoch: Epoch, freeze: Freeze?)
    /// The store was found to be behind its sites (or not to be any more), as it is kept in the store.
    case freezeChanged(Freeze?)
    /// A user wrote the record.
    case changed(UID)
    case loaded(UID, StoredRecord?)
    case loadFailed(UID, StoreError)
    case committed(UID)
    case commitFailed(UID, StoreError)
    /// Who commits beside the rounds of the keys was told that a later life has begun.
    case fenced(StoreError)
    case callFinished(UID, CallID, CallResult)
    /// `startedAt`: the steady time before the first page was asked for.
    case listed(startedAt: Instant, [ObservedSite])
    case listFailed(CallResult.Failure)
    /// What the client says is left of the quotas.
    case budgetRead([BudgetReading])
    case timerFired
}

/// What the controller wants done. Order matters only within `commit`: outputs are sealed before the transaction.
package enum ControllerEffect: Sendable {
    case load(UID)
    case commit(UID, Transaction, sealing: [OutputKey], LogFacts)
    case call(UID, CallID, Call, LogFacts)
    case listSites
    /// The record is forgotten; its output goes, too.
    case removeOutput(UID)
    /// Of attempts that have ended, of a record that keeps no log.
    case dropOutput([OutputKey])
    /// Fire at this steady time; replaces the one before.
    case setTimer(Instant)
    /// Worth an operator's attention.
    case report(UID, LogFacts, message: String)
    /// This life is over: another controller works on the store. Nothing may be called or committed any more; the last effect that ever comes.
    case end(StoreError)
}

package struct CallID: Hashable, Sendable {
    package let number: UInt64
    package init(number: UInt64) { self.number = number }
}

/// What every log line of a reconcile says.
package struct LogFacts: Hashable, Sendable {
    package let generation: Int64
    package let rule: RuleName
    package let reason: String
    /// Of the calls that follow from it.
    package var lane = Lane.progress
    /// Counts the reconciles of this life from 1; 0 = none yet.
    package var reconcileID: UInt64 = 0
}

/// One request to Azure or to an agent, with all that it needs.
package enum Call: Hashable, Sendable {
    /// `isUpdate`: the site was seen, and what others set on it is carried over.
    case putSite(SiteDesign, isUpdate: Bool)
    case followOperation(String)
    case readSite(name: String)
    /// Reads the site in full and compares; `namesWriter`: also who changed it last, if it differs.
    case readDetails(SiteDesign, namesWriter: Bool)
    case deleteSite(name: String)
    /// Takes the tags of this installation off the site.
    case releaseSite(name: String, instance: String)
    case readContainerLog(name: String)
    case greetAgent(AgentAddress)
    case postRun(AgentAddress, bootID: String, token: String, FunctionAppSpec)
    case followRun(AgentAddress, bootID: String, token: String, OutputKey)
    case stopRun(AgentAddress, bootID: String, token: String, StopRequest)
    /// Rows about the attempt since `openedAt` on the wall clock.
    case readRunLog(token: String, openedAt: Instant)

    package var kind: CallKind {
        switch self {
        case .putSite: .putSite
        case .followOperation: .followOperation
        case .readSite: .readSite
        case .readDetails: .readDetails
        case .deleteSite: .deleteSite
        case .releaseSite: .releaseSite
        case .readContainerLog: .readContainerLog
        case .greetAgent: .greetAgent
        case .postRun: .postRun
        case .followRun: .followRun
        case .stopRun: .stopRun
        case .readRunLog: .readRunLog
        }
    }
}

/// Where a record's agent is reached.
package struct AgentAddress: Hashable, Sendable {
    package let uid: UID
    package let hostName: String
}

package enum CallResult: Hashable, Sendable {
    package struct Failure: Hashable, Sendable {
        package var kind: CallFailure.Kind
        package var message: String
        package var retryAfter: Duration?
        /// The hosting plan or its webspace is busy with something else: fewer writes at a time may go there.
        package var isPlanBusy: Bool

        package init(
            kind: CallFailure.Kind, message: String, retryAfter: Duration? = nil, isPlanBusy: Bool = false
        ) {
            self.kind = kind
            self.message = message
            self.retryAfter = retryAfter
            self.isPlanBusy = isPlanBusy
        }
    }

    /// The write was answered with success; what is there now must be read.
    case siteWritten
    /// Azure works on it; worth asking after the time. The operation's text may hold a signature.
    case siteAccepted(operation: String, pollAfter: Duration)
    /// In its newest form.
    case operationRunning(operation: String, pollAfter: Duration)
    /// Well, or in a way that cannot be found out: the site says what came of it.
    case operationEnded
    case operationFailed(Failure)
    case siteRead(ObservedSite?)
    case detailsRead(SiteReading?)
    case siteDeleted
    /// It should not carry our tags any more, which must be read.
    case siteReleased
    /// There was nothing to delete.
    case siteWasAbsent
    case containerLogRead(StartDiagnosis)
    case agentGreeted(bootID: String)
    /// The agent has the attempt; with a result if that is known already.
    case runReported(RunReported)
    /// Another life of the container answered; nothing was run.
    case bootChanged(bootID: String)
    case stopSent
    case runLogRead(RunLogFinding)
    /// Not the agent answered, or nobody did.
    case agentNotReady(message: String)
    case failed(Failure)
    /// Our own quota would be used up: nothing was sent, and nothing has failed. May be sent after the time.
    case notSent(retryAfter: Duration)
}

package struct RunReported: Hashable, Sendable {
    package var acknowledgedAt: Instant
    package var result: AttemptResult?

    package init(acknowledgedAt: Instant, result: AttemptResult? = nil) {
        self.acknowledgedAt = acknowledgedAt
        self.result = result
    }
}
