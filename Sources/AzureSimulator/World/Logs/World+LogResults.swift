// What a query is answered with.

extension World {
    /// - Parameter spans: time ranges from elsewhere than the body; all of them count together.
    mutating func reply(
        to body: JSON, spans: [String?], scope: LogScope, prefer: LogPreferences, at now: Instant
    ) -> Reply {
        guard let text = body["query"]?.string, !text.isEmpty else {
            return logError(
                400, "BadArgumentError", "The request had some invalid properties",
                inner: ["code": "QueryValidationError", "message": "The query is missing."])
        }
        var range: Range<Instant>?
        for span in spans + [body["timespan"]?.string] {
            guard let span, !span.isEmpty else { continue }
            guard let wanted = Self.range(span, at: now) else {
                return logError(
                    400, "BadArgumentError", "The request had some invalid properties",
                    inner: ["code": "InvalidTimespan", "message": .string("The timespan '\(span)' is not valid.")])
            }
            range = range.map { $0.clamped(to: wanted) } ?? wanted
        }
        let others = (body["workspaces"]?.array ?? []).compactMap { $0.string.flatMap(workspace(named:)) }
        let (stores, resource) = readable(scope, others)
        do throws(KQL.Failure) {
            // Nothing to read at all: no answer either.
            if try !KQL.tableNames(in: text).isEmpty, !stores.contains(where: \.hasData) { return Reply(status: 204) }
            let result = try KQL.run(text, at: now, limits: .init(resultRows: settings.logs.resultRows)) { name in
                Self.table(name, in: stores, at: now, range: range, resource: resource)
            }
            return reply(result, prefer: prefer)
        } catch {
            return logError(
                400, "BadArgumentError", "The request had some invalid properties", inner: Self.inner(error))
        }
    }

    /// A GUID, a name or a resource id.
    private func workspace(named text: String) -> Workspace? {
        logs.workspace(customerID: text) ?? logs.workspaces[text.lowercased()]
            ?? logs.workspaces.values.first { $0.name.lowercased() == text.lowercased() }
    }

    private func readable(_ scope: LogScope, _ others: [Workspace]) -> (stores: [LogStore], resource: String?) {
        switch scope {
        case .workspace(let workspace):
            var ids: [String] = []
            for id in ([workspace] + others).map(\.customerID) where !ids.contains(id) { ids.append(id) }
            return (ids.map { logs.stores[$0] ?? LogStore() }, nil)
        case .resource(let id): return (logs.stores.sorted { $0.key < $1.key }.map(\.value), id)
        }
    }

    private static func table(
        _ name: String, in stores: [LogStore], at now: Instant, range: Range<Instant>?, resource: String?
    ) -> KQL.Table? {
        var result: KQL.Table?
        for store in stores {
            guard let table = store.table(name, at: now, range: range, resource: resource) else { continue }
            if result == nil { result = table } else { result?.rows += table.rows }
        }
        return result
    }

    /// `PT1H`, `start/end`, `start/period` or `period/end` (ISO 8601, docs logs/api/timeouts and request-format).
    static func range(_ text: String, at now: Instant) -> Range<Instant>? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        func before(_ end: Instant, _ period: Substring) -> Range<Instant>? {
            KQL.period(period).flatMap { $0 >= 0 ? end + .nanoseconds(-$0)..<end : nil }
        }
        switch parts.count {
        // Up to the end of time, as rows may carry times of clocks that are ahead.
        case 1: return before(now, parts[0]).map { $0.lowerBound..<Instant(nanoseconds: .max) }
        case 2:
            if let start = KQL.instant(parts[0]) {
                if let end = KQL.instant(parts[1]) { return start <= end ? start..<end : nil }
                return KQL.period(parts[1]).flatMap { $0 >= 0 ? start..<(start + .nanoseconds($0)) : nil }
            }
            return KQL.instant(parts[1]).flatMap { before($0, parts[0]) }
        default: return nil
        }
    }

    // MARK: Bodies

    private func reply(_ result: KQL.Result, prefer: LogPreferences) -> Reply {
        let columns = result.table.columns
        let rows = result.table.rows.map { row in JSON.array(zip(columns, row.values).map(Self.cell)) }
        var body: JSON = [
            "tables": [
                [
                    "name": "PrimaryResult",
                    "columns": .array(columns.map { ["name": .string($0.name), "type": .string($0.type.rawValue)] }),
                    "rows": .array(rows),
                ]
            ]
        ]
        if prefer.wantsStatistics {
            body.add(
                "statistics",
                [
                    "query": [
                        "executionTime": .number("0.0156222"),
                        "resourceUsage": ["cpu": ["user": "00:00:00", "kernel": "00:00:00", "totalCpu": "00:00:00"]],
                        "datasetStatistics": [
                            ["tableRowCount": .number(rows.count), "tableSize": .number(rows.count * 100)]
                        ],
                    ]
                ])
        }
        if prefer.wantsRender {
            body.add("render", ["visualization": .string(result.visualization ?? "table")])
        }
        if result.isTruncated { body.add("error", partialError) }
        return .json(200, body)
    }

    /// Wording as in answers quoted in public issues.
    private var partialError: JSON {
        [
            "code": "PartialError", "message": "There were some errors when processing your query.",
            "details": [
                [
                    "code": "EngineError", "message": "Something went wrong processing your query on the server.",
                    "innererror": [
                        "code": "-2133196797",
                        "message": .string(
                            "The results of this query exceed the set limit of \(settings.logs.resultRows) records, so not "
                                + "all records were returned (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003). See "
                                + "https://aka.ms/kustoquerylimits for more information and possible solutions."),
                        "severity": 2, "severityName": "Error",
                    ],
                ]
            ],
        ]
    }

    /// Numbers and truths as they are; decimals, times and dynamic values as text.
    private static func cell(_ column: KQL.Column, _ value: KQL.Value) -> JSON {
        switch (column.type, value) {
        case (_, .null): .null
        case (.dynamic, .dynamic(let json)): .string(String(decoding: json.encoded, as: UTF8.self))
        case (.dynamic, _): .string(value.text)
        case (_, .bool(let truth)): .bool(truth)
        case (_, .long(let number)): .number(String(number))
        case (_, .real(let number)): number.isFinite ? .number(KQL.text(number)) : .string(KQL.text(number))
        case (_, .datetime(let instant)): .string(KQL.text(instant))
        default: .string(value.text)
        }
    }

    private static func inner(_ failure: KQL.Failure) -> JSON {
        let outer =
            switch failure.kind {
            case .syntax: "A recognition error occurred in the query."
            case .semantic: "A semantic error occurred."
            case .limit: "The query exceeds a limit."
            }
        var detail: JSON = ["code": .string(failure.code), "message": .string(failure.message)]
        if let place = failure.place {
            detail.add("line", .number(place.line))
            detail.add("pos", .number(place.position))
            detail.add("token", .string(place.token))
        }
        return ["code": .string(failure.kind.rawValue), "message": .string(outer), "innererror": detail]
    }
}
