// Scalar functions (Azure docs, "Scalar functions", read 2026-02).

extension KQL.Binder {
    func function(_ name: String, _ arguments: [KQL.Expression]) throws(KQL.Failure) -> KQL.Bound {
        var bounds: [KQL.Bound] = []
        for argument in arguments { bounds.append(try bind(argument)) }
        guard let counts = Self.argumentCounts[name] else {
            throw KQL.Failure.semantic("SEM0260", "Unknown function: '\(name)'.")
        }
        guard counts.contains(bounds.count) else {
            throw KQL.Failure.semantic(
                "SEM0219", "\(name)(): function expects \(counts.lowerBound) argument(s), got \(bounds.count).")
        }
        let bound = try call(name, bounds)
        // `case` and its like keep their own constants; a function of constants alone is one.
        guard bound.constant == nil, !bounds.isEmpty, bounds.allSatisfy({ $0.constant != nil }) else { return bound }
        return KQL.Bound(bound.type, constant: bound.evaluate(KQL.Row([])))
    }

    private static let argumentCounts: [String: ClosedRange<Int>] = [
        "now": 0...1, "ago": 1...1, "tostring": 1...1, "toint": 1...1, "tolong": 1...1, "todouble": 1...1,
        "toreal": 1...1, "tobool": 1...1, "todatetime": 1...1, "totimespan": 1...1, "tolower": 1...1, "toupper": 1...1,
        "strcat": 1...64, "strlen": 1...1, "substring": 2...3, "isempty": 1...1, "isnotempty": 1...1,
        "isnull": 1...1, "isnotnull": 1...1, "notempty": 1...1, "notnull": 1...1, "not": 1...1, "iff": 3...3,
        "iif": 3...3, "case": 3...65, "coalesce": 1...64, "parse_json": 1...1, "todynamic": 1...1, "bin": 2...2,
        "floor": 2...2, "abs": 1...1, "round": 1...2, "array_length": 1...1, "bag_keys": 1...1, "pack_array": 0...64,
        "pack": 0...64, "bag_pack": 0...64, "startofday": 1...1, "startofhour": 1...1,
        "unixtime_seconds_todatetime": 1...1,
        "gettype": 1...1, "split": 2...3, "set_has_element": 2...2,
    ]

    private func call(_ name: String, _ arguments: [KQL.Bound]) throws(KQL.Failure) -> KQL.Bound {
        switch name {
        case "now", "ago", "bin", "floor", "startofday", "startofhour", "unixtime_seconds_todatetime":
            return try timeFunction(name, arguments)
        case "iff", "iif", "case", "coalesce": return try choice(name, arguments)
        case "strcat":
            return KQL.Bound(.string) { row in .string(KQL.bounded(arguments.map { $0.evaluate(row).text }.joined())) }
        case "substring", "split": return textFunction(name, arguments)
        case "pack_array":
            return KQL.Bound(.dynamic) { row in .dynamic(.array(arguments.map { $0.evaluate(row).json })) }
        case "pack", "bag_pack":
            return KQL.Bound(.dynamic) { row in
                .dynamic(
                    .object(
                        stride(from: 0, to: arguments.count - 1, by: 2).map {
                            JSON.Member(
                                name: arguments[$0].evaluate(row).text, value: arguments[$0 + 1].evaluate(row).json)
                        }))
            }
        case "round":
            return KQL.Bound(.real) { row in
                guard let value = arguments[0].evaluate(row).double else { return .null }
                var scale = 1.0
                if arguments.count == 2, case .long(let digits) = arguments[1].evaluate(row), (0...15).contains(digits)
                {
                    for _ in 0..<digits { scale *= 10 }
                }
                return .real((value * scale).rounded() / scale)
            }
        case "set_has_element":
            return KQL.Bound(.bool) { row in
                guard case .dynamic(.array(let elements)) = arguments[0].evaluate(row) else { return .null }
                let wanted = arguments[1].evaluate(row)
                return .bool(elements.contains { KQL.compare(KQL.Value($0), wanted) == 0 })
            }
        default:
            let (type, transform) = Self.conversion(name, arguments[0].type)
            return mapped(arguments[0], type, transform)
        }
    }

