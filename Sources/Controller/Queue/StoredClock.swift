import DesiredState

/// Translates one record's stored times to the steady clock: see ``StoredTimes``.
struct StoredClock {
    private enum Happening: CaseIterable {
        case intentOpened, deletionAsked, attemptOpened, lastEnded
    }

    private var known: [Happening: (stored: Instant, steady: Instant)] = [:]
    /// Of the findings of drift in the status: the steady time of each stored one.
    private var driftFound: [Instant: Instant] = [:]
    /// Moments at which this life did something whose time is stored: the newest few, since each is seen in the store right after it.
    private var own: [Moment] = []
    /// The confirmed attempt that is open, since when this life watches it, and for how long earlier lives have.
    private var watched: (token: String, since: Instant, before: Duration)?

    /// Bound of `own`: one commit, one end of a run, and as many to spare.
    private static let maximumOwn = 4

    /// This life commits something with this moment's wall time.
    mutating func note(_ moment: Moment) {
        own = own.suffix(StoredClock.maximumOwn - 1) + [moment]
    }

    /// This life keeps the agent's confirmation: from now on the attempt is watched.
    mutating func watch(token: String, from now: Instant) {
        watched = (token, now, .zero)
    }

    mutating func notice(_ stored: StoredRecord, at now: Moment) {
        let open = stored.attempts.last { $0.isOpen }
        notice(.intentOpened, stored.intent?.openedAt, now)
        notice(.deletionAsked, stored.record.metadata.deletionTimestamp, now)
        notice(.attemptOpened, open?.openedAt, now)
        notice(.lastEnded, stored.attempts.last?.result?.finishedAt, now)
        noticeDrift(stored.record.status.driftHistory, now)
        guard let open, open.acknowledgedAt != nil else {
            watched = nil
            return
        }
        if watched?.token != open.token {
            let status = stored.record.status.runs.last?.attempts.last { $0.token == open.token }
            watched = (open.token, now.steady, .seconds(status?.observedSeconds ?? 0))
        }
    }

    func times(at now: Moment) -> StoredTimes {
        StoredTimes(
            intentOpened: known[.intentOpened]?.steady, deletionAsked: known[.deletionAsked]?.steady,
            attemptOpened: known[.attemptOpened]?.steady, lastEnded: known[.lastEnded]?.steady,
            runObserved: watched.map { $0.before + (now.steady - $0.since) } ?? .zero, driftFound: driftFound)
    }

    private mutating func noticeDrift(_ history: [DriftFinding], _ now: Moment) {
        guard !history.isEmpty || !driftFound.isEmpty else { return }
        var found: [Instant: Instant] = [:]
        for finding in history {
            found[finding.foundAt] = driftFound[finding.foundAt] ?? translated(finding.foundAt, now)
        }
        driftFound = found
    }

    private mutating func notice(_ happening: Happening, _ stored: Instant?, _ now: Moment) {
        guard let stored else {
            known[happening] = nil
            return
        }
        if known[happening]?.stored == stored { return }
        known[happening] = (stored, translated(stored, now))
    }

    /// At first sight.
    private func translated(_ stored: Instant, _ now: Moment) -> Instant {
        own.last { $0.wall == stored }?.steady ?? now.steady + (.zero - max(now.wall - stored, .zero))
    }
}
