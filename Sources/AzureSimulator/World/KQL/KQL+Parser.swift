extension KQL {
    /// Reads tokens into a query, by recursive descent. Nesting is bounded by `KQL.deepest`.
    struct Parser {
        let bytes: [UInt8]
        let tokens: [Token]
        var position = 0
        var depth = 0
        private var links = 0

        init(bytes: [UInt8], tokens: [Token]) {
            self.bytes = bytes
            self.tokens = tokens
        }

        // MARK: Tokens

        var current: Token { tokens[min(position, tokens.count - 1)] }

        /// The failure at the token that stands here.
        var failure: Failure { KQL.syntaxFailure(at: current.range, in: bytes) }

        func isSymbol(_ symbol: String) -> Bool { current.kind == .symbol(symbol) }
        func isWord(_ word: String) -> Bool { current.kind == .word(word) }

        mutating func take(_ symbol: String) -> Bool {
            guard isSymbol(symbol) else { return false }
            position += 1
            return true
        }

        mutating func takeWord(_ word: String) -> Bool {
            guard isWord(word) else { return false }
            position += 1
            return true
        }

        mutating func expect(_ symbol: String) throws(Failure) {
            guard take(symbol) else { throw failure }
        }

        mutating func name() throws(Failure) -> String {
            if case .word(let name) = current.kind, !name.hasPrefix("!"), name != "in~" {
                position += 1
                return name
            }
            // ['a name that is none by itself']
            if isSymbol("["), position + 2 < tokens.count, case .string(let name) = tokens[position + 1].kind,
                tokens[position + 2].kind == .symbol("]")
            {
                position += 3
                return name
            }
            throw failure
        }

        /// One level deeper, until `ascend`.
        mutating func descend() throws(Failure) {
            depth += 1
            if depth > KQL.deepest { throw failure }
        }

        mutating func ascend() { depth -= 1 }

        /// One more operator of a chain such as `a + b + c`, which is a tree as deep as it is long.
        mutating func link() throws(Failure) {
            links += 1
            if links > KQL.mostLinks { throw failure }
        }

        // MARK: Statements

        mutating func query() throws(Failure) -> Query {
            var bindings: [(name: String, value: Query.Binding)] = []
            while true {
                if take(";") { continue }
                if takeWord("set") {
                    while !isSymbol(";") {
                        guard current.kind != .end else { throw failure }
                        position += 1
                    }
                } else if isWord("let") {
                    position += 1
                    let name = try name()
                    try expect("=")
                    bindings.append((name, try binding(known: bindings)))
                    guard isSymbol(";") else { throw failure }
                } else {
                    break
                }
            }
            let body = try pipeline()
            while take(";") {}
            guard current.kind == .end else { throw failure }
            return Query(bindings: bindings, body: body)
        }

        /// What stands behind `let name =`: a table if it is piped, names one that is bound, or begins like one.
        private mutating func binding(
            known: [(name: String, value: Query.Binding)]
        ) throws(Failure) -> Query.Binding {
            let start = position
            if case .word(let name) = current.kind {
                let next = tokens[min(position + 1, tokens.count - 1)].kind
                let isTable = known.contains { binding in
                    if case .table = binding.value { return binding.name == name }
                    return false
                }
                let isScalar = known.contains { $0.name == name } && !isTable
                if next == .symbol("|") || name == "union" || name == "print"
                    || next == .symbol(";") && !isScalar && name != "true" && name != "false"
                {
                    return .table(try pipeline())
                }
            }
            if isSymbol("(") {
                // Either a subquery or an expression: the one that reads as far as the semicolon.
                do throws(Failure) {
                    let pipeline = try pipeline()
                    if isSymbol(";"), !pipeline.operators.isEmpty { return .table(pipeline) }
                } catch {
                    depth = 0
                }
                position = start
            }
            return .scalar(try expression())
        }

        // MARK: Sources

        mutating func pipeline() throws(Failure) -> Pipeline {
            try descend()
            var pipeline = Pipeline(source: try source())
            while take("|") { pipeline.operators.append(try queryOperator()) }
            ascend()
            // Parentheses around a whole query mean nothing.
            if pipeline.operators.isEmpty, case .pipeline(let inner) = pipeline.source { return inner }
            return pipeline
        }

        private mutating func source() throws(Failure) -> Source {
            if take("(") {
                let inner = try pipeline()
                try expect(")")
                return .pipeline(inner)
            }
            if takeWord("union") { return try union() }
            if takeWord("print") { return .print(try assignments()) }
            return .table(try name())
        }

        private mutating func union() throws(Failure) -> Source {
            var isFuzzy = false
            var column: String?
            while case .word(let option) = current.kind, ["isfuzzy", "withsource", "kind"].contains(option),
                position + 1 < tokens.count, tokens[position + 1].kind == .symbol("=")
            {
                position += 2
                let value = try name()
                switch (option, value) {
                case ("isfuzzy", _): isFuzzy = value == "true"
                case ("withsource", _): column = value
                case ("kind", "outer"): break
                default: throw failure
                }
            }
            var sources = [try source()]
            while take(",") { sources.append(try source()) }
            return .union(sources, isFuzzy: isFuzzy, sourceColumn: column)
        }

        // MARK: Operators

        private mutating func queryOperator() throws(Failure) -> Operator {
            guard case .word(var word) = current.kind else { throw failure }
            let start = position
            position += 1
            if word == "project", isSymbol("-"),
                case .word(let suffix) = tokens[min(position + 1, tokens.count - 1)].kind
            {
                position += 2
                word += "-\(suffix)"
            }
            switch word {
            case "where", "filter": return .filter(try expression())
            case "extend": return .extend(try assignments())
            case "project": return .project(try assignments())
            case "project-away": return .projectAway(try patterns())
            case "project-keep": return .projectKeep(try patterns())
            case "project-rename": return try rename()
            case "sort", "order":
                guard takeWord("by") else { throw failure }
                var keys = [try sortKey()]
                while take(",") { keys.append(try sortKey()) }
                return .sort(keys)
            case "take", "limit": return .take(try expression())
            case "top":
                let count = try expression()
                guard takeWord("by") else { throw failure }
                return .top(count, try sortKey())
            case "summarize": return try summarize()
            case "distinct":
                if take("*") { return .distinct([.star]) }
                var columns = [try expression()]
                while take(",") { columns.append(try expression()) }
                return .distinct(columns)
            case "count": return .count
            case "union":
                guard case .union(let sources, let isFuzzy, let column) = try union() else { throw failure }
                return .union(sources, isFuzzy: isFuzzy, sourceColumn: column)
            case "render":
                let kind = try name()
                while current.kind != .end, !isSymbol("|"), !isSymbol(";"), !isSymbol(")") || depth == 1 {
                    position += 1
                }
                return .render(kind)
            default:
                position = start
                throw failure
            }
        }

        private mutating func assignments() throws(Failure) -> [Assignment] {
            var assignments = [try assignment()]
            while take(",") { assignments.append(try assignment()) }
            return assignments
        }

        /// `name = expression`, or an expression alone.
        private mutating func assignment() throws(Failure) -> Assignment {
            let start = position
            if isWordOrBracket, let name = try? name(), take("=") {  // no name here: an expression stands here instead
                return Assignment(name: name, expression: try expression())
            }
            position = start
            return Assignment(name: nil, expression: try expression())
        }

        private var isWordOrBracket: Bool {
            if case .word = current.kind { return true }
            return isSymbol("[")
        }

        private mutating func patterns() throws(Failure) -> [String] {
            func one(_ parser: inout Parser) throws(Failure) -> String {
                if parser.take("*") { return "*" }
                let name = try parser.name()
                // Only what stands right behind the name belongs to it.
                return parser.take("*") ? name + "*" : name
            }
            var patterns = [try one(&self)]
            while take(",") { patterns.append(try one(&self)) }
            return patterns
        }

        private mutating func rename() throws(Failure) -> Operator {
            var pairs: [(new: String, old: String)] = []
            repeat {
                let new = try name()
                try expect("=")
                pairs.append((new, try name()))
            } while take(",")
            return .projectRename(pairs)
        }

        private mutating func sortKey() throws(Failure) -> SortKey {
            var key = SortKey(expression: try expression())
            if takeWord("asc") { key.isDescending = false } else { _ = takeWord("desc") }
            if takeWord("nulls") {
                if takeWord("first") {
                    key.nullsFirst = true
                } else if takeWord("last") {
                    key.nullsFirst = false
                } else {
                    throw failure
                }
            }
            return key
        }

        private mutating func summarize() throws(Failure) -> Operator {
            var aggregates: [Assignment] = []
            if !isWord("by") { aggregates = try assignments() }
            guard takeWord("by") else { return .summarize(aggregates, by: []) }
            return .summarize(aggregates, by: try assignments())
        }
    }
}
