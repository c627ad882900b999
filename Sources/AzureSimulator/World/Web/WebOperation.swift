/// A write that Azure has taken and not finished: a site's or a plan's.
struct WebOperation: Sendable, Codable {
    enum Subject: Hashable, Sendable, Codable {
        case site(String)
        case plan(String)
    }

    var id: String
    var subject: Subject
    /// Group and region in one name: two plans cannot be made in one at the same time.
    var webSpace: String
    var name: String
    var started: Instant
    var ends: Instant
    /// Its time has come.
    var isDone = false
    var fails = false
    /// Its URL answers 404 for ever: the fault `lostOperation`.
    var isLost = false
    /// Container Apps answer with the resource itself, and have no status in between.
    var isOnContainerApps = false
    /// The resource's id, for the reply at its end.
    var resourceID: String
}

extension World {
    /// What a write of this kind does to time: blocks, or makes an operation.
    enum WritePace: Sendable {
        case now
        case blocks(until: Instant)
        case accepted(WebOperation, isVisible: Bool)
    }

    func webSpace(of group: String) -> String {
        "\(group)-\(settings.displayLocation.replacing(" ", with: ""))webspace-Linux"
    }

    /// Whether something else changes the subject, or what it stands on, at this time; then the 409, sometimes with
    /// status 429, that says so (quoted in hashicorp/terraform-provider-azurerm 9703 and Azure/azure-sdk-for-java 1827).
    mutating func busyReply(site key: SiteKey, planKey: String, at now: Instant) -> Reply? {
        if let operation = webOperations.first(where: { $0.ends > now && $0.subject == .site(key.text) }) {
            return busy("59203", "Cannot modify this site because another operation is in progress", 3, operation)
        }
        if let operation = webOperations.first(where: { $0.ends > now && $0.subject == .plan(planKey) }) {
            return busy(
                "59205", "Cannot modify this hosting plan because another operation is in progress", 2, operation)
        }
        return nil
    }

    /// As `busyReply(site:planKey:at:)` for a plan: it is busy itself, or another plan of its webspace is being made.
    mutating func busyReply(planKey: String, webSpace: String, at now: Instant) -> Reply? {
        let running = webOperations.filter { $0.ends > now }
        if let operation = running.first(where: { $0.subject == .plan(planKey) }) {
            return busy(
                "59205", "Cannot modify this hosting plan because another operation is in progress", 2, operation)
        }
        guard
            let operation = running.first(where: {
                if case .plan = $0.subject { $0.webSpace == webSpace } else { false }
            })
        else { return nil }
        return busy("59202", "Cannot modify this webspace because another operation is in progress", 1, operation)
    }

    /// One of four is delivered with status 429: "sometimes" is all that is known.
    private mutating func busy(_ code: String, _ text: String, _ entity: Int, _ operation: WebOperation) -> Reply {
        AzureErrorBody.web(
            random.next().isMultiple(of: 4) ? 429 : 409, "Conflict", extended: code, text + ". Details: {0}",
            [
                "Id: \(operation.id), OperationName: \(operation.name), CreatedTime: \(operation.started.american), "
                    + "RequestId: \(random.guid()), EntityType: \(entity)"
            ])
    }

    /// Begins a write in the way that the settings want, and keeps the subject busy meanwhile.
    mutating func beginWrite(
        _ subject: WebOperation.Subject, name: String, group: String, resourceID: String, slow: Duration,
        isOnContainerApps: Bool = false, at now: Instant
    ) -> WritePace {
        func operation(_ id: String, lasting duration: Duration) -> WebOperation {
            WebOperation(
                id: id, subject: subject, webSpace: webSpace(of: group), name: name, started: now,
                ends: now + settings.scaled(duration), isOnContainerApps: isOnContainerApps, resourceID: resourceID)
        }
        switch settings.web.writes {
        case .slow where !isOnContainerApps:
            let running = operation(random.guid(), lasting: slow)
            webOperations.append(running)
            return .blocks(until: running.ends)
        case .accepted, .acceptedVisible, .slow:
            var running = operation(
                random.guid(), lasting: isOnContainerApps ? WebSettings.containerAppsBuild : WebSettings.operation)
            running.fails = faults.strikes(.failedOperation)
            running.isLost = faults.strikes(.lostOperation)
            webOperations.append(running)
            return .accepted(running, isVisible: settings.web.writes != .accepted)
        case .instant:
            guard isOnContainerApps else { return .now }
            let running = operation(random.guid(), lasting: WebSettings.containerAppsBuild)
            webOperations.append(running)
            return .accepted(running, isVisible: true)
        }
    }

    /// The 202 of an operation. App Service names a status to poll, at the subscription's scope (REST specification
    /// 2025-03-01, example of Create Or Update); Container Apps a location that ends with the resource (azurerm's
    /// poller for `linux_function_app_on_container`, read 2026-11).
    func accepted(_ operation: WebOperation, body: JSON, call: ResourceCall) -> Reply {
        var reply = Reply.json(202, body)
        let base = "\(call.request.baseURL)/subscriptions/\(settings.subscriptionID)/providers/Microsoft.Web"
        if operation.isOnContainerApps {
            let region = settings.displayLocation.replacing(" ", with: "%20")
            reply.add(
                "Location", "\(base)/locations/\(region)/operationResults/\(operation.id)?api-version=\(call.version)")
            reply.add("Retry-After", Self.containerAppsRetryAfter)
        } else if case .site(let name) = operation.subject {
            reply.add(
                "Azure-AsyncOperation",
                "\(base)/sites/\(name)/operationResults/\(operation.id)?api-version=\(call.version)")
        } else {
            reply.add(
                "Azure-AsyncOperation",
                "\(base)/locations/\(settings.location)/operations/\(operation.id)?api-version=\(call.version)")
        }
        return reply
    }

    /// Seconds. A guess: no recording of one was found.
    private static let containerAppsRetryAfter = "15"

    /// GET of an operation's URL.
    func operationResult(_ id: String, call: ResourceCall, at now: Instant) -> Reply {
        guard let operation = webOperations.first(where: { $0.id == id.lowercased() }), !operation.isLost else {
            return AzureErrorBody.resourceManager(
                404, "NotFound", "The operation '\(id)' was not found.")
        }
        let isDone = operation.ends <= now
        if operation.isOnContainerApps {
            guard isDone else { return accepted(operation, body: [:], call: call) }
            guard case .site(let name) = operation.subject, let site = sites[SiteKey(name)], !site.isDeleted else {
                return Reply(status: 204)
            }
            return .json(200, resource(site))
        }
        var body: JSON = [
            "id": .string(operation.id), "name": .string(operation.id),
            "status": .string(isDone ? (operation.fails ? "Failed" : "Succeeded") : "InProgress"),
            "startTime": .string(operation.started.iso8601),
        ]
        if isDone { body.add("endTime", .string(operation.ends.iso8601)) }
        if isDone, operation.fails {
            body.add(
                "error",
                ["code": "InternalServerError", "message": "There was a failure in the operation. Please try again."])
        }
        return .json(200, body)
    }
}
