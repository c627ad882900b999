import DesiredState

/// Entries on their way into the store, gathered into batches. Pure; time comes in.
///
/// The first of several alike is written with the next batch; what repeats it is counted, and written once a minute or
/// when something else comes in its place.
struct JournalBuffer {
    /// A batch is written once it has so many entries,
    static let batchSize = 50
    /// or its oldest has waited so long.
    static let batchDelay: Duration = .milliseconds(200)
    /// How long repeats are counted before they are written.
    static let repeatPeriod: Duration = .seconds(60)
    /// Bound of entries that the store has not taken: what comes beyond is dropped and counted. Some 10 MB.
    static let maximumPending = 20_000
    /// Bound of kinds of entries whose repeats are counted: all operations that may be in flight, with room.
    static let maximumRepeats = 4_096

    private struct Key: Hashable {
        let uid: UID
        let kind: JournalEntry.Kind
        let name: String
    }

    private struct Repeat {
        /// In its newest form; its count is that of the entries since the newest that is pending or written.
        var entry: JournalEntry
        /// Since when there is something to be written.
        var since: Instant?
    }

    private var pending: [JournalEntry] = []
    private var oldestPending: Instant?
    private var repeats: [Key: Repeat] = [:]
    private(set) var dropped = 0

    mutating func add(_ entry: JournalEntry, now: Instant) {
        guard entry.isRepeatable else { return append(entry, now) }
        let key = Key(uid: entry.uid, kind: entry.kind, name: entry.name)
        if var known = repeats[key], known.entry.isLike(entry) {
            let count = known.since == nil ? 1 : known.entry.count + 1
            known.entry = entry
            known.entry.count = count
            known.since = known.since ?? now
            repeats[key] = known
            return
        }
        if let known = repeats[key], known.since != nil { append(known.entry, now) }
        if repeats.count >= JournalBuffer.maximumRepeats { _ = releaseRepeats(now) { _ in true } }
        repeats[key] = Repeat(entry: entry)
        append(entry, now)
    }

    /// Entries whose time has come, at most one batch; empty when none has.
    mutating func takeBatch(now: Instant) -> [JournalEntry] {
        let hasWaited = releaseRepeats(now) { now - $0 >= JournalBuffer.repeatPeriod }
        guard let oldestPending else { return [] }
        let isDue = pending.count >= JournalBuffer.batchSize || now - oldestPending >= JournalBuffer.batchDelay
        return isDue || hasWaited ? takeFront() : []
    }

    /// The next batch of everything, due or not.
    mutating func takeRest(now: Instant) -> [JournalEntry] {
        _ = releaseRepeats(now) { _ in true }
        return takeFront()
    }

    /// When ``takeBatch(now:)`` will have something.
    var due: Instant? {
        if pending.count >= JournalBuffer.batchSize { return oldestPending }
        let repeated = repeats.values.compactMap(\.since).min().map { $0 + JournalBuffer.repeatPeriod }
        return [oldestPending.map { $0 + JournalBuffer.batchDelay }, repeated].compactMap(\.self).min()
    }

    /// Of one record, oldest first: what readers of the store do not find there yet.
    func entries(of uid: UID) -> [JournalEntry] {
        let waiting = pending.filter { $0.uid == uid }
        let repeated = repeats.filter { $0.key.uid == uid && $0.value.since != nil }.map(\.value.entry)
        return waiting + repeated.sorted { ($0.at, $0.name) < ($1.at, $1.name) }
    }

    /// The store refused a batch: it is gone.
    mutating func lost(_ count: Int) { dropped += count }

    private mutating func append(_ entry: JournalEntry, _ now: Instant) {
        guard pending.count < JournalBuffer.maximumPending else {
            dropped += 1
            return
        }
        if pending.isEmpty { oldestPending = now }
        pending.append(entry)
    }

    private mutating func takeFront() -> [JournalEntry] {
        let batch = Array(pending.prefix(JournalBuffer.batchSize * 10))
        pending.removeFirst(batch.count)
        // The others have waited as long as those, or nearly so.
        if pending.isEmpty { oldestPending = nil }
        return batch
    }

    /// True when there were some.
    private mutating func releaseRepeats(_ now: Instant, if isDue: (Instant) -> Bool) -> Bool {
        let due = repeats.filter { $0.value.since.map(isDue) ?? false }
        let ordered = due.map(\.value.entry).sorted { ($0.at, $0.uid, $0.name) < ($1.at, $1.uid, $1.name) }
        for entry in ordered { append(entry, now) }
        for key in due.keys { repeats[key]?.since = nil }
        // Those that were not repeated lately are forgotten when there are too many.
        if repeats.count >= JournalBuffer.maximumRepeats { repeats = repeats.filter { $0.value.since != nil } }
        return !due.isEmpty
    }
}

extension JournalEntry {
    /// Asking again and again is one thing with a count; each write is an entry of its own.
    fileprivate var isRepeatable: Bool {
        switch kind {
        case .event: true
        case .call: CallKind(rawValue: name).map(\.isPolling) ?? false
        }
    }

    /// Messages of failed calls hold ids that differ each time.
    fileprivate func isLike(_ other: JournalEntry) -> Bool {
        isWarning == other.isWarning && rule == other.rule && generation == other.generation
            && (kind == .call || message == other.message)
    }
}

extension CallKind {
    /// Asked for as long as something lasts.
    var isPolling: Bool {
        switch self {
        case .followOperation, .readSite, .readDetails, .readContainerLog, .greetAgent, .followRun, .readRunLog: true
        case .putSite, .deleteSite, .releaseSite, .postRun, .stopRun: false
        }
    }
}
