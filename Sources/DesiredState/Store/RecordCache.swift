import GRDB
import NIOConcurrencyHelpers

/// Records that were read lately. Decoding a document takes a tenth of a millisecond, so that a list would pay for every record that nobody has changed.
///
/// A record of one revision never changes once it is committed. Hence for reads only: a transaction that is being written sees the document of its
/// revision change.
final class RecordCache: Sendable {
    private struct Entry {
        let revision: Int64
        let record: FunctionApp
    }

    /// Bound of records, of some kilobytes each. When it is reached all are dropped, which costs reading them once more.
    private static let maximumCount = 16_384

    /// By row. SQLite may give a row's number to another record, but not with the same revision.
    private let entries = NIOLockedValueBox<[Int64: Entry]>([:])

    /// The row needs `rowid`, `revision` and `document` of `records`.
    func decode(_ row: Row) throws -> FunctionApp {
        let number: Int64 = row["rowid"]
        let revision: Int64 = row["revision"]
        if let known = entries.withLockedValue({ $0[number] }), known.revision == revision { return known.record }
        let record = try RecordRow.decode(row)
        entries.withLockedValue { entries in
            if entries.count >= RecordCache.maximumCount { entries.removeAll(keepingCapacity: true) }
            entries[number] = Entry(revision: revision, record: record)
        }
        return record
    }
}
