import DequeModule
import DesiredState

/// Calls that were decided, the ones to Azure in the order of decision and a bounded number at a time.
struct CallQueue {
    private struct Waiting {
        let id: CallID
        let uid: UID
        let call: Call
        let log: LogFacts
    }

    /// Bound of ARM calls in flight: enough to use ARM's write rate of 10 per second with calls of 3 s, small enough not to be throttled at once.
    static let maximumAzureCalls = 32

    private var nextNumber: UInt64 = 0
    private var kinds: [CallID: CallKind] = [:]
    private var waiting: Deque<Waiting> = []
    private var azureCallsInFlight = 0
    private var ready: [ControllerEffect] = []

    mutating func enqueue(_ call: Call, for uid: UID, _ log: LogFacts) -> CallID {
        nextNumber += 1
        let id = CallID(number: nextNumber)
        kinds[id] = call.kind
        if call.kind.isToAzure {
            waiting.append(Waiting(id: id, uid: uid, call: call, log: log))
        } else {
            ready.append(.call(uid, id, call, log))
        }
        return id
    }

    /// `nil` for a call that is not known: a duplicated event.
    mutating func finished(_ id: CallID) -> CallKind? {
        guard let kind = kinds.removeValue(forKey: id) else { return nil }
        if kind.isToAzure { azureCallsInFlight -= 1 }
        return kind
    }

    mutating func startable() -> [ControllerEffect] {
        var effects = ready
        ready = []
        while azureCallsInFlight < CallQueue.maximumAzureCalls, let next = waiting.popFirst() {
            azureCallsInFlight += 1
            effects.append(.call(next.uid, next.id, next.call, next.log))
        }
        return effects
    }
}

extension CallKind {
    var isToAzure: Bool {
        switch self {
        case .putSite, .followOperation, .readSite, .readDetails, .deleteSite, .readContainerLog: true
        case .greetAgent, .postRun, .followRun, .stopRun: false
        }
    }
}
