/// A call that is not sent yet: behind what, and for how long about. For `explain`; nothing is decided by it.
package struct CallWait: Hashable, Sendable {
    package enum Cause: Hashable, Sendable {
        /// The quota has no room, or others have their turn first.
        case quota
        /// Its plan is given no more writes at a time.
        case plan(writesAtATime: Int)
        /// ``CallScheduler/maximumAzureCalls`` are under way.
        case callsUnderWay
    }

    package var lane: Lane
    /// Where it stands in line.
    package var quota: CallClass
    package var cause: Cause
    /// Calls that start before it, if no others come: an estimate, since plans and lanes take turns.
    package var ahead: Int
    /// Until its turn, by the rates alone; nil where nothing is known.
    package var turn: Duration?
}
