package import DesiredState

/// Whether a store is older than the sites that it made: restored from a copy, cloned, or used beside another copy.
///
/// Each write of a site leaves `WRITER:REVISION` in its writer tag. A writer whom the store does not know, or a revision that
/// it has not reached, was written by a newer form of this store. Tags that are not of this form say nothing.
package struct StoreAge: Hashable, Sendable {
    /// Unknown to the store; sorted.
    package private(set) var strangers: [String] = []
    /// The highest revision that any of our sites names.
    package private(set) var newestSeen = Revision.zero
    /// Uids of the sites that are ahead of the store.
    package private(set) var ahead: Set<UID> = []
    /// One of those sites.
    private var example: String?
    private let revision: Revision

    /// - Parameters:
    ///   - writers: known to the store, read after the list.
    ///   - revision: the store's newest, read after the list.
    package init(sites: [ObservedSite], instance: InstanceID, writers: Set<String>, revision: Revision) {
        self.revision = revision
        var strangers: Set<String> = []
        for site in sites.sorted(by: { $0.name < $1.name }) where site.isOwned(by: instance) {
            guard let written = site.writerTag.flatMap({ SiteWriterTag($0) }) else { continue }
            newestSeen = max(newestSeen, written.revision)
            let isStranger = !writers.contains(written.writer)
            if isStranger { strangers.insert(written.writer) }
            guard isStranger || written.revision > revision else { continue }
            if let uid = site.uid.flatMap({ UID($0) }) { ahead.insert(uid) }
            example = example ?? site.name
        }
        self.strangers = strangers.sorted()
    }

    package var isBehind: Bool { example != nil }

    /// A sentence for people; `nil` if the store is not behind.
    package var reason: String? {
        guard let example else { return nil }
        if !strangers.isEmpty {
            return "the store is behind its sites: \(example) was written by a life of the daemon that it does not know"
        }
        return "the store is behind its sites: \(example) was written at revision \(newestSeen), "
            + "and the store is at \(revision)"
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

extension RecordStore {
    /// The revision of the newest commit. A store answers a look into the future with where it is.
    package func newestRevision() async throws(StoreError) -> Revision {
        do throws(StoreError) {
            return try await changes(since: Revision(.max)).revision
        } catch {
            if case .compacted(let newest) = error.code { return newest }
            throw error
        }
    }
}
