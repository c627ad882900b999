// Azure Resource Manager: what happens to a request before and after a resource provider sees it.

extension World {
    mutating func answerResourceManager(_ request: ControlRequest, at now: Instant) -> Reply {
        settleResources(at: now)
        var reply: Reply
        if request.path.lowercased().hasPrefix("/metadata/endpoints") {
            reply = answerCloudMetadata(request)
        } else {
            switch caller(of: request, at: now) {
            case .failure(let fault): reply = authenticationError(fault, at: now)
            case .success(let principal): reply = authenticatedReply(request, principal: principal, at: now)
            }
        }
        addCorrelation(to: &reply, of: request, at: now)
        return reply
    }

    /// Quota comes first, as refused requests count as well; then faults that are wished for; then the request itself.
    private mutating func authenticatedReply(_ sent: ControlRequest, principal: Principal, at now: Instant) -> Reply {
        let path = ResourcePath(path: sent.path)
        let quota = takeQuota(sent, path: path, principal: principal, at: now)
        var reply: Reply
        if let refusal = quota.refusal {
            reply = refusal
        } else if let failure = failure(of: sent, path: path) {
            reply = failure
        } else {
            let (request, wasEmpty) = behindEmptyPage(sent)
            reply = forbidden(request.method, path, principal) ?? authorizedReply(request, path: path, at: now)
            if !["GET", "HEAD"].contains(request.method), (200..<300).contains(reply.status) {
                activity.note(
                    path, method: request.method, by: principal, status: reply.status,
                    correlationID: request.correlationRequestID ?? "", in: settings.subscriptionID, at: now)
            }
            if !wasEmpty { putEmptyPage(before: &reply, to: request) }
            spoil(&reply, to: request)
        }
        reply.headers += quota.headers
        return reply
    }

    /// Order of checks: API version, known type, known version, subscription, group; the provider finds the resource.
    private mutating func authorizedReply(_ request: ControlRequest, path: ResourcePath, at now: Instant) -> Reply {
        let query = URLText.pairs(request.query)
        guard let version = query.first(where: { $0.name.lowercased() == "api-version" })?.value, !version.isEmpty
        else {
            return AzureErrorBody.resourceManager(
                400, "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.")
        }
        guard Self.isVersion(version) else {
            return AzureErrorBody.resourceManager(
                400, "InvalidApiVersionParameter",
                "The api-version '\(version)' is invalid. The api-version must be of the form 'yyyy-MM-dd' or "
                    + "'yyyy-MM-dd-preview'.")
        }
        let call = ResourceCall(path: path, method: request.method, query: query, version: version, request: request)
        guard let namespace = path.namespace, namespace.lowercased() != "microsoft.resources",
            !(path.group == nil && path.isAboutProvider)
        else { return missingSubscription(of: path) ?? answerResources(call, at: now) }
        guard let provider = ResourceProvider.named(namespace), let type = path.segments.first,
            provider.types.contains(where: { $0.lowercased() == type.lowercased() })
        else {
            return AzureErrorBody.resourceManager(
                404, "InvalidResourceType",
                "The resource type '\(path.type)' could not be found in the simulated Azure.")
        }
        guard provider.versions.contains(version.lowercased()) else {
            return AzureErrorBody.resourceManager(
                400, "NoRegisteredProviderFound",
                "No registered resource provider found for location '\(settings.location)' and API version "
                    + "'\(version)' for type '\(type)'. The supported api-versions are "
                    + "'\(provider.versions.joined(separator: ", "))'. The supported locations are "
                    + "'\(settings.location)'.")
        }
        if let missing = missingSubscription(of: path) { return missing }
        if let group = path.group, let refusal = refusal(ofGroup: group, method: call.method) { return refusal }
        if let refusal = refusal(ofProvider: provider.namespace, method: call.method, at: now) { return refusal }
        if call.method == "HEAD", ResourceInventory.named(path.type) != nil, path.name != nil, path.suffix.isEmpty {
            return Reply(status: trackedResource(at: path) == nil ? 404 : 204)
        }
        let reply = provider.answer(&self, call, now)
        noteGraphChange(by: call, at: now)
        return reply
    }

    /// `yyyy-MM-dd`, with or without a suffix such as `-preview` (Resource Manager RPC contract).
    private static func isVersion(_ text: String) -> Bool {
        let parts = text.split(separator: "-", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count >= 3, zip(parts, [4, 2, 2]).allSatisfy({ $0.utf8.count == $1 }) else { return false }
        return parts.prefix(3).allSatisfy { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
            && (parts.count == 3 || !parts[3].isEmpty)
    }

    private func missingSubscription(of path: ResourcePath) -> Reply? {
        if let subscription = path.subscription, subscription.lowercased() != settings.subscriptionID.lowercased() {
            return AzureErrorBody.resourceManager(
                404, "SubscriptionNotFound", "The subscription '\(subscription)' could not be found.")
        }
        return nil
    }

    // MARK: Headers

    /// Every reply has the three ids; the client's own comes back only when it asks (Azure Resource Manager RPC contract).
    private mutating func addCorrelation(to reply: inout Reply, of request: ControlRequest, at now: Instant) {
        let id = random.guid()
        let correlation = request.correlationRequestID ?? random.guid()
        reply.add("x-ms-request-id", id)
        reply.add("x-ms-correlation-request-id", correlation)
        reply.add("x-ms-routing-request-id", "\(settings.location.uppercased()):\(now.routingStamp):\(random.guid())")
        if request.wantsClientRequestID, let client = request.clientRequestID {
            reply.add("x-ms-client-request-id", client)
        }
        reply.add("Cache-Control", "no-cache")
        reply.add("Pragma", "no-cache")
        reply.add("Expires", "-1")
        reply.add("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
        reply.add("X-Content-Type-Options", "nosniff")
    }

    private func authenticationError(_ fault: TokenFault, at now: Instant) -> Reply {
        let (code, message) =
            switch fault {
            case .missing: ("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
            case .malformed: ("InvalidAuthenticationToken", "The access token is invalid.")
            case .expired(let end):
                (
                    "ExpiredAuthenticationToken",
                    "The access token expiry UTC time '\(end.american)' is earlier than current UTC time "
                        + "'\(now.american)'."
                )
            case .wrongAudience(let audience):
                (
                    "InvalidAuthenticationTokenAudience",
                    "The access token has been obtained for wrong audience or resource '\(audience)'. It should "
                        + "exactly match with one of the allowed audiences 'https://management.azure.com', "
                        + "'https://management.core.windows.net/'."
                )
            }
        var reply = AzureErrorBody.resourceManager(401, code, message)
        reply.add(
            "WWW-Authenticate",
            "Bearer authorization_uri=\"https://login.microsoftonline.com/\(settings.tenantID)\", "
                + "error=\"invalid_token\", error_description=\"\(message)\"")
        return reply
    }
}
