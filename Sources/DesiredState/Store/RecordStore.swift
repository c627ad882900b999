/// Where records, intents and attempts live. What a `commit` returned from survives the process and, with the disk, the machine.
///
/// All reads show the state of one revision. Implementations are safe to call from any task.
package protocol RecordStore: Sendable {
    /// Drawn once when the store was made: tells this installation's sites from everybody else's.
    var instance: InstanceID { get }
    /// 32 secret bytes drawn once when the store was made; agents' secrets and run tokens are derived from it.
    var key: StoreKey { get }

    /// Applies all operations or none, as one revision. What is history only (``Transaction/isHistory``) is durable with the next other commit. Throws `notFound`, `conflict`, `nameTaken`, `attemptOpen`, `unavailable`, `damaged`.
    @discardableResult
    func commit(_ transaction: Transaction) async throws(StoreError) -> Revision

    /// The record with all that belongs to it; `nil` when it does not exist (any more).
    func load(_ uid: UID) async throws(StoreError) -> StoredRecord?
    /// The record with this name that is not being deleted.
    func find(name: RecordName) async throws(StoreError) -> FunctionApp?
    /// Docker's order (moby v28, `daemon/container.go`): full id, then name, then the prefix of exactly one id.
    /// Records that are being deleted are found by their full id only.
    func find(reference: String) async throws(StoreError) -> ReferenceMatch
    /// In order of creation, newest last. Records being deleted are left out unless asked for.
    func list(includingDeleted: Bool) async throws(StoreError) -> RecordList
    /// Up to `limit` records after a position (`nil` = the beginning), with those that are being deleted, in order of creation. Throws
    /// `compacted` when the changes since `revision` cannot be told (any more). What it costs depends on `limit` only.
    func page(after position: RecordPosition?, limit: Int, since revision: Revision?) async throws(StoreError)
        -> RecordPage
    func allUIDs() async throws(StoreError) -> [UID]
    /// What changed after `revision`, oldest first, each record once in its newest form; throws `compacted` when deletions since then are forgotten.
    func changes(since revision: Revision) async throws(StoreError) -> ChangeList
    func tombstone(_ uid: UID) async throws(StoreError) -> Tombstone?

    func image(_ canonical: String) async throws(StoreError) -> ImageRecord?
    /// In order of their canonical references.
    func images() async throws(StoreError) -> [ImageRecord]

    // MARK: events of Docker's clients

    /// Up to `limit` events with higher numbers that happened at `since` or later (`nil` = whenever), oldest first. The oldest ones of all give way: a
    /// first number that does not follow on says so.
    func events(after number: Int64, since: Instant?, limit: Int) async throws(StoreError) -> [EngineEvent]
    /// 0 = there was none yet.
    func newestEventNumber() async throws(StoreError) -> Int64

    // MARK: commands beside runs

    func exec(_ id: String) async throws(StoreError) -> ExecRecord?
    /// In order of creation.
    func execs(of uid: UID) async throws(StoreError) -> [ExecRecord]
    /// Those that may be running, of all records.
    func openExecs() async throws(StoreError) -> [ExecRecord]

    // MARK: lives of the controller

    /// Begins a life: every transaction that names an earlier epoch fails from now on. `writer` is what this life puts
    /// into the sites' writer tag; it is remembered for good.
    func beginEpoch(writer: String) async throws(StoreError) -> Epoch
    /// `nil` = no life has begun yet.
    func newestEpoch() async throws(StoreError) -> Epoch?
    /// Writers of all lives that this store has seen, and of those that were accepted, with the newest revision that each
    /// of them can have left on a site: where the store stood when the next life began, or stands now.
    func writers() async throws(StoreError) -> [String: Revision]
    /// `nil` = not frozen.
    func freeze() async throws(StoreError) -> Freeze?

    // MARK: leaks and inventories

    /// Of the last ``Tombstone/lifetime``, in order of uid.
    func tombstones() async throws(StoreError) -> [Tombstone]
    /// In order of site names.
    func sightings() async throws(StoreError) -> [Sighting]
    /// Names of all inventories that have entries, sorted.
    func inventories() async throws(StoreError) -> [String]
    /// In order of creation. Entries go when their records are forgotten, and not before.
    func inventory(_ name: String) async throws(StoreError) -> [InventoryEntry]

    // MARK: history

    /// Adds to the records' journals and drops what is over their bound. Wakes nobody and moves no revision; entries of
    /// forgotten records are dropped.
    func append(_ entries: [JournalEntry]) async throws(StoreError)
    /// The newest entries, oldest first.
    func journal(of uid: UID, limit: Int) async throws(StoreError) -> [JournalEntry]

    /// Told after each commit.
    var changes: ChangeHub { get }
}

