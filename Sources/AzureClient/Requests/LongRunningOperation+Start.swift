import NIOHTTP1

extension LongRunningOperation {
    /// What a successful reply to a write begins: an operation to follow, or its end.
    ///
    /// The headers win in this order: `Operation-Location`, `Azure-AsyncOperation`, `Location` (with 202 only: beside
    /// another status it is the address of the resource), then the body's provisioning state; without any of them the
    /// write is done. A deletion is followed at the resource alone, as go-azure-sdk does.
    /// - Parameters:
    ///   - finalState: by default the resource for PUT and PATCH, the location for POST and nothing for DELETE.
    ///   - service: where links may lead; others count as lost.
    ///   - now: seconds since 1970.
    static func started(
        by reply: AzureReply, to request: AzureRequest, finalState: FinalState? = nil, service: ServiceURL, now: Int64
    ) -> Step {
        let kind = Kind(request.method)
        let headers = ["operation-location", "azure-asyncoperation", "location"].map { reply.headers.first(name: $0) }
        let links = headers.map { $0.flatMap { OperationLink(header: $0, at: service) } }
        var operation = LongRunningOperation(
            kind: kind, operation: request.operation, resource: request.resource,
            resourceLink: .resource(writtenBy: request.url), finalState: finalState ?? kind.usualFinalState,
            stage: .resource, location: links[2])
        let wait = pause(reply, now: now)
        if kind == .delete {
            return reply.status == 202
                ? Step(operation: operation, next: .pollAfter(wait)) : operation.ended(with: reply)
        }
        let usesHeader = headers[0] != nil || headers[1] != nil || (reply.status == 202 && headers[2] != nil)
        guard usesHeader else {
            // Without a header only the body can say that it still runs, and only of a resource that was written.
            guard kind != .post else { return operation.ended(with: reply) }
            switch OperationStatus(reply) {
            case .running: return Step(operation: operation, next: .pollAfter(wait))
            case .failed(let body): return operation.failed(body, reply)
            case .succeeded, .unsaid, .unreadable:
                guard reply.status == 202 else { return operation.ended(with: reply) }
                operation.isConfirmed = false
                return Step(operation: operation, next: .pollAfter(wait))
            }
        }
        if let status = links[0] ?? links[1] {
            operation.stage = status.leadsToPath(of: operation.resourceLink) ? .resource : .status(status)
        } else if headers[0] == nil, headers[1] == nil, let location = links[2] {
            operation.stage = location.leadsToPath(of: operation.resourceLink) ? .resource : .location(location)
        } else {
            return operation.fallingBack(
                wait, because: "the operation's address is on another host", status: reply.status)
        }
        return Step(operation: operation, next: .pollAfter(wait))
    }

    private func ended(with reply: AzureReply) -> Step {
        Step(operation: self, next: .done(OperationResult(reply: reply, isConfirmed: isConfirmed)))
    }
}

extension LongRunningOperation.Kind {
    init(_ method: HTTPMethod) {
        switch method {
        case .PUT: self = .put
        case .PATCH: self = .patch
        case .DELETE: self = .delete
        default: self = .post
        }
    }

    var usualFinalState: LongRunningOperation.FinalState {
        switch self {
        case .put, .patch: .resource
        case .post: .location
        case .delete: .nothing
        }
    }
}
