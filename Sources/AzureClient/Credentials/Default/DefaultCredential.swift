import NIOConcurrencyHelpers

/// Asks several credentials in order and stays with the first that gives a token, as the `DefaultAzureCredential` of
/// Azure's SDKs does (azidentity for Go and azure-identity for Python, read 2026-11). A credential that cannot be used
/// here is passed over; one that can and is refused ends the search.
package final class DefaultCredential: TokenCredential {
    private struct Progress {
        /// Index of the one that gave a token.
        var used: Int?
        var states: [CredentialReport.State]
    }

    private let candidates: [any CredentialCandidate]
    private let excluded: [CredentialReport.Line]
    private let onUse: @Sendable (CredentialReport) -> Void
    private let progress: NIOLockedValueBox<Progress>

    /// - Parameters:
    ///   - excluded: credentials that are not asked, for the report only.
    ///   - onUse: called once, when the first token was had.
    init(
        _ candidates: [any CredentialCandidate], excluded: [CredentialReport.Line] = [],
        onUse: @escaping @Sendable (CredentialReport) -> Void = { _ in }
    ) {
        self.candidates = candidates
        self.excluded = excluded
        self.onUse = onUse
        progress = NIOLockedValueBox(Progress(states: candidates.map { _ in .notAsked }))
    }

    /// What is known so far; complete after the first call of ``token(_:claims:correlationID:)``.
    package var report: CredentialReport {
        let states = progress.withLockedValue(\.states)
        let asked = zip(candidates, states).map { CredentialReport.Line(kind: $0.kind, state: $1) }
        return CredentialReport(
            lines: CredentialKind.allCases.compactMap { kind in (asked + excluded).first { $0.kind == kind } })
    }

    /// - Throws: `unauthorized` if none can be used, with why; the failure of the one that could be.
    package func token(
        _ scope: TokenScope, claims: ClaimsChallenge?, correlationID: CorrelationID
    ) async throws(AzureError) -> AccessToken {
        let used = progress.withLockedValue(\.used)
        for index in used.map({ $0..<$0 + 1 }) ?? candidates.indices {
            let candidate = candidates[index]
            let answer: CredentialAnswer
            do throws(AzureError) {
                answer = try await candidate.answer(scope, claims: claims, correlationID: correlationID)
            } catch {
                if used == nil, error.code != .cancelled { note(.failed(Self.brief(error)), at: index) }
                throw described(error, candidate.kind)
            }
            switch answer {
            case .token(let token):
                if choose(index) { onUse(report) }
                return token
            case .unavailable(let reason):
                let reason = SafeText.escaped(reason, limit: 400)
                if used == nil { note(.unavailable(reason), at: index) }
                guard used == nil else {
                    throw exhausted(["\(candidate.kind.rawValue): \(reason)"], scope, correlationID)
                }
            }
        }
        throw exhausted(report.passedOver, scope, correlationID)
    }

    private func note(_ state: CredentialReport.State, at index: Int) {
        progress.withLockedValue { if $0.used == nil { $0.states[index] = state } }
    }

    /// Whether this was the first choice.
    private func choose(_ index: Int) -> Bool {
        progress.withLockedValue { progress in
            guard progress.used == nil else { return false }
            progress.used = index
            progress.states[index] = .used
            return true
        }
    }

    private static func brief(_ error: AzureError) -> String {
        let facts = [error.status.map { "HTTP \($0)" }, error.serviceCode, error.innerCode].compactMap(\.self)
        return facts.isEmpty ? error.message : "\(error.message) (\(facts.joined(separator: ", ")))"
    }

    private func described(_ error: AzureError, _ kind: CredentialKind) -> AzureError {
        var error = error
        guard error.code != .cancelled else { return error }
        let before = report.passedOver
        let note = before.isEmpty ? "" : " (passed over before it: \(before.joined(separator: "; ")))"
        error.message = SafeText.escaped("\(kind.rawValue): \(error.message)\(note)", limit: 1024)
        return error
    }

    private func exhausted(
        _ reasons: [String], _ scope: TokenScope, _ correlationID: CorrelationID
    ) -> AzureError {
        AzureError(
            code: .unauthorized, operation: .fetchToken, resource: scope.rawValue,
            message: "no credential can be used: \(reasons.joined(separator: "; "))",
            correlationID: correlationID.description)
    }
}