    /// Functions of one value.
    private static func conversion(
        _ name: String, _ type: KQL.ColumnType
    ) -> (KQL.ColumnType, (KQL.Value) -> KQL.Value) {
        switch name {
        case "tostring": (.string, { .string($0.text) })
        case "toint", "tolong": (name == "toint" ? .int : .long, wholeNumber)
        case "todouble", "toreal":
            (.real, { value in (value.double ?? Double(value.text)).map { .real($0) } ?? .null })
        case "tobool":
            (
                .bool,
                { value in
                    switch value.text.lowercased() {
                    case "true", "1": .bool(true)
                    case "false", "0": .bool(false)
                    default: .null
                    }
                }
            )
        case "todatetime":
            (.datetime, { value in KQL.instant(value.text).map { .datetime($0) } ?? .null })
        case "totimespan":
            (
                .timespan,
                { value in
                    if case .timespan = value { return value }
                    return KQL.timespan(value.text).map { .timespan($0) } ?? .null
                }
            )
        case "tolower": (.string, { .string($0.text.lowercased()) })
        case "toupper": (.string, { .string($0.text.uppercased()) })
        case "strlen": (.long, { .long(Int64($0.text.unicodeScalars.count)) })
        case "isempty": (.bool, { .bool($0.text.isEmpty) })
        case "isnotempty", "notempty": (.bool, { .bool(!$0.text.isEmpty) })
        // A string is never null.
        case "isnull": (.bool, { .bool(type != .string && $0.isNull) })
        case "isnotnull", "notnull": (.bool, { .bool(type == .string || !$0.isNull) })
        case "not": (.bool, { if case .bool(let value) = $0.unwrapped { .bool(!value) } else { .null } })
        case "parse_json", "todynamic": (.dynamic, parsed)
        case "abs":
            (
                type,
                { value in
                    switch value.unwrapped {
                    case .long(let number): number == .min ? .null : .long(abs(number))
                    case .real(let number): .real(abs(number))
                    case .timespan(let span): span == .min ? .null : .timespan(abs(span))
                    default: .null
                    }
                }
            )
        case "array_length":
            (.long, { if case .dynamic(.array(let elements)) = $0 { .long(Int64(elements.count)) } else { .null } })
        case "bag_keys":
            (
                .dynamic,
                { value in
                    guard case .dynamic(.object(let members)) = value else { return .null }
                    return .dynamic(.array(members.map { .string($0.name) }))
                }
            )
        default:  // gettype
            (
                .string,
                { value in
                    switch value {
                    case .null: .string("null")
                    case .bool: .string("bool")
                    case .long: .string("long")
                    case .real: .string("double")
                    case .string: .string("string")
                    case .datetime: .string("datetime")
                    case .timespan: .string("timespan")
                    case .dynamic(.array): .string("array")
                    case .dynamic: .string("dictionary")
                    }
                }
            )
        }
    }

    private static func wholeNumber(_ value: KQL.Value) -> KQL.Value {
        switch value.unwrapped {
        case .long: value.unwrapped
        case .bool(let truth): .long(truth ? 1 : 0)
        case .real(let number): Int64(exactly: number.rounded(.towardZero)).map { .long($0) } ?? .null
        case let other: Int64(other.text).map { .long($0) } ?? .null
        }
    }

    /// Text that is no JSON becomes a string, as in Kusto.
    private static func parsed(_ value: KQL.Value) -> KQL.Value {
        guard case .string(let text) = value else { return value }
        do throws(JSON.SyntaxError) { return KQL.Value(try JSON(parsing: Array(text.utf8))) } catch {
            return text.isEmpty ? .null : value
        }
    }

    // MARK: Functions with rules of their own

