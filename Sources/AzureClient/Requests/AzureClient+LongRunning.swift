import NIOHTTP1

/// Following operations that Azure works on after it has answered.
extension AzureClient {
    /// How long a one-shot caller waits for an operation. Sites were seen to take minutes, and their locks hours
    /// (issues of azure-functions-on-container-apps, read 2026-02): beyond this somebody has to look.
    package static let operationDeadline = Duration.seconds(1800)

    /// Sends a write once and says what it began. See ``LongRunningOperation/started(by:to:finalState:service:now:)``.
    func begin(
        _ request: AzureRequest, finalState: LongRunningOperation.FinalState? = nil
    ) async throws(AzureError) -> LongRunningOperation.Step {
        started(try await call(request), to: request, finalState: finalState)
    }

    /// What a successful reply to a write began.
    func started(
        _ reply: AzureReply, to request: AzureRequest, finalState: LongRunningOperation.FinalState? = nil
    ) -> LongRunningOperation.Step {
        LongRunningOperation.started(
            by: reply, to: request, finalState: finalState, service: environment.resourceManager, now: unixSeconds
        ).blanking(request.secrets)
    }

    /// Asks once about an operation. One read.
    ///
    /// Never throws for a status that could not be read: that is a step like another, with a later poll.
    /// - Throws: `cancelled`.
    package func poll(
        _ operation: LongRunningOperation, correlationID: CorrelationID
    ) async throws(AzureError) -> LongRunningOperation.Step {
        let service = environment.resourceManager
        let link = operation.nextLink
        // A stored value is input: it was checked when it was made, but perhaps for another cloud.
        guard service.owns(link.text) else {
            guard link != operation.resourceLink, service.owns(operation.resourceLink.text) else {
                throw AzureError(
                    code: .invalid, operation: operation.operation, resource: operation.resource,
                    message: "the operation belongs to another cloud", effectIsUnknown: true)
            }
            return operation.fallingBack(.zero, because: "its address is on another host", status: nil)
        }
        var get = AzureRequest(
            operation: operation.operation, resource: operation.resource, method: .GET, url: link.text,
            headers: ["accept": "application/json"], correlationID: correlationID, timeout: limits.read)
        if link != operation.resourceLink, let query = link.query { get.secrets = [Secret(query)] }
        let answer: Result<AzureReply, AzureError>
        do throws(AzureError) {
            answer = .success(try await call(get))
        } catch {
            if error.code == .cancelled { throw error }
            answer = .failure(error)
        }
        return operation.step(answer, service: service, now: unixSeconds).blanking(get.secrets)
    }

    /// Follows an operation to its end, for one-shot callers. A controller stores it and polls by itself.
    /// - Throws: what Azure says of a failed operation; `timedOut` with `effectIsUnknown` if it has not ended in time,
    ///   `cancelled`.
    package func finish(
        _ step: LongRunningOperation.Step, within deadline: Duration = operationDeadline, correlationID: CorrelationID
    ) async throws(AzureError) -> OperationResult {
        let started = now
        var step = step
        while true {
            switch step.next {
            case .done(let result): return result
            case .failed(let error): throw error
            case .pollAfter(let wait):
                guard now - started + wait <= deadline else {
                    throw AzureError(
                        code: .timedOut, operation: step.operation.operation, resource: step.operation.resource,
                        message: "the operation has not ended within \(deadline)",
                        correlationID: correlationID.description, effectIsUnknown: true)
                }
                try await pause(wait, for: step.operation.operation, step.operation.resource)
                step = try await poll(step.operation, correlationID: correlationID)
            }
        }
    }
}

extension LongRunningOperation.Step {
    /// Without the secrets of the request that was answered, which the reason of a failure may repeat.
    fileprivate func blanking(_ secrets: [Secret]) -> LongRunningOperation.Step {
        guard case .failed(var error) = next else { return self }
        error.message = SafeText.blanked(error.message, secrets: secrets)
        return LongRunningOperation.Step(operation: operation, next: .failed(error))
    }
}
