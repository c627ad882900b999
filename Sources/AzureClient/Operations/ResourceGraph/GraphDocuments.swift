/// A query as JSON in our POST (Azure REST docs, Resource Graph "Resources" 2022-10-01, read 2026-02).
struct GraphBody: Encodable {
    struct Options: Encodable {
        let resultFormat = "objectArray"
        let top: Int
        let skipToken: String?

        enum CodingKeys: String, CodingKey {
            case resultFormat
            case top = "$top"
            case skipToken = "$skipToken"
        }
    }

    let subscriptions: [String]
    let query: String
    let options: Options
}

/// An answer as JSON in Azure's reply.
struct GraphDocument: Decodable {
    let totalRecords: Int64?
    let data: [[String: JSONValue]]
    /// A word, not a truth value.
    let resultTruncated: String?
    let skipToken: String?

    enum CodingKeys: String, CodingKey {
        case totalRecords, data, resultTruncated
        case skipToken = "$skipToken"
    }

    var page: GraphPage {
        GraphPage(
            rows: data, totalRecords: totalRecords ?? Int64(data.count),
            isTruncated: resultTruncated?.lowercased() == "true", skipToken: skipToken.flatMap { $0.isEmpty ? nil : $0 }
        )
    }
}
