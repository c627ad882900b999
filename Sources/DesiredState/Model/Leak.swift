/// A site of ours without a record, as the sweep remembers it from one list to the next.
package struct Sighting: Hashable, Sendable, Codable {
    package var siteName: String
    /// Of the site's tag; `nil` if it is none.
    package var uid: UID?
    package var firstSeenAt: Instant
    package var lastSeenAt: Instant
    /// Lists in a row that had it.
    package var count: Int
    /// When it was tagged as quarantined; `nil` = not yet.
    package var quarantinedAt: Instant?

    package init(
        siteName: String, uid: UID?, firstSeenAt: Instant, lastSeenAt: Instant, count: Int = 1,
        quarantinedAt: Instant? = nil
    ) {
        self.siteName = siteName
        self.uid = uid
        self.firstSeenAt = firstSeenAt
        self.lastSeenAt = lastSeenAt
        self.count = count
        self.quarantinedAt = quarantinedAt
    }
}

/// Why nothing is written to Azure until `skls recover`: the store is behind its sites.
package struct Freeze: Hashable, Sendable, Codable {
    package var since: Instant
    /// A sentence for people.
    package var reason: String

    package init(since: Instant, reason: String) {
        self.since = since
        self.reason = reason
    }
}

/// A life of a controller on a store, counted from 1. A later life fences the earlier ones: their transactions fail.
package struct Epoch: Hashable, Sendable, Comparable, Codable {
    package let number: Int64
    package init(_ number: Int64) { self.number = number }
    package static func < (left: Epoch, right: Epoch) -> Bool { left.number < right.number }
}

/// A record in a named inventory: applied under that name, and not yet gone.
package struct InventoryEntry: Hashable, Sendable, Codable {
    package var uid: UID
    package var name: RecordName
    package var isBeingDeleted: Bool

    package init(uid: UID, name: RecordName, isBeingDeleted: Bool) {
        self.uid = uid
        self.name = name
        self.isBeingDeleted = isBeingDeleted
    }
}
