extension KQL {
    /// A value of a cell or an expression. `int` and `long` are one kind here, and so are `string` and `guid`; the
    /// column's type tells them apart. A string is never null in Kusto: where one is missing it is empty.
    enum Value: Equatable, Sendable {
        case null
        case bool(Bool)
        case long(Int64)
        case real(Double)
        case string(String)
        case datetime(Instant)
        /// In nanoseconds.
        case timespan(Int64)
        case dynamic(JSON)

        /// A value out of JSON: scalars become values of their own kind, null stays null, the rest is dynamic.
        init(_ json: JSON) { self = Value.dynamic(json).unwrapped }

        /// Scalars out of their dynamic wrapping.
        var unwrapped: Value {
            guard case .dynamic(let json) = self else { return self }
            switch json {
            case .null: return .null
            case .bool(let value): return .bool(value)
            case .number(let text):
                if let whole = Int64(text) { return .long(whole) }
                return Double(text).map { .real($0) } ?? .null
            case .string(let text): return .string(text)
            case .array, .object: return self
            }
        }

        var isNull: Bool { unwrapped == .null }

        /// A number, also of a whole one.
        var double: Double? {
            switch unwrapped {
            case .long(let value): Double(value)
            case .real(let value): value
            default: nil
            }
        }

        /// What `tostring()` gives.
        var text: String {
            switch self {
            case .null: return ""
            case .bool(let value): return value ? "true" : "false"
            case .long(let value): return String(value)
            case .real(let value): return KQL.text(value)
            case .string(let text): return text
            case .datetime(let instant): return KQL.text(instant, allDigits: true)
            case .timespan(let nanoseconds): return KQL.text(timespan: nanoseconds)
            case .dynamic(let json):
                if case .array = json { return String(decoding: json.encoded, as: UTF8.self) }
                if case .object = json { return String(decoding: json.encoded, as: UTF8.self) }
                return unwrapped.text
            }
        }

        /// As JSON, for members of dynamic values.
        var json: JSON {
            switch self {
            case .null: .null
            case .bool(let value): .bool(value)
            case .long(let value): .number(String(value))
            case .real(let value): value.isFinite ? .number(KQL.text(value)) : .string(KQL.text(value))
            case .dynamic(let json): json
            case .string, .datetime, .timespan: .string(text)
            }
        }

        /// Tells values apart in groups: equal for equal values of one kind.
        var groupKey: String {
            switch unwrapped {
            case .null: "n"
            case .bool(let value): value ? "t" : "f"
            case .long(let value): "l\(value)"
            case .real(let value): "r\(value)"
            case .string(let text): "s\(text.utf8.count):\(text)"
            case .datetime(let instant): "d\(instant.nanoseconds)"
            case .timespan(let nanoseconds): "p\(nanoseconds)"
            case .dynamic(let json): "j" + String(decoding: json.encoded, as: UTF8.self)
            }
        }
    }

    // MARK: Order and equality

    /// Below, equal or above zero; nil where one is null or the two cannot be compared. Strings by their bytes.
    static func compare(_ left: Value, _ right: Value) -> Int? {
        switch (left.unwrapped, right.unwrapped) {
        case (.long(let a), .long(let b)): return a < b ? -1 : a > b ? 1 : 0
        case (.string(let a), .string(let b)):
            if a.utf8.elementsEqual(b.utf8) { return 0 }
            return a.utf8.lexicographicallyPrecedes(b.utf8) ? -1 : 1
        case (.datetime(let a), .datetime(let b)): return a < b ? -1 : a > b ? 1 : 0
        case (.timespan(let a), .timespan(let b)): return a < b ? -1 : a > b ? 1 : 0
        case (.bool(let a), .bool(let b)): return a == b ? 0 : a ? 1 : -1
        case (.dynamic(let a), .dynamic(let b)): return a == b ? 0 : nil
        // A dynamic holds times as text.
        case (.datetime(let a), .string(let b)): return instant(b).map { a < $0 ? -1 : a > $0 ? 1 : 0 }
        case (.string, .datetime): return compare(right, left).map { -$0 }
        case (let a, let b):
            guard let a = a.double, let b = b.double else { return nil }
            return a < b ? -1 : a > b ? 1 : a == b ? 0 : nil
        }
    }
}
