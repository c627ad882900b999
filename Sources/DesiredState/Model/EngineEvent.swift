/// Something that Docker's clients are told about in `GET /events`. Kept by the store, the newest ``maximumKept`` of them.
///
/// What follows from a record's change (create, start, die, stop, destroy) is derived in the transaction that makes the change, so that a crash can
/// neither lose nor repeat it; what only a request knows (attach, rename, an exec) is added by the request's own transaction.
package struct EngineEvent: Hashable, Sendable, Codable {
    /// Docker's kinds of objects, of which these have events here.
    package enum Subject: String, Hashable, Sendable, Codable {
        case container, image, network, volume, daemon, builder
    }

    /// From 1, without gaps; given by the store.
    package var number: Int64 = 0
    /// The store moves it behind the event before where the clock went back: later events have later times, and no two have the same, so that a client
    /// can go on from the last time that it saw.
    package var at: Instant
    package var subject: Subject
    /// In Docker's words: `create`, or `exec_create: ls -l`.
    package var action: String
    /// The id of what it happened to.
    package var actor: String
    package var attributes: [String: String]

    /// Bound of events in the store. moby keeps 256 in memory (v28, `daemon/events/events.go`); a client that was away for a few hundred runs still finds
    /// all of theirs here.
    package static let maximumKept = 8192
    /// Bound of the labels that an event repeats; beyond it they are left out, since every event of the container would hold them again.
    static let maximumLabelBytes = 16 << 10

    package init(
        at instant: Instant, _ subject: Subject, _ action: String, actor: String, attributes: [String: String] = [:]
    ) {
        at = instant
        self.subject = subject
        self.action = action
        self.actor = actor
        self.attributes = attributes
    }

    /// Of a container: its labels, image and name are among the attributes, as in moby v28 (`daemon/events.go`).
    package init(at instant: Instant, _ action: String, of record: FunctionApp, _ more: [String: String] = [:]) {
        let labels = record.metadata.labels
        let labelBytes = labels.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        var attributes = labelBytes > EngineEvent.maximumLabelBytes ? [:] : labels
        attributes["image"] = record.spec.image.text
        attributes["name"] = record.metadata.name.text
        attributes.merge(more) { $1 }
        self.init(at: instant, .container, action, actor: record.uid.text, attributes: attributes)
    }
}

// MARK: what follows from a record's change

extension EngineEvent {
    /// Of a record that was made.
    static func created(_ record: FunctionApp) -> [EngineEvent] {
        [EngineEvent(at: record.metadata.creationTimestamp, "create", of: record)] + changed(from: nil, to: record)
    }

    /// Of a write: runs that were confirmed or ended, and a deletion that ends a run, as `docker rm -f` kills first.
    static func changed(from before: FunctionApp?, to record: FunctionApp) -> [EngineEvent] {
        var known: [String: AttemptStatus] = [:]
        for attempt in before?.status.runs.flatMap(\.attempts) ?? [] { known[attempt.token] = attempt }
        var events: [EngineEvent] = []
        for run in record.status.runs {
            for attempt in run.attempts where attempt != known[attempt.token] {
                events += transition(from: known[attempt.token], to: attempt, run: run.number, of: record)
            }
        }
        if let before, !before.isBeingDeleted, let deletedAt = record.metadata.deletionTimestamp, before.hasLiveAttempt
        {
            events.append(EngineEvent(at: deletedAt, "kill", of: record, ["signal": "9"]))
        }
        return events
    }

    /// Of a record that is forgotten: a run whose end nobody saw ends with it.
    static func forgotten(_ record: FunctionApp, at instant: Instant) -> [EngineEvent] {
        var events: [EngineEvent] = []
        if let attempt = record.status.runs.last?.decidingAttempt, attempt.isLive {
            events.append(died(attempt, at: instant, exitCode: 137, of: record))
            events += record.spec.volumes.map { unmounted($0, at: instant, from: record) }
        }
        return events + [EngineEvent(at: instant, "destroy", of: record)]
    }

    private static func transition(
        from before: AttemptStatus?, to attempt: AttemptStatus, run: Int, of record: FunctionApp
    ) -> [EngineEvent] {
        guard let startedAt = attempt.startedAt, before?.outcome == nil else { return [] }
        var events: [EngineEvent] = []
        if before?.startedAt == nil {
            // moby tells nothing of a command that could not be started (v28, `daemon/start.go`).
            if attempt.outcome == .startFailed || attempt.outcome == .refused { return [] }
            events += record.spec.volumes.map { mounted($0, at: startedAt, in: record) }
            events.append(EngineEvent(at: startedAt, "start", of: record))
        }
        guard let outcome = attempt.outcome else { return events }
        let endedAt = attempt.finishedAt ?? startedAt
        events.append(
            died(attempt, at: endedAt, exitCode: attempt.exitCode ?? outcome.usualExitCode, of: record))
        events += record.spec.volumes.map { unmounted($0, at: endedAt, from: record) }
        if record.spec.stop?.run == run { events.append(EngineEvent(at: endedAt, "stop", of: record)) }
        return events
    }

    /// Docker's clients see a volume mounted for the time of a run (moby v28, `daemon/volumes.go`); the site's own mount is there for as long as the
    /// site.
    private static func mounted(_ mount: VolumeMount, at instant: Instant, in record: FunctionApp) -> EngineEvent {
        EngineEvent(
            at: instant, .volume, "mount", actor: mount.name.text,
            attributes: [
                "container": record.uid.text, "destination": mount.mountPath, "driver": "local", "propagation": "",
                "read/write": "true",
            ])
    }

    private static func unmounted(_ mount: VolumeMount, at instant: Instant, from record: FunctionApp) -> EngineEvent {
        EngineEvent(
            at: instant, .volume, "unmount", actor: mount.name.text,
            attributes: ["container": record.uid.text, "driver": "local"])
    }

    private static func died(
        _ attempt: AttemptStatus, at instant: Instant, exitCode: Int, of record: FunctionApp
    ) -> EngineEvent {
        let seconds = attempt.startedAt.map { max(0, (instant - $0).components.seconds) } ?? 0
        return EngineEvent(
            at: instant, "die", of: record, ["exitCode": String(exitCode), "execDuration": String(seconds)])
    }
}

extension AttemptStatus {
    /// The agent confirmed it, and its end was not seen.
    fileprivate var isLive: Bool { startedAt != nil && outcome == nil }
}

extension FunctionApp {
    fileprivate var hasLiveAttempt: Bool { status.runs.last?.decidingAttempt?.isLive == true }
}

extension AttemptOutcome {
    /// What Docker's clients are told where the agent reported no code.
    fileprivate var usualExitCode: Int {
        switch self {
        case .succeeded: 0
        case .failed: 1
        case .startFailed: 128
        case .deadlineExceeded: 137
        case .unknown, .lost, .refused: 125
        }
    }
}
