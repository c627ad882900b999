// Operators between two values. Null is neither equal nor unequal to null, and unequal to everything else; `and` and
// `or` know three values (Azure docs, "Null values" and "Logical operators", read 2026-02).

extension KQL.Binder {
    func binary(_ name: String, _ left: KQL.Expression, _ right: KQL.Expression) throws(KQL.Failure) -> KQL.Bound {
        let left = try bind(left)
        let right = try bind(right)
        let bound: KQL.Bound
        switch name {
        case "and", "or": bound = try logical(name, left, right)
        case "==", "!=", "<", "<=", ">", ">=", "=~", "!~": bound = try comparison(name, left, right)
        case "+", "-", "*", "/", "%": bound = try arithmetic(name, left, right)
        default: bound = try text(name, left, right)
        }
        guard left.constant != nil, right.constant != nil else { return bound }
        return KQL.Bound(bound.type, constant: bound.evaluate(KQL.Row([])))
    }

    private func logical(_ name: String, _ left: KQL.Bound, _ right: KQL.Bound) throws(KQL.Failure) -> KQL.Bound {
        for side in [left, right] where side.type != .bool && side.type != .dynamic {
            throw mismatch(name, left.type, right.type)
        }
        // The value that decides alone: false for `and`, true for `or`.
        let decisive = KQL.Value.bool(name == "or")
        return KQL.Bound(.bool) { row in
            let first = left.evaluate(row).unwrapped
            if first == decisive { return decisive }
            let second = right.evaluate(row).unwrapped
            if second == decisive { return decisive }
            return first.isNull || second.isNull ? .null : .bool(name == "and")
        }
    }

    private func comparison(_ name: String, _ left: KQL.Bound, _ right: KQL.Bound) throws(KQL.Failure) -> KQL.Bound {
        guard isComparable(left.type, right.type) else { throw mismatch(name, left.type, right.type) }
        if name == "=~" || name == "!~" {
            return KQL.Bound(.bool) { row in
                let isEqual = KQL.isEqual(left.evaluate(row).text, right.evaluate(row).text, ignoringCase: true)
                return .bool(isEqual == (name == "=~"))
            }
        }
        // A string is never null: what is missing counts as empty beside one.
        let isText = left.type == .string || right.type == .string
        return KQL.Bound(.bool) { row in
            var a = left.evaluate(row)
            var b = right.evaluate(row)
            if isText, !(a.isNull && b.isNull) {
                if left.type == .string, a.isNull { a = .string("") }
                if right.type == .string, b.isNull { b = .string("") }
            }
            switch name {
            case "==", "!=":
                if a.isNull, b.isNull { return .null }
                return .bool((KQL.compare(a, b) == 0) == (name == "=="))
            default:
                guard let order = KQL.compare(a, b) else { return .null }
                switch name {
                case "<": return .bool(order < 0)
                case "<=": return .bool(order <= 0)
                case ">": return .bool(order > 0)
                default: return .bool(order >= 0)
                }
            }
        }
    }

    private func isComparable(_ left: KQL.ColumnType, _ right: KQL.ColumnType) -> Bool {
        if left == right || left == .dynamic || right == .dynamic { return true }
        if left.isNumeric, right.isNumeric { return true }
        return [left, right].allSatisfy { $0 == .string || $0 == .guid }
    }

    private func text(_ name: String, _ left: KQL.Bound, _ right: KQL.Bound) throws(KQL.Failure) -> KQL.Bound {
        for side in [left, right] where side.type != .string && side.type != .dynamic && side.type != .guid {
            throw mismatch(name, left.type, right.type)
        }
        let isNegated = name.hasPrefix("!")
        let kind = isNegated ? String(name.dropFirst()) : name
        return KQL.Bound(.bool) { row in
            KQL.matches(kind, left.evaluate(row).text, right.evaluate(row).text).map { .bool($0 != isNegated) } ?? .null
        }
    }