    private func timeFunction(_ name: String, _ arguments: [KQL.Bound]) throws(KQL.Failure) -> KQL.Bound {
        switch name {
        case "now", "ago":
            var offset: Int64 = 0
            if let argument = arguments.first {
                guard case .timespan(let span) = argument.constant else {
                    throw KQL.Failure.semantic("SEM0232", "\(name)(): argument must be a timespan literal.")
                }
                offset = name == "ago" ? 0 &- span : span
            }
            let (nanoseconds, isOverflow) = now.nanoseconds.addingReportingOverflow(offset)
            return KQL.Bound(
                .datetime, constant: isOverflow ? .null : .datetime(Instant(nanoseconds: nanoseconds)))
        case "unixtime_seconds_todatetime":
            return mapped(arguments[0], .datetime) { value in
                value.double.flatMap { KQL.whole($0 * 1e9) }.map { .datetime(Instant(nanoseconds: $0)) } ?? .null
            }
        case "startofday", "startofhour":
            let size: Int64 = (name == "startofday" ? 86_400 : 3_600) * 1_000_000_000
            return mapped(arguments[0], .datetime) { value in
                guard case .datetime(let instant) = value else { return .null }
                return .datetime(Instant(nanoseconds: Self.floor(instant.nanoseconds, to: size)))
            }
        default:  // bin
            return KQL.Bound(arguments[0].type) { row in
                switch (arguments[0].evaluate(row).unwrapped, arguments[1].evaluate(row).unwrapped) {
                case (.long(let value), .long(let size)) where size > 0: .long(Self.floor(value, to: size))
                case (.datetime(let value), .timespan(let size)) where size > 0:
                    .datetime(Instant(nanoseconds: Self.floor(value.nanoseconds, to: size)))
                case (.timespan(let value), .timespan(let size)) where size > 0: .timespan(Self.floor(value, to: size))
                case (let value, let size):
                    if let a = value.double, let b = size.double, b > 0 {
                        .real((a / b).rounded(.down) * b)
                    } else {
                        .null
                    }
                }
            }
        }
    }

    /// Rounded down to a multiple.
    private static func floor(_ value: Int64, to size: Int64) -> Int64 {
        let rest = value % size
        return value &- (rest < 0 ? rest + size : rest)
    }

    private func choice(_ name: String, _ arguments: [KQL.Bound]) throws(KQL.Failure) -> KQL.Bound {
        if name == "coalesce" {
            return KQL.Bound(arguments[0].type) { row in
                for argument in arguments {
                    let value = argument.evaluate(row)
                    if argument.type == .string ? !value.text.isEmpty : !value.isNull { return value }
                }
                return .null
            }
        }
        guard arguments.count % 2 == 1 else {
            throw KQL.Failure.semantic("SEM0219", "\(name)(): function expects an odd number of arguments.")
        }
        let types = Set(
            (stride(from: 1, to: arguments.count, by: 2).map { arguments[$0] } + arguments.suffix(1)).map(\.type))
        let isNumeric = types.allSatisfy(\.isNumeric)
        guard types.count == 1 || isNumeric || types.contains(.dynamic), let first = types.first else {
            throw KQL.Failure.semantic("SEM0170", "\(name)(): the types of the branches differ.")
        }
        let type: KQL.ColumnType =
            types.count == 1 ? first : !isNumeric ? .dynamic : types.contains(.real) ? .real : .long
        return KQL.Bound(type) { row in
            for index in stride(from: 0, to: arguments.count - 1, by: 2)
            where arguments[index].evaluate(row).unwrapped == .bool(true) {
                return arguments[index + 1].evaluate(row)
            }
            return arguments[arguments.count - 1].evaluate(row)
        }
    }

    private func textFunction(_ name: String, _ arguments: [KQL.Bound]) -> KQL.Bound {
        func number(_ index: Int, _ row: KQL.Row) -> Int? {
            guard index < arguments.count, case .long(let value) = arguments[index].evaluate(row) else { return nil }
            return Int(clamping: value)
        }
        switch name {
        case "substring":
            return KQL.Bound(.string) { row in
                let scalars = arguments[0].evaluate(row).text.unicodeScalars
                let start = number(1, row) ?? 0
                let rest = scalars.dropFirst(start < 0 ? max(0, scalars.count &+ start) : start)
                return .string(String(String.UnicodeScalarView(rest.prefix(max(0, number(2, row) ?? .max)))))
            }
        default:  // split
            return KQL.Bound(.dynamic) { row in
                let delimiter = arguments[1].evaluate(row).text
                let text = arguments[0].evaluate(row).text
                let parts =
                    delimiter.isEmpty ? [text[...]] : text.split(separator: delimiter, omittingEmptySubsequences: false)
                let elements = parts.map { JSON.string(String($0)) }
                guard let index = number(2, row) else { return .dynamic(.array(elements)) }
                return .dynamic(.array(elements.indices.contains(index) ? [elements[index]] : []))
            }
        }
    }
}
