extension ResourceCall {
    /// One page of a list. The skip token holds the key of the last item of the page before, so that items that come
    /// and go between two pages make none of the others appear twice or not at all.
    /// - Parameters:
    ///   - items: in the order of their keys.
    ///   - size: the most items of a page.
    func page<Item>(
        _ items: [Item], size: Int, key: (Item) -> String, document: (Item) -> JSON
    ) throws(RefusedRequest) -> Reply {
        var rest = items[...]
        if let token = parameter("$skiptoken") {
            guard let bytes = Base64URL.decode(token), let last = String(validating: bytes, as: UTF8.self) else {
                throw RefusedRequest(400, "InvalidSkipToken", "The provided skip token is not valid.")
            }
            rest = rest.drop { key($0) <= last }
        }
        let page = rest.prefix(max(1, size))
        var members: [JSON.Member] = [.init(name: "value", value: .array(page.map(document)))]
        if page.count < rest.count, let last = page.last {
            members.append(.init(name: "nextLink", value: .string(nextLink(after: key(last)))))
        }
        return .json(200, .object(members))
    }

    /// `$top` if it is a positive number, and never more than `bound`.
    func top(_ name: String = "$top", atMost bound: Int) throws(RefusedRequest) -> Int {
        guard let text = parameter(name), !text.isEmpty else { return bound }
        guard let number = Int(text), number > 0 else {
            throw RefusedRequest(
                400, "InvalidTopInQueryString", "The query parameter \(name) '\(text)' is not a positive number.")
        }
        return min(number, bound)
    }

    private func nextLink(after key: String) -> String {
        let kept =
            query.filter { $0.name.lowercased() != "$skiptoken" } + [
                ("$skiptoken", Base64URL.encode(Array(key.utf8)))
            ]
        let text = kept.map { "\(URLText.encode($0.name))=\(URLText.encode($0.value))" }.joined(separator: "&")
        return "\(request.baseURL)\(request.path)?\(text)"
    }
}
