extension KQL {
    /// Runs a query operator by operator. Tables are read from the source once each time that they stand in the query.
    struct Evaluator {
        let now: Instant
        let limits: Limits
        let source: (String) -> Table?
        private var scalars: [String: Bound] = [:]
        private var tables: [String: Table] = [:]
        private var work = 0
        private var visualization: String?

        init(now: Instant, limits: Limits, source: @escaping (String) -> Table?) {
            self.now = now
            self.limits = limits
            self.source = source
        }

        mutating func run(_ query: Query) throws(Failure) -> Result {
            for binding in query.bindings {
                switch binding.value {
                case .scalar(let expression):
                    scalars[binding.name] = try binder([], "let").bind(expression)
                case .table(let pipeline): tables[binding.name] = try run(pipeline)
                }
            }
            var table = try run(query.body)
            let isTruncated = table.rows.count > limits.resultRows
            if isTruncated { table.rows.removeLast(table.rows.count - limits.resultRows) }
            return Result(table: table, isTruncated: isTruncated, visualization: visualization)
        }

        private mutating func run(_ pipeline: Pipeline) throws(Failure) -> Table {
            let first = pipeline.operators.first.map(Self.name) ?? "where"
            var table = try read(pipeline.source, for: first)
            for step in pipeline.operators { try apply(step, to: &table) }
            return table
        }

        private func binder(_ columns: [Column], _ operatorName: String) -> Binder {
            Binder(columns: columns, scalars: scalars, now: now, operatorName: operatorName)
        }

        /// Every row that an operator looks at counts.
        private mutating func charge(_ rows: Int) throws(Failure) {
            work += rows
            guard work <= limits.workRows else {
                throw Failure(
                    kind: .limit, code: "E_RUNAWAY_QUERY",
                    message: "The query looks at more than \(limits.workRows) rows.")
            }
        }

        // MARK: Sources

        private mutating func read(_ wanted: Source, for operatorName: String) throws(Failure) -> Table {
            switch wanted {
            case .table(let name):
                guard let table = tables[name] ?? source(name) else {
                    throw Failure.unresolved(name, in: operatorName)
                }
                try charge(table.rows.count)
                return table
            case .pipeline(let pipeline): return try run(pipeline)
            case .union(let sources, let isFuzzy, let column):
                return try union(sources, isFuzzy: isFuzzy, sourceColumn: column)
            case .print(let assignments):
                let binder = binder([], "print")
                var table = Table(columns: [], rows: [Row([])])
                for (index, assignment) in assignments.enumerated() {
                    let bound = try binder.bind(assignment.expression)
                    table.columns.append(Column(assignment.name ?? "print_\(index)", bound.type))
                    table.rows[0].values.append(bound.evaluate(Row([])))
                }
                return table
            }
        }

        /// All columns of all tables. A column that has several types becomes one for each, with the type in its name.
        private mutating func union(
            _ sources: [Source], isFuzzy: Bool, sourceColumn: String?, with first: Table? = nil
        ) throws(Failure) -> Table {
            var parts: [(name: String, table: Table)] = first.map { [("union_arg0", $0)] } ?? []
            for (index, source) in sources.enumerated() {
                var name = "union_arg\(index)"
                if case .table(let own) = source {
                    name = own
                    if isFuzzy, tables[own] == nil, self.source(own) == nil { continue }
                }
                parts.append((name, try read(source, for: "union")))
            }
            var types: [String: Set<ColumnType>] = [:]
            for part in parts {
                for column in part.table.columns { types[column.name, default: []].insert(column.type) }
            }
            func outputName(_ column: Column) -> String {
                (types[column.name]?.count ?? 1) > 1 ? "\(column.name)_\(column.type.rawValue)" : column.name
            }
            var columns = sourceColumn.map { [Column($0, .string)] } ?? []
            var places: [String: Int] = [:]
            for part in parts {
                for column in part.table.columns where places[outputName(column)] == nil {
                    places[outputName(column)] = columns.count
                    columns.append(Column(outputName(column), column.type))
                }
            }
            let blank = columns.map { $0.type == .string ? Value.string("") : .null }
            var result = Table(columns: columns)
            for part in parts {
                try charge(part.table.rows.count)
                let targets = part.table.columns.map { places[outputName($0)] ?? 0 }
                for row in part.table.rows {
                    var values = blank
                    if sourceColumn != nil { values[0] = .string(part.name) }
                    for (target, value) in zip(targets, row.values) { values[target] = value }
                    result.rows.append(Row(values, ingested: row.ingested))
                }
            }
            return result
        }

