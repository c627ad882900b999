extension KQL {
    /// A column's type by Kusto's name, as it stands in a reply.
    enum ColumnType: String, Sendable {
        case bool, int, long, real, string, datetime, timespan, guid, dynamic, decimal

        var isNumeric: Bool { self == .int || self == .long || self == .real || self == .decimal }
    }

    struct Column: Equatable, Sendable {
        var name: String
        var type: ColumnType

        init(_ name: String, _ type: ColumnType) {
            self.name = name
            self.type = type
        }
    }

    /// One row: a value for each column, and when it came into its table, for `ingestion_time()`.
    struct Row: Equatable, Sendable {
        var values: [Value]
        var ingested: Instant?

        init(_ values: [Value], ingested: Instant? = nil) {
            self.values = values
            self.ingested = ingested
        }
    }

    /// Columns with names that differ, and rows with as many values as there are columns.
    struct Table: Equatable, Sendable {
        var columns: [Column]
        var rows: [Row]

        init(columns: [Column], rows: [Row] = []) {
            self.columns = columns
            self.rows = rows
        }

        /// The place of a column; names have case.
        func index(of name: String) -> Int? { columns.firstIndex { $0.name == name } }

        /// The values of a column; empty if there is none.
        func values(_ name: String) -> [Value] {
            guard let index = index(of: name) else { return [] }
            return rows.map { $0.values[index] }
        }
    }
}
