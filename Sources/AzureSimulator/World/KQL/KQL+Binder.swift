extension KQL {
    /// An expression whose names are resolved: its type is known before any row is looked at, as in Kusto.
    struct Bound {
        var type: ColumnType
        /// The value where it is the same for every row.
        var constant: Value?
        var evaluate: (Row) -> Value

        init(_ type: ColumnType, _ evaluate: @escaping (Row) -> Value) {
            self.type = type
            self.evaluate = evaluate
        }

        init(_ type: ColumnType, constant: Value) {
            self.type = type
            self.constant = constant
            evaluate = { _ in constant }
        }
    }

    /// Resolves the names of expressions in one operator.
    struct Binder {
        var columns: [Column]
        /// Names bound by `let`.
        var scalars: [String: Bound]
        var now: Instant
        /// The operator that the expression stands in, for messages.
        var operatorName: String

        func bind(_ expression: Expression) throws(Failure) -> Bound {
            switch expression {
            case .literal(let value, let type): return Bound(type, constant: value)
            case .name(let name): return try column(name)
            case .member(let base, let key): return try member(base, key)
            case .negated(let inner): return try negated(inner)
            case .binary(let name, let left, let right): return try binary(name, left, right)
            case .list(let name, let value, let elements): return try list(name, value, elements)
            case .between(let value, let low, let high, let isNegated):
                let lower = try binary(">=", value, low)
                let upper = try binary("<=", value, high)
                return Bound(.bool) { row in
                    guard case .bool(let a) = lower.evaluate(row), case .bool(let b) = upper.evaluate(row) else {
                        return .null
                    }
                    return .bool((a && b) != isNegated)
                }
            case .call(let name, let arguments):
                if name == "ingestion_time" {
                    return Bound(.datetime) { $0.ingested.map { .datetime($0) } ?? .null }
                }
                return try function(name, arguments)
            case .star: throw Failure.semantic("SEM0001", "'\(operatorName)' operator: '*' cannot stand here.")
            }
        }

        private func column(_ name: String) throws(Failure) -> Bound {
            if let index = columns.firstIndex(where: { $0.name == name }) {
                return Bound(columns[index].type) { $0.values[index] }
            }
            if let scalar = scalars[name] { return scalar }
            throw Failure.semantic(
                "SEM0100", "'\(operatorName)' operator: Failed to resolve column or scalar expression named '\(name)'")
        }

        private func member(_ base: Expression, _ key: Expression) throws(Failure) -> Bound {
            let base = try bind(base)
            let key = try bind(key)
            guard base.type == .dynamic || base.type == .string else {
                throw Failure.semantic(
                    "SEM0024",
                    "Path expression source must be of type dynamic. Received a source of type "
                        + "\(base.type.rawValue) instead.")
            }
            return Bound(.dynamic) { row in
                guard case .dynamic(let json) = base.evaluate(row) else { return .null }
                switch (json, key.evaluate(row).unwrapped) {
                case (.object(let members), .string(let name)):
                    return members.first { $0.name == name }.map { Value($0.value) } ?? .null
                case (.array(let elements), .long(let index)):
                    let place = index < 0 ? Int64(elements.count) + index : index
                    return place >= 0 && place < elements.count ? Value(elements[Int(place)]) : .null
                default: return .null
                }
            }
        }

        private func negated(_ inner: Expression) throws(Failure) -> Bound {
            let inner = try bind(inner)
            guard inner.type.isNumeric || inner.type == .timespan || inner.type == .dynamic else {
                throw mismatch("-", inner.type, inner.type)
            }
            return mapped(inner, inner.type) { value in
                switch value.unwrapped {
                case .long(let number): number == .min ? .null : .long(-number)
                case .real(let number): .real(-number)
                case .timespan(let span): span == .min ? .null : .timespan(-span)
                default: .null
                }
            }
        }

        /// A function of one value; a constant stays one.
        func mapped(_ inner: Bound, _ type: ColumnType, _ transform: @escaping (Value) -> Value) -> Bound {
            if let constant = inner.constant { return Bound(type, constant: transform(constant)) }
            return Bound(type) { transform(inner.evaluate($0)) }
        }

        func mismatch(_ name: String, _ left: ColumnType, _ right: ColumnType) -> Failure {
            .semantic(
                "SEM0064",
                "'\(operatorName)' operator: Cannot use '\(name)' on values of types \(left.rawValue) and "
                    + "\(right.rawValue). Try adding explicit casts")
        }
    }
}
