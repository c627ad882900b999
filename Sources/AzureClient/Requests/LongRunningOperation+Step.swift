import NIOCore
import NIOHTTP1

extension LongRunningOperation {
    /// The wait where Azure names none (go-azure-sdk; azcore and Python wait 30 s; read 2026-02).
    static let usualPause = Duration.seconds(10)
    /// Waits named in successful answers are cut to this: the contract speaks of 10 to 600 s, and a wait of none would
    /// be a busy loop.
    static let pauses = Duration.seconds(1)...Duration.seconds(600)
    /// How long a missing status counts as "not there yet", before the resource is read in its place. Also for the
    /// result of an operation that has succeeded.
    static let absenceOfStatusSeconds: Int64 = 60
    /// How long a resource that is being made may be invisible.
    static let absenceOfResourceSeconds: Int64 = 600
    /// Unreadable statuses in a row before the resource is read in its place.
    static let mostFailures = 5

    /// The operation after an answer to a GET of ``nextLink``. Pure.
    /// - Parameters:
    ///   - answer: a reply with a status of success, or why there is none.
    ///   - service: where a new `Location` may lead.
    ///   - now: seconds since 1970.
    func step(_ answer: Result<AzureReply, AzureError>, service: ServiceURL, now: Int64) -> Step {
        var operation = self
        switch answer {
        case .success(let reply):
            operation.failures = 0
            operation.absentSince = nil
            return operation.read(reply, service: service, now: now)
        case .failure(let error): return operation.unread(error, now: now)
        }
    }

    /// The wait a successful answer asks for.
    static func pause(_ reply: AzureReply, now: Int64) -> Duration {
        let named = RetryAfter.duration(reply.headers, unixSeconds: now) ?? usualPause
        return min(max(named, pauses.lowerBound), pauses.upperBound)
    }

    private mutating func read(_ reply: AzureReply, service: ServiceURL, now: Int64) -> Step {
        let wait = Self.pause(reply, now: now)
        switch stage {
        case .final: return done(reply)
        case .resource: return readResource(reply, wait)
        case .status: return readStatus(reply, wait, now: now)
        case .location:
            if reply.status == 202 {
                // Each answer may name another place to ask (azcore's poller follows it, read 2026-02).
                if let moved = reply.headers.first(name: "location").flatMap({ OperationLink(header: $0, at: service) })
                {
                    stage = .location(moved)
                }
                return running(wait)
            }
            switch OperationStatus(reply) {
            case .running: return running(wait)
            case .failed(let body): return failed(body, reply)
            case .succeeded, .unreadable: return done(reply)
            case .unsaid:
                guard reply.body.readableBytes == 0, finalState == .resource else { return done(reply) }
                return getting(resourceLink)
            }
        }
    }

    private mutating func readStatus(_ reply: AzureReply, _ wait: Duration, now: Int64) -> Step {
        switch OperationStatus(reply) {
        case .running: return running(wait)
        case .failed(let body): return failed(body, reply)
        case .succeeded: return succeeded(reply)
        case .unsaid where reply.status == 202: return running(wait)
        // An empty 200 is a success (go-azure-sdk, read 2026-02).
        case .unsaid where reply.body.readableBytes == 0: return succeeded(reply)
        case .unsaid:
            // The status of a Function App on Container Apps was seen to name no state (terraform-provider-azurerm,
            // `linux_function_app_on_container`, read 2026-02).
            return fallingBack(wait, because: "the operation's status names no state", status: reply.status)
        case .unreadable:
            return unread(
                AzureError(
                    code: .malformedReply, operation: operation, resource: resource, status: reply.status,
                    message: "the operation's status is not JSON", requestID: reply.requestID.description), now: now)
        }
    }

    private mutating func readResource(_ reply: AzureReply, _ wait: Duration) -> Step {
        // A deletion ends with the resource's absence, which is an error of the reading.
        guard kind != .delete, reply.status != 202, reply.status != 204 else { return running(wait) }
        switch OperationStatus(reply) {
        case .running, .unreadable: return running(wait)
        case .failed(let body): return failed(body, reply)
        case .succeeded, .unsaid: return done(reply)
        }
    }

