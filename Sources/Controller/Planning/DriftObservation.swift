package import DesiredState

/// The site as it was when it was read in full, and where it differed from its design.
package struct DetailsObservation: Hashable, Sendable {
    package var readAt: Instant
    package var site: ObservedSite
    /// Of the design that it was compared with.
    package var designHash: String
    package var differences: [Difference]
    /// Who wrote the site last, as far as it was asked for and Azure tells.
    package var writer: String?

    package init(
        readAt: Instant, site: ObservedSite, designHash: String, differences: [Difference] = [], writer: String? = nil
    ) {
        self.readAt = readAt
        self.site = site
        self.designHash = designHash
        self.differences = differences
        self.writer = writer
    }
}

extension ObservedSite {
    /// Somebody switched it off. Words that we do not know mean nothing.
    var isStopped: Bool { state.lowercased() == "stopped" }

    /// Who wrote it, as our own tag says.
    var writer: String? { tag(SiteTag.writer) }
}

/// When each site is read in full though nobody seems to have changed it.
///
/// Pure, and without any memory: time is cut into periods of whole days, and in each of them a site has one moment,
/// drawn from its uid and the period's number. So a restart makes no stampede, forgets nothing, and a daemon that runs
/// during the same hours of each day gets to see every site after some days.
package enum DetailsSchedule {
    /// Requests that one look costs: the site and its configuration; a plan is read beside them now and then.
    package static let reads = 3.0
    /// Settings are listed by a POST, which counts as a write.
    package static let writes = 1.0
    /// A tenth of what this program uses of Azure's published rates per second (70 % of 25 reads and 10 writes; Azure
    /// docs, "Understand how Azure Resource Manager throttles requests", read 2026-02).
    package static let readsPerSecond = 25 * 0.7 / 10
    package static let writesPerSecond = 10 * 0.7 / 10

    static let day: Int64 = 86_400

    /// A day, or as many as it takes to stay within the tenth of the budget.
    package static func periodSeconds(siteCount: Int) -> Int64 {
        let seconds = Double(siteCount) * max(reads / readsPerSecond, writes / writesPerSecond)
        return day * max(1, Int64((seconds / Double(day)).rounded(.up)))
    }

    /// The first of the site's moments after `instant`.
    package static func next(after instant: Instant, of uid: UID, siteCount: Int) -> Instant {
        let period = periodSeconds(siteCount: siteCount)
        var number = instant.unixSeconds / period
        while true {
            // FNV-1a over the uid (a public and stable hash), then mixed with the period's number.
            let seed = uid.text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
            var generator = SplitMix64(state: seed &+ UInt64(bitPattern: number))
            let offset = Int64(generator.next() % UInt64(period))
            let moment = Instant(nanoseconds: 0) + .seconds(number * period + offset)
            if moment > instant { return moment }
            number += 1
        }
    }
}
