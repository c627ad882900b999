// Microsoft.Insights/eventtypes: the activity log (azure-rest-api-specs, Microsoft.Insights 2015-04-01,
// `ActivityLogs_List` and its example; Azure docs, "Activity log event schema"; read 2026-11).

/// Who changed what. Requests that only read are not in it.
struct ActivityLog: Sendable {
    struct Event: Sendable {
        let number: Int
        let time: Instant
        let principal: Principal
        let method: String
        let operation: String
        let group: String
        let resourceID: String
        let status: Int
        let correlationID: String
    }

    /// Azure keeps 90 days; a simulator's life is shorter, and its memory, too.
    static let mostEvents = 5000

    private(set) var events: [Event] = []
    private var count = 0

    mutating func note(
        _ path: ResourcePath, method: String, by principal: Principal, status: Int, correlationID: String,
        in subscription: String, at now: Instant
    ) {
        guard let group = path.group, let namespace = path.namespace, !path.segments.isEmpty else { return }
        // Types and names in turn; the action of a POST stands where a type or a name would.
        var types = path.segments.enumerated().filter { $0.offset.isMultiple(of: 2) }.map(\.element)
        var segments = path.segments
        var verb = method == "DELETE" ? "delete" : "write"
        if method == "POST" {
            verb = "action"
            // `…/config/appsettings/list` is done to the settings, `…/start` to the site.
            let action = segments.removeLast()
            if path.segments.count.isMultiple(of: 2) { types.append(action) }
        }
        count += 1
        let id =
            "/subscriptions/\(subscription)/resourceGroups/\(group)/providers/\(namespace)/"
            + segments.joined(separator: "/")
        events.append(
            Event(
                number: count, time: now, principal: principal, method: method,
                operation: ([namespace] + types + [verb]).joined(separator: "/"), group: group, resourceID: id,
                status: status, correlationID: correlationID))
        if events.count > Self.mostEvents { events.removeFirst(events.count - Self.mostEvents) }
    }
}

extension World {
    /// The filter is required, and so is its begin; only few forms are allowed. Newest first (guess: not documented).
    func answerActivity(_ call: ResourceCall, at now: Instant) -> Reply {
        guard call.method == "GET" else { return call.methodNotAllowed }
        guard call.path.segments.map({ $0.lowercased() }) == ["eventtypes", "management", "values"],
            call.path.group == nil
        else {
            return AzureErrorBody.resourceManager(404, "NotFound", "The requested resource was not found.")
        }
        guard let filter = ActivityFilter(call.parameter("$filter") ?? "") else {
            return AzureErrorBody.resourceManager(
                400, "BadRequest", "The $filter is missing, has no start of its time, or is not of an allowed form.")
        }
        // Azure shows events after 3 to 20 minutes (Azure docs, "Log data ingestion time", read 2026-02).
        let lag = settings.scaled(.seconds(180))
        let selected = call.parameter("$select").map { text in
            Set(text.split(separator: ",").map { $0.filter { !$0.isWhitespace }.lowercased() })
        }
        let events = activity.events.filter { $0.time + lag <= now && filter.accepts($0) }.reversed()
        let documents = events.map { event in
            let members = document(event).members ?? []
            return JSON.object(members.filter { selected?.contains($0.name.lowercased()) ?? true })
        }
        return .json(200, ["value": .array(Array(documents))])
    }

    /// The caller of a service principal is its object id (Azure docs, "Activity log event schema", the example of
    /// category Policy, read 2026-11).
    private func document(_ event: ActivityLog.Event) -> JSON {
        func name(_ text: String) -> JSON { ["value": .string(text), "localizedValue": .string(text)] }
        let number = String(event.number)
        let eventID = "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - number.count) + number
        return [
            "authorization": ["action": .string(event.operation), "scope": .string(event.resourceID)],
            "caller": .string(event.principal.objectID),
            "claims": [
                "appid": .string(event.principal.clientID),
                "http://schemas.microsoft.com/identity/claims/objectidentifier": .string(event.principal.objectID),
            ],
            "correlationId": .string(event.correlationID), "description": "",
            "eventDataId": .string(eventID), "eventName": name("EndRequest"),
            "httpRequest": ["method": .string(event.method)],
            "id": .string("\(event.resourceID)/events/\(eventID)/ticks/\(event.time.nanoseconds)"),
            "level": "Informational", "resourceGroupName": .string(event.group),
            "resourceProviderName": name(
                event.operation.split(separator: "/").first.map(String.init) ?? event.operation),
            "resourceId": .string(event.resourceID), "operationId": .string(event.correlationID),
            "operationName": name(event.operation), "properties": ["statusCode": .string("\(event.status)")],
            "status": name(event.status == 202 ? "Accepted" : "Succeeded"), "subStatus": name("\(event.status)"),
            "eventTimestamp": .string(event.time.iso8601), "submissionTimestamp": .string(event.time.iso8601),
            "subscriptionId": .string(settings.subscriptionID),
        ]
    }
}

/// `eventTimestamp ge '…' [and eventTimestamp le '…'] [and NAME eq '…']`; quotes around the last value may be missing.
struct ActivityFilter {
    private var from = ""
    private var to = "9999"
    private var test: (name: String, value: String)?

    init?(_ text: String) {
        for part in text.split(separator: " and ") {
            let words = part.split(separator: " ", maxSplits: 2).map(String.init)
            guard words.count == 3 else { return nil }
            let value = words[2].filter { $0 != "'" }
            switch (words[0].lowercased(), words[1].lowercased()) {
            case ("eventtimestamp", "ge"): from = Self.comparable(value)
            case ("eventtimestamp", "le"): to = Self.comparable(value)
            case (let name, "eq") where Self.names.contains(name) && test == nil: test = (name, value.lowercased())
            default: return nil
            }
        }
        if from.isEmpty { return nil }
    }

    private static let names: Set = ["resourcegroupname", "resourceuri", "resourceprovider", "correlationid"]

    func accepts(_ event: ActivityLog.Event) -> Bool {
        let time = Self.comparable(event.time.iso8601)
        guard from <= time, time <= to else { return false }
        return switch test?.name {
        case "resourcegroupname": event.group.lowercased() == test?.value
        case "resourceuri": event.resourceID.lowercased() == test?.value
        case "resourceprovider":
            event.operation.lowercased().split(separator: "/").first.map(String.init) == test?.value
        case "correlationid": event.correlationID.lowercased() == test?.value
        default: true
        }
    }

    /// UTC times as texts whose order is that of the times.
    private static func comparable(_ text: String) -> String {
        let bare = text.filter { $0 != "Z" && $0 != "z" }
        let parts = bare.split(separator: ".", maxSplits: 1)
        let fraction = parts.count > 1 ? String(parts[1]) : ""
        let padding = String(repeating: "0", count: max(0, 9 - fraction.count))
        return "\(parts.first ?? "").\(fraction)\(padding)"
    }
}
