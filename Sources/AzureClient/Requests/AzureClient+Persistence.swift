extension AzureClient {
    /// Sends a request until it succeeds or the policy stops. For one-shot callers and reads alone; see
    /// ``RetryPolicy``.
    /// - Throws: the last failure; `cancelled` also from a wait.
    func persistently(
        _ request: AzureRequest, policy: RetryPolicy = .standard
    ) async throws(AzureError) -> AzureReply {
        let started = now
        var attempt = 1
        while true {
            let failure: AzureError
            do throws(AzureError) {
                return try await call(request)
            } catch {
                failure = error
            }
            let decision = policy.decide(
                error: failure, isRepeatable: request.isRepeatable, attempt: attempt, elapsed: now - started,
                jitter: jitter())
            guard case .wait(let wait) = decision else { throw failure }
            try await pause(wait, for: request.operation, request.resource)
            attempt += 1
        }
    }
}
