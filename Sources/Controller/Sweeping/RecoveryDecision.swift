package import DesiredState

/// All that a recovery may depend on.
package struct RecoveryInput: Sendable {
    package var instance: InstanceID
    /// Sites of this installation are adopted: usually `instance`, another after the store was lost.
    package var adoptedInstance: InstanceID
    package var sites: [ObservedSite]
    package var records: [StoredRecord]
    package var tombstones: [Tombstone]
    package var age: StoreAge
    package var freeze: Freeze?
    /// A user knows that the store is an older one, though no site shows it.
    package var isForced: Bool

    package init(
        instance: InstanceID, adoptedInstance: InstanceID? = nil, sites: [ObservedSite], records: [StoredRecord],
        tombstones: [Tombstone] = [], age: StoreAge, freeze: Freeze? = nil, isForced: Bool = false
    ) {
        self.instance = instance
        self.adoptedInstance = adoptedInstance ?? instance
        self.sites = sites
        self.records = records
        self.tombstones = tombstones
        self.age = age
        self.freeze = freeze
        self.isForced = isForced
    }
}

/// Decides how a store that is behind its sites goes on.
///
/// Pure. What the lost part of the store did is not known, so nothing that it may have done is done again: runs that are open
/// or were never begun end as Unknown, and records that would otherwise begin, repeat, overwrite or bring back something are
/// suspended until somebody resumes them. A record that has ended all its runs and whose site is as the store wrote it
/// stays as it is.
package func recovery(_ input: RecoveryInput) -> RecoveryPlan {
    let isBehind = input.age.isBehind || input.freeze != nil || input.isForced
    let isTakingOver = input.adoptedInstance != input.instance
    var plan = RecoveryPlan()
    guard isBehind || isTakingOver else { return plan }
    if isBehind {
        plan.reason =
            input.age.reason ?? input.freeze?.reason ?? "a user says that the store is an older one"
        plan.writers = input.age.writersAhead
        plan.revision = input.age.newestSeen
        for stored in input.records.sorted(by: { $0.record.uid < $1.record.uid }) {
            if let run = givenUpRun(stored) { plan.runs.append(run) }
            if let why = suspicion(stored, input) {
                plan.suspended.append(
                    .init(uid: stored.record.uid, name: stored.record.metadata.name, reason: why))
            }
        }
    }
    adopt(input, &plan)
    return plan
}

/// The run that the store believes to be open, or yet to be begun.
private func givenUpRun(_ stored: StoredRecord) -> RecoveryPlan.GivenUpRun? {
    let record = stored.record
    let last = stored.attempts.last
    if let open = stored.attempts.last(where: \.isOpen) {
        return .init(
            uid: record.uid, name: record.metadata.name, run: open.run, attempt: open.number, isOpen: true)
    }
    guard !record.isBeingDeleted else { return nil }
    if let last, last.result?.outcome == .refused, record.spec.invocations <= last.run {
        return .init(
            uid: record.uid, name: record.metadata.name, run: last.run, attempt: last.number + 1, isOpen: false)
    }
    guard record.spec.invocations > (last?.run ?? 0) else { return nil }
    return .init(
        uid: record.uid, name: record.metadata.name, run: record.spec.invocations, attempt: 1, isOpen: false)
}

/// Why a record must not go on by itself; `nil` = it may.
private func suspicion(_ stored: StoredRecord, _ input: RecoveryInput) -> String? {
    let record = stored.record
    guard !record.isBeingDeleted, record.spec.suspend == nil else { return nil }
    if input.age.ahead.contains(record.uid) { return "its site was written by a newer form of the store" }
    if givenUpRun(stored) != nil { return "its run may have happened already" }
    // A copy of it under another name is none.
    let isThere = input.sites.contains { $0.attributableUID == record.uid && $0.isOwned(by: input.instance) }
    if !isThere { return "it has no site, and may have been deleted" }
    return nil
}

private func adopt(_ input: RecoveryInput, _ plan: inout RecoveryPlan) {
    let known = Set(input.records.map(\.record.uid))
    let forgotten = Set(input.tombstones.map(\.uid))
    var taken = Set(input.records.filter { !$0.record.isBeingDeleted }.map { $0.record.metadata.name })
    for site in input.sites.sorted(by: { $0.name < $1.name }) where site.isOwned(by: input.adoptedInstance) {
        if let uid = site.uid.flatMap({ UID($0) }), known.contains(uid) || forgotten.contains(uid) { continue }
        guard let uid = site.attributableUID, let name = site.recordName(besides: taken) else {
            plan.leftAlone.append("\(site.name): its name is not the one that belongs to its tags")
            continue
        }
        taken.insert(name)
        plan.adopted.append(.init(siteName: site.name, uid: uid, name: name))
    }
}

