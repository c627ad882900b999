// Expressions by precedence: or, and, comparison, addition, multiplication, sign, member access (Azure docs, "Scalar
// expressions", read 2026-02).

extension KQL.Parser {
    /// Operators between two strings, and whether two numbers or times may stand beside them.
    private static let comparisons: Set<String> = ["==", "!=", "<>", "=~", "!~", "<", "<=", ">", ">="]
    private static let textOperators: Set<String> = Set(
        ["contains", "startswith", "endswith", "has", "hasprefix", "hassuffix"].flatMap {
            [$0, "!\($0)", "\($0)_cs", "!\($0)_cs"]
        })
    private static let listOperators: Set<String> = ["in", "in~", "!in", "!in~", "has_any", "has_all"]

    mutating func expression() throws(KQL.Failure) -> KQL.Expression {
        try descend()
        var left = try conjunction()
        while takeWord("or") {
            try link()
            left = .binary("or", left, try conjunction())
        }
        ascend()
        return left
    }

    private mutating func conjunction() throws(KQL.Failure) -> KQL.Expression {
        var left = try comparison()
        while takeWord("and") {
            try link()
            left = .binary("and", left, try comparison())
        }
        return left
    }

    private mutating func comparison() throws(KQL.Failure) -> KQL.Expression {
        let left = try sum()
        switch current.kind {
        case .symbol(let symbol) where Self.comparisons.contains(symbol):
            position += 1
            return .binary(symbol == "<>" ? "!=" : symbol, left, try sum())
        case .word(let word) where Self.textOperators.contains(word):
            position += 1
            return .binary(word, left, try sum())
        case .word(let word) where Self.listOperators.contains(word):
            position += 1
            try expect("(")
            return .list(word, left, try arguments())
        case .word(let word) where word == "between" || word == "!between":
            position += 1
            try expect("(")
            let low = try sum()
            try expect("..")
            let high = try sum()
            try expect(")")
            return .between(left, low, high, isNegated: word == "!between")
        default: return left
        }
    }

    private mutating func sum() throws(KQL.Failure) -> KQL.Expression {
        var left = try product()
        while case .symbol(let symbol) = current.kind, symbol == "+" || symbol == "-" {
            position += 1
            try link()
            left = .binary(symbol, left, try product())
        }
        return left
    }

    private mutating func product() throws(KQL.Failure) -> KQL.Expression {
        var left = try sign()
        while case .symbol(let symbol) = current.kind, symbol == "*" || symbol == "/" || symbol == "%" {
            position += 1
            try link()
            left = .binary(symbol, left, try sign())
        }
        return left
    }

    private mutating func sign() throws(KQL.Failure) -> KQL.Expression {
        var isNegative = false
        while isSymbol("-") || isSymbol("+") {
            if isSymbol("-") { isNegative.toggle() }
            position += 1
        }
        let value = try member()
        return isNegative ? .negated(value) : value
    }

    private mutating func member() throws(KQL.Failure) -> KQL.Expression {
        var value = try primary()
        while true {
            if isSymbol(".") || isSymbol("[") { try link() }
            if take(".") {
                value = .member(value, .literal(.string(try name()), .string))
            } else if take("[") {
                value = .member(value, try expression())
                try expect("]")
            } else {
                return value
            }
        }
    }

    /// What stands between parentheses, of which the first was taken.
    private mutating func arguments() throws(KQL.Failure) -> [KQL.Expression] {
        var arguments: [KQL.Expression] = []
        if take(")") { return arguments }
        repeat {
            arguments.append(isSymbol("*") ? .star : try expression())
            if arguments.last == .star { position += 1 }
        } while take(",")
        try expect(")")
        return arguments
    }

    private mutating func primary() throws(KQL.Failure) -> KQL.Expression {
        switch current.kind {
        case .string(var text):
            position += 1
            // Literals side by side are one.
            while case .string(let more) = current.kind {
                text += more
                position += 1
            }
            return .literal(.string(text), .string)
        case .long(let value):
            position += 1
            return .literal(.long(value), .long)
        case .real(let value):
            position += 1
            return .literal(.real(value), .real)
        case .timespan(let value):
            position += 1
            return .literal(.timespan(value), .timespan)
        case .typed(let type, let text):
            guard let literal = KQL.literal(type, text) else { throw failure }
            position += 1
            return literal
        case .word("true"), .word("false"):
            defer { position += 1 }
            return .literal(.bool(isWord("true")), .bool)
        case .symbol("("):
            position += 1
            let inner = try expression()
            try expect(")")
            return inner
        case .word, .symbol("["):
            let name = try name()
            guard take("(") else { return .name(name) }
            return .call(name, try arguments())
        default: throw failure
        }
    }
}

extension KQL {
    /// A typed literal such as `datetime(2026-01-01)`; nil if the text is none of the type.
    static func literal(_ type: String, _ text: String) -> Expression? {
        var text = text[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        if text.count >= 2, let quote = text.first, quote == "\"" || quote == "'", text.last == quote, type != "dynamic"
        {
            text = text.dropFirst().dropLast()
        }
        if text == "null" {
            let types: [String: ColumnType] = [
                "datetime": .datetime, "date": .datetime, "timespan": .timespan, "time": .timespan, "guid": .guid,
                "dynamic": .dynamic, "long": .long, "int": .int, "bool": .bool, "boolean": .bool, "decimal": .decimal,
            ]
            return .literal(.null, types[type] ?? .real)
        }
        switch type {
        case "datetime", "date": return instant(text).map { .literal(.datetime($0), .datetime) }
        case "timespan", "time": return timespan(text).map { .literal(.timespan($0), .timespan) }
        case "guid":
            let isGUID = text.utf8.allSatisfy { $0 == 45 || Character(Unicode.Scalar($0)).isHexDigit }
            return isGUID && text.utf8.count == 36 ? .literal(.string(text.lowercased()), .guid) : nil
        case "long": return Int64(text).map { .literal(.long($0), .long) }
        case "int": return Int32(text).map { .literal(.long(Int64($0)), .int) }
        case "bool", "boolean":
            switch text {
            case "true", "1": return .literal(.bool(true), .bool)
            case "false", "0": return .literal(.bool(false), .bool)
            default: return nil
            }
        case "dynamic":
            // What is no JSON is no dynamic literal.
            guard let json = try? JSON(parsing: Array(text.utf8)) else { return nil }
            return .literal(.dynamic(json), .dynamic)
        default: return Double(text).map { .literal(.real($0), .real) }
        }
    }
}