    /// The status could not be read, which says nothing about the operation itself.
    private mutating func unread(_ error: AzureError, now: Int64) -> Step {
        switch error.code {
        case .cancelled, .unauthorized: return lost(error)
        case .notFound, .scopeNotFound: return absent(error, now: now)
        case .malformedReply where error.status == 404: return absent(error, now: now)
        case .throttled, .conflictBusy, .pendingDelete: return again(after: error)
        case .serverFault, .timedOut, .connection, .malformedReply, .conflict:
            failures += 1
            guard failures >= Self.mostFailures, readsOperation else { return again(after: error) }
            return fallingBack(error.retryAfter ?? Self.usualPause, because: error.message, status: error.status)
        case .forbidden, .invalid, .missingRegistration, .policyDenied, .locked, .quotaExceeded, .nameTaken, .other:
            guard readsOperation else { return lost(error) }
            // A role on the resource group alone does not reach the operation's address at the subscription, while
            // the resource is being made all the same (seen by users of several tools, azure docs issues, read 2026-02).
            return fallingBack(error.retryAfter ?? .zero, because: error.message, status: error.status)
        }
    }

    /// Nothing is where the answer should be: a deletion has ended, anything else is not there yet – for a while.
    private mutating func absent(_ error: AzureError, now: Int64) -> Step {
        let isGone = error.code == .notFound || error.serviceCode?.lowercased() == "resourcegroupnotfound"
        if kind == .delete {
            return isGone
                ? Step(operation: self, next: .done(OperationResult(reply: nil, isConfirmed: isConfirmed)))
                : again(after: error)
        }
        let since = absentSince ?? now
        absentSince = since
        let bound = stage == .resource ? Self.absenceOfResourceSeconds : Self.absenceOfStatusSeconds
        guard now - since >= bound else { return running(error.retryAfter ?? Self.usualPause) }
        guard readsOperation else { return lost(error) }
        return fallingBack(error.retryAfter ?? .zero, because: error.message, status: error.status)
    }

    /// Whether the operation itself is asked, so that the resource is still left to be read in its place.
    private var readsOperation: Bool {
        switch stage {
        case .status, .location: true
        case .resource, .final: false
        }
    }

    private func running(_ wait: Duration) -> Step {
        Step(operation: self, next: .pollAfter(wait))
    }

    /// A wait that Azure names is never shortened.
    private func again(after error: AzureError) -> Step {
        let pause = Self.usualPause * min(max(1, failures), 6)
        return Step(operation: self, next: .pollAfter(max(pause, error.retryAfter ?? .zero)))
    }

    private func done(_ reply: AzureReply) -> Step {
        Step(operation: self, next: .done(OperationResult(reply: reply, isConfirmed: isConfirmed)))
    }

    private mutating func succeeded(_ reply: AzureReply) -> Step {
        switch finalState {
        case .resource: return getting(resourceLink)
        case .location: return location.map { getting($0) } ?? done(reply)
        case .operation, .nothing: return done(reply)
        }
    }

    private mutating func getting(_ link: OperationLink) -> Step {
        stage = .final(link)
        return Step(operation: self, next: .pollAfter(.zero))
    }

    /// Azure says that the operation has ended without success.
    func failed(_ body: ErrorBody, _ reply: AzureReply) -> Step {
        let message = body.message.isEmpty ? "the operation failed and Azure gave no reason" : body.message
        let error = AzureError(
            code: ErrorClassification.code(ofFailedOperation: body), operation: operation, resource: resource,
            status: reply.status, serviceCode: body.code, innerCode: body.innerCodes.first, message: message,
            correlationID: reply.headers.first(name: "x-ms-correlation-request-id"),
            requestID: reply.headers.first(name: "x-ms-request-id") ?? reply.requestID.description)
        return Step(operation: self, next: .failed(error))
    }

    /// Its end cannot be found out from here.
    private func lost(_ error: AzureError) -> Step {
        var error = error
        error.effectIsUnknown = true
        return Step(operation: self, next: .failed(error))
    }

    /// Goes on with the resource. What an action does to a resource cannot be read there, so its end stays unknown.
    func fallingBack(_ wait: Duration, because reason: String, status: Int?) -> Step {
        var operation = self
        guard kind != .post else {
            return lost(
                AzureError(
                    code: .conflict, operation: self.operation, resource: resource, status: status,
                    message: "the action runs in Azure and cannot be followed: \(reason)"))
        }
        operation.stage = .resource
        operation.isConfirmed = false
        operation.failures = 0
        operation.absentSince = nil
        return Step(operation: operation, next: .pollAfter(max(wait, Self.pauses.lowerBound)))
    }
}