extension ObservedSite {
    /// The name that its record had if the site still tells, else its own; with the uid's first digits where that is taken.
    package func recordName(besides taken: Set<RecordName>) -> RecordName? {
        let names = [tag(SiteTag.recordName), name, uid.map { name + "-" + $0.prefix(12) }]
        return names.compactMap { $0.flatMap { RecordName($0) } }.first { !taken.contains($0) }
    }
}

extension RecoveryPlan {
    /// What makes the plan true. Revisions guard each record that was looked at.
    ///
    /// - Parameter adopted: a record for each of the plan's `adopted`, as far as its site could be read.
    func transaction(
        _ records: [StoredRecord], adopted: [FunctionApp], designer: SiteDesigner, epoch: Epoch?, now: Instant
    ) -> Transaction {
        var operations: [Transaction.Operation] = [.raiseRevision(to: revision)]
        operations += writers.map { .acceptWriter($0) }
        let byUID = Dictionary(records.map { ($0.record.uid, $0) }) { $1 }
        for run in runs {
            guard let stored = byUID[run.uid] else { continue }
            if isOnlyRunGivenUp(run.uid) {
                operations.append(.require(run.uid, stored.record.metadata.resourceVersion))
            }
            operations += giveUp(run, designer, now)
        }
        for suspended in suspended {
            guard var record = byUID[suspended.uid]?.record else { continue }
            record.suspend(because: suspended.reason)
            operations.append(.replace(record, ifRevision: record.metadata.resourceVersion))
        }
        for record in adopted { operations += RecoveryPlan.adopt(record, designer, now) }
        if reason != nil { operations.append(.setFreeze(nil)) }
        return Transaction(origin: .user, epoch: epoch, operations)
    }

    /// A suspended record is guarded by its own replacement.
    private func isOnlyRunGivenUp(_ uid: UID) -> Bool { !suspended.contains { $0.uid == uid } }

    private func giveUp(_ run: GivenUpRun, _ designer: SiteDesigner, _ now: Instant) -> [Transaction.Operation] {
        let token = designer.token(uid: run.uid, run: run.run, attempt: run.attempt)
        let result = AttemptResult(
            outcome: .unknown, exitCode: nil, finishedAt: now,
            message: "the store was behind Azure when skls recover ran: the run may have happened or not")
        if run.isOpen { return [.finishAttempt(token: token, result)] }
        let attempt = Attempt(
            uid: run.uid, run: run.run, number: run.attempt, token: token, bootID: "", openedAt: now)
        return [.openAttempt(attempt), .finishAttempt(token: token, result)]
    }

    /// The record, that its site may exist, and that its runs are not known.
    static func adopt(
        _ record: FunctionApp, _ designer: SiteDesigner, _ now: Instant
    ) -> [Transaction.Operation] {
        let token = designer.token(uid: record.uid, run: 1, attempt: 1)
        let attempt = Attempt(uid: record.uid, run: 1, number: 1, token: token, bootID: "", openedAt: now)
        let result = AttemptResult(
            outcome: .unknown, exitCode: nil, finishedAt: now,
            message: "the site was adopted: what ran on it before is not known")
        let intent = Intent(
            uid: record.uid, kind: .putSite, siteName: SiteDesigner.siteName(of: record.uid), openedAt: now,
            isSettled: true)
        return [
            .create(record), .openIntent(intent), .openAttempt(attempt), .finishAttempt(token: token, result),
            .dropSighting(siteName: SiteDesigner.siteName(of: record.uid)),
        ]
    }
}

extension FunctionApp {
    /// Says why the record was suspended or made, for people.
    package static let recoveredAnnotation = "skls.dev/recovered"

    fileprivate mutating func suspend(because reason: String) {
        spec.suspend = Suspension(by: "recover", reason: reason)
        metadata.annotations[FunctionApp.recoveredAnnotation] = reason
    }
}

extension SiteTag {
    /// The record's name, for people and for adoption.
    package static let recordName = "skls-name"
}
