/// A question to Azure Resource Graph: cheap for thousands of resources, but seconds to minutes behind the truth, so
/// that what it does not show may exist and what it shows may be gone.
package struct GraphQuery: Sendable, Hashable {
    /// More rows of one page Azure does not give (Azure docs, "Work with large data sets", read 2026-02).
    package static let mostPageRows = 1_000

    /// In the Kusto Query Language. Text from elsewhere becomes part of it through ``KQLLiteral`` alone. Only a result
    /// with the column `id` comes in pages; an order makes pages fit together.
    package var text: String
    /// The subscriptions that are asked.
    package var subscriptions: [String]
    /// Rows of a page, at most ``mostPageRows``.
    package var pageRows = GraphQuery.mostPageRows
    /// The bound on the rows of a whole answer; beyond it the rest is left out, and that is said.
    package var mostRows = 100_000

    package init(_ text: String, subscriptions: [String]) {
        self.text = text
        self.subscriptions = subscriptions
    }

    /// The sites whose tag has this value, in a sweep's form: id, name, location, kind, tags and properties, by id.
    package static func sites(tag: String, value: String, subscriptions: [String]) -> GraphQuery {
        GraphQuery(
            """
            Resources | where type =~ "microsoft.web/sites" and \
            \(KQLLiteral.member(tag, of: "tags")) =~ \(KQLLiteral.string(value)) \
            | project id, name, location, kind, tags, properties | order by id asc
            """, subscriptions: subscriptions)
    }
}

/// One page of an answer.
package struct GraphPage: Sendable, Hashable {
    /// Each row by the names of its columns.
    package var rows: [[String: JSONValue]]
    /// How many rows the whole answer has.
    package var totalRecords: Int64
    /// Whether Azure has left rows out that no page can bring, for want of the column `id`.
    package var isTruncated: Bool
    /// For the next page, nil on the last.
    var skipToken: String?
}

/// A whole answer.
package struct GraphAnswer: Sendable, Hashable {
    package var rows: [[String: JSONValue]]
    /// Whether these are all: neither Azure nor our own bound has left rows out.
    package var isComplete: Bool
}
