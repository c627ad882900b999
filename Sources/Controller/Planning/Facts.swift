import DesiredState

/// The input with the questions that several rules ask.
struct Facts {
    let input: PlanInput

    var record: FunctionApp { input.record }
    var now: Instant { input.now }
    var openAttempt: Attempt? { input.attempts.last { $0.isOpen } }
    /// What happened when, by the steady clock.
    var times: StoredTimes {
        input.times
            ?? StoredTimes(
                of: record, input.attempts, input.intent, at: Moment(wall: input.wall, steady: now))
    }

    func openedAt(_ intent: Intent) -> Instant { times.intentOpened ?? now }
    func attemptOpenedAt(_ attempt: Attempt) -> Instant { times.attemptOpened ?? now }
    var lastEndedAt: Instant? { times.lastEnded }

    var lastAttempt: Attempt? { input.attempts.last }
    var lastRun: Int { lastAttempt?.run ?? 0 }
    var isListPending: Bool { input.isListPending }

    /// The run that should begin now, with the number of its next attempt; `nil` when there is none.
    var pendingRun: (run: Int, attempt: Int)? {
        guard openAttempt == nil, !record.isBeingDeleted else { return nil }
        if let last = lastAttempt, isFollowedByAnother(last) { return (last.run, last.number + 1) }
        return record.spec.invocations > lastRun ? (lastRun + 1, 1) : nil
    }

    /// The site when it is there and carries our tags.
    var ownSite: ObservedSite? {
        guard case .present(let site, _) = input.site, isOwn(site) else { return nil }
        return site
    }

    var foreignSite: ObservedSite? {
        guard case .present(let site, _) = input.site, !isOwn(site) else { return nil }
        return site
    }

    /// Seen to be absent after `instant`.
    func isAbsent(after instant: Instant) -> Bool {
        guard case .absent(let asOf) = input.site else { return false }
        return asOf >= instant
    }

    var isSiteKnown: Bool { input.site != .unknown }

    /// The agent stopped answering after the site was seen last: perhaps the site is gone. Worth one read.
    var isSiteInDoubt: Bool {
        guard let notReady else { return false }
        switch input.site {
        case .unknown: return !isListPending
        case .absent(let asOf), .present(_, let asOf): return asOf < notReady.since
        }
    }

    /// A create was sent that may still take effect.
    var hasUnsettledCreate: Bool { input.intent?.kind == .putSite && input.intent?.isSettled == false }

    var liveBootID: String? {
        guard case .live(let bootID) = input.agent else { return nil }
        return bootID
    }

    var notReady: NotReady? {
        guard case .notReady(let notReady) = input.agent else { return nil }
        return notReady
    }

    func isInFlight(_ kind: CallKind) -> Bool { input.inFlight.contains(kind) }

    func failure(_ kind: CallKind) -> CallFailure? { input.failures[kind] }

    /// When a call of this kind may be made: `nil` = now.
    func waitUntil(_ kind: CallKind) -> Instant? {
        guard let failure = input.failures[kind], failure.notBefore > now else { return nil }
        return failure.notBefore
    }

    private func isOwn(_ site: ObservedSite) -> Bool {
        site.instance == input.identity.instance && site.uid == record.uid.text
    }
}