        // MARK: Operators

        private static func name(_ step: Operator) -> String {
            switch step {
            case .filter: "where"
            case .extend: "extend"
            case .project: "project"
            case .projectAway: "project-away"
            case .projectKeep: "project-keep"
            case .projectRename: "project-rename"
            case .sort: "sort"
            case .take: "take"
            case .top: "top"
            case .summarize: "summarize"
            case .distinct: "distinct"
            case .count: "count"
            case .union: "union"
            case .render: "render"
            }
        }

        private mutating func apply(_ step: Operator, to table: inout Table) throws(Failure) {
            try charge(table.rows.count)
            let binder = binder(table.columns, Self.name(step))
            switch step {
            case .filter(let predicate):
                let bound = try binder.bind(predicate)
                guard bound.type == .bool || bound.type == .dynamic else {
                    throw Failure.semantic("SEM0061", "'where' operator: the predicate is no boolean expression.")
                }
                table.rows.removeAll { bound.evaluate($0).unwrapped != .bool(true) }
            case .extend(let assignments): try extend(&table, assignments, binder)
            case .project(let assignments): try project(&table, assignments, binder)
            case .projectAway(let patterns):
                let kept = table.columns.indices.filter { index in
                    !patterns.contains { Self.isMatch(table.columns[index].name, $0) }
                }
                table.keep(kept)
            case .projectKeep(let patterns):
                let kept = table.columns.indices.filter { index in
                    patterns.contains { Self.isMatch(table.columns[index].name, $0) }
                }
                table.keep(kept)
            case .projectRename(let pairs):
                for pair in pairs {
                    guard let index = table.index(of: pair.old) else {
                        throw Failure.semantic(
                            "SEM0100",
                            "'project-rename' operator: Failed to resolve column or scalar expression named '\(pair.old)'"
                        )
                    }
                    table.columns[index].name = pair.new
                }
            case .sort(let keys): try sort(&table, keys, binder)
            case .take(let count): table.rows = Array(table.rows.prefix(try rowCount(count, binder)))
            case .top(let count, let key):
                let count = try rowCount(count, binder)
                try sort(&table, [key], binder)
                table.rows = Array(table.rows.prefix(count))
            case .summarize(let aggregates, let groups):
                table = try Summary(aggregates: aggregates, groups: groups, binder: binder).run(on: table)
            case .distinct(let expressions):
                let all = expressions == [.star]
                let groups = all ? table.columns.map { Expression.name($0.name) } : expressions
                table = try Summary(
                    aggregates: [], groups: groups.map { Assignment(name: nil, expression: $0) }, binder: binder
                ).run(on: table)
            case .count:
                table = Table(columns: [Column("Count", .long)], rows: [Row([.long(Int64(table.rows.count))])])
            case .union(let sources, let isFuzzy, let column):
                table = try union(sources, isFuzzy: isFuzzy, sourceColumn: column, with: table)
            case .render(let kind): visualization = kind
            }
        }

        private static func isMatch(_ name: String, _ pattern: String) -> Bool {
            pattern.hasSuffix("*") ? name.hasPrefix(pattern.dropLast()) : name == pattern
        }

        private func rowCount(_ expression: Expression, _ binder: Binder) throws(Failure) -> Int {
            guard case .long(let count) = try binder.bind(expression).constant, count >= 0 else {
                throw Failure.semantic(
                    "SEM0111", "'\(binder.operatorName)' operator: the number of rows must be a constant of type long.")
            }
            return Int(count)
        }

