import AzureClient
import AzureSimulator
import NIOCore
import NIOHTTP1

/// Carries one life's requests to the simulated Azure: they take time, get lost before or after they had their effect,
/// and stop altogether when the life ends.
struct WorldTransport: Transport {
    let life: Life
    let run: SimulationRun

    var clock: AzureClock { run.azureClock }

    func send(_ request: AzureRequest, bearer: AccessToken?) async throws(AzureError) -> AzureReply {
        let requestID = run.requestID()
        let sent = SentRequest(request, group: InProcessAzure.group)
        run.judge.sends(sent, life: life)
        try await travel(request, requestID, reached: false)
        let fate = run.fate(of: sent, life: life)
        if fate == .lostBefore {
            run.noteFault("request-lost")
            run.judge.answered(sent, life: life, status: nil, retryAfter: nil)
            throw failure(request, requestID, .connection, "connection reset", isPossiblyApplied: true)
        }
        if fate == .crashBefore { run.crash(life, .beforeRequest) }
        try check(request, requestID, reached: false)
        run.judge.applies(sent, life: life)
        let (id, outcome) = run.cloud.begin { .request($0, world(request, bearer, requestID)) }
        run.judge.applied(sent, life: life)
        if fate == .crashAfter { run.crash(life, .afterRequest) }
        try check(request, requestID, reached: true)
        let result = await run.cloud.wait(id, outcome, timeout: request.timeout)
        try check(request, requestID, reached: true)
        switch result {
        case .answer(let answer):
            run.noteFaults(answer.faults)
            try await travel(request, requestID, reached: true)
            if fate == .lostAfter {
                run.noteFault("reply-lost")
                run.judge.answered(sent, life: life, status: nil, retryAfter: nil)
                throw failure(request, requestID, .timedOut, "no answer in time", isPossiblyApplied: true)
            }
            var reply = reply(answer, requestID)
            if answer.status == 429, reply.headers.contains(name: "retry-after"),
                run.dice.chance(run.chaos.retryAfterLoss)
            {
                run.noteFault("no-retry-after")
                reply.headers.remove(name: "retry-after")
            }
            let wait = reply.headers.first(name: "retry-after").flatMap { Int64($0) }
            run.judge.answered(sent, life: life, status: answer.status, retryAfter: wait)
            run.trace.note("life \(life.number) \(sent) \(answer.status) \(answer.faults)")
            return reply
        case .reset(let faults):
            run.noteFault("reset")
            run.noteFaults(faults)
            run.judge.answered(sent, life: life, status: nil, retryAfter: nil)
            throw failure(request, requestID, .connection, "connection reset", isPossiblyApplied: true)
        case .timedOut, .forward:
            run.judge.answered(sent, life: life, status: nil, retryAfter: nil)
            throw failure(request, requestID, .timedOut, "no answer in time", isPossiblyApplied: true)
        case .cancelled:
            throw failure(request, requestID, .cancelled, "cancelled", isPossiblyApplied: true)
        }
    }

    // MARK: parts

    private func travel(_ request: AzureRequest, _ id: GUID, reached: Bool) async throws(AzureError) {
        do {
            try await run.time.pause(run.latency())
        } catch {
            throw failure(request, id, .cancelled, "cancelled", isPossiblyApplied: reached)
        }
        try check(request, id, reached: reached)
    }

    /// Nothing comes from or to a life that is over.
    private func check(_ request: AzureRequest, _ id: GUID, reached: Bool) throws(AzureError) {
        if !life.isAlive || Task.isCancelled {
            throw failure(request, id, .cancelled, "cancelled", isPossiblyApplied: reached)
        }
    }

    private func failure(
        _ request: AzureRequest, _ id: GUID, _ code: AzureError.Code, _ message: String, isPossiblyApplied: Bool
    ) -> AzureError {
        AzureError(
            code: code, operation: request.operation, resource: request.resource, message: message,
            correlationID: request.correlationID.description, requestID: id.description,
            effectIsUnknown: request.isWrite && isPossiblyApplied)
    }

    private func world(_ request: AzureRequest, _ bearer: AccessToken?, _ id: GUID) -> InProcessAzure.Request {
        let address = request.url.dropFirst("https://".count)
        let authority = String(address.prefix { $0 != "/" })
        let target = address.dropFirst(authority.count)
        let path = target.prefix { $0 != "?" }
        var headers = request.headers.map { (name: $0.name, value: $0.value) }
        headers.append(("x-ms-client-request-id", id.description))
        headers.append(("x-ms-correlation-request-id", request.correlationID.description))
        if let bearer { headers.append(("authorization", "Bearer \(bearer.secret.reveal())")) }
        return InProcessAzure.Request(
            method: request.method.rawValue, baseURL: "https://" + authority, host: authority.lowercased(),
            path: String(path), query: String(target.dropFirst(path.count + 1)), headers: headers,
            body: request.body.map { Array($0.readableBytesView) } ?? [])
    }

    private func reply(_ answer: InProcessAzure.Answer, _ id: GUID) -> AzureReply {
        var headers = HTTPHeaders()
        for (name, value) in answer.headers { headers.add(name: name, value: value) }
        return AzureReply(status: answer.status, headers: headers, body: ByteBuffer(bytes: answer.body), requestID: id)
    }
}

/// A request as the judge and the trace see it.
struct SentRequest: CustomStringConvertible, Sendable {
    enum Effect: Sendable {
        case none
        case putSite
        case deleteSite
        /// Any other change of a site.
        case changeSite
    }

    let method: String
    /// The site it is about.
    let site: String?
    let effect: Effect
    /// Whether Resource Manager is asked, whose quotas are counted.
    let isCounted: Bool
    let description: String

    init(_ request: AzureRequest, group: String) {
        method = request.method.rawValue
        let path = request.url.dropFirst("https://".count).drop { $0 != "/" }.prefix { $0 != "?" }
        let segments = path.split(separator: "/").map(String.init)
        let place = segments.firstIndex { $0.lowercased() == "sites" }
        site = place.flatMap { $0 + 1 < segments.count ? segments[$0 + 1].lowercased() : nil }
        let isWhole = place.map { $0 + 2 == segments.count } ?? false
        let last = segments.last?.lowercased() ?? ""
        switch method {
        case "PUT" where isWhole: effect = .putSite
        case "DELETE" where isWhole: effect = .deleteSite
        case "GET", "HEAD": effect = .none
        case "POST" where last == "list" || last == "containerlogs": effect = .none
        default: effect = site == nil ? .none : .changeSite
        }
        isCounted = request.url.hasPrefix("https://management.azure.com/")
        description = "\(request.operation.rawValue) \(site ?? "")"
    }
}

/// Tokens from the World itself: signing in is tested elsewhere.
struct WorldCredential: TokenCredential {
    let run: SimulationRun

    func token(
        _ scope: TokenScope, claims: ClaimsChallenge?, correlationID: CorrelationID
    ) async throws(AzureError) -> AccessToken {
        let now = run.azureClock.now()
        return AccessToken(
            secret: Secret(run.cloud.token()), expiresAt: now + .seconds(3_590), refreshAt: now + .seconds(3_000))
    }
}