    func list(
        _ name: String, _ value: KQL.Expression, _ elements: [KQL.Expression]
    ) throws(KQL.Failure) -> KQL.Bound {
        let value = try bind(value)
        var bounds: [KQL.Bound] = []
        for element in elements { bounds.append(try bind(element)) }
        let isNegated = name.hasPrefix("!")
        let kind = isNegated ? String(name.dropFirst()) : name
        let constants = bounds.compactMap(\.constant)
        let fixed = constants.count == bounds.count ? Self.flattened(constants) : nil
        return KQL.Bound(.bool) { row in
            let candidates = fixed ?? Self.flattened(bounds.map { $0.evaluate(row) })
            let wanted = value.evaluate(row)
            func isHit(_ candidate: KQL.Value) -> Bool {
                switch kind {
                case "in": KQL.compare(wanted, candidate) == 0
                case "in~": KQL.isEqual(wanted.text, candidate.text, ignoringCase: true)
                default: KQL.matches("has", wanted.text, candidate.text) ?? false
                }
            }
            let isFound = kind == "has_all" ? candidates.allSatisfy(isHit) : candidates.contains(where: isHit)
            return .bool(isFound != isNegated)
        }
    }

    /// Arrays stand for their elements.
    private static func flattened(_ values: [KQL.Value]) -> [KQL.Value] {
        values.flatMap { value -> [KQL.Value] in
            if case .dynamic(.array(let elements)) = value { return elements.map { KQL.Value($0) } }
            return [value]
        }
    }

    // MARK: Arithmetic

    private func arithmetic(_ name: String, _ left: KQL.Bound, _ right: KQL.Bound) throws(KQL.Failure) -> KQL.Bound {
        guard let type = Self.resultType(name, left.type, right.type) else {
            throw mismatch(name, left.type, right.type)
        }
        return KQL.Bound(type) { row in
            Self.result(name, left.evaluate(row).unwrapped, right.evaluate(row).unwrapped)
        }
    }

    private static func resultType(_ name: String, _ left: KQL.ColumnType, _ right: KQL.ColumnType) -> KQL.ColumnType? {
        switch (left, right) {
        case (.datetime, .datetime): return name == "-" ? .timespan : nil
        case (.datetime, .timespan): return name == "-" || name == "+" ? .datetime : nil
        case (.timespan, .datetime): return name == "+" ? .datetime : nil
        case (.timespan, .timespan):
            switch name {
            case "+", "-", "%": return .timespan
            case "/": return .real
            default: return nil
            }
        case (.timespan, let other) where other.isNumeric: return name == "*" || name == "/" ? .timespan : nil
        case (let other, .timespan) where other.isNumeric: return name == "*" ? .timespan : nil
        case (.dynamic, let other), (let other, .dynamic):
            return other == .string ? nil : other == .dynamic ? .real : other
        default:
            guard left.isNumeric, right.isNumeric else { return nil }
            return left == .real || right == .real || left == .decimal || right == .decimal ? .real : .long
        }
    }

    /// The result, null where there is none: with null, on overflow, on division by zero of whole numbers.
    private static func result(_ name: String, _ left: KQL.Value, _ right: KQL.Value) -> KQL.Value {
        switch (left, right) {
        case (.long(let a), .long(let b)): return whole(name, a, b).map { .long($0) } ?? .null
        case (.datetime(let a), .datetime(let b)):
            return whole("-", a.nanoseconds, b.nanoseconds).map { .timespan($0) } ?? .null
        case (.datetime(let a), .timespan(let b)):
            return whole(name, a.nanoseconds, b).map { .datetime(Instant(nanoseconds: $0)) } ?? .null
        case (.timespan, .datetime): return result(name, right, left)
        case (.timespan(let a), .timespan(let b)):
            if name == "/" { return b == 0 ? .null : .real(Double(a) / Double(b)) }
            return whole(name, a, b).map { .timespan($0) } ?? .null
        case (.timespan(let a), _):
            guard let b = right.double else { return .null }
            return KQL.whole(name == "*" ? Double(a) * b : Double(a) / b).map { .timespan($0) } ?? .null
        case (_, .timespan): return result(name, right, left)
        default:
            guard let a = left.double, let b = right.double else { return .null }
            switch name {
            case "+": return .real(a + b)
            case "-": return .real(a - b)
            case "*": return .real(a * b)
            case "/": return .real(a / b)
            default: return b == 0 ? .null : .real(a.truncatingRemainder(dividingBy: b))
            }
        }
    }

    private static func whole(_ name: String, _ a: Int64, _ b: Int64) -> Int64? {
        let (value, isOverflow) =
            switch name {
            case "+": a.addingReportingOverflow(b)
            case "-": a.subtractingReportingOverflow(b)
            case "*": a.multipliedReportingOverflow(by: b)
            case "/": a.dividedReportingOverflow(by: b)
            default: a.remainderReportingOverflow(dividingBy: b)
            }
        return isOverflow ? nil : value
    }
}
