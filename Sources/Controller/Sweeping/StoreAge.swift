package import DesiredState

/// Whether a store is older than the sites that it made: restored from a copy, cloned, or used beside another copy.
///
/// Each write of a site leaves `WRITER:REVISION` in its writer tag. What a writer wrote whom the store does not know, or at a
/// revision that the store had not reached when that writer's life was followed by another, was written by a newer form of
/// this store. Tags that are not of this form say nothing.
package struct StoreAge: Hashable, Sendable {
    /// Who wrote what the store does not know; sorted.
    package private(set) var writersAhead: [String] = []
    /// The highest revision that any of our sites names.
    package private(set) var newestSeen = Revision.zero
    /// Uids of the sites that are ahead of the store.
    package private(set) var ahead: Set<UID> = []
    /// One of those sites, and the revision that it names.
    private var example: String?
    private var revision = Revision.zero
    /// What the store knows of the writer of that site; `nil` = does not know it.
    private var known: Revision?

    /// - Parameter writers: known to the store, with the last revision of each, read after the list.
    package init(sites: [ObservedSite], instance: InstanceID, writers: [String: Revision]) {
        var writersAhead: Set<String> = []
        for site in sites.sorted(by: { $0.name < $1.name }) where site.isOwned(by: instance) {
            guard let written = site.writerTag.flatMap({ SiteWriterTag($0) }) else { continue }
            newestSeen = max(newestSeen, written.revision)
            let known = writers[written.writer]
            if let known, written.revision <= known { continue }
            writersAhead.insert(written.writer)
            if let uid = site.uid.flatMap({ UID($0) }) { ahead.insert(uid) }
            if example == nil { (example, self.known, revision) = (site.name, known, written.revision) }
        }
        self.writersAhead = writersAhead.sorted()
    }

    package var isBehind: Bool { example != nil }

    /// A sentence for people; `nil` if the store is not behind.
    package var reason: String? {
        guard let example else { return nil }
        guard let known else {
            return "the store is behind its sites: \(example) was written by a life of the daemon that it does not know"
        }
        return "the store is behind its sites: \(example) was written at revision \(revision), "
            + "and the store knows that life of the daemon up to \(known)"
    }
}

/// Who wrote a site last, and at which revision of its store.
struct SiteWriterTag: Hashable, Sendable {
    let writer: String
    let revision: Revision

    /// `nil` unless the text is `WRITER:REVISION`.
    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, let revision = Revision(codedText: String(parts[1])) else {
            return nil
        }
        writer = String(parts[0])
        self.revision = revision
    }
}
