extension KQL {
    /// A scalar expression as it was written.
    indirect enum Expression: Equatable, Sendable {
        case literal(Value, ColumnType)
        case name(String)
        /// `a.b` and `a["b"]`.
        case member(Expression, Expression)
        case call(String, [Expression])
        case negated(Expression)
        /// An operator of two sides, by its name in the query: `==`, `contains`, `and`, `+`…
        case binary(String, Expression, Expression)
        /// `in`, `in~`, `!in`, `!in~`, `has_any`, `has_all`.
        case list(String, Expression, [Expression])
        case between(Expression, Expression, Expression, isNegated: Bool)
        /// `*`, as an argument of some aggregates and of `distinct`.
        case star
    }

    /// An expression that becomes a column; without a name it is given one.
    struct Assignment: Equatable, Sendable {
        var name: String?
        var expression: Expression
    }

    struct SortKey: Equatable, Sendable {
        var expression: Expression
        var isDescending = true
        /// Without `nulls first|last`: first where ascending, last where descending.
        var nullsFirst: Bool?
    }

    indirect enum Source: Equatable, Sendable {
        case table(String)
        case pipeline(Pipeline)
        case union([Source], isFuzzy: Bool, sourceColumn: String?)
        case print([Assignment])
    }

    indirect enum Operator: Equatable, Sendable {
        case filter(Expression)
        case extend([Assignment])
        case project([Assignment])
        /// Columns by name; `*` at the end of one stands for any text.
        case projectAway([String])
        case projectKeep([String])
        case projectRename([(new: String, old: String)])
        case sort([SortKey])
        case take(Expression)
        case top(Expression, SortKey)
        case summarize([Assignment], by: [Assignment])
        case distinct([Expression])
        case count
        case union([Source], isFuzzy: Bool, sourceColumn: String?)
        case render(String)

        static func == (left: Operator, right: Operator) -> Bool { "\(left)" == "\(right)" }
    }

    struct Pipeline: Equatable, Sendable {
        var source: Source
        var operators: [Operator] = []
    }

    /// A whole query: names bound by `let`, and what is asked.
    struct Query: Sendable {
        enum Binding: Sendable {
            case scalar(Expression)
            case table(Pipeline)
        }

        var bindings: [(name: String, value: Binding)] = []
        var body: Pipeline

        init(parsing text: String) throws(Failure) {
            var parser = Parser(bytes: Array(text.utf8), tokens: try KQL.tokens(of: text))
            self = try parser.query()
        }

        init(bindings: [(name: String, value: Binding)], body: Pipeline) {
            self.bindings = bindings
            self.body = body
        }

        /// Names of tables that are not bound by `let`.
        var tableNames: [String] {
            var names: [String] = []
            var bound: Set<String> = []
            func visit(_ source: Source) {
                switch source {
                case .table(let name): if !bound.contains(name), !names.contains(name) { names.append(name) }
                case .pipeline(let pipeline): visit(pipeline)
                case .union(let sources, _, _): sources.forEach(visit)
                case .print: break
                }
            }
            func visit(_ pipeline: Pipeline) {
                visit(pipeline.source)
                for case .union(let sources, _, _) in pipeline.operators { sources.forEach(visit) }
            }
            for binding in bindings {
                if case .table(let pipeline) = binding.value { visit(pipeline) }
                bound.insert(binding.name)
            }
            visit(body)
            return names
        }
    }
}
