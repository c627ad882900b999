// Microsoft.ResourceGraph/resources (Azure docs, resource-graph concepts and REST reference, read 2026-02; error bodies
// as quoted in public issues of Azure/aztfexport and Azure/azure-cli-extensions, read 2026-11).

extension World {
    /// Versions of Microsoft.ResourceGraph that are answered, all alike.
    static let graphVersions = ["2019-04-01", "2021-03-01", "2022-10-01", "2024-04-01"]

    mutating func answerResourceGraph(_ call: ResourceCall, at now: Instant) -> Reply {
        guard call.method == "POST", call.path.subscription == nil, call.path.segments.count == 1 else {
            return call.methodNotAllowed
        }
        let grant = graphQuota.take(at: now)
        var reply =
            grant.remaining == nil
            ? graphError(
                429, "RateLimiting",
                [
                    [
                        "code": "RateLimiting",
                        "message": .string(
                            "Client application has been throttled and should not attempt to repeat the request until "
                                + "an amount of time has elapsed. Please see https://aka.ms/resourcegraph-throttling "
                                + "for help."),
                    ]
                ], at: now)
            : queryReply(call, at: now)
        reply.add(grant)
        return reply
    }

    private mutating func queryReply(_ call: ResourceCall, at now: Instant) -> Reply {
        let request: GraphRequest
        do throws(RefusedRequest) { request = try GraphRequest(call.object()) } catch { return error.reply }
        if let named = request.subscriptions,
            !named.contains(where: { $0.lowercased() == settings.subscriptionID.lowercased() })
        {
            // Code and message as quoted in public issues.
            return graphError(
                400, "BadRequest",
                [
                    [
                        "code": "NoValidSubscriptionsInQueryRequest",
                        "message": .string(
                            "There must be at least one subscription that is eligible to contain resources. Given: "
                                + "'\(named.joined(separator: ","))'."),
                    ]
                ], at: now)
        }
        let rows = graphRows(at: now)
        do throws(KQL.Failure) {
            let world = self
            let result = try KQL.run(Self.completed(request.query), at: now) { name in
                world.graphTable(name, resources: rows)
            }
            return .json(200, Self.page(of: result.table, request))
        } catch {
            return graphError(400, "BadRequest", Self.details(of: error), at: now)
        }
    }

    /// A query may leave out its table: then it is about `resources` (documented for the service's first versions).
    private static func completed(_ query: String) -> String {
        let word = query.drop(while: \.isWhitespace).prefix { $0.isLetter || $0 == "-" }.lowercased()
        let operators: Set<String> = [
            "where", "project", "project-away", "summarize", "extend", "order", "sort", "limit", "take", "top", "count",
            "distinct",
        ]
        return operators.contains(word) ? "resources | " + query : query
    }

    /// Rows without an id cannot be paged: the rest is lost, and `resultTruncated` says so.
    private static func page(of table: KQL.Table, _ request: GraphRequest) -> JSON {
        let rest = table.rows.dropFirst(request.skip)
        let rows = rest.prefix(request.top)
        let hasMore = rows.count < rest.count
        let hasID = table.index(of: "id") != nil
        var members: [JSON.Member] = [
            .init(name: "totalRecords", value: .number(table.rows.count)),
            .init(name: "count", value: .number(rows.count)),
            .init(
                name: "data", value: request.isTable ? self.table(table.columns, rows) : objects(table.columns, rows)),
            .init(name: "facets", value: []),
            .init(name: "resultTruncated", value: hasMore && !hasID ? "true" : "false"),
        ]
        if hasMore, hasID {
            members.append(
                .init(name: "$skipToken", value: .string(GraphRequest.token(position: request.skip + rows.count))))
        }
        return .object(members)
    }

    private static func objects(_ columns: [KQL.Column], _ rows: ArraySlice<KQL.Row>) -> JSON {
        .array(
            rows.map { row in
                .object(zip(columns, row.values).map { .init(name: $0.name, value: $1.json) })
            })
    }

    private static func table(_ columns: [KQL.Column], _ rows: ArraySlice<KQL.Row>) -> JSON {
        func type(_ column: KQL.Column) -> JSON {
            switch column.type {
            case .bool: "boolean"
            case .int, .long: "integer"
            case .real, .decimal: "number"
            case .datetime: "datetime"
            case .dynamic: "object"
            case .string, .guid, .timespan: "string"
            }
        }
        return [
            "columns": .array(columns.map { ["name": .string($0.name), "type": type($0)] }),
            "rows": .array(rows.map { .array($0.values.map(\.json)) }),
        ]
    }

    private static func details(of failure: KQL.Failure) -> [JSON] {
        var second: [JSON.Member] = []
        if failure.kind == .syntax {
            second = [.init(name: "code", value: "ParserFailure"), .init(name: "message", value: "ParserFailure")]
            if let place = failure.place {
                second += [
                    .init(name: "line", value: .number(place.line)),
                    .init(name: "characterPositionInLine", value: .number(place.position)),
                    .init(name: "token", value: .string(place.token)),
                ]
            }
        } else {
            // What stands here for other failures is a guess.
            second = [
                .init(name: "code", value: .string(failure.kind.rawValue)),
                .init(name: "message", value: .string(failure.message)),
            ]
        }
        return [
            [
                "code": "InvalidQuery",
                "message": .string(
                    "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix "
                        + "the error before retrying."),
            ],
            .object(second),
        ]
    }

    private mutating func graphError(_ status: Int, _ code: String, _ details: [JSON], at now: Instant) -> Reply {
        let message =
            "Please provide below info when asking for support: timestamp = \(now.iso8601Ticks), "
            + "correlationId = \(random.guid())."
        return .json(
            status,
            ["error": ["code": .string(code), "message": .string(message), "details": .array(details)]])
    }
}
