// Where Application Insights takes telemetry: `/v2.1/track` and `/v2/track`, an array or one item on each line
// (ApplicationInsights-dotnet and -js sources for envelopes and answers, read 2026-02). Needs no token: the
// instrumentation key in each item says where it goes.

extension World {
    mutating func answerIngestion(_ request: ControlRequest, at now: Instant) -> Reply {
        let path = request.path.lowercased().split(separator: "/")
        guard path.count == 2, path[1] == "track", path[0] == "v2" || path[0] == "v2.1" else {
            return Reply(status: 404)
        }
        guard request.method == "POST" else { return Reply(status: 405) }
        guard let items = Self.items(of: request.body), !items.isEmpty else {
            return ingestionReply(400, received: 0, accepted: 0, errors: [(0, 400, "Invalid JSON")])
        }
        var errors: [(Int, Int, String)] = []
        for (index, item) in items.enumerated() {
            if let problem = take(item, at: now) { errors.append((index, 400, problem)) }
        }
        let accepted = items.count - errors.count
        let status = errors.isEmpty ? 200 : accepted == 0 ? 400 : 206
        return ingestionReply(status, received: items.count, accepted: accepted, errors: errors)
    }

    private func ingestionReply(
        _ status: Int, received: Int, accepted: Int, errors: [(index: Int, status: Int, message: String)]
    ) -> Reply {
        .json(
            status,
            [
                "itemsReceived": .number(received), "itemsAccepted": .number(accepted),
                "appId": nil,
                "errors": .array(
                    errors.map {
                        ["index": .number($0.index), "statusCode": .number($0.status), "message": .string($0.message)]
                    }),
            ])
    }

    /// Nil if any of it is no JSON.
    private static func items(of body: [UInt8]) -> [JSON]? {
        // A value of its own, or else one on each line.
        if let whole = try? JSON(parsing: body) { return whole.array ?? [whole] }
        var items: [JSON] = []
        for line in body.split(separator: UInt8(ascii: "\n")) where line.contains(where: { $0 > 0x20 }) {
            guard let item = try? JSON(parsing: Array(line)) else { return nil }  // refused as a whole
            items.append(item)
        }
        return items
    }

    /// Why an item is not taken, or nil. Kinds that have no table here are taken and dropped.
    private mutating func take(_ item: JSON, at now: Instant) -> String? {
        guard let key = item["iKey"]?.string?.lowercased(),
            let component = logs.components.values.first(where: { $0.instrumentationKey == key })
        else { return "Invalid instrumentation key" }
        guard let type = item["data"]?["baseType"]?.string, let data = item["data"]?["baseData"], data.members != nil
        else { return "104: Field 'data' on type 'Envelope' is required" }
        guard let text = item["time"]?.string, let time = KQL.instant(text) else {
            return "103: Field 'time' on type 'Envelope' is older than the allowed min date or malformed"
        }
        guard let (table, own) = Self.row(type, data) else { return nil }
        func tag(_ name: String) -> KQL.Value { .string(item["tags"]?["ai.\(name)"]?.string ?? "") }
        var values = own
        values["AppRoleName"] = tag("cloud.role")
        values["AppRoleInstance"] = tag("cloud.roleInstance")
        values["OperationId"] = tag("operation.id")
        values["OperationName"] = tag("operation.name")
        values["ParentId"] = tag("operation.parentId")
        values["SessionId"] = tag("session.id")
        values["UserId"] = tag("user.id")
        values["AppVersion"] = tag("application.ver")
        values["SDKVersion"] = tag("internal.sdkVersion")
        values["IKey"] = .string(key)
        values["ResourceGUID"] = .string(component.appID)
        values["ItemCount"] = .long(1)
        if case .number(let rate) = item["sampleRate"], let rate = Double(rate), rate >= 0.001, rate < 100 {
            values["ItemCount"] = .long(Int64((100 / rate).rounded()))
        }
        values["Properties"] = .dynamic(data["properties"] ?? [:])
        values["Measurements"] = data["measurements"].map { .dynamic($0) } ?? .null
        record(
            LogRecord(
                table: table, generated: time,
                resourceID: settings.resourceID(component.group, "microsoft.insights/components", component.name),
                values: values), in: component.workspaceResourceID, at: now)
        return nil
    }

    /// The table of a kind of item, and the columns that only it has.
    private static func row(_ type: String, _ data: JSON) -> (table: String, values: [String: KQL.Value])? {
        func text(_ name: String) -> KQL.Value {
            .string(String(decoding: (data[name]?.string ?? "").utf8.prefix(longestFieldBytes), as: UTF8.self))
        }
        let duration = KQL.timespan(data["duration"]?.string ?? "").map { KQL.Value.real(Double($0) / 1e6) } ?? .null
        let success: KQL.Value = data["success"].map { KQL.Value($0) } ?? .bool(true)
        switch type {
        case "MessageData": return ("AppTraces", ["Message": text("message"), "SeverityLevel": severity(data)])
        case "EventData": return ("AppEvents", ["Name": text("name")])
        case "RequestData":
            return (
                "AppRequests",
                [
                    "Id": text("id"), "Name": text("name"), "Url": text("url"), "Source": text("source"),
                    "ResultCode": text("responseCode"), "Success": success, "DurationMs": duration,
                ]
            )
        case "RemoteDependencyData":
            return (
                "AppDependencies",
                [
                    "Id": text("id"), "Name": text("name"), "Target": text("target"), "DependencyType": text("type"),
                    "Data": text("data"), "ResultCode": text("resultCode"), "Success": success, "DurationMs": duration,
                ]
            )
        case "ExceptionData":
            let exceptions = data["exceptions"]?.array ?? []
            func member(_ exception: JSON?, _ name: String) -> KQL.Value { .string(exception?[name]?.string ?? "") }
            return (
                "AppExceptions",
                [
                    "ProblemId": text("problemId"), "SeverityLevel": severity(data),
                    "ExceptionType": member(exceptions.first, "typeName"),
                    "OuterType": member(exceptions.first, "typeName"),
                    "OuterMessage": member(exceptions.first, "message"),
                    "InnermostType": member(exceptions.last, "typeName"),
                    "InnermostMessage": member(exceptions.last, "message"), "Details": .dynamic(.array(exceptions)),
                ]
            )
        default: return nil
        }
    }

    /// A number, or one of the names that stand for 0 to 4.
    private static func severity(_ data: JSON) -> KQL.Value {
        let names = ["verbose", "information", "warning", "error", "critical"]
        guard let level = data["severityLevel"] else { return .null }
        if let name = level.string?.lowercased() { return names.firstIndex(of: name).map { .long(Int64($0)) } ?? .null }
        return KQL.Value(level)
    }
}
