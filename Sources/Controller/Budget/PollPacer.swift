import AzureClient
import DesiredState

/// When Azure is asked about what it works on.
///
/// With few operations in flight Azure's own wait decides. With many, each is asked first when most of its kind have ended – learned
/// from the ones before – and those that go on are asked in turn, so that all of them together stay within a share of the read quota:
/// one first poll per write, and ``repeatedShare`` of the reads for all others.
struct PollPacer {
    /// The share of the read quota that repeated polls may take.
    static let repeatedShare = 0.25
    /// Bounds of what is learned: what ends sooner is seen by the site's own read as well, and nothing should go unasked for long.
    static let bounds: ClosedRange<Duration> = .seconds(2)...(.seconds(300))
    /// Before anything was learned: the seeds speak of 30 to 60 s for a create.
    static let guess: Duration = .seconds(30)

    private struct Following {
        var since: Instant
        var isFirst: Bool
    }

    private var following: [UID: Following] = [:]
    private var overdueCount = 0
    private(set) var usual = PollPacer.guess
    private let repeatedPerSecond: Double

    init(_ reads: RequestRate) {
        repeatedPerSecond = reads.perSecond * PollPacer.repeatedShare
    }

    /// Azure took a write. The wait until the first poll.
    /// - Parameter named: what Azure asks for; never undercut.
    mutating func accepted(_ uid: UID, named: Duration, now: Instant) -> Duration {
        ended(uid)
        following[uid] = Following(since: now, isFirst: true)
        return max(named, min(usual, spacing(of: following.count)))
    }

    /// It was asked about and goes on. The wait until the next poll.
    mutating func goesOn(_ uid: UID, named: Duration, now: Instant) -> Duration {
        var entry = following[uid] ?? Following(since: now, isFirst: false)
        if entry.isFirst || following[uid] == nil { overdueCount += 1 }
        // Later than most by more the longer it has lasted.
        if entry.isFirst { learn(now - entry.since, hadEnded: false) }
        entry.isFirst = false
        following[uid] = entry
        let growing = min(max(now - entry.since, .zero) / 4, .seconds(60))
        let share = spacing(of: overdueCount)
        return max(named, share, min(growing, share * 4))
    }

    /// It has ended as an answer to a poll said.
    mutating func finished(_ uid: UID, now: Instant) {
        if let entry = following[uid], entry.isFirst { learn(now - entry.since, hadEnded: true) }
        ended(uid)
    }

    /// It is not followed any more.
    mutating func ended(_ uid: UID) {
        guard let entry = following.removeValue(forKey: uid) else { return }
        if !entry.isFirst { overdueCount -= 1 }
    }

    var followedCount: Int { following.count }

    /// How far apart polls of one operation are if so many share the quota.
    private func spacing(of count: Int) -> Duration {
        .milliseconds(Int64((Double(count) / repeatedPerSecond * 1000).rounded(.up)))
    }

    /// Moves towards the time at which three of four have ended: three steps up for one that goes on, one step down for one that
    /// had ended (Robbins and Monro, 1951). Only first polls at about that time say something about it.
    private mutating func learn(_ elapsed: Duration, hadEnded: Bool) {
        if hadEnded {
            // Asked far earlier than usual and over all the same: the usual time is at most this.
            usual = elapsed < usual / 2 ? max(elapsed * 2, usual / 2) : usual * 0.99
        } else if elapsed >= usual * 0.9 {
            usual = usual * 1.03
        }
        usual = min(max(usual, PollPacer.bounds.lowerBound), PollPacer.bounds.upperBound)
    }
}
