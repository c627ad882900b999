package import DesiredState

/// When what the store tells of happened, by the steady clock of this life.
///
/// Stored times are by the wall clock, which may have stepped since; so no rule compares one with now. What this life did itself is translated exactly.
/// What an earlier life or a user did gets, at first sight, the age that the wall clock gives it then, and never a negative one: from there on the
/// steady clock counts. A step of the wall clock changes nothing within a life; between two lives the wall clock is believed, for want of another.
package struct StoredTimes: Hashable, Sendable {
    package var intentOpened: Instant?
    package var deletionAsked: Instant?
    /// Of the open attempt.
    package var attemptOpened: Instant?
    /// Of the newest attempt's result.
    package var lastEnded: Instant?
    /// For how long controllers have watched the open attempt since it was confirmed. Never more than that was: what passed between two lives is left
    /// out, and of an earlier life counts what it had put down in the status.
    package var runObserved: Duration
    /// Of the findings of drift, by the time that is stored with them. What is not in it was found at the age that the wall clock gives it.
    package var driftFound: [Instant: Instant]

    package init(
        intentOpened: Instant? = nil, deletionAsked: Instant? = nil, attemptOpened: Instant? = nil,
        lastEnded: Instant? = nil, runObserved: Duration = .zero, driftFound: [Instant: Instant] = [:]
    ) {
        self.intentOpened = intentOpened
        self.deletionAsked = deletionAsked
        self.attemptOpened = attemptOpened
        self.lastEnded = lastEnded
        self.runObserved = runObserved
        self.driftFound = driftFound
    }

    /// As if the wall clock had never stepped.
    init(of record: FunctionApp, _ attempts: [Attempt], _ intent: Intent?, at moment: Moment) {
        func steady(_ stored: Instant?) -> Instant? { stored.map { moment.steady + ($0 - moment.wall) } }
        let open = attempts.last { $0.isOpen }
        self.init(
            intentOpened: steady(intent?.openedAt), deletionAsked: steady(record.metadata.deletionTimestamp),
            attemptOpened: steady(open?.openedAt), lastEnded: steady(attempts.last?.result?.finishedAt),
            runObserved: open?.acknowledgedAt.map { max(moment.wall - $0, .zero) } ?? .zero)
    }
}
