// The query API of Log Analytics (Azure Monitor docs, logs/api, read 2026-02; error texts as in public issues).

extension World {
    /// What a query may read.
    enum LogScope: Sendable {
        case workspace(Workspace)
        /// Rows of one resource, or of everything below it, in all workspaces. In lower case.
        case resource(String)
    }

    /// `/v1/workspaces/{guid}/query`, `/v1{resourceId}/query` and `/v1/$batch`.
    mutating func answerLogs(_ request: ControlRequest, at now: Instant) -> Reply {
        let caller: String
        switch logsCaller(request, at: now) {
        case .success(let principal): caller = principal
        case .failure(let refusal): return addLogHeaders(to: refusal.reply, of: request)
        }
        let segments = request.path.split(separator: "/").map { URLText.decode($0) ?? "" }
        let reply: Reply
        if segments.count == 2, segments[1].lowercased() == "$batch" {
            reply = answerBatch(request, caller: caller, at: now)
        } else if let scope = scope(of: segments.dropFirst()) {
            reply = answerQuery(request, scope: scope, caller: caller, at: now)
        } else {
            reply = logError(404, "PathNotFoundError", "The requested path does not exist")
        }
        return addLogHeaders(to: reply, of: request)
    }

    private struct LogRefusal: Error {
        var reply: Reply
    }

