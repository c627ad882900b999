import NIOHTTP1

/// Whether and when a failed call is made again, for calls that a one-shot caller makes. Pure.
///
/// A controller decides about its writes by itself, from what it observes (``Disposition``); this is for `skls doctor`,
/// for reading long lists and for queries, which nobody would ask again.
package struct RetryPolicy: Sendable, Hashable {
    /// Calls in all, the first one included.
    package var mostAttempts = 5
    /// No call begins later than this after the first.
    package var mostElapsed = Duration.seconds(300)
    /// The first wait; each further one is twice as long. The numbers are azcore's (read 2026-02).
    package var firstWait = Duration.milliseconds(800)
    /// What doubling ends at. Waits that Azure names are not cut.
    package var longestWait = Duration.seconds(60)
    /// What the caller has just done that explains failures which otherwise are final.
    package var expecting: Expectations = []

    package init() {}

    /// The numbers above.
    package static let standard = RetryPolicy()

    /// What takes Azure a while to know everywhere (azure-resource-manager-rpc v1.0 and issues of
    /// terraform-provider-azurerm, read 2026-02).
    package struct Expectations: OptionSet, Sendable, Hashable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }

        /// It was put a moment ago: 404 counts as "not yet" for 60 s.
        package static let resourceJustPut = Expectations(rawValue: 1)
        /// A role was given a moment ago: 403 counts as "not yet" for 10 minutes.
        package static let roleJustGiven = Expectations(rawValue: 2)
        /// An identity was made a moment ago: `PrincipalNotFound` counts as "not yet" for 10 minutes.
        package static let identityJustMade = Expectations(rawValue: 4)
    }

    package enum Decision: Sendable, Hashable {
        case wait(Duration)
        case stop(StopReason)
    }

    /// Why a call is not made again.
    package enum StopReason: String, Sendable, Hashable {
        /// The same call gives the same failure.
        case permanent
        /// It may have been applied and would then be applied twice.
        case notRepeatable
        case attemptsSpent
        /// The wait, also one that Azure named, ends behind ``mostElapsed``.
        case timeSpent
        case cancelled
    }

    /// What follows a failure.
    /// - Parameters:
    ///   - isRepeatable: whether applying the call twice does what applying it once does.
    ///   - attempt: how many calls have been made, at least 1.
    ///   - elapsed: since the first of them began.
    ///   - jitter: in 0..<1; spreads callers that failed together over up to half a wait more.
    package func decide(
        error: AzureError, isRepeatable: Bool, attempt: Int, elapsed: Duration, jitter: Double
    ) -> Decision {
        if error.code == .cancelled { return .stop(.cancelled) }
        guard let base = wait(after: error, attempt: attempt, elapsed: elapsed) else { return .stop(.permanent) }
        if error.effectIsUnknown, !isRepeatable { return .stop(.notRepeatable) }
        guard attempt < mostAttempts else { return .stop(.attemptsSpent) }
        let spread = base * (min(max(jitter, 0), 1) / 2)
        // Azure's own figure is spread less: it can be long, and is exact.
        let wait = max(min(base + spread, longestWait), error.retryAfter.map { $0 + min(spread, .seconds(5)) } ?? .zero)
        guard elapsed + wait <= mostElapsed else { return .stop(.timeSpent) }
        return .wait(wait)
    }

    /// The wait before jitter and Azure's own figure, nil if waiting does not help.
    private func wait(after error: AzureError, attempt: Int, elapsed: Duration) -> Duration? {
        let doublings = min(max(attempt - 1, 0), 20)
        let growing = min(firstWait * (1 << doublings), longestWait)
        switch error.code {
        case .throttled, .serverFault, .timedOut, .connection, .malformedReply: return growing
        case .conflictBusy, .pendingDelete: return min(Disposition.busyWait * max(attempt, 1), longestWait)
        case .notFound, .scopeNotFound:
            if expecting.contains(.identityJustMade), error.names("PrincipalNotFound"), elapsed < .seconds(600) {
                return growing
            }
            return expecting.contains(.resourceJustPut) && elapsed < .seconds(60) ? growing : named(error, growing)
        case .forbidden:
            return expecting.contains(.roleJustGiven) && elapsed < .seconds(600) ? growing : nil
        case .conflict, .other: return named(error, growing)
        case .cancelled, .unauthorized, .nameTaken, .invalid, .missingRegistration, .policyDenied, .locked,
            .quotaExceeded:
            return nil
        }
    }

    /// Any answer that names a wait may be asked again (azure-resource-manager-rpc v1.0, read 2026-02).
    private func named(_ error: AzureError, _ wait: Duration) -> Duration? {
        error.retryAfter == nil ? nil : wait
    }
}

extension AzureError {
    /// Whether Azure gave this code at any level, in any case.
    func names(_ code: String) -> Bool {
        [serviceCode, innerCode].contains { $0?.lowercased() == code.lowercased() }
    }
}

extension AzureRequest {
    /// Whether sending it twice does what sending it once does: reads, PUT and DELETE. A POST is, where it is declared
    /// to be a read.
    var isRepeatable: Bool {
        switch method {
        case .GET, .HEAD, .PUT, .DELETE: true
        default: !isWrite
        }
    }
}