package struct StoredRecord: Hashable, Sendable {
    package var record: FunctionApp
    /// By run and number.
    package var attempts: [Attempt]
    package var intent: Intent?

    package init(record: FunctionApp, attempts: [Attempt] = [], intent: Intent? = nil) {
        self.record = record
        self.attempts = attempts
        self.intent = intent
    }
}

package enum ReferenceMatch: Hashable, Sendable {
    case found(FunctionApp)
    case none
    /// More than one id starts with it.
    case ambiguous
}

package struct RecordList: Hashable, Sendable {
    package let revision: Revision
    package let records: [FunctionApp]
}

/// A place in the order of creation. Means something to the store only that gave it, and to no other life of it.
package struct RecordPosition: Hashable, Sendable {
    package let number: Int64
    package init(_ number: Int64) { self.number = number }
}

package struct RecordPage: Hashable, Sendable {
    package let revision: Revision
    package let records: [FunctionApp]
    /// Of each record.
    package let positions: [RecordPosition]
    /// `false` = these are the last.
    package let hasMore: Bool
}

package struct ChangeList: Hashable, Sendable {
    /// Watch on from here.
    package let revision: Revision
    package let changes: [RecordChange]
}

package struct RecordChange: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable, Codable {
        case added = "ADDED"
        case modified = "MODIFIED"
        case deleted = "DELETED"
    }

    package let kind: Kind
    package let record: FunctionApp

    package init(kind: Kind, record: FunctionApp) {
        self.kind = kind
        self.record = record
    }
}

/// An image reference that was pulled: what `docker pull` leaves behind, since the image itself stays in its registry.
package struct ImageRecord: Hashable, Sendable, Codable {
    package let canonical: String
    /// As the registry answered; `nil` when none was asked.
    package let digest: String?
    package let pulledAt: Instant
    /// The canonical reference that this name was given to by `docker tag`, and that Azure pulls; `nil` = it is in a registry under its own name.
    package let source: String?

    package init(canonical: String, digest: String?, pulledAt: Instant, source: String? = nil) {
        self.canonical = canonical
        self.digest = digest
        self.pulledAt = pulledAt
        self.source = source
    }
}

/// 20 lower-case letters and digits; goes into the tags of sites.
package struct InstanceID: Hashable, Sendable {
    package let text: String
    package init(_ text: String) { self.text = text }

    init(using generator: inout some RandomNumberGenerator) {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz0123456789")
        text = String((0..<20).map { _ in alphabet[Int.random(in: 0..<36, using: &generator)] })
    }
}

