/// How the sweep deals with sites that no record knows.
package struct SweepSettings: Hashable, Sendable {
    package enum Mode: String, Hashable, Sendable, CaseIterable {
        case delete
        /// Leaks are counted and shown, and nothing in Azure is changed.
        case report
    }

    package var mode: Mode
    /// A site is suspected for so long before anything is done about it.
    package var minimumAge: Duration
    /// From the quarantine to the deletion.
    package var gracePeriod: Duration

    /// In lists that follow one another: one list alone may be wrong.
    static let minimumSightings = 2
    /// Bound of deletions per sweep, or a tenth of all our sites if that is more: a mistake shows before it is complete.
    static let deletionsPerSweep = 5
    static let deletionPercent = 10
    /// Between two sightings at most so much counts, three times the usual distance of lists: while nobody looked, or when
    /// the clock was set, nothing grows old.
    static let countedGap: Duration = .seconds(900)

    package init(
        mode: Mode = .delete, minimumAge: Duration = .seconds(3600), gracePeriod: Duration = .seconds(86_400)
    ) {
        self.mode = mode
        self.minimumAge = minimumAge
        self.gracePeriod = gracePeriod
    }
}
