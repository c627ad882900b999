extension KQL {
    /// `summarize` (Azure docs, "summarize operator" and "Aggregation functions", read 2026-02). Aggregates may stand
    /// inside other expressions, as in `round(avg(x))`. Groups come in the order of their first rows.
    struct Summary {
        let aggregates: [Assignment]
        let groups: [Assignment]
        let binder: Binder

        private typealias Aggregate = (type: ColumnType, evaluate: ([Row]) -> Value)

        func run(on table: Table) throws(Failure) -> Table {
            var keys: [Bound] = []
            var output = Table(columns: [])
            for (index, group) in groups.enumerated() {
                let bound = try binder.bind(group.expression)
                keys.append(bound)
                add(Column(group.name ?? group.expression.columnName ?? "Column\(index + 1)", bound.type), to: &output)
            }
            let columns = try outputs(&output)

            var places: [String: Int] = [:]
            var members: [(values: [Value], rows: [Row])] = []
            for row in table.rows {
                let values = keys.map { $0.evaluate(row) }
                let key = values.map(\.groupKey).joined(separator: "\u{0}")
                if let place = places[key] {
                    members[place].rows.append(row)
                } else {
                    places[key] = members.count
                    members.append((values, [row]))
                }
            }
            // Without `by` there is one group, also of no rows.
            if groups.isEmpty, members.isEmpty { members.append(([], [])) }
            output.rows = members.map { member in Row(member.values + columns.flatMap { $0(member.rows) }) }
            return output
        }

        private func add(_ column: Column, to table: inout Table) {
            var name = column.name
            var number = 0
            while table.index(of: name) != nil {
                number += 1
                name = "\(column.name)\(number)"
            }
            table.columns.append(Column(name, column.type))
        }

        /// What becomes of each group behind its keys; each function may give several columns.
        private func outputs(_ output: inout Table) throws(Failure) -> [([Row]) -> [Value]] {
            var columns: [([Row]) -> [Value]] = []
            for (index, assignment) in aggregates.enumerated() {
                if case .call(let name, let arguments) = assignment.expression, name == "arg_max" || name == "arg_min" {
                    columns.append(try extreme(name, arguments, as: assignment.name, &output))
                    continue
                }
                var inner: [Aggregate] = []
                let outer = try replaced(assignment.expression, &inner)
                var outerBinder = binder
                outerBinder.columns = inner.enumerated().map { Column("\u{0}\($0.offset)", $0.element.type) }
                let bound = try outerBinder.bind(outer)
                let aggregates = inner
                add(Column(assignment.name ?? defaultName(assignment.expression, index), bound.type), to: &output)
                columns.append { rows in [bound.evaluate(Row(aggregates.map { $0.evaluate(rows) }))] }
            }
            return columns
        }

        /// `count_`, `sum_x`, …
        private func defaultName(_ expression: Expression, _ index: Int) -> String {
            guard case .call(let name, let arguments) = expression else { return "Column\(index + 1)" }
            if ["countif", "count"].contains(name) { return "\(name)_" }
            let short = ["make_list": "list", "make_set": "set", "take_any": "any"][name] ?? name
            return "\(short)_\(arguments.first?.columnName ?? "")"
        }

        /// The expression with a column in the place of each aggregate.
        private func replaced(_ expression: Expression, _ inner: inout [Aggregate]) throws(Failure) -> Expression {
            switch expression {
            case .call(let name, let arguments):
                if let aggregate = try aggregate(name, arguments) {
                    inner.append(aggregate)
                    return .name("\u{0}\(inner.count - 1)")
                }
                var replaced: [Expression] = []
                for argument in arguments { replaced.append(try self.replaced(argument, &inner)) }
                return .call(name, replaced)
            case .binary(let name, let left, let right):
                return .binary(name, try replaced(left, &inner), try replaced(right, &inner))
            case .negated(let value): return .negated(try replaced(value, &inner))
            case .member(let base, let key): return .member(try replaced(base, &inner), key)
            default: return expression
            }
        }

        // MARK: Aggregates

        private func aggregate(_ name: String, _ arguments: [Expression]) throws(Failure) -> Aggregate? {
            switch (name, arguments.count) {
            case ("count", 0): return (.long, { .long(Int64($0.count)) })
            case ("countif", 1):
                let bound = try binder.bind(arguments[0])
                return (.long, { rows in .long(Int64(rows.count { bound.evaluate($0).unwrapped == .bool(true) })) })
            case ("dcount", 1), ("dcount", 2), ("dcountif", 2):
                let bound = try binder.bind(arguments[0])
                let condition = name == "dcountif" ? try binder.bind(arguments[1]) : nil
                return (
                    .long,
                    { rows in
                        var seen: Set<String> = []
                        for row in rows where condition.map({ $0.evaluate(row).unwrapped == .bool(true) }) ?? true {
                            seen.insert(bound.evaluate(row).groupKey)
                        }
                        return .long(Int64(seen.count))
                    }
                )
            case ("min", 1), ("max", 1):
                let bound = try binder.bind(arguments[0])
                let wanted = name == "min" ? -1 : 1
                return (
                    bound.type,
                    { rows in
                        rows.lazy.map(bound.evaluate).reduce(.null) { best, value in
                            if value.isNull { return best }
                            return best.isNull || KQL.compare(value, best) == wanted ? value : best
                        }
                    }
                )
            case ("sum", 1), ("avg", 1): return try total(name, arguments[0])
            case ("make_list", 1...2), ("make_set", 1...2), ("any", 1), ("take_any", 1):
                let bound = try binder.bind(arguments[0])
                if name.hasSuffix("any") {
                    return (bound.type, { rows in rows.first.map(bound.evaluate) ?? .null })
                }
                return (
                    .dynamic,
                    { rows in
                        var seen: Set<String> = []
                        var elements: [JSON] = []
                        for value in rows.lazy.map(bound.evaluate) where !value.isNull {
                            if name == "make_set", !seen.insert(value.groupKey).inserted { continue }
                            elements.append(value.json)
                        }
                        return .dynamic(.array(elements))
                    }
                )
            default: return nil
            }
        }

        private func total(_ name: String, _ argument: Expression) throws(Failure) -> Aggregate {
            let bound = try binder.bind(argument)
            guard bound.type.isNumeric || bound.type == .timespan || bound.type == .dynamic else {
                throw binder.mismatch(name, bound.type, bound.type)
            }
            let isSpan = bound.type == .timespan
            let isWhole = name == "sum" && (bound.type == .long || bound.type == .int)
            return (
                isSpan ? .timespan : isWhole ? .long : .real,
                { rows in
                    var sum = 0.0
                    var whole: Int64 = 0
                    var count = 0.0
                    for row in rows {
                        var value = bound.evaluate(row).unwrapped
                        if case .timespan(let span) = value { value = .long(span) }
                        guard let number = value.double else { continue }
                        if case .long(let exact) = value { whole &+= exact }
                        sum += number
                        count += 1
                    }
                    if name == "avg", count == 0 { return isSpan ? .null : .real(.nan) }
                    if isSpan { return KQL.whole(name == "sum" ? sum : sum / count).map { .timespan($0) } ?? .null }
                    return isWhole ? .long(whole) : .real(name == "sum" ? sum : sum / count)
                }
            )
        }

        /// `arg_max(x, *)`: the row in which `x` is greatest.
        private func extreme(
            _ name: String, _ arguments: [Expression], as wantedName: String?, _ output: inout Table
        ) throws(Failure) -> ([Row]) -> [Value] {
            guard let first = arguments.first else { throw Failure.semantic("SEM0219", "\(name)(): no argument.") }
            var returned = Array(arguments.dropFirst())
            if returned == [.star] {
                let taken = groups.map { $0.name ?? $0.expression.columnName ?? "" } + [first.columnName ?? ""]
                returned = binder.columns.filter { !taken.contains($0.name) }.map { .name($0.name) }
            }
            let by = try binder.bind(first)
            add(Column(wantedName ?? first.columnName ?? name, by.type), to: &output)
            var bounds: [Bound] = []
            for (index, expression) in returned.enumerated() {
                let bound = try binder.bind(expression)
                bounds.append(bound)
                add(Column(expression.columnName ?? "\(name)_\(index)", bound.type), to: &output)
            }
            let columns = bounds
            let wanted = name == "arg_min" ? -1 : 1
            return { rows in
                var best: (row: Row, value: Value)?
                for row in rows {
                    let value = by.evaluate(row)
                    if value.isNull { continue }
                    if let current = best, KQL.compare(value, current.value) != wanted { continue }
                    best = (row, value)
                }
                guard let best else { return Array(repeating: .null, count: columns.count + 1) }
                return [best.value] + columns.map { $0.evaluate(best.row) }
            }
        }
    }
}
