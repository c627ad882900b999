/// What must hold: the first group at every step, the second once nothing fails any more. The raw value names it in
/// reports and in the table of mutants.
package enum Invariant: String, CaseIterable, Sendable {
    // Safety.
    /// No site carries our tag without an intent row or a tombstone that names it.
    case siteHasIntent = "site-has-intent"
    /// A site is put or deleted only under an open intent that was committed before.
    case intentBeforeEffect = "intent-before-effect"
    /// A site without our tags is never written.
    case foreignUntouched = "foreign-untouched"
    /// No site is deleted of a record that should have one, or that leaves it behind.
    case wantedNeverDeleted = "wanted-never-deleted"
    /// At most one write of a site is in flight.
    case oneWritePerSite = "one-write-per-site"
    /// Settings of a site are not written while a run is open.
    case noWriteDuringRun = "no-write-during-run"
    /// Each run executes once at most, unless its record allows more.
    case executedOnce = "executed-once"
    /// Nothing executes without a committed attempt that is open.
    case executionHasAttempt = "execution-has-attempt"
    case attemptsWithinLimit = "attempts-within-limit"
    /// A run is followed only after its acknowledgement is kept.
    case resultIsTrue = "result-is-true"
    case firstResultWins = "first-result-wins"
    /// `observedGeneration` never goes back and never ahead of the generation, and no status is written to another generation
    /// than it was made for.
    case generationObserved = "generation-observed"
    /// Ready says True only of an agent that answered after the newest write.
    case readyIsTrue = "ready-is-true"
    case forgottenOnlyWhenGone = "forgotten-only-when-gone"
    /// Requests keep to Resource Manager's published rates.
    case requestRate = "request-rate"
    /// No request of a class is sent during its Retry-After.
    case retryAfterHeeded = "retry-after-heeded"
    /// A paused record causes no write and no run.
    case pausedWritesNothing = "paused-writes-nothing"
    /// Nothing is begun while the store is frozen.
    case frozenWritesNothing = "frozen-writes-nothing"
    /// What only resembles one of our sites is never written.
    case nearMissUntouched = "near-miss-untouched"
    /// A site without a record is tagged or deleted only if it is ours by its tags and its name, and either its record was
    /// forgotten, or nobody knew it for the age and quarantined it for the grace. Nothing of it in report mode. None is
    /// noted as a leak that has a record.
    case sweptOnlyLeaks = "swept-only-leaks"
    /// A sweep deletes no more than its bound.
    case sweepBounded = "sweep-bounded"
    /// A store is frozen by its controller if it is behind its sites, and only then; before that, nothing is written.
    case frozenIfBehind = "frozen-if-behind"
    /// A commit of an earlier life does not succeed.
    case fenced = "fenced"
    /// Nothing goes round and round.
    case noLivelock = "no-livelock"
    /// Nothing waits for the machine that runs the simulation.
    case noStrayJobs = "no-stray-jobs"

    // Liveness.
    case converged = "converged"
    case noLeaks = "no-leaks"
    /// At rest nothing is written, to Azure or to the store.
    case quiet = "quiet"
    /// A restart at rest changes nothing.
    case restartChangesNothing = "restart-changes-nothing"
    case waitersWoken = "waiters-woken"
}

package struct Violation: Sendable, CustomStringConvertible {
    package let invariant: Invariant
    package let detail: String

    package var description: String { "\(invariant.rawValue): \(detail)" }
}
