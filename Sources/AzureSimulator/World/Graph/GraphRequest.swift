/// The body of a Resource Graph query, checked (Azure REST docs, "Resources", 2021-03-01 to 2024-04-01, read 2026-02).
struct GraphRequest: Sendable {
    /// Rows of a page unless the client says otherwise, and at most.
    static let usualRows = 100
    static let mostRows = 1_000

    /// Nil if none are named: then all count.
    var subscriptions: [String]?
    var query: String
    var isTable = false
    var top = GraphRequest.usualRows
    var skip = 0

    init(_ body: JSON) throws(RefusedRequest) {
        guard let query = body["query"]?.string, !query.allSatisfy(\.isWhitespace) else {
            throw .content("'query' is required")
        }
        self.query = query
        if let named = body["subscriptions"], !named.isNull {
            guard let list = named.array?.map(\.string), !list.contains(nil) else {
                throw .content("'subscriptions' is not an array of strings")
            }
            subscriptions = list.isEmpty ? nil : list.compactMap(\.self)
        }
        let options = try ResourceCall.object(body["options"], named: "options")
        switch options["resultFormat"]?.string?.lowercased() {
        case nil, "objectarray": break
        case "table": isTable = true
        case let format?: throw .content("'\(format)' is not a result format")
        }
        top = try Self.number(options["$top"], in: 1...Self.mostRows) ?? Self.usualRows
        skip = try Self.number(options["$skip"], in: 0...Int(Int32.max)) ?? 0
        if let token = options["$skipToken"]?.string, !token.isEmpty { skip = try Self.position(token) }
    }

    private static func number(_ value: JSON?, in range: ClosedRange<Int>) throws(RefusedRequest) -> Int? {
        guard let value, !value.isNull else { return nil }
        guard case .number(let text) = value, let number = Int(text), range.contains(number) else {
            throw .content("an option is not a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    // MARK: Skip tokens

    /// A token that makes a query go on behind this row.
    static func token(position: Int) -> String {
        let content: JSON = ["skip": .number(position)]
        return Base64URL.encode(content.encoded)
    }

    private static func position(_ token: String) throws(RefusedRequest) -> Int {
        let refused = RefusedRequest(400, "InvalidSkipToken", "The provided skip token is not valid.")
        guard let bytes = Base64URL.decode(token) else { throw refused }
        let content: JSON
        do throws(JSON.SyntaxError) { content = try JSON(parsing: bytes) } catch { throw refused }
        guard case .number(let text) = content["skip"], let position = Int(text), position >= 0 else { throw refused }
        return position
    }
}
