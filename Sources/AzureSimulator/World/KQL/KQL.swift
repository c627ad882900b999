/// The Kusto Query Language, as far as Log Analytics and Resource Graph are asked in it here (Azure docs, Kusto Query
/// Language reference, read 2026-02). A query is parsed once and run on tables that the caller provides; nothing here
/// reads a clock.
///
/// Not part of it: joins, `parse`, `mv-expand`, `make-series`, `search`, functions made by `let`, regular expressions.
enum KQL {
    /// What a query may cost. A query beyond a bound fails; rows beyond `resultRows` are left out and that is said.
    struct Limits: Sendable {
        /// Log Analytics answers with 500,000 rows at most (Azure docs, service-limits, read 2026-02).
        var resultRows = 500_000
        /// Rows that all operators together may look at, so that nested unions cannot multiply without end (ours).
        var workRows = 20_000_000
    }

    /// The longest query that is read, in bytes (ours: Kusto documents 2 MB).
    static let longestQueryBytes = 256 * 1_024
    /// How deep expressions and subqueries may be nested (ours): a request may not choose how deep the stack goes.
    static let deepest = 64
    /// How many operators one query may chain, for the same reason (ours).
    static let mostLinks = 2_000
    /// Strings are cut here, as Kusto does (docs, "The string data type", read 2026-02).
    static let longestStringBytes = 1_024 * 1_024

    /// Why a query was refused.
    struct Failure: Error, Equatable, Sendable {
        enum Kind: String, Sendable {
            /// The text is no query.
            case syntax = "SyntaxError"
            /// The query names what does not exist, or uses it wrongly.
            case semantic = "SemanticError"
            /// The query needs more than `Limits` allow.
            case limit = "LimitError"
        }

        /// Where a syntax error showed: both count from 1 and 0, as Kusto does (observed in error replies).
        struct Place: Equatable, Sendable {
            var line: Int
            var position: Int
            var token: String
        }

        var kind: Kind
        /// Kusto's own code, such as `SYN0002` or `SEM0100`.
        var code: String
        var message: String
        var place: Place?

        static func semantic(_ code: String, _ message: String) -> Failure {
            Failure(kind: .semantic, code: code, message: message)
        }

        /// A name that is neither a table nor, where one may stand, a column. Wording as in error replies quoted in
        /// public issues.
        static func unresolved(_ name: String, in operatorName: String) -> Failure {
            .semantic(
                "SEM0100", "'\(operatorName)' operator: Failed to resolve table or column expression named '\(name)'")
        }
    }

    /// What a query gave.
    struct Result: Equatable, Sendable {
        var table: Table
        /// Whether rows were left out because of `Limits.resultRows`.
        var isTruncated = false
        /// What `render` asked for, such as `timechart`.
        var visualization: String?
    }

    /// Parses and runs a query.
    /// - Parameters:
    ///   - now: what `now()` and `ago()` mean.
    ///   - source: the table of a name, nil where there is none. Names come as they stand in the query.
    static func run(
        _ text: String, at now: Instant, limits: Limits = Limits(), source: @escaping (String) -> Table?
    ) throws(Failure) -> Result {
        let query = try Query(parsing: text)
        var evaluator = Evaluator(now: now, limits: limits, source: source)
        return try evaluator.run(query)
    }

    /// The names of tables that a query may read, in the order in which they stand there; for permission checks and for
    /// replies that depend on whether a table exists.
    static func tableNames(in text: String) throws(Failure) -> [String] {
        try Query(parsing: text).tableNames
    }
}
