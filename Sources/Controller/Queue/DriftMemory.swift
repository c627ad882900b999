import DesiredState

/// What was read of a site in full.
package struct SiteReading: Hashable, Sendable {
    package var site: ObservedSite
    /// Of the design that it was compared with.
    package var designHash: String
    package var differences: [Difference]
    package var writer: String?
}

/// What the machine remembers of a site that was read in full. Lost at a restart; what follows from it is in the status.
struct DriftMemory {
    private var details: DetailsObservation?
    /// From when on the next regular look is counted: the newest look, or when the record was seen first.
    private var lookedAt: Instant?
    private var lookedBefore: Instant?

    mutating func begins(at now: Instant) {
        lookedBefore = lookedAt
        lookedAt = now
    }

    mutating func learn(_ reading: SiteReading, at now: Instant) {
        details = DetailsObservation(
            readAt: now, site: reading.site, designHash: reading.designHash, differences: reading.differences,
            writer: reading.writer)
    }

    /// A look that failed in passing is still due; one that is not allowed is tried again at the next regular time.
    mutating func failed(_ failure: CallResult.Failure) {
        if case .terminal = failure.kind { return }
        lookedAt = lookedBefore ?? lookedAt
    }

    /// The site was written.
    mutating func forgetDetails() {
        details = nil
    }

    mutating func complete(_ input: inout PlanInput, siteCount: Int) {
        let since = lookedAt ?? input.now
        lookedAt = since
        input.details = details
        input.detailsDue = DetailsSchedule.next(after: since, of: input.record.uid, siteCount: siteCount)
    }
}
