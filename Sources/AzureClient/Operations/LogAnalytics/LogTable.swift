/// A value of a cell, by the type of its column.
package enum LogValue: Sendable, Hashable, Codable {
    case null
    case bool(Bool)
    /// `int` and `long`.
    case long(Int64)
    /// `real`. Infinities and "not a number" come as text and are kept so.
    case real(Double)
    /// `string`, `guid`, `decimal`, `timespan`, and types that are not known here.
    case text(String)
    case datetime(LogTime)
    /// `dynamic`, which comes as JSON text.
    case dynamic(JSONValue)

    /// Text of a string; nil for other values.
    package var text: String? { if case .text(let text) = self { text } else { nil } }
    package var long: Int64? { if case .long(let number) = self { number } else { nil } }
    package var datetime: LogTime? { if case .datetime(let time) = self { time } else { nil } }
    package var dynamic: JSONValue? { if case .dynamic(let value) = self { value } else { nil } }
    package var isNull: Bool { self == .null }
}

/// What a query gave: columns with names and types, and rows.
package struct LogTable: Sendable, Hashable {
    package struct Column: Sendable, Hashable {
        package var name: String
        /// As Kusto names it, such as `datetime`.
        package var type: String
    }

    package var columns: [Column]
    /// Each has as many values as there are columns.
    package var rows: [[LogValue]]

    /// The place of a column; names have case.
    package func index(of column: String) -> Int? { columns.firstIndex { $0.name == column } }

    /// The values of a column; nil if there is none.
    package func values(_ column: String) -> [LogValue]? {
        index(of: column).map { index in rows.map { $0[index] } }
    }
}

/// What Azure says when an answer is not whole: the rows that came are good, others are missing.
package struct LogPartialError: Sendable, Hashable {
    /// `PartialError`
    package var code: String
    package var message: String
    /// Whether the reason is that the answer is too large: asking for less then gives all.
    package var isTooLarge: Bool
}

/// An answer to a query.
package enum LogAnswer: Sendable, Hashable {
    /// - Parameter partial: nil if the answer is whole.
    case table(LogTable, partial: LogPartialError?)
    /// The workspace holds nothing at all, or the table does not exist before its first row.
    case noRowsYet
}