    /// Who asks, or why nobody may: no token is 401, a bad one 403 (Azure Monitor docs, logs/api/errors, read 2026-02).
    private mutating func logsCaller(_ request: ControlRequest, at now: Instant) -> Result<String, LogRefusal> {
        switch caller(of: request, for: .logs, at: now) {
        case .success(let principal): return .success(principal.objectID)
        case .failure(.missing):
            var reply = logError(
                401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
            reply.add(
                "WWW-Authenticate",
                "Bearer authorization_uri=\"https://login.microsoftonline.com/\(settings.tenantID)\", "
                    + "resource_id=\"https://api.loganalytics.io\"")
            return .failure(LogRefusal(reply: reply))
        case .failure(.wrongAudience(let audience)):
            return .failure(
                LogRefusal(
                    reply: logError(
                        403, "InvalidAuthenticationTokenAudience",
                        "The access token has been obtained for wrong audience or resource '\(audience)'. It should "
                            + "exactly match with one of the allowed audiences 'https://api.loganalytics.io'.")))
        case .failure:
            return .failure(
                LogRefusal(
                    reply: logError(403, "InvalidAuthenticationToken", "The access token is invalid or expired.")))
        }
    }

    private func scope(of segments: ArraySlice<String>) -> LogScope? {
        guard segments.last?.lowercased() == "query" else { return nil }
        let inner = segments.dropLast()
        if inner.count == 2, inner.first?.lowercased() == "workspaces", let id = inner.last {
            return logs.workspace(customerID: id).map { .workspace($0) }
        }
        guard inner.first?.lowercased() == "subscriptions", inner.count >= 2 else { return nil }
        let id = inner.map { "/" + $0.lowercased() }.joined()
        guard inner.dropFirst().first?.lowercased() == settings.subscriptionID.lowercased() else { return nil }
        return logs.workspaces[id].map { .workspace($0) } ?? .resource(id)
    }

    private mutating func addLogHeaders(to reply: Reply, of request: ControlRequest) -> Reply {
        var reply = reply
        reply.add("x-ms-request-id", random.guid())
        reply.add("request-context", "appId=cid-v1:\(logs.workspaces.min { $0.key < $1.key }?.value.customerID ?? "")")
        if let client = request.clientRequestID { reply.add("x-ms-client-request-id", client) }
        return reply
    }

    // MARK: One query

    /// A query by POST or GET. A POST without a media type is answered with 200 and nothing, as Azure does.
    mutating func answerQuery(_ request: ControlRequest, scope: LogScope, caller: String, at now: Instant) -> Reply {
        let query = URLText.pairs(request.query)
        func parameter(_ name: String) -> String? { query.first { $0.name.lowercased() == name }?.value }
        var body: JSON = [:]
        switch request.method {
        case "GET": body = ["query": .text(parameter("query"))]
        case "POST":
            guard request.header("Content-Type") != nil else { return Reply(status: 200) }
            do throws(JSON.SyntaxError) { body = try JSON(parsing: request.body) } catch {
                return logError(400, "BadArgumentError", "The request had some invalid properties")
            }
        default: return logError(405, "MethodNotAllowed", "The method is not allowed.")
        }
        let prefer = LogPreferences(request.header("Prefer") ?? "")
        switch turn(of: caller, prefer: prefer, at: now) {
        case .failure(let refusal): return refusal.reply
        case .success(let finish): if finish > now { delayReply(until: finish) }
        }
        return reply(to: body, spans: [parameter("timespan")], scope: scope, prefer: prefer, at: now)
    }

    private mutating func answerBatch(_ request: ControlRequest, caller: String, at now: Instant) -> Reply {
        guard request.method == "POST" else { return logError(405, "MethodNotAllowed", "The method is not allowed.") }
        guard request.header("Content-Type") != nil else { return Reply(status: 200) }
        // What is no JSON is no batch.
        guard let body = try? JSON(parsing: request.body), let requests = body["requests"]?.array, requests.count <= 100
        else { return logError(400, "BadArgumentError", "The request had some invalid properties") }
        var responses: [JSON] = []
        for item in requests {
            let preferText = item["headers"]?.members?.first { $0.name.lowercased() == "prefer" }?.value.string
            let prefer = LogPreferences(preferText ?? "")
            let one: Reply
            switch turn(of: caller, prefer: prefer, at: now) {
            case .failure(let refusal): one = refusal.reply
            case .success(let finish):
                if finish > now { delayReply(until: finish) }
                if let workspace = logs.workspace(customerID: item["workspace"]?.string ?? "") {
                    one = reply(
                        to: item["body"] ?? [:], spans: [], scope: .workspace(workspace), prefer: prefer, at: now)
                } else {
                    one = logError(404, "PathNotFoundError", "The requested path does not exist")
                }
            }
            let parsed = try? JSON(parsing: one.body)  // an empty body becomes an empty object
            responses.append([
                "id": .text(item["id"]?.string), "status": .number(one.status), "headers": [:], "body": parsed ?? [:],
            ])
        }
        return .json(200, ["responses": .array(responses)])
    }

    // MARK: Quota and turn

    /// When the query of a caller ends, or why it may not begin. Queries beyond the concurrent ones wait for a slot.
    private mutating func turn(
        of caller: String, prefer: LogPreferences, at now: Instant
    ) -> Result<Instant, LogRefusal> {
        let log = settings.logs
        var recent = (logs.queries[caller] ?? []).filter { $0 + log.quotaWindow > now }
        if recent.count >= log.quota, let oldest = recent.first {
            let wait = max(1, (oldest + log.quotaWindow - now).components.seconds + 1)
            var reply = logError(429, "ThrottledError", "Rate limit is exceeded. Try again in \(wait) seconds.")
            reply.add("Retry-After", String(wait))
            return .failure(LogRefusal(reply: reply))
        }
        recent.append(now)
        logs.queries[caller] = recent
        let slots = (logs.slots[caller] ?? []).filter { $0 > now }.sorted()
        let start = slots.count < log.concurrentQueries ? now : slots[slots.count - log.concurrentQueries]
        if start - now > settings.scaled(log.longestQueue) {
            var reply = logError(429, "ThrottledError", "The query waited too long for others of the same user.")
            reply.add("Retry-After", "10")
            return .failure(LogRefusal(reply: reply))
        }
        let finish = start + settings.scaled(log.queryTime)
        logs.slots[caller] = slots + [finish]
        if finish - now > settings.scaled(prefer.wait) {
            delayReply(until: now + settings.scaled(prefer.wait))
            return .failure(LogRefusal(reply: logError(504, "GatewayTimeout", "Gateway timeout")))
        }
        return .success(finish)
    }

    // MARK: Errors

    /// `{"error":{"code","message","correlationId","innererror"?}}`
    mutating func logError(_ status: Int, _ code: String, _ message: String, inner: JSON? = nil) -> Reply {
        var error: JSON = [
            "message": .string(message), "code": .string(code), "correlationId": .string(random.guid()),
        ]
        if let inner { error.add("innererror", inner) }
        return .json(status, ["error": error])
    }
}

/// What a client prefers of an answer (docs, logs/api/prefer-options, read 2026-02).
struct LogPreferences: Sendable {
    /// 180 s unless asked for, 600 s at most.
    var wait = Duration.seconds(180)
    var wantsStatistics = false
    var wantsRender = false

    init(_ header: String) {
        for part in header.split(separator: ",") {
            let pair = part.split(separator: "=").map { $0.filter { $0 != " " }.lowercased() }
            guard pair.count == 2 else { continue }
            switch (pair[0], pair[1]) {
            case ("wait", let seconds): wait = .seconds(min(600, max(1, Int(seconds) ?? 180)))
            case ("include-statistics", let truth): wantsStatistics = truth == "true"
            case ("include-render", let truth): wantsRender = truth == "true"
            default: break
            }
        }
    }
}