/// Prints as redacted.
package struct StoreKey: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package let bytes: [UInt8]
    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    init(using generator: inout some RandomNumberGenerator) {
        bytes = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    package var description: String { "(redacted)" }
    package var debugDescription: String { "(redacted)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Operations that are applied together.
package struct Transaction: Hashable, Sendable {
    package enum Operation: Hashable, Sendable {
        /// Fails with `conflict` unless the record's newest revision is this one.
        case require(UID, Revision)
        /// Fails with `nameTaken`, and with `conflict` when a record with this uid exists.
        case create(FunctionApp)
        /// Writes name, labels, annotations and spec; the status stays. The generation rises if the spec differs.
        case replace(FunctionApp, ifRevision: Revision)
        case setStatus(UID, FunctionAppStatus)
        /// Sets the deletion timestamp if there is none yet.
        case markDeleted(UID, at: Instant)
        case removeFinalizer(UID, Finalizer)
        /// Takes the place of the record's earlier intent. Fails with `notFound` without the record.
        case openIntent(Intent)
        case settleIntent(UID)
        /// What is to be followed until the record's intent is settled; `nil` = nothing any more.
        case setOperation(UID, String?)
        /// Fails with `notFound` without the record, and with `attemptOpen` while another attempt of the record is open or one with this token exists.
        case openAttempt(Attempt)
        case acknowledgeAttempt(token: String, at: Instant)
        /// Does nothing when the attempt has a result already: the first one wins.
        case finishAttempt(token: String, AttemptResult)
        /// Removes the record and all that belongs to it, and leaves a tombstone if it had a site.
        case forget(UID, siteName: String?, at: Instant)
        case putImage(ImageRecord)
        /// Fails with `notFound` without the record, and with `conflict` when one with this id exists.
        case createExec(ExecRecord)
        /// Fails with `conflict` unless it is there and was never started.
        case startExec(id: String, at: Instant)
        /// Does nothing when it is gone or has a result already: the first one wins.
        case finishExec(id: String, ExecResult)
        /// Does nothing when there is none.
        case removeImage(String)
        /// For what records do not tell by themselves.
        case addEvent(EngineEvent)
        /// Takes the place of an earlier sighting of that site.
        case keepSighting(Sighting)
        case dropSighting(siteName: String)
        /// Does nothing if the record stands there already. Fails with `notFound` without the record.
        case addToInventory(String, UID)
        case setFreeze(Freeze?)
        /// Sites that were written by this writer count as ours from now on.
        case acceptWriter(String)
        /// The store's revision is at least this one afterwards. Where that skips revisions, watchers list again: theirs may be
        /// of a future that this store has lost.
        case raiseRevision(to: Revision)
    }

    /// Who commits: the controller is not woken by its own commits.
    package enum Origin: Hashable, Sendable {
        case user, controller
    }

    package let origin: Origin
    /// Fails with `fenced` unless this is the newest epoch; `nil` = whoever comes, for users.
    package var epoch: Epoch?
    package var operations: [Operation]

    /// Nothing but events: nobody acts on them, so that they need not be on the disk before the answer.
    package var isHistory: Bool {
        operations.allSatisfy { operation in
            if case .addEvent = operation { true } else { false }
        }
    }

    package init(origin: Origin, epoch: Epoch? = nil, _ operations: [Operation]) {
        self.origin = origin
        self.epoch = epoch
        self.operations = operations
    }
}

package struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        case notFound(UID)
        /// Somebody else wrote in between: read again.
        case conflict(current: Revision)
        case nameTaken(RecordName, by: UID)
        case attemptOpen
        /// `watch` cannot go on from this revision: list again.
        case compacted(Revision)
        /// The state directory is used by another process.
        case inUse
        /// A later life of the controller has begun on this store; this one may do nothing any more.
        case fenced(newest: Epoch)
        /// The calling task was cancelled; nothing was written.
        case cancelled
        /// The disk or the database refused; nothing was written.
        case unavailable
        /// A row cannot be understood; it is left alone.
        case damaged
    }

    package let code: Code
    package let detail: String

    package init(_ code: Code, _ detail: String = "") {
        self.code = code
        self.detail = detail
    }

    package var description: String {
        let what =
            switch code {
            case .notFound(let uid): "no record \(uid)"
            case .conflict(let current): "the record was changed meanwhile (now at revision \(current))"
            case .nameTaken(let name, let uid): "the name \(name) is used by \(uid)"
            case .attemptOpen: "an attempt of this record is open"
            case .compacted(let oldest): "changes before revision \(oldest) are forgotten"
            case .fenced(let newest): "another controller works on this store (epoch \(newest.number))"
            case .inUse: "the state directory is in use by another process"
            case .cancelled: "cancelled"
            case .unavailable: "the store cannot be read or written"
            case .damaged: "the store has a row that cannot be understood"
            }
        return detail.isEmpty ? what : what + ": " + detail
    }
}
