/// A line on its way into a table.
struct LogRecord: Sendable {
    var table: String
    /// When it happened, which becomes `TimeGenerated`.
    var generated: Instant
    /// The resource that it is about.
    var resourceID: String
    /// Values by column; columns that the table lacks are left out.
    var values: [String: KQL.Value]
}

/// The tables of one workspace. Rows keep the order of their arrival, which says nothing about their times.
struct LogStore: Sendable {
    struct StoredRow: Sendable {
        var row: KQL.Row
        /// From when on queries see it.
        var visible: Instant
    }

    struct StoredTable: Sendable {
        var columns: [KQL.Column]
        var rows: [StoredRow] = []
        /// Rows that were dropped because of the bound on the table.
        var dropped = 0
    }

    private(set) var tables: [String: StoredTable] = [:]
    /// Whether anything ever arrived; until then queries are answered with 204.
    private(set) var hasData = false

    /// - Parameter limit: rows that the table keeps; the oldest are dropped, a tenth at a time.
    mutating func add(
        _ record: LogRecord, workspaceID: String, ingested: Instant, visible: Instant, limit: Int
    ) {
        let columns =
            tables[record.table]?.columns ?? LogSchema.tables[record.table]
            ?? LogSchema.customColumns(record.values.keys.sorted())
        let values = columns.map { column -> KQL.Value in
            switch column.name {
            case "TenantId": .string(workspaceID)
            case "TimeGenerated": .datetime(record.generated.inTicks)
            case "Type": .string(record.table)
            case "SourceSystem": .string("Azure")
            case "_ResourceId": .string(record.resourceID.lowercased())
            default: record.values[column.name] ?? (column.type == .string ? .string("") : .null)
            }
        }
        hasData = true
        tables[record.table, default: StoredTable(columns: columns)].rows.append(
            StoredRow(row: KQL.Row(values, ingested: ingested.inTicks), visible: visible))
        let excess = (tables[record.table]?.rows.count ?? 0) - limit
        if excess > limit / 10 {
            tables[record.table]?.rows.removeFirst(excess)
            tables[record.table]?.dropped += excess
        }
    }

    /// What a query sees of a table: the rows that are visible now, that lie in the time range, and that belong to the
    /// resource. Nil if the table does not exist: those that Azure knows always do.
    func table(_ name: String, at now: Instant, range: Range<Instant>?, resource: String?) -> KQL.Table? {
        guard let stored = tables[name] else { return LogSchema.tables[name].map { KQL.Table(columns: $0) } }
        var table = KQL.Table(columns: stored.columns)
        let time = table.index(of: "TimeGenerated") ?? 0
        let id = table.index(of: "_ResourceId") ?? 0
        for candidate in stored.rows where candidate.visible <= now {
            if let range, case .datetime(let generated) = candidate.row.values[time], !range.contains(generated) {
                continue
            }
            if let resource, case .string(let own) = candidate.row.values[id], own != resource,
                !own.hasPrefix("\(resource)/")
            {
                continue
            }
            table.rows.append(candidate.row)
        }
        return table
    }
}

extension Instant {
    /// Without what is below 100 ns, which no time in a table has.
    var inTicks: Instant {
        let rest = nanoseconds % KQL.nanosecondsPerTick
        return Instant(nanoseconds: nanoseconds - (rest < 0 ? rest + KQL.nanosecondsPerTick : rest))
    }
}