        private func extend(_ table: inout Table, _ assignments: [Assignment], _ binder: Binder) throws(Failure) {
            for (index, assignment) in assignments.enumerated() {
                let bound = try binder.bind(assignment.expression)
                let name = assignment.name ?? assignment.expression.columnName ?? "Column\(index + 1)"
                if let place = table.index(of: name) {
                    table.columns[place].type = bound.type
                    // Values of the row as it was: other assignments of this operator see the old ones too.
                    for row in table.rows.indices { table.rows[row].values.append(bound.evaluate(table.rows[row])) }
                    table.columns.append(Column("\u{0}\(place)", bound.type))
                } else {
                    for row in table.rows.indices { table.rows[row].values.append(bound.evaluate(table.rows[row])) }
                    table.columns.append(Column(name, bound.type))
                }
            }
            table.settleReplacements()
        }

        private func project(_ table: inout Table, _ assignments: [Assignment], _ binder: Binder) throws(Failure) {
            var bounds: [Bound] = []
            var columns: [Column] = []
            for (index, assignment) in assignments.enumerated() {
                let bound = try binder.bind(assignment.expression)
                let wanted = assignment.name ?? assignment.expression.columnName ?? "Column\(index + 1)"
                var name = wanted
                var number = 0
                while columns.contains(where: { $0.name == name }) {
                    number += 1
                    name = "\(wanted)\(number)"
                }
                columns.append(Column(name, bound.type))
                bounds.append(bound)
            }
            table.columns = columns
            for row in table.rows.indices {
                let values = bounds.map { $0.evaluate(table.rows[row]) }
                table.rows[row].values = values
            }
        }

        /// Stable. Nulls come first in ascending order and last in descending order unless the key says otherwise.
        private func sort(_ table: inout Table, _ keys: [SortKey], _ binder: Binder) throws(Failure) {
            var bounds: [Bound] = []
            for key in keys { bounds.append(try binder.bind(key.expression)) }
            let values = table.rows.map { row in bounds.map { $0.evaluate(row) } }
            let order = table.rows.indices.sorted { left, right in
                for (index, key) in keys.enumerated() {
                    let (a, b) = (values[left][index], values[right][index])
                    if a.isNull || b.isNull {
                        if a.isNull, b.isNull { continue }
                        return a.isNull == (key.nullsFirst ?? !key.isDescending)
                    }
                    guard let order = KQL.compare(a, b), order != 0 else { continue }
                    return key.isDescending ? order > 0 : order < 0
                }
                return left < right
            }
            let rows = table.rows
            table.rows = order.map { rows[$0] }
        }
    }
}

extension KQL.Table {
    /// Only these columns, in their order.
    fileprivate mutating func keep(_ places: [Int]) {
        columns = places.map { columns[$0] }
        for row in rows.indices {
            let values = rows[row].values
            rows[row].values = places.map { values[$0] }
        }
    }

    /// Puts values of columns called NUL and a place into that place.
    fileprivate mutating func settleReplacements() {
        guard columns.contains(where: { $0.name.hasPrefix("\u{0}") }) else { return }
        let kept = columns.indices.filter { !columns[$0].name.hasPrefix("\u{0}") }
        for (index, column) in columns.enumerated() where column.name.hasPrefix("\u{0}") {
            guard let place = Int(column.name.dropFirst()) else { continue }
            for row in rows.indices { rows[row].values[place] = rows[row].values[index] }
        }
        keep(kept)
    }
}

extension KQL.Expression {
    /// The name of the column that this becomes without one of its own; nil where Kusto numbers it.
    var columnName: String? {
        switch self {
        case .name(let name): return name
        case .member(let base, .literal(.string(let key), _)): return base.columnName.map { "\($0)_\(key)" }
        case .call(let function, let arguments):
            let transparent: Set<String> = [
                "tostring", "toint", "tolong", "todouble", "toreal", "tobool", "todatetime", "totimespan", "bin",
                "floor",
                "startofday", "startofhour", "parse_json", "todynamic",
            ]
            return transparent.contains(function) ? arguments.first?.columnName : nil
        default: return nil
        }
    }
}
