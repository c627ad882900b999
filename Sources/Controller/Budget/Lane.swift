package import AzureClient
import DesiredState

/// Which of several calls to Azure goes first. Lanes share each quota by weight, so that no lane waits for ever behind another
/// (``LaneCredit``).
package enum Lane: Int, Hashable, Sendable, CaseIterable, Comparable {
    /// Somebody waits: a fresh generation, a start, a deletion.
    case user
    /// What was begun goes on: operations, deletions, writes that are tried again.
    case progress
    /// Sites that are not as declared, and their details.
    case drift
    /// What a list of all sites or a start of the daemon brought up.
    case resync

    package static func < (left: Lane, right: Lane) -> Bool { left.rawValue < right.rawValue }

    /// Of 30 starts, as long as every lane has something to start: users first, and the last lane still every 15th.
    var weight: Int {
        switch self {
        case .user: 16
        case .progress: 8
        case .drift: 4
        case .resync: 2
        }
    }

    /// How it stands in line with everybody else who calls Azure with our identity.
    package var priority: RequestPriority { self == .user ? .user : .background }

    /// A pure function of what is called, which rule wants it and why the record was looked at.
    static func of(_ kind: CallKind, rule: RuleName, woken: WakeReason) -> Lane {
        switch kind {
        case .greetAgent, .postRun, .followRun, .stopRun: return .user  // not to Azure: these never wait
        // Nobody is kept waiting by the poll but by Azure; when it is due is decided by `PollPacer`.
        case .followOperation, .readContainerLog: return .progress
        case .readDetails: return .drift
        case .putSite, .deleteSite, .readSite: break
        }
        switch woken {
        case .user: return .user
        case .answer, .timer: return rule == .drift ? .drift : .progress
        case .list, .start:
            switch rule {
            case .drift, .absent: return .drift
            case .createUnknown, .deletingSite, .endingRunBeforeDelete: return .progress
            default: return .resync
            }
        }
    }
}

/// Why a record is looked at, the most urgent first. It decides about order only, never about what is done.
enum WakeReason: UInt8, Hashable, Sendable, Comparable {
    /// A user wrote it.
    case user
    /// A call was answered, or a commit of our own lets another rule apply.
    case answer
    case timer
    /// A list of all sites said something new.
    case list
    /// The daemon has started.
    case start

    static func < (left: WakeReason, right: WakeReason) -> Bool { left.rawValue < right.rawValue }
}

/// Whose turn it is among lanes that have something to start: stride scheduling (Waldspurger and Weihl, "Stride Scheduling",
/// MIT/LCS/TM-528, 1995). Every start costs its lane a stride that is the shorter the heavier the lane, and the lane that has
/// gone least far is next. So a lane that is passed over comes nearer to its turn with every start of the others.
struct LaneCredit {
    /// Of each lane: how far it has gone.
    private var passes = [Int](repeating: 0, count: Lane.allCases.count)
    /// How far the lane had gone that was chosen last.
    private var reached = 0

    private static func stride(_ lane: Lane) -> Int { Lane.user.weight / lane.weight }

    /// Bound of the starts that other lanes can have between two of this lane while it has something to start: while it goes one
    /// stride each other lane goes at most that stride and, by rounding, one start more.
    static func mostPassedOver(_ lane: Lane) -> Int {
        Lane.allCases.filter { $0 != lane }.reduce(0) { $0 + stride(lane) / stride($1) + 1 }
    }

    /// Of lanes that have something to start.
    func next(among lanes: some Sequence<Lane>) -> Lane? {
        lanes.min { (pass(of: $0), $0.rawValue) < (pass(of: $1), $1.rawValue) }
    }

    mutating func started(_ lane: Lane) {
        reached = pass(of: lane)
        passes[lane.rawValue] = reached + LaneCredit.stride(lane)
    }

    /// A lane that had nothing to start for a while gets no credit for that.
    private func pass(of lane: Lane) -> Int { max(passes[lane.rawValue], reached) }
}
