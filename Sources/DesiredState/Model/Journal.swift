/// One line of a record's history: a call to Azure or to an agent, or something that people should know.
///
/// For `explain` and for reading back only; nothing is decided by it. It may be lost with the last moments before a crash.
package struct JournalEntry: Hashable, Sendable, Codable {
    package enum Kind: String, Hashable, Sendable, Codable {
        /// One request or a group of them under one correlation id.
        case call = "Call"
        /// Kubernetes' events: the same one again raises `count`.
        case event = "Event"
    }

    package var uid: UID
    package var at: Instant
    package var kind: Kind
    /// The call's kind, such as `putSite`, or the event's reason, one CamelCase word.
    package var name: String
    package var isWarning: Bool
    /// A sentence for people; without secrets.
    package var message: String
    /// Of the reconcile that it belongs to; empty where there is none.
    package var rule: String
    package var reconcileID: UInt64
    package var generation: Int64
    /// `x-ms-correlation-request-id` of the calls; `nil` for events and agents.
    package var correlationID: String?
    package var durationMilliseconds: Int?
    /// How often in a row, from 1.
    package var count: Int

    /// Bound of entries per record: the oldest ones give way.
    package static let maximumPerRecord = 100

    package init(
        uid: UID, at: Instant, kind: Kind, name: String, isWarning: Bool = false, message: String = "",
        rule: String = "", reconcileID: UInt64 = 0, generation: Int64 = 0, correlationID: String? = nil,
        durationMilliseconds: Int? = nil, count: Int = 1
    ) {
        self.uid = uid
        self.at = at
        self.kind = kind
        self.name = name
        self.isWarning = isWarning
        self.message = message
        self.rule = rule
        self.reconcileID = reconcileID
        self.generation = generation
        self.correlationID = correlationID
        self.durationMilliseconds = durationMilliseconds
        self.count = count
    }
}
