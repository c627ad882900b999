import DequeModule
import DesiredState

/// Records that wait to be looked at. Those that a user wrote, or that may start a call now, go ahead of what a list of all sites
/// brought up, by the same weights as calls; each lane is in the order in which they were woken.
struct KeyQueue {
    private var lanes = [Deque<UID>](repeating: [], count: Lane.allCases.count)
    private var credit = LaneCredit()

    /// A record that is moved up stands in both lanes; the caller tells which place counts.
    mutating func append(_ uid: UID, _ lane: Lane) {
        lanes[lane.rawValue].append(uid)
    }

    /// The next of these lanes.
    mutating func popFirst(of allowed: some Sequence<Lane>) -> (uid: UID, lane: Lane)? {
        guard let lane = credit.next(among: allowed.filter { !lanes[$0.rawValue].isEmpty }) else { return nil }
        guard let uid = lanes[lane.rawValue].popFirst() else { return nil }
        credit.started(lane)
        return (uid, lane)
    }
}

extension WakeReason {
    /// Where a record that was woken so stands in the queue.
    var lane: Lane {
        switch self {
        case .user: .user
        case .answer, .timer: .progress
        case .list, .start: .resync
        }
    }
}
