import AzureClient
import DesiredState

/// When Azure is asked about what it works on.
///
/// With few operations in flight each is asked as often as Azure allows, so that one of the polls falls on the usual end. With many,
/// each is asked first when nearly all of its kind have ended – learned from the ones before – and those that go on are asked in
/// turn, so that all of them together stay within a share of the read quota: one first poll per write, and ``repeatedShare`` of the
/// reads for all others.
struct PollPacer {
    /// The share of the read quota that repeated polls may take.
    static let repeatedShare = 0.2
    /// Bounds of what is learned: what ends sooner is seen by the site's own read as well, and nothing should go unasked for long.
    static let bounds: ClosedRange<Duration> = .seconds(2)...(.seconds(300))
    /// Before anything was learned: the seeds speak of 30 to 60 s for a create.
    static let guess: Duration = .seconds(30)
    /// With many in flight one of so many is asked early: nothing else shows that Azure has become quicker.
    static let probePeriod = 16
    /// How much earlier such a one is asked at least, as a part of the usual time. By as much as Azure's own wait, where that is
    /// longer: so the next poll falls on the usual time, and only a read is lost.
    static let earlier = 0.08
    /// How far the usual time goes down when such a one had ended.
    static let stepDown = 0.94
    /// From this part of the usual time on a poll counts as one at that time.
    static let nearlyUsual = 0.97
    /// How far the usual time goes up from an end that it was too early for. As large as the step down: with one probe of sixteen,
    /// both are in balance where about one poll of sixteen is too early (Robbins and Monro, 1951).
    static let stepUp = 1.06

    private enum Poll {
        /// Before the usual time: says something if the operation has ended.
        case early
        /// At the usual time: says something if the operation goes on.
        case due
        case late
    }

    private struct Following {
        var since: Instant
        var next: Poll
    }

    private var following: [UID: Following] = [:]
    private var lateCount = 0
    private var firstPolls = 0
    private(set) var usual = PollPacer.guess
    private let repeatedPerSecond: Double

    init(_ reads: RequestRate) {
        repeatedPerSecond = reads.perSecond * PollPacer.repeatedShare
    }

    /// Azure took a write. The wait until the first poll.
    /// - Parameter named: what Azure asks for; never undercut.
    mutating func accepted(_ uid: UID, named: Duration, now: Instant) -> Duration {
        ended(uid)
        following[uid] = Following(since: now, next: .due)
        firstPolls += 1
        let isProbe = firstPolls.isMultiple(of: PollPacer.probePeriod)
        let probe = usual - max(named, usual * PollPacer.earlier)
        let wait = max(named, isProbe ? min(probe, step(named)) : step(named))
        return scheduled(uid, at: wait, wait)
    }

    /// It was asked about and goes on. The wait until the next poll.
    mutating func goesOn(_ uid: UID, named: Duration, now: Instant) -> Duration {
        guard let entry = following[uid] else {
            // Of an earlier life: how long it has lasted is not known.
            following[uid] = Following(since: now, next: .late)
            lateCount += 1
            return max(named, spacing(of: lateCount))
        }
        let elapsed = max(now - entry.since, .zero)
        if entry.next == .due { raise(min(elapsed, usual)) }
        if entry.next == .early, elapsed < usual * PollPacer.nearlyUsual {
            let wait = max(named, step(named, after: elapsed))
            return scheduled(uid, at: elapsed + wait, wait)
        }
        if entry.next != .late { lateCount += 1 }
        following[uid]?.next = .late
        let share = spacing(of: lateCount)
        // Asked less often the longer it has lasted.
        return max(named, share, min(elapsed / 4, .seconds(60), share * 4))
    }

    /// It has ended as an answer to a poll said.
    mutating func finished(_ uid: UID, now: Instant) {
        if let entry = following[uid], entry.next == .early { lower(max(now - entry.since, .zero)) }
        ended(uid)
    }

    /// It is not followed any more.
    mutating func ended(_ uid: UID) {
        guard let entry = following.removeValue(forKey: uid) else { return }
        if entry.next == .late { lateCount -= 1 }
    }

    var followedCount: Int { following.count }

    /// Until the usual time, or an even part of it with so few operations that they can be asked so often.
    private func step(_ named: Duration, after elapsed: Duration = .zero) -> Duration {
        let rest = usual - elapsed
        return rest / max(1, (rest / max(named, spacing(of: following.count))).rounded(.down))
    }

    private mutating func scheduled(_ uid: UID, at elapsed: Duration, _ wait: Duration) -> Duration {
        following[uid]?.next = elapsed < usual * PollPacer.nearlyUsual ? .early : .due
        return wait
    }

    /// How far apart polls of one operation are if so many share the quota.
    private func spacing(of count: Int) -> Duration {
        .milliseconds(Int64((Double(count) / repeatedPerSecond * 1000).rounded(.up)))
    }

    // What many polls say that were planned with the same usual time moves it once: each is compared with the time as it has become.

    /// It goes on after this time.
    private mutating func raise(_ elapsed: Duration) {
        usual = min(max(usual, elapsed * PollPacer.stepUp), PollPacer.bounds.upperBound)
    }

    /// It had ended after this time.
    private mutating func lower(_ elapsed: Duration) {
        usual = max(min(usual, max(usual * PollPacer.stepDown, elapsed * 1.02)), PollPacer.bounds.lowerBound)
    }
}
