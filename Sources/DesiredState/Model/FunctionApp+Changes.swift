/// What users' requests make of a record. Pure: the caller commits the result with the revision it read.
extension FunctionApp {
    /// Remembers the `invocations` of the last manifest, so that applying it again does not undo starts that came in between.
    package static let appliedInvocationsAnnotation = "skls.dev/applied-invocations"

    /// Present if the last manifest had `suspend`: only then does its absence end the pause. A pause that somebody asked for by itself stands.
    package static let appliedSuspendAnnotation = "skls.dev/applied-suspend"

    /// A fresh record.
    package init(creating manifest: Manifest, uid: UID, at instant: Instant) {
        self.init(
            metadata: Metadata(
                name: manifest.name, uid: uid, labels: manifest.labels, annotations: manifest.annotations,
                creationTimestamp: instant),
            spec: manifest.spec)
        remember(manifest)
    }

    private mutating func remember(_ manifest: Manifest) {
        metadata.annotations[FunctionApp.appliedInvocationsAnnotation] = String(manifest.spec.invocations)
        metadata.annotations[FunctionApp.appliedSuspendAnnotation] = manifest.spec.suspend == nil ? nil : "true"
    }

    /// The record as the manifest wants it: what the manifest leaves out gets its default, except that a number of invocations which the
    /// manifest did not change stays as starts have raised it, and so do a request to stop and a pause that no manifest asked for.
    package func applying(_ manifest: Manifest) -> FunctionApp {
        var record = self
        let applied = String(manifest.spec.invocations)
        let isUnchanged = metadata.annotations[FunctionApp.appliedInvocationsAnnotation] == applied
        record.spec = manifest.spec
        if isUnchanged { record.spec.invocations = max(spec.invocations, manifest.spec.invocations) }
        record.spec.stop = manifest.spec.stop ?? spec.stop
        if manifest.spec.suspend == nil, metadata.annotations[FunctionApp.appliedSuspendAnnotation] == nil {
            record.spec.suspend = spec.suspend
        }
        record.metadata.labels = manifest.labels
        // Annotations of ours hold what other interfaces need to know about the record (such as Docker's own fields): they are not the manifest's.
        record.metadata.annotations = metadata.annotations.filter {
            $0.key.split(separator: "/").first?.hasSuffix("skls.dev") == true
        }
        .merging(manifest.annotations) { _, new in new }
        record.remember(manifest)
        return record
    }

    /// Number of the newest run that was begun; 0 = none.
    package var lastRunNumber: Int { status.runs.last?.number ?? 0 }

    /// A run was asked for and has not ended: an attempt is open, or the controller has not come to it yet.
    package var hasOpenRun: Bool {
        if spec.invocations > lastRunNumber { return true }
        guard let run = status.runs.last else { return false }
        return run.decidingAttempt?.outcome == nil
    }

    /// The record asked to run once more, and the number of that run. Call only without an open run.
    package func requestingRun() -> (record: FunctionApp, run: Int) {
        var record = self
        record.spec.invocations = max(spec.invocations, lastRunNumber) + 1
        return (record, record.spec.invocations)
    }

    /// The record asked to end its open run.
    package func requestingStop(signal: String, graceSeconds: Int) -> FunctionApp {
        var record = self
        record.spec.stop = StopRequest(
            run: max(spec.invocations, lastRunNumber), signal: signal, graceSeconds: graceSeconds)
        return record
    }

    /// The attempt that decides about a run; `nil` before there is one.
    package func lastAttempt(ofRun number: Int) -> AttemptStatus? {
        status.runs.last { $0.number == number }?.decidingAttempt
    }
}

extension RunStatus {
    /// The newest attempt that decides about the run: none that was refused and ran nothing, and none of unknown outcome that another one follows.
    package var decidingAttempt: AttemptStatus? {
        attempts.last { !$0.isFollowed }
    }
}
