// Throttling by Resource Manager (Azure docs, request-limits-and-throttling, read 2025-05; bodies as seen in public
// reports of throttled clients).

extension World {
    /// Whose bucket, and for what.
    struct BucketKey: Hashable, Sendable {
        enum Scope: Hashable, Sendable {
            case subscription(String)
            case tenant
            /// Microsoft.Web's own quota of a subscription.
            case siteWrites(String)
            /// A provider's own quota of a subscription.
            case listActions(String, provider: String)
        }

        var scope: Scope
        /// Nil for the bucket of all principals together.
        var principal: String?
        var operation: TokenBucket.Operation
    }

    /// Paths can name any subscription and provider: beyond this number all buckets are forgotten, that is full (ours).
    private static let bucketLimit = 1_024

    /// What a request's buckets say: the headers for its reply, and the refusal if one of them is empty.
    struct QuotaOutcome {
        var headers: [Reply.Header] = []
        var refusal: Reply?
    }

    /// Takes a token from each bucket that the request belongs to.
    mutating func takeQuota(_ request: ControlRequest, path: ResourcePath, principal: Principal, at now: Instant)
        -> QuotaOutcome
    {
        let operation = TokenBucket.Operation(method: request.method)
        var outcome = QuotaOutcome()
        guard let subscription = path.subscription?.lowercased() else {
            let key = BucketKey(scope: .tenant, principal: principal.objectID, operation: operation)
            take(key, settings.quota.bucket(for: operation), header: "tenant-\(operation.rawValue)", &outcome, at: now)
            {
                (
                    "TooManyRequests",
                    "The request is being throttled as the limit has been reached for operation type - "
                        + "\(operation.rawValue). Please try again after '\($0)' seconds."
                )
            }
            return outcome
        }
        let action = path.segments.last?.lowercased() ?? ""
        if let own = settings.quota.listActions, request.method == "POST", action.hasPrefix("list") {
            let provider = path.namespace ?? ""
            let key = BucketKey(
                scope: .listActions(subscription, provider: provider.lowercased()), principal: principal.objectID,
                operation: operation)
            take(key, own, header: "subscription-resource-requests", &outcome, at: now) {
                (
                    "ResourceRequestsThrottled",
                    "Number of requests for action '\(path.type)/\(action)/action' exceeded the limit of "
                        + "'\(Int(own.capacity))'. Please try again after '\($0)' seconds."
                )
            }
            return outcome
        }
        if let own = settings.quota.siteWrites, request.method == "PUT",
            path.type.lowercased() == "microsoft.web/sites", path.segments.count == 2
        {
            let key = BucketKey(
                scope: .siteWrites(subscription), principal: principal.objectID, operation: operation)
            take(key, own, header: "subscription-resource-requests", &outcome, at: now) {
                (
                    "ResourceRequestsThrottled",
                    "Number of requests for action 'Microsoft.Web/sites/write' exceeded the limit of "
                        + "'\(Int(own.capacity))'. Please try again after '\($0)' seconds."
                )
            }
            return outcome
        }
        func refusal(_ seconds: Int64) -> (String, String) {
            (
                "SubscriptionRequestsThrottled",
                "Number of requests for subscription '\(path.subscription ?? "")' and operation "
                    + "'\(request.method)/\(path.type.uppercased())' exceeded the backend storage limit. Please try "
                    + "again after '\(seconds)' seconds."
            )
        }
        let figures = settings.quota.bucket(for: operation)
        let key = BucketKey(
            scope: .subscription(subscription), principal: principal.objectID, operation: operation)
        take(key, figures, header: "subscription-\(operation.rawValue)", &outcome, at: now, refusal: refusal)
        if outcome.refusal == nil {
            var global = key
            global.principal = nil
            let factor = settings.quota.globalFactor
            take(
                global,
                .init(capacity: figures.capacity * factor, refillPerSecond: figures.refillPerSecond * factor),
                header: "subscription-global-\(operation.rawValue)", &outcome, at: now, refusal: refusal)
        }
        return outcome
    }

    private mutating func take(
        _ key: BucketKey, _ figures: QuotaPolicy.Bucket, header: String, _ outcome: inout QuotaOutcome,
        at now: Instant, refusal: (_ seconds: Int64) -> (code: String, message: String)
    ) {
        let name = "x-ms-ratelimit-remaining-\(header)"
        if buckets.count >= Self.bucketLimit, buckets[key] == nil { buckets.removeAll() }
        switch buckets[key, default: TokenBucket(figures, at: now)].take(
            at: now, isEnforced: settings.quota.isEnforced)
        {
        case .taken(let remaining): outcome.headers.append(.init(name: name, value: String(remaining)))
        case .refused(let wait):
            let seconds = wait.components.seconds
            let (code, message) = refusal(seconds)
            var reply = AzureErrorBody.resourceManager(429, code, message)
            reply.add("Retry-After", String(seconds))
            outcome.headers.append(.init(name: name, value: "0"))
            outcome.refusal = reply
        }
    }
}
