// Faults of the front that every request of Resource Manager passes. Those of one service are decided where the service
// is, by `strikes`.

extension World {
    /// Whether a fault of this kind strikes the request under way; the journal of requests then names it. To be asked
    /// once per request, and only where the fault would show.
    mutating func strikes(_ kind: FaultKind) -> Bool { faults.strikes(kind) }

    /// The reply to a request that fails before anything is done, if one of the plan's faults wants that.
    mutating func failure(of request: ControlRequest, path: ResourcePath) -> Reply? {
        if strikes(.resetBefore) { return Reply(status: 0) }
        if strikes(.htmlBadGateway) { return FrontEndPage.badGateway }
        if strikes(.throttled) {
            var reply = AzureErrorBody.resourceManager(
                429, "SubscriptionRequestsThrottled",
                "Number of requests for subscription '\(path.subscription ?? "")' and operation "
                    + "'\(request.method)/\(path.type.uppercased())' exceeded the backend storage limit. Please try "
                    + "again after '\(Self.longWait)' seconds.")
            reply.add("Retry-After", String(Self.longWait))
            return reply
        }
        for (kind, status, code, message) in Self.serverErrors where strikes(kind) {
            return AzureErrorBody.resourceManager(status, code, message)
        }
        let isWebWrite = path.namespace?.lowercased() == "microsoft.web" && !["GET", "HEAD"].contains(request.method)
        if isWebWrite, path.name != nil {
            if strikes(.busyConflict) { return busy(409) }
            if strikes(.busyThrottled) { return busy(429) }
        }
        return nil
    }

    /// Longer than the 60 s that SDKs are willing to wait by themselves.
    private static let longWait = 600

    private static let serverErrors: [(FaultKind, Int, String, String)] = [
        (.internalError, 500, "InternalServerError", "Encountered internal server error. Please try again later."),
        (.badGateway, 502, "BadGateway", "The gateway did not receive a response from the resource provider."),
        (.unavailable, 503, "ServiceUnavailable", "The service is temporarily unavailable. Please try again later."),
    ]

    /// Microsoft.Web's body for a site that is being changed (seen in public reports).
    private mutating func busy(_ status: Int) -> Reply {
        AzureErrorBody.web(
            status, "Conflict", extended: "59203",
            "Cannot modify this site because another operation is in progress. Details: {0}",
            ["Id: \(random.guid()), OperationName: Update, RequestId: \(random.guid()), EntityType: 3"])
    }

    /// Spoils the reply to a request that was carried out, if one of the plan's faults wants that.
    mutating func spoil(_ reply: inout Reply, to request: ControlRequest) {
        let isRead = ["GET", "HEAD"].contains(request.method)
        if !isRead, strikes(.resetAfter) { return }
        if strikes(.gatewayTimeout) {
            reply = AzureErrorBody.resourceManager(
                504, "GatewayTimeout",
                "The gateway did not receive a response from the resource provider within the specified time period.")
        } else if !reply.body.isEmpty, strikes(.byteOrderMark) {
            reply.body = [0xEF, 0xBB, 0xBF] + reply.body
        }
    }

    // MARK: Empty pages

    /// What a skip token of an empty page begins with; the real one follows.
    private static let emptyPageMark = "skls-empty."

    /// The request behind the link of an empty page, and whether it came by such a link.
    func behindEmptyPage(_ request: ControlRequest) -> (request: ControlRequest, wasEmpty: Bool) {
        let pairs = request.query.split(separator: "&")
        guard let index = pairs.firstIndex(where: { $0.contains("skiptoken=\(Self.emptyPageMark)") }) else {
            return (request, false)
        }
        var inner = request
        inner.query = pairs.enumerated().filter { $0.offset != index }.map(\.element).joined(separator: "&")
        return (inner, true)
    }

    /// Puts an empty page before the first one of a list, if the plan wants that: no elements and a `nextLink` are legal
    /// (Resource Manager RPC contract).
    mutating func putEmptyPage(before reply: inout Reply, to request: ControlRequest) {
        guard request.method == "GET", reply.status == 200, !settings.faults.rules.isEmpty,
            !request.query.contains("skiptoken="), let body = parsed(reply.body), body["value"]?.array != nil,
            strikes(.emptyPage)
        else { return }
        let link =
            "\(request.baseURL)\(request.path)?\(request.query)&%24skiptoken=\(Self.emptyPageMark)\(random.hex(8))"
        reply = .json(200, ["value": [], "nextLink": .string(link)])
    }

    private func parsed(_ bytes: [UInt8]) -> JSON? {
        do throws(JSON.SyntaxError) { return try JSON(parsing: bytes) } catch { return nil }
    }
}
